//! The lock files stand as `.deny.toml` has it, told with nothing but a Rust toolchain: where every
//! package comes from, and why any is there twice. Licences and advisories are cargo-deny's
//! (`scripts/supply-chain`).

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A lock file, as far as it is looked at.
#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    /// None for those that lie in this repository.
    source: Option<String>,
    checksum: Option<String>,
}

/// A rule with an exception: `name:1.2` stands for every version that begins with 1.2.
#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    of: String,
    #[serde(default)]
    reason: String,
}

impl Skip {
    fn matches(&self, package: &Package) -> bool {
        let (name, version) = self.of.split_once(':').unwrap_or((&self.of, ""));
        let rest = package.version.strip_prefix(version);
        package.name == name && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// What is wrong with the versions in a lock file, in words.
fn faults_of_versions(lock: &Lock, skips: &[Skip]) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&Package>> = BTreeMap::new();
    for package in &lock.package {
        versions.entry(&package.name).or_default().push(package);
    }
    let mut faults = Vec::new();
    for (name, packages) in &versions {
        let named = |package: &&&Package| skips.iter().any(|skip| skip.matches(package));
        if packages.len() > 1 && packages.iter().filter(|package| !named(package)).count() != 1 {
            let all = packages.iter().map(|package| package.version.as_str());
            let all = all.collect::<Vec<_>>().join(" and ");
            faults.push(format!(
                "{name} is there as {all}: make them one (cargo update -p .. --precise ..), or \
                 name all but the newest in `bans.skip` of .deny.toml, with who brings it and why"
            ));
        }
    }
    for skip in skips {
        if skip.reason.split_whitespace().count() < 3 {
            faults.push(format!("{} is skipped without a reason", skip.of));
        }
        let matched = lock.package.iter().find(|package| skip.matches(package));
        if matched.is_none_or(|package| versions[package.name.as_str()].len() < 2) {
            faults.push(format!("{} is skipped and not there twice: take it out", skip.of));
        }
    }
    faults
}

/// What comes from elsewhere than crates.io, or is not held to a checksum, in words.
fn faults_of_sources(lock: &Lock) -> Vec<String> {
    let wrong = lock.package.iter().filter(|package| match &package.source {
        Some(source) => source != CRATES_IO || package.checksum.is_none(),
        None => !package.name.starts_with("freeweights"),
    });
    wrong
        .map(|package| {
            let source = package.source.as_deref().unwrap_or("a folder");
            format!("{} {} comes from {source}, not from crates.io", package.name, package.version)
        })
        .collect()
}

fn read<T: serde::de::DeserializeOwned>(path: &str) -> T {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    toml::from_str(&std::fs::read_to_string(root.join(path)).unwrap()).unwrap()
}

fn skips(rules: &toml::Table) -> Vec<Skip> {
    rules["bans"]["skip"].clone().try_into().unwrap()
}

#[test]
fn no_package_is_there_twice_without_a_reason() {
    let faults = faults_of_versions(&read("Cargo.lock"), &skips(&read(".deny.toml")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_package_comes_from_crates_io() {
    for lock in ["Cargo.lock", "harness/fuzz/Cargo.lock"] {
        let faults = faults_of_sources(&read(lock));
        assert!(faults.is_empty(), "{lock}: {}", faults.join("\n"));
    }
}

#[test]
fn every_advisory_that_is_ignored_has_a_reason() {
    let rules: toml::Table = read(".deny.toml");
    for ignored in rules["advisories"]["ignore"].as_array().unwrap() {
        let reason = ignored.get("reason").and_then(toml::Value::as_str).unwrap_or_default();
        assert!(reason.split_whitespace().count() >= 3, "{ignored}: say why");
    }
}

#[test]
fn what_is_wrong_is_found() {
    let package = |name: &str, version: &str, source: &str| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}\n")
    };
    let good = format!("source = \"{CRATES_IO}\"\nchecksum = \"00\"");
    let lock: Lock = toml::from_str(
        &[
            package("freeweights", "0.1.0", ""),
            package("twice", "1.20.3", &good),
            package("twice", "1.2.0", &good),
            package("named", "0.1.9", &good),
            package("named", "0.2.0", &good),
            package("wide", "3.0.0", &good),
            package("wide", "3.1.0", &good),
            package("once", "1.0.0", &good),
            package("forked", "1.0.0", "source = \"git+https://example.org/forked#abc\""),
            package("unheld", "1.0.0", &format!("source = \"{CRATES_IO}\"")),
            package("beside", "1.0.0", ""),
        ]
        .concat(),
    )
    .unwrap();
    let rules: toml::Table = toml::from_str(
        r#"
        [bans]
        skip = [
            { crate = "named:0.1", reason = "an old crate that has no newer release" },
            { crate = "wide:3", reason = "names both, so that neither is the one" },
            { crate = "once:1", reason = "was there twice a year ago" },
            { crate = "gone:1", reason = "was there twice a year ago" },
            { crate = "named:0.1.9" },
        ]
        "#,
    )
    .unwrap();
    let begins = |fault: &String| fault.split(':').next().unwrap().to_owned();
    let found: Vec<String> = faults_of_versions(&lock, &skips(&rules)).iter().map(begins).collect();
    assert_eq!(
        found,
        [
            "twice is there as 1.20.3 and 1.2.0",
            "wide is there as 3.0.0 and 3.1.0",
            "once",
            "gone",
            "named",
        ]
    );
    let found = faults_of_sources(&lock);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("git+https://example.org/forked"), "{}", found[0]);
    assert!(found[1].starts_with("unheld") && found[2].starts_with("beside"), "{found:?}");
    // "1.2" is not the beginning of 1.20.
    let narrow = [Skip { of: "twice:1.2".into(), reason: "only the older of both".into() }];
    assert!(faults_of_versions(&lock, &narrow).iter().all(|fault| !fault.starts_with("twice")));
}
