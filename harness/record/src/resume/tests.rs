use super::*;
use crate::sample::Readings;
use crate::summarise::Shape;
use crate::units::{Bytes, Joules, Megahertz, Seconds, Tokens};
use crate::{SCHEMA_VERSION, SampleOf};

const SHAPE: Shape = Shape { isl: Tokens::new(8), osl: Tokens::new(3), batch: 2 };

fn of(case_id: &str) -> SampleOf<'_> {
    SampleOf { run_id: "run", case_id, shape: SHAPE }
}

/// Numbers that no decimal of a few digits holds.
fn sample(index: u32) -> Sample {
    let third = f64::from(index + 1) / 3.0;
    Sample {
        index,
        warmup: index == 0,
        offset: Seconds::new(third * 0.1),
        started: Seconds::new(third * 0.7),
        prefill: Seconds::new(third),
        ttft: Seconds::new(third * 1.1),
        gaps: vec![Seconds::new(third / 7.0), Seconds::new(third / 11.0)],
        readings: Readings {
            rss_peak: Some(Bytes::new(4_096)),
            rss_prefill_peak: Some(Bytes::new(1)),
            rss_decode_peak: Some(Bytes::new(2)),
            device_peak: Some(Bytes::new(3)),
            prefill_energy: Some(Joules::new(third)),
            decode_energy: None,
            clock: Some(Megahertz::new(third)),
            temperature: None,
            throttle: Some("sw_power_cap hw_slowdown".into()),
            stolen: Some(Seconds::new(0.01)),
            cpu_time: Some(Seconds::new(third)),
            // raw.csv does not have the others.
            ..Readings::default()
        },
    }
}

fn record(case_id: &str, status: Status) -> Record {
    Record {
        schema_version: SCHEMA_VERSION,
        run_id: "run".into(),
        case_id: case_id.into(),
        error: Some("two\nlines, \"quoted\"".into()),
        status,
        ..Record::default()
    }
}

/// Two cases, three samples of `a` and two of `b`, in turns.
fn killed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut run = RunFolder::create(folder.path()).unwrap();
    for (case, index) in [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)] {
        run.write_sample(of(case), &sample(index)).unwrap();
    }
    run.write_record(&record("x", Status::Ok)).unwrap();
    run.write_record(&record("y", Status::Failed)).unwrap();
    run.write_record(&record("z", Status::Interrupted)).unwrap();
    folder
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn samples_are_read_back_as_they_were() {
    let folder = killed();
    let kept = KeptRun::read(folder.path()).unwrap();
    assert_eq!(kept.samples["a"], [sample(0), sample(1), sample(2)]);
    assert_eq!(kept.samples["b"], [sample(0), sample(1)]);
    assert_eq!((kept.records.len(), kept.torn.len()), (3, 0));
}

#[test]
fn a_run_goes_on_behind_what_it_has_and_open_cases_lose_their_rows() {
    let folder = killed();
    let path = folder.path();
    let (raw, itl) = (bytes(path, "raw.csv"), bytes(path, "itl.csv"));
    let mut kept = KeptRun::read(path).unwrap();
    let mut run = kept.reopen(false).unwrap();
    assert!(bytes(path, "raw.csv") == raw && bytes(path, "itl.csv") == itl);
    run.write_sample(of("b"), &sample(2)).unwrap();
    run.write_record(&record("z", Status::Ok)).unwrap();
    drop(run);
    let mut kept = KeptRun::read(path).unwrap();
    assert_eq!(kept.samples["b"], [sample(0), sample(1), sample(2)]);
    let ids =
        |kept: &KeptRun| kept.records.iter().map(|r| r.case_id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&kept), ["x", "y", "z"]);
    assert!(kept.records.iter().all(|record| record.status != Status::Interrupted));
    // Failed cases are measured again only where that is asked for.
    drop(kept.reopen(true).unwrap());
    assert_eq!(ids(&KeptRun::read(path).unwrap()), ["x", "z"]);
}

