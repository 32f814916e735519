//! One test of llama-bench: its settings and its rates.

use super::super::fields::Fields;
use super::super::{Case, SEED, unit};
use crate::read::ReadError;
use crate::record::Record;
use crate::summarise::{decode_rates, prefill_rates};
use crate::text::Text;
use crate::units::{BitsPerWeight, Bytes, RequestsPerSecond, Seconds, Tokens, TokensPerSecond};
use std::path::Path;

/// What differs between the tests that belong together.
const MEASURED: &[&str] =
    &["n_prompt", "n_gen", "test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts"];

/// Flags of 2023 and 2024, when there was no `backends` yet.
const BACKEND_FLAGS: &[&str] =
    &["cuda", "vulkan", "kompute", "metal", "sycl", "opencl", "rpc", "gpu_blas"];

/// What a test does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads a prompt.
    Prompt,
    /// Generates.
    Generation,
    /// Reads a prompt and generates, timed as one.
    Both,
}

/// One test.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) kind: Kind,
    /// Everything but what was measured: equal settings belong together.
    pub(super) settings: Vec<(String, Text)>,
    prompt: Tokens,
    generated: Tokens,
    depth: Option<Tokens>,
    threads: Option<u32>,
    params: Option<u64>,
    size: Option<Bytes>,
    time: Option<Text>,
    mean: TokensPerSecond,
    stddev: Option<TokensPerSecond>,
    samples: Vec<TokensPerSecond>,
}

impl Test {
    /// Reads a row or an object.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let prompt = fields.count("n_prompt")?.unwrap_or(0);
        let generated = fields.count("n_gen")?.unwrap_or(0);
        let kind = match (prompt, generated) {
            (0, 0) => return Err(fields.refuse("n_gen", "0", "above 0 where n_prompt is 0")),
            (_, 0) => Kind::Prompt,
            (0, _) => Kind::Generation,
            _ => Kind::Both,
        };
        let tokens = Tokens::new(prompt + generated);
        // Nanoseconds are exact; the rates beside them are cut to six digits.
        let times = fields.numbers("samples_ns")?;
        let samples = if times.is_empty() {
            fields.numbers("samples_ts")?.into_iter().map(TokensPerSecond::new).collect()
        } else {
            times.into_iter().map(|time| tokens / Seconds::new(time / 1e9)).collect()
        };
        let settings = fields.entries();
        Ok(Self {
            kind,
            settings: settings.into_iter().filter(|(n, _)| !MEASURED.contains(&&**n)).collect(),
            prompt: Tokens::new(prompt),
            generated: Tokens::new(generated),
            depth: fields.count("n_depth")?.map(Tokens::new),
            threads: fields.small_count("n_threads")?,
            params: fields.count("model_n_params")?,
            size: fields.count("model_size")?.map(Bytes::new),
            time: fields.text("test_time"),
            mean: TokensPerSecond::new(fields.needed("avg_ts")?),
            stddev: fields.number("stddev_ts")?.map(TokensPerSecond::new),
            samples,
        })
    }

    /// The value of a setting.
    pub(super) fn setting(&self, name: &str) -> Option<&Text> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Fills in the tool, the machine, the model and the settings.
    pub(super) fn describe(&self, record: &mut Record) {
        let setting = |name: &str| self.setting(name).cloned();
        let number = setting("build_number");
        let version = setting("build_commit").map(|commit| match number {
            Some(number) => format!("{commit} ({number})").into(),
            None => commit,
        });
        record.source_tool = Some("llama-bench".into());
        record.source_tool_version.clone_from(&version);
        record.engine = "llama.cpp".into();
        record.engine_version = version;
        record.started_at = self.time.clone().unwrap_or_default();
        record.device = self.device().into();
        record.threads = self.threads;
        record.cpu_model = setting("cpu_info");
        if record.device != "cpu" {
            let gpus = setting("gpu_info");
            let list: Vec<&str> = gpus.iter().flat_map(|text| text.split(", ")).collect();
            record.gpu_name = list.first().map(|name| (*name).into());
            record.gpu_count = u32::try_from(list.len()).ok().filter(|&count| count > 0);
        }
        let kind = setting("model_type");
        let file = setting("model_filename");
        let file = file.as_deref().and_then(|path| Path::new(path).file_name()?.to_str());
        // As our own records call a GGUF: by its file.
        let stem = file.map(|name| name.strip_suffix(".gguf").unwrap_or(name));
        record.model = stem.map(Text::from).or_else(|| kind.clone()).unwrap_or_default();
        record.model_source = file.map(Text::from);
        record.architecture = kind.as_deref().and_then(|k| k.split(' ').next()).map(Text::from);
        record.quant = kind.as_deref().and_then(quant).map(Text::from);
        record.params_total = self.params;
        record.weights_bytes = self.size;
        record.bits_per_weight = self
            .size
            .zip(self.params.filter(|&n| n > 0))
            .map(|(size, params)| BitsPerWeight::new(8.0 * size.as_f64() / params as f64));
        record.kv_dtype = self.kv_dtype();
        record.depth = self.depth;
        record.batch = Some(1);
    }

    /// Adds the figures of this test.
    pub(super) fn measure(&self, case: &mut Case) {
        let record = &mut case.record;
        let (average, stddev) = (Some(self.mean), self.stddev);
        record.repetitions = u32::try_from(self.samples.len()).ok().filter(|&count| count > 0);
        match self.kind {
            Kind::Prompt => {
                record.isl = Some(self.prompt);
                prefill_rates(record, &self.samples, SEED);
                // Without samples there is what it made of them itself.
                record.prefill_mean_tps = record.prefill_mean_tps.or(average);
                record.prefill_stddev_tps = record.prefill_stddev_tps.or(stddev);
                case.samples.prefill.clone_from(&self.samples);
            }
            Kind::Generation => {
                record.osl = Some(self.generated);
                decode_rates(record, &self.samples, SEED);
                record.decode_mean_tps = record.decode_mean_tps.or(average);
                record.decode_stddev_tps = record.decode_stddev_tps.or(stddev);
                case.samples.decode.clone_from(&self.samples);
            }
            Kind::Both => {
                let tokens = self.prompt + self.generated;
                record.isl = Some(self.prompt);
                record.osl = Some(self.generated);
                record.total_mean_tps = average;
                record.requests_per_s =
                    Some(RequestsPerSecond::new(self.mean.get() / tokens.as_f64()));
            }
        }
    }

    fn device(&self) -> String {
        let named = self.setting("backends").map(|text| text.to_lowercase());
        let device = named.unwrap_or_else(|| {
            let on = |name: &&&str| self.setting(name).is_some_and(|v| *v == "1" || *v == "true");
            BACKEND_FLAGS.iter().find(on).map_or("cpu", |name| name).to_owned()
        });
        // These run on the CPU with another library.
        let on_cpu = ["blas", "cpu", "zendnn"].iter().any(|name| device.starts_with(name));
        if on_cpu { "cpu".into() } else { device }
    }

    fn kv_dtype(&self) -> Option<Text> {
        match (self.setting("type_k"), self.setting("type_v"), self.setting("f16_kv")) {
            (Some(keys), Some(values), _) if keys != values => {
                Some(format!("{keys}/{values}").into())
            }
            (Some(both), _, _) | (None, Some(both), _) => Some(both.clone()),
            (None, None, Some(flag)) if *flag == "1" || *flag == "true" => Some("f16".into()),
            (None, None, Some(_)) => Some("f32".into()),
            (None, None, None) => None,
        }
    }
}

