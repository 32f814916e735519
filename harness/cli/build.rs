//! What the binary knows of itself: commit, target, flags. Nothing else of the building machine.

use std::process::Command;

fn main() {
    // Asked now: a target folder may be shared by several checkouts.
    let root = format!("{}/../..", std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    // Whatever changes the sources changes whether the tree is clean.
    for path in
        [".git/HEAD", ".git/index", "Cargo.toml", "Cargo.lock", "harness", "kernels", "models"]
    {
        println!("cargo:rerun-if-changed={root}/{path}");
    }
    for name in ["CARGO_ENCODED_RUSTFLAGS", "TARGET", "PROFILE"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(&root).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
        let dirty = if changed.is_some_and(|list| !list.is_empty()) { "-dirty" } else { "" };
        println!("cargo:rustc-env=FREEWEIGHTS_COMMIT={commit}{dirty}");
    }
    let set = |name: &str| std::env::var(name).unwrap_or_default();
    let flags = set("CARGO_ENCODED_RUSTFLAGS").replace('\u{1f}', " ");
    println!("cargo:rustc-env=FREEWEIGHTS_FLAGS={}", format!("{} {flags}", set("TARGET")).trim());
    println!("cargo:rustc-env=FREEWEIGHTS_PROFILE={}", set("PROFILE"));
}
