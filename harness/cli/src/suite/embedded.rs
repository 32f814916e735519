//! The plans that come with the program.

use super::plan::Plan;
use std::path::Path;

const EMBEDDED: [(&str, &str); 3] = [
    ("quick", include_str!("../../plans/quick.toml")),
    ("standard", include_str!("../../plans/standard.toml")),
    ("full", include_str!("../../plans/full.toml")),
];

/// Their names.
pub fn names() -> Vec<&'static str> {
    EMBEDDED.map(|(name, _)| name).to_vec()
}

/// Their texts, each under its name.
pub fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    EMBEDDED.into_iter()
}

/// The plan of a name, or else of a file.
pub fn find(name: &str) -> anyhow::Result<Plan> {
    match EMBEDDED.into_iter().find(|(known, _)| *known == name) {
        Some((name, text)) => Plan::parse(text, name),
        None => Plan::read(Path::new(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Suite;

    #[test]
    fn every_embedded_plan_is_a_suite_of_its_name() {
        for name in names() {
            let plan = find(name).unwrap();
            assert_eq!(plan.name.as_deref(), Some(name));
            assert!(plan.about.is_some());
            assert!(Suite::of(&plan.resolved().unwrap()).unwrap().cases(None).len() > 2, "{name}");
        }
    }
}