/// The quantisation in a description of llama.cpp, as we write it:
/// `llama 7B mostly Q4_K - Medium` is `q4_k_m`.
fn quant(description: &str) -> Option<String> {
    let (name, size) = description.split_once(" - ").unwrap_or((description, ""));
    let kinds = ["Q", "IQ", "TQ", "F", "BF", "MXFP", "NVFP"];
    let is_kind = |word: &&str| {
        let rest = kinds.iter().filter_map(|kind| word.strip_prefix(kind));
        rest.into_iter().any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let word = name.split_whitespace().rfind(is_kind)?;
    let size = match size.split_whitespace().next() {
        Some("Small") => "_s",
        Some("Medium") => "_m",
        Some("Large") => "_l",
        _ => "",
    };
    Some(format!("{}{size}", word.to_lowercase()))
}

/// A size as the Markdown table has it: `92.10 MiB`.
pub(super) fn size(text: &str, place: &str) -> Result<Option<Bytes>, ReadError> {
    let Some((value, name)) = text.split_once(' ') else { return Ok(None) };
    let Ok(value) = value.parse() else { return Ok(None) };
    unit::bytes(value, name.trim(), place).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_of_llama_cpp_hold_the_quantisation() {
        for (description, expected) in [
            ("llama 256M Q4_1", Some("q4_1")),
            ("llama 7B mostly Q4_0", Some("q4_0")),
            ("qwen3moe 30B.A3B Q4_K - Medium", Some("q4_k_m")),
            ("llama 8B IQ2_XXS - 2.0625 bpw", Some("iq2_xxs")),
            ("gpt-oss 20B MXFP4 MoE", Some("mxfp4")),
            ("llama 7B all F32", Some("f32")),
            ("Qwen2 7B", None),
        ] {
            assert_eq!(quant(description).as_deref(), expected, "{description}");
        }
    }
}
