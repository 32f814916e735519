//! Records that can carry one assessment: one model, one engine, one device.

use freeweights_record::{Record, Weights};
use std::collections::HashMap;
use std::fmt;

/// What the records of one assessment have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Group<'a> {
    model: &'a str,
    quant: Option<&'a str>,
    weights: Option<Weights>,
    engine: &'a str,
    device: &'a str,
    threads: Option<u32>,
    gpu: Option<&'a str>,
    cpu: Option<&'a str>,
}

impl<'a> Group<'a> {
    fn of(record: &'a Record) -> Self {
        Self {
            model: &record.model,
            quant: record.quant.as_deref(),
            weights: record.weights,
            engine: &record.engine,
            device: &record.device,
            threads: record.threads,
            gpu: record.gpu_name.as_deref(),
            cpu: record.cpu_model.as_deref(),
        }
    }
}

impl fmt::Display for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model)?;
        if let Some(quant) = self.quant {
            write!(f, " {quant}")?;
        }
        write!(f, " on {}", self.engine)?;
        // Other tools may not say where it ran.
        if !self.device.is_empty() {
            write!(f, ", {}", self.device)?;
        }
        match self.threads {
            Some(1) => f.write_str(", 1 thread"),
            Some(threads) => write!(f, ", {threads} threads"),
            None => Ok(()),
        }
    }
}

/// The groups in the order in which they first appear.
pub(crate) fn groups(records: &[Record]) -> Vec<(Group<'_>, Vec<&Record>)> {
    let mut groups: Vec<(Group<'_>, Vec<&Record>)> = Vec::new();
    let mut places: HashMap<Group<'_>, usize> = HashMap::new();
    for record in records {
        let group = Group::of(record);
        if let Some(place) = places.get(&group) {
            groups[*place].1.push(record);
        } else {
            places.insert(group.clone(), groups.len());
            groups.push((group, vec![record]));
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_gather_by_model_engine_and_threads() {
        let record = |model: &str, threads, case: &str| Record {
            model: model.into(),
            engine: "candle".into(),
            device: "cpu".into(),
            threads: Some(threads),
            case_id: case.into(),
            ..Record::default()
        };
        let records =
            [record("a", 1, "1"), record("b", 1, "2"), record("a", 1, "3"), record("a", 2, "4")];
        let groups = groups(&records);
        let sizes: Vec<_> =
            groups.iter().map(|(g, members)| (g.to_string(), members.len())).collect();
        assert_eq!(
            sizes,
            [
                ("a on candle, cpu, 1 thread".to_owned(), 2),
                ("b on candle, cpu, 1 thread".to_owned(), 1),
                ("a on candle, cpu, 2 threads".to_owned(), 1)
            ]
        );
    }
}
