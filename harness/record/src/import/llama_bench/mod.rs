//! llama.cpp's `llama-bench`: CSV, JSON, JSON lines and Markdown, with the columns of 2023 and of
//! today.
//!
//! It times prompts (`n_prompt > 0, n_gen = 0`) and generation (`n_prompt = 0, n_gen > 0`) apart. A
//! record has both, so each prompt test is joined with each generation test of the same settings;
//! one without a partner is a record of its own. A test of both at once (`-pg`) has a total rate
//! only. There is no time to first token: llama-bench does not measure one.

mod markdown;
mod test;

use super::content::Content;
use super::{Case, Format, Gather};
use crate::read::ReadError;
use test::{Kind, Test};

pub(super) const FORMAT: Format =
    Format { name: "llama-bench CSV, JSON, JSONL and Markdown", recognises, read };

/// Names every version has had.
const NAMES: &[&str] = &["model_filename", "n_prompt", "n_gen", "avg_ts"];

/// Settings that are no column of ours, and what they are called in the name of a case.
const VARIANTS: &[(&str, &str)] = &[
    ("n_gpu_layers", "ngl"),
    ("n_batch", "nb"),
    ("n_ubatch", "ub"),
    ("flash_attn", "fa"),
    ("type_k", "k_"),
    ("type_v", "v_"),
    ("split_mode", "sm_"),
    ("n_cpu_moe", "ncmoe"),
    ("no_kv_offload", "nkvo"),
];

fn recognises(content: &Content) -> bool {
    match content {
        Content::Objects(_) => content.objects_have(NAMES),
        Content::Csv(sheet) => sheet.names(NAMES),
        Content::Markdown { sheet, .. } => sheet.names(&["model", "test", "t/s"]),
    }
}

fn read(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    let mut tests = Vec::new();
    match content {
        Content::Objects(_) => {
            for object in content.objects() {
                tests.extend(gather.keep(Test::read(&object))?);
            }
        }
        Content::Csv(sheet) => {
            for row in sheet.rows() {
                tests.extend(gather.keep(row.and_then(|row| Test::read(&row)))?);
            }
        }
        Content::Markdown { sheet, build } => {
            for test in markdown::tests(sheet, build.as_deref()) {
                tests.extend(gather.keep(test)?);
            }
        }
    }
    let differing = differing(&tests);
    gather.cases.extend(joined(&tests).into_iter().map(|pair| pair.case(&differing)));
    Ok(())
}

/// A prompt test, a generation test, or both.
struct Pair<'a> {
    prompt: Option<&'a Test>,
    generation: Option<&'a Test>,
}

/// Every prompt test with every generation test of the same settings, and what has no partner.
fn joined(tests: &[Test]) -> Vec<Pair<'_>> {
    let partners = |test: &Test, kind: Kind| -> Vec<&Test> {
        tests.iter().filter(|t| t.kind == kind && t.settings == test.settings).collect()
    };
    let mut pairs = Vec::new();
    for test in tests {
        match test.kind {
            Kind::Prompt => {
                let generations = partners(test, Kind::Generation);
                if generations.is_empty() {
                    pairs.push(Pair { prompt: Some(test), generation: None });
                }
                let with = |other| Pair { prompt: Some(test), generation: Some(other) };
                pairs.extend(generations.into_iter().map(with));
            }
            // With a partner it is a record there already.
            Kind::Generation if !partners(test, Kind::Prompt).is_empty() => {}
            Kind::Generation | Kind::Both => {
                pairs.push(Pair { prompt: None, generation: Some(test) });
            }
        }
    }
    pairs
}

/// The settings of [`VARIANTS`] that are not the same in all tests.
fn differing(tests: &[Test]) -> Vec<(&'static str, &'static str)> {
    let differs = |name| tests.iter().any(|test| test.setting(name) != tests[0].setting(name));
    VARIANTS.iter().copied().filter(|(name, _)| differs(name)).collect()
}

impl Pair<'_> {
    fn case(&self, differing: &[(&str, &str)]) -> Case {
        let mut case = Case::default();
        // Settings are the same on both sides.
        if let Some(test) = self.prompt.or(self.generation) {
            test.describe(&mut case.record);
            let shown = differing.iter().filter_map(|(name, short)| {
                test.setting(name).map(|value| format!("{short}{value}"))
            });
            let both = (test.kind == Kind::Both).then(|| "together".to_owned());
            case.variant = shown.chain(both).collect::<Vec<_>>().join("-");
        }
        for test in [self.prompt, self.generation].into_iter().flatten() {
            test.measure(&mut case);
        }
        case
    }
}
