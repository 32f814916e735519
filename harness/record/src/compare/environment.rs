//! What differs between the sides besides what was to be compared.

use super::cases::Case;
use super::key::KEY_COLUMNS;
use crate::host::Host;
use crate::record::Record;
use crate::units::{Bytes, Quantity};
use serde::Serialize;

/// How far ceilings and memory may differ before that is a difference.
const CLOSE: f64 = 0.05;

/// How many percent of stolen CPU time more or less is a difference.
const STEAL: f64 = 1.0;

/// What differs between the sides.
///
/// As JSON `{"between_machines", "differences": [{"what", "base", "new"}], "not_told_by_base",
/// "not_told_by_new"}`, the latter two lists of columns.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Environment {
    /// Whether CPU, GPU or memory differ: then a ratio is between machines, not between versions.
    pub between_machines: bool,
    /// What both sides tell, and tell differently.
    pub differences: Vec<Difference>,
    /// Columns that only NEW has filled.
    pub not_told_by_base: Vec<&'static str>,
    /// Columns that only BASE has filled.
    pub not_told_by_new: Vec<&'static str>,
}

/// A column that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The column of `summary.csv`, or the field of `host.json`.
    pub what: &'static str,
    /// What BASE has; values of several records separated by ` or `.
    pub base: String,
    /// What NEW has.
    pub new: String,
}

/// How the values of a column are compared.
#[derive(Clone, Copy)]
enum Kind {
    /// As they are.
    Text(fn(&Record) -> Option<String>),
    /// As they are; a difference makes it another machine.
    Machine(fn(&Record) -> Option<String>),
    /// By their means, within 5%.
    Close(fn(&Record) -> Option<f64>, fn(f64) -> String),
}

/// A cell of text.
macro_rules! text {
    ($field:ident) => {
        |r| r.$field.as_deref().map(str::to_owned)
    };
}

/// A cell that is shown.
macro_rules! shown {
    ($field:ident) => {
        |r| r.$field.map(|value| value.to_string())
    };
}

/// A cell of text that is never empty by the schema, but may be in what other tools wrote.
macro_rules! always {
    ($field:ident) => {
        |r| (!r.$field.is_empty()).then(|| r.$field.to_string())
    };
}

const COLUMNS: &[(&str, Kind)] = &[
    ("cpu_model", Kind::Machine(text!(cpu_model))),
    ("cpu_cores", Kind::Machine(shown!(cpu_cores))),
    ("gpu_name", Kind::Machine(text!(gpu_name))),
    ("gpu_count", Kind::Machine(shown!(gpu_count))),
    ("gpu_memory_bytes", Kind::Machine(shown!(gpu_memory_bytes))),
    ("gpu_driver", Kind::Text(text!(gpu_driver))),
    ("cuda_version", Kind::Text(text!(cuda_version))),
    ("virtualised", Kind::Text(shown!(virtualised))),
    ("host_os", Kind::Text(text!(host_os))),
    ("kernel", Kind::Text(text!(kernel))),
    ("freeweights_version", Kind::Text(always!(freeweights_version))),
    ("git_commit", Kind::Text(text!(git_commit))),
    ("build_profile", Kind::Text(always!(build_profile))),
    ("build_flags", Kind::Text(text!(build_flags))),
    ("engine_version", Kind::Text(text!(engine_version))),
    ("model_revision", Kind::Text(text!(model_revision))),
    ("model_sha256", Kind::Text(text!(model_sha256))),
    ("source_tool", Kind::Text(text!(source_tool))),
    ("source_tool_version", Kind::Text(text!(source_tool_version))),
    ("ceiling_read_bytes_per_s", Kind::Close(|r| number(r.ceiling_read_bytes_per_s), giga)),
    ("ceiling_flops_per_s", Kind::Close(|r| number(r.ceiling_flops_per_s), giga)),
];

fn number<Q: Quantity>(value: Option<Q>) -> Option<f64> {
    value.map(Quantity::as_f64)
}