#[test]
fn wherever_a_kill_cuts_a_file_no_more_than_the_sample_in_flight_is_lost() {
    let folder = killed();
    let path = folder.path();
    let whole: HashMap<&str, Vec<u8>> =
        ["summary.csv", "raw.csv", "itl.csv"].map(|name| (name, bytes(path, name))).into();
    let count = |kept: &KeptRun| kept.samples.values().map(Vec::len).sum::<usize>();
    let last_row = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.trim_end().rfind('\n').unwrap() + 1
    };
    // The row of a sample is written last: without it its gaps go too.
    let raw = &whole["raw.csv"];
    for end in last_row(raw)..raw.len() {
        std::fs::write(path.join("raw.csv"), &raw[..end]).unwrap();
        std::fs::write(path.join("itl.csv"), &whole["itl.csv"]).unwrap();
        let mut kept = KeptRun::read(path).unwrap();
        assert_eq!(count(&kept), 4, "cut at {end}");
        assert!(!kept.torn.is_empty());
        drop(kept.reopen(false).unwrap());
        assert_eq!(
            bytes(path, "itl.csv"),
            whole["itl.csv"][..whole["itl.csv"].len() - itl_rows(2)]
        );
        let again = KeptRun::read(path).unwrap();
        assert_eq!((count(&again), again.torn.len()), (4, 0));
    }
    // As if the system had lost the end of itl.csv alone: of its last two rows.
    let itl = &whole["itl.csv"];
    for end in itl.len() - itl_rows(2)..itl.len() {
        std::fs::write(path.join("raw.csv"), raw).unwrap();
        std::fs::write(path.join("itl.csv"), &itl[..end]).unwrap();
        let mut kept = KeptRun::read(path).unwrap();
        assert_eq!(count(&kept), 4, "cut at {end}");
        drop(kept.reopen(false).unwrap());
        assert_eq!(bytes(path, "raw.csv"), raw[..last_row(raw)]);
    }
    // The summary, whose rows have line breaks inside: of three rows as many as are whole.
    let summary = &whole["summary.csv"];
    std::fs::write(path.join("itl.csv"), itl).unwrap();
    for end in 0..summary.len() {
        std::fs::write(path.join("summary.csv"), &summary[..end]).unwrap();
        let rows = KeptRun::read(path).unwrap().records.len();
        assert!(rows <= 2, "cut at {end}");
    }
}

/// Bytes of the last rows of itl.csv of [`killed`].
fn itl_rows(count: usize) -> usize {
    let rows = sample(2)
        .gaps
        .into_iter()
        .enumerate()
        .map(|(at, gap)| format!("run,a,2,{},{}\n", at + 1, gap.get()).len());
    rows.rev().take(count).sum()
}

#[test]
fn files_that_somebody_changed_are_refused_and_left_as_they_are() {
    let folder = killed();
    let path = folder.path();
    let itl = String::from_utf8(bytes(path, "itl.csv")).unwrap();
    // A gap of the first sample is gone.
    let changed: Vec<&str> =
        itl.lines().enumerate().filter(|(at, _)| *at != 2).map(|(_, line)| line).collect();
    let changed = changed.join("\n") + "\n";
    std::fs::write(path.join("itl.csv"), &changed).unwrap();
    let error = KeptRun::read(path).unwrap_err().to_string();
    let error = error.replace(&path.display().to_string(), "RUN");
    insta::assert_snapshot!(error, @"RUN/raw.csv: sample 0 of case a: its gaps in itl.csv do not add up to its decode_s in raw.csv; the files were changed: bring them back as they were, or begin anew with another --out");
    assert_eq!(bytes(path, "itl.csv"), changed.as_bytes());
}

#[test]
fn two_processes_never_write_to_one_run() {
    let folder = killed();
    let mut first = KeptRun::read(folder.path()).unwrap();
    let mut second = first.clone();
    let mut open = first.reopen(false).unwrap();
    assert!(matches!(second.reopen(false), Err(WriteError::Busy { .. })));
    // What was written behind its back is not cut off.
    open.write_sample(of("b"), &sample(2)).unwrap();
    drop(open);
    assert!(matches!(second.reopen(false), Err(WriteError::Busy { .. })));
    let mut again = KeptRun::read(folder.path()).unwrap();
    assert_eq!(again.samples["b"], [sample(0), sample(1), sample(2)]);
    again.reopen(false).unwrap();
}

#[test]
fn a_folder_that_was_begun_is_gone_on_with_or_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    // As a kill between two files leaves it.
    std::fs::write(path.join("summary.csv"), "").unwrap();
    let mut run = KeptRun::read(path).unwrap().reopen(false).unwrap();
    run.write_sample(of("a"), &sample(0)).unwrap();
    drop(run);
    assert_eq!(KeptRun::read(path).unwrap().samples["a"], [sample(0)]);

    // Something that cannot be replaced is in the way of the last file.
    let other = path.join("other");
    std::fs::create_dir_all(other.join("itl.csv")).unwrap();
    RunFolder::create(&other).unwrap_err();
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn links_in_the_folder_lead_to_nothing_that_is_written_or_cut() {
    let folder = killed();
    let (path, outside) = (folder.path(), tempfile::tempdir().unwrap());
    let key = outside.path().join("key");
    std::fs::write(&key, "no line break").unwrap();
    for name in [".reserve", "summary.csv.part", "host.json.part"] {
        std::os::unix::fs::symlink(&key, path.join(name)).unwrap();
    }
    let run = KeptRun::read(path).unwrap().reopen(false).unwrap();
    run.write_file("host.json", "{}").unwrap();
    drop(run);
    std::fs::remove_file(path.join("raw.csv")).unwrap();
    std::os::unix::fs::symlink(&key, path.join("raw.csv")).unwrap();
    let error = KeptRun::read(path).unwrap().reopen(false).unwrap_err().to_string();
    assert!(error.contains("raw.csv: it is no plain file; take it out of the folder"), "{error}");
    assert_eq!(bytes(outside.path(), "key"), b"no line break");
}
