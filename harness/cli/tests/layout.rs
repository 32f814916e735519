//! The house stands as it was drawn: the top level, and which package may lean on which.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_top_level_holds_what_was_agreed_and_nothing_else() {
    const AGREED: [&str; 8] = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "harness",
        "kernels",
        "models",
        "results",
        "benches",
    ];
    // What is built or measured here and not kept.
    const NOT_KEPT: [&str; 2] = ["target", "freeweights-results"];
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let agreed = AGREED.contains(&name.as_str())
            || name == "scripts"
            || name.starts_with('.')
            || name.starts_with("LICENSE")
            || NOT_KEPT.contains(&name.as_str());
        assert!(agreed, "{name} does not belong on the top level; put it into one of the rooms");
    }
    for name in AGREED {
        assert!(root().join(name).exists(), "{name} is missing");
    }
}

/// Which of our packages each of ours may use.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let all = ["record", "cost", "report", "measure", "models", "kernels", "client"];
    BTreeMap::from([
        ("freeweights-kernels", BTreeSet::new()),
        ("freeweights-models", BTreeSet::from(["kernels"])),
        ("freeweights-record", BTreeSet::new()),
        ("freeweights-measure", BTreeSet::from(["record", "models", "kernels"])),
        ("freeweights-client", BTreeSet::from(["record"])),
        ("freeweights-cost", BTreeSet::from(["record"])),
        ("freeweights-report", BTreeSet::from(["record", "cost"])),
        ("freeweights", BTreeSet::from(all)),
        ("freeweights-benches", BTreeSet::from(all)),
    ])
}

fn metadata() -> serde_json::Value {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Crates of other platforms need not be on this machine.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", host])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn dependencies_point_one_way_and_candle_stays_out_of_the_pure_rooms() {
    let metadata = metadata();
    let name_of = |id: &serde_json::Value| {
        let packages = metadata["packages"].as_array().unwrap();
        packages.iter().find(|package| &package["id"] == id).unwrap()["name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    // Normal dependencies of every package, by id; those of tests do not count.
    let nodes: BTreeMap<String, Vec<serde_json::Value>> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            let normal = node["deps"].as_array().unwrap().iter().filter(|dependency| {
                dependency["dep_kinds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            });
            (node["id"].to_string(), normal.map(|dependency| dependency["pkg"].clone()).collect())
        })
        .collect();

    let members = metadata["workspace_members"].as_array().unwrap();
    let allowed = allowed();
    assert_eq!(members.len(), allowed.len(), "a package more or less: say here what it may use");
    for member in members {
        let name = name_of(member);
        let may = &allowed[name.as_str()];
        for dependency in &nodes[&member.to_string()] {
            let used = name_of(dependency);
            if let Some(ours) = used.strip_prefix("freeweights-") {
                assert!(may.contains(ours), "{name} may not use {used}");
            }
        }
        if ["freeweights-record", "freeweights-cost", "freeweights-report"].contains(&name.as_str())
        {
            let (mut seen, mut left) = (BTreeSet::new(), vec![member.clone()]);
            while let Some(id) = left.pop() {
                if seen.insert(id.to_string()) {
                    let used = name_of(&id);
                    assert!(!used.starts_with("candle"), "{name} pulls in {used}");
                    assert!(
                        used != "clap" || name == "freeweights",
                        "{name} knows the command line"
                    );
                    left.extend(nodes[&id.to_string()].iter().cloned());
                }
            }
        }
    }
}