fn giga(value: f64) -> String {
    format!("{:.1} G", value / 1e9)
}

impl Environment {
    /// What differs between the cases that both sides have. Of `host.json` the governor and the
    /// transparent huge pages are compared.
    pub(super) fn of(both: &[(&Case<'_>, &Case<'_>)], hosts: [&[Host]; 2]) -> Self {
        let base: Vec<&Record> = both.iter().flat_map(|(case, _)| records(case)).collect();
        let new: Vec<&Record> = both.iter().flat_map(|(_, case)| records(case)).collect();
        let mut found = Self::default();
        // An ignored column of the key differs like any other.
        for column in KEY_COLUMNS {
            let read = |side: &[&Record]| distinct(side.iter().map(|record| column.of(record)));
            found.note(column.name, &read(&base), &read(&new), false);
        }
        for &(what, kind) in COLUMNS {
            match kind {
                Kind::Text(read) | Kind::Machine(read) => {
                    let machine = matches!(kind, Kind::Machine(_));
                    let values =
                        |side: &[&Record]| distinct(side.iter().map(|record| read(record)));
                    found.note(what, &values(&base), &values(&new), machine);
                }
                Kind::Close(read, show) => {
                    let mean = |side: &[&Record]| mean(side.iter().map(|record| read(record)));
                    found.note_close(what, [mean(&base), mean(&new)], CLOSE, show, false);
                }
            }
        }
        let memory = |side: &[&Record]| {
            mean(side.iter().map(|record| record.memory_total_bytes.map(Bytes::as_f64)))
        };
        let size = |bytes: f64| format!("{:.1} GiB", bytes / f64::from(1 << 30));
        found.note_close("memory_total_bytes", [memory(&base), memory(&new)], CLOSE, size, true);
        found.note_steal(&base, &new);
        found.note_hosts(hosts);
        found
    }

    fn note(&mut self, what: &'static str, base: &[String], new: &[String], machine: bool) {
        match (base.is_empty(), new.is_empty()) {
            (true, false) => self.not_told_by_base.push(what),
            (false, true) => self.not_told_by_new.push(what),
            _ if base != new => {
                self.between_machines |= machine;
                let (base, new) = (base.join(" or "), new.join(" or "));
                self.differences.push(Difference { what, base, new });
            }
            _ => {}
        }
    }

    fn note_close(
        &mut self,
        what: &'static str,
        [base, new]: [Option<f64>; 2],
        close: f64,
        show: impl Fn(f64) -> String,
        machine: bool,
    ) {
        let same = base.zip(new).is_some_and(|(a, b)| (a - b).abs() <= close * a.min(b));
        if same {
            return;
        }
        let shown = |value: Option<f64>| value.map(&show).into_iter().collect::<Vec<_>>();
        self.note(what, &shown(base), &shown(new), machine);
    }

    fn note_steal(&mut self, base: &[&Record], new: &[&Record]) {
        let steal = |side: &[&Record]| mean(side.iter().map(|record| number(record.steal_percent)));
        if let (Some(base), Some(new)) = (steal(base), steal(new))
            && (base - new).abs() > STEAL
        {
            let shown = |percent: f64| [format!("{percent:.1}%")];
            self.note("steal_percent", &shown(base), &shown(new), false);
        }
    }

    fn note_hosts(&mut self, [base, new]: [&[Host]; 2]) {
        for (what, read) in [
            ("governor", (|h| h.governor.clone()) as fn(&Host) -> Option<String>),
            ("transparent_huge_pages", |h| h.transparent_huge_pages.clone()),
        ] {
            let values = |side: &[Host]| distinct(side.iter().map(read));
            let (base, new) = (values(base), values(new));
            // A side without host.json tells nothing of either; that is no difference.
            if !base.is_empty() && !new.is_empty() {
                self.note(what, &base, &new, false);
            }
        }
    }
}

fn records<'a>(case: &Case<'a>) -> impl Iterator<Item = &'a Record> {
    case.runs.iter().map(|run| run.record)
}

