//! The Markdown table of llama-bench: the same tests under shorter names, with rounded figures.

use super::super::content::{Sheet, check_width};
use super::super::fields::{Fields, Source};
use super::test::{Test, size};
use crate::read::ReadError;

/// Names of the table and of the CSV.
const NAMES: &[(&str, &str)] = &[
    ("model", "model_type"),
    ("backend", "backends"),
    ("ngl", "n_gpu_layers"),
    ("threads", "n_threads"),
    ("sm", "split_mode"),
    ("mg", "main_gpu"),
    ("nkvo", "no_kv_offload"),
    ("fa", "flash_attn"),
    ("dev", "devices"),
    ("ts", "tensor_split"),
];

/// The tests of one or several tables below each other.
pub(super) fn tests(sheet: &Sheet, build: Option<&str>) -> Vec<Result<Test, ReadError>> {
    let mut header = sheet.header();
    let mut tests = Vec::new();
    for (line, cells) in &sheet.0 {
        if cells.iter().any(|cell| cell == "t/s") {
            header = cells;
            continue;
        }
        tests.push(check_width(*line, cells.len(), header.len()).and_then(|()| {
            let row = Fields::new(Source::Row { line: *line, header, cells });
            let (names, values): (Vec<_>, Vec<_>) = columns(&row, build)?.into_iter().unzip();
            Test::read(&Fields::new(Source::Row { line: *line, header: &names, cells: &values }))
        }));
    }
    tests
}

/// A line of the table as a row of the CSV.
fn columns(row: &Fields<'_>, build: Option<&str>) -> Result<Vec<(String, String)>, ReadError> {
    let mut columns = Vec::new();
    let mut push = |name: &str, value: &str| columns.push((name.to_owned(), value.to_owned()));
    for (name, value) in row.entries() {
        match name.as_str() {
            "size" => {
                let size = size(&value, &row.place("size"))?;
                let size = size.ok_or_else(|| row.refuse("size", &value, "a size, as 3.56 GiB"))?;
                push("model_size", &size.get().to_string());
            }
            "params" => {
                let wrong = || row.refuse("params", &value, "a count, as 6.74 B");
                push("model_n_params", &params(&value).ok_or_else(wrong)?.to_string());
            }
            "test" => {
                let wrong = || row.refuse("test", &value, "pp512, tg128 or pp512+tg128");
                for (name, count) in shape(&value).ok_or_else(wrong)? {
                    push(name, &count.to_string());
                }
            }
            "t/s" => {
                let (mean, spread) = value.split_once('±').unwrap_or((&value, ""));
                push("avg_ts", mean.trim());
                push("stddev_ts", spread.trim());
            }
            other => {
                let known = NAMES.iter().find(|(short, _)| *short == other);
                push(known.map_or(other, |(_, long)| long), &value);
            }
        }
    }
    if let Some((commit, number)) = build.map(|text| text.split_once(' ').unwrap_or((text, ""))) {
        push("build_commit", commit);
        push("build_number", number.trim_matches(['(', ')', ' ']));
    }
    Ok(columns)
}

/// `134.52 M` and `6.74 B`, rounded as they are.
fn params(text: &str) -> Option<u64> {
    let (value, scale) = text.split_once(' ')?;
    let scale = match scale.trim() {
        "M" => 1e6,
        "B" => 1e9,
        _ => return None,
    };
    Some(super::super::unit::rounded(value.parse::<f64>().ok()? * scale))
}

/// `pp512`, `tg128`, `pp512+tg128 @ d4096`, and `pp 512` of 2023.
fn shape(text: &str) -> Option<Vec<(&'static str, u64)>> {
    let joined = text.replace(' ', "");
    let (parts, depth) = joined.split_once("@d").unwrap_or((&joined, "0"));
    let mut shape = vec![("n_depth", depth.parse().ok()?)];
    for part in parts.split('+') {
        let (name, count) = match (part.strip_prefix("pp"), part.strip_prefix("tg")) {
            (Some(count), _) => ("n_prompt", count),
            (None, Some(count)) => ("n_gen", count),
            (None, None) => return None,
        };
        shape.push((name, count.parse().ok()?));
    }
    Some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_named_by_what_they_do() {
        assert_eq!(shape("tg128"), Some(vec![("n_depth", 0), ("n_gen", 128)]));
        assert_eq!(shape("pp 512"), Some(vec![("n_depth", 0), ("n_prompt", 512)]));
        assert_eq!(
            shape("pp512+tg128 @ d4096"),
            Some(vec![("n_depth", 4096), ("n_prompt", 512), ("n_gen", 128)])
        );
        assert_eq!(shape("xx12"), None);
        assert_eq!(params("6.74 B"), Some(6_740_000_000));
    }
}