/// Each value once, sorted: the order of cases in a file is that in which they ended.
fn distinct(values: impl Iterator<Item = Option<String>>) -> Vec<String> {
    let found: std::collections::BTreeSet<String> = values.flatten().collect();
    found.into_iter().collect()
}

fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let known: Vec<f64> = values.flatten().collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::{Which, cases};
    use super::*;
    use crate::Measurements;
    use crate::units::{BytesPerSecond, Percent};

    fn record() -> Record {
        Record {
            model: "m".into(),
            cpu_model: Some("Xeon".into()),
            git_commit: Some("aaa".into()),
            memory_total_bytes: Some(Bytes::new(16 << 30)),
            ceiling_read_bytes_per_s: Some(BytesPerSecond::new(20e9)),
            steal_percent: Some(Percent::new(0.2)),
            ..Record::default()
        }
    }

    fn between(base: Record, new: Record, hosts: [&[Host]; 2]) -> Environment {
        let file = |record| Measurements { records: vec![record], ..Measurements::default() };
        let (base, new) = (file(base), file(new));
        let base = cases::of(Which::Base, &base, &[]).unwrap();
        let new = cases::of(Which::New, &new, &[]).unwrap();
        Environment::of(&[(&base[0], &new[0])], hosts)
    }

    #[test]
    fn a_new_commit_is_a_difference_and_no_other_machine() {
        let new = Record { git_commit: Some("bbb".into()), ..record() };
        let found = between(record(), new, [&[], &[]]);
        assert!(!found.between_machines);
        assert_eq!(
            found.differences,
            [Difference { what: "git_commit", base: "aaa".into(), new: "bbb".into() }]
        );
        assert_eq!(between(record(), record(), [&[], &[]]), Environment::default());
    }

    #[test]
    fn another_cpu_or_other_memory_is_another_machine() {
        for new in [
            Record { cpu_model: Some("EPYC".into()), ..record() },
            Record { memory_total_bytes: Some(Bytes::new(32 << 30)), ..record() },
        ] {
            assert!(between(record(), new, [&[], &[]]).between_machines);
        }
        // What the kernel keeps for itself differs by a little.
        let new = Record { memory_total_bytes: Some(Bytes::new((16 << 30) - 4_096)), ..record() };
        assert_eq!(between(record(), new, [&[], &[]]), Environment::default());
    }

    #[test]
    fn ceilings_within_5_percent_and_a_little_steal_are_no_difference() {
        let with = |read: f64, steal: f64| Record {
            ceiling_read_bytes_per_s: Some(BytesPerSecond::new(read)),
            steal_percent: Some(Percent::new(steal)),
            ..record()
        };
        assert_eq!(between(record(), with(20.9e9, 1.1), [&[], &[]]), Environment::default());
        let found = between(record(), with(22e9, 7.0), [&[], &[]]);
        insta::assert_debug_snapshot!(found.differences, @r#"
        [
            Difference {
                what: "ceiling_read_bytes_per_s",
                base: "20.0 G",
                new: "22.0 G",
            },
            Difference {
                what: "steal_percent",
                base: "0.2%",
                new: "7.0%",
            },
        ]
        "#);
    }

    #[test]
    fn what_one_side_does_not_tell_is_listed_apart() {
        let new = Record { cpu_model: None, kernel: Some("6.1".into()), ..record() };
        let found = between(record(), new, [&[], &[]]);
        assert_eq!((found.between_machines, found.differences.len()), (false, 0));
        assert_eq!(found.not_told_by_new, ["cpu_model"]);
        assert_eq!(found.not_told_by_base, ["kernel"]);
    }

    #[test]
    fn settings_of_the_host_are_compared_where_both_are_known() {
        let host = |governor: &str| Host { governor: Some(governor.into()), ..Host::default() };
        let (slow, fast) = ([host("powersave")], [host("performance")]);
        let found = between(record(), record(), [&slow, &fast]);
        assert_eq!(found.differences[0].what, "governor");
        assert_eq!(between(record(), record(), [&slow, &[]]), Environment::default());
    }
}
