//! Records out of the output of other tools.
//!
//! A file is recognised by what is in it, never by its name. Each format is one module and one line
//! in [`FORMATS`]. What a tool does not tell stays empty; a figure changes its unit, never its
//! meaning: where a tool calls something else by our name, the module's head says which is taken.

mod aiperf;
mod content;
mod fields;
mod guidellm;
mod llama_batched_bench;
mod llama_bench;
mod mapping;
mod optimum;
mod spread;
mod unit;
mod vllm;

pub use mapping::{Mapping, MappingError};

use crate::read::{CaseSamples, Measurements, ReadError, ReadOptions};
use crate::record::{Record, SCHEMA_VERSION};
use crate::text::Text;
use crate::units::Tokens;
use content::Content;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

/// Seed of the intervals made from imported samples: the same file gives the same record.
const SEED: u64 = 42;

/// One format of one tool.
struct Format {
    /// As a list of known formats calls it.
    name: &'static str,
    /// Whether a file is of this format.
    recognises: fn(&Content) -> bool,
    /// Reads a file of this format.
    read: fn(&Content, &mut Gather) -> Result<(), ReadError>,
}

/// The formats known, asked in this order.
const FORMATS: &[Format] = &[
    llama_bench::FORMAT,
    llama_batched_bench::FORMAT,
    vllm::SERVE,
    vllm::THROUGHPUT,
    guidellm::JSON,
    guidellm::CSV,
    aiperf::JSON,
    aiperf::CSV,
    optimum::FORMAT,
];

/// A record another tool measured, and its samples where it kept them.
#[derive(Debug, Default)]
struct Case {
    record: Record,
    samples: CaseSamples,
    /// What tells it from cases of the same shape, for its name: `fa1`, `c8`.
    variant: String,
}

/// Takes what a reader finds, and what it could not read.
struct Gather {
    lenient: bool,
    cases: Vec<Case>,
    skipped: Vec<String>,
    first_skipped: Option<ReadError>,
}

impl Gather {
    /// A value that was read, or `None` for one that is left out because reading is lenient.
    fn keep<T>(&mut self, read: Result<T, ReadError>) -> Result<Option<T>, ReadError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.lenient => {
                self.skipped.push(error.to_string());
                self.first_skipped.get_or_insert(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a case, or the reason why there is none.
    fn take(&mut self, read: Result<Case, ReadError>) -> Result<(), ReadError> {
        let case = self.keep(read)?;
        self.cases.extend(case);
        Ok(())
    }
}

/// Reads the output of another tool.
///
/// # Errors
/// [`ReadError`], which names the known formats where the text is of none of them.
pub(crate) fn read(text: &str, options: &ReadOptions) -> Result<Measurements, ReadError> {
    let content = Content::parse(text)?;
    let mut gather = Gather {
        lenient: options.lenient,
        cases: Vec::new(),
        skipped: Vec::new(),
        first_skipped: None,
    };
    match (&content, &options.mapping) {
        // Who says how to read a CSV is believed.
        (Content::Csv(sheet), Some(mapping)) if mapping.has_columns() => {
            mapping.read(sheet, &mut gather)?;
        }
        (content, mapping) => {
            let known = FORMATS.iter().find(|format| (format.recognises)(content));
            let format = known.ok_or_else(|| unknown(content))?;
            (format.read)(content, &mut gather)?;
            if let Some(mapping) = mapping {
                for case in &mut gather.cases {
                    mapping.fill(&mut case.record);
                }
            }
        }
    }
    if gather.cases.is_empty() {
        return Err(gather.first_skipped.unwrap_or(ReadError::Empty));
    }
    Ok(finish(gather, text))
}

fn unknown(content: &Content) -> ReadError {
    let found = match content {
        Content::Objects(_) => "JSON",
        Content::Csv(_) => "a CSV",
        Content::Markdown { .. } => "a Markdown table",
    };
    let mut known = String::from("freeweights summary.csv");
    for format in FORMATS {
        // Writing to a String cannot fail.
        let _ = write!(known, ", {}", format.name);
    }
    ReadError::NotRecognised { found, known }
}

/// Gives every record its names: the same file has the same ones each time it is read.
fn finish(gather: Gather, text: &str) -> Measurements {
    let mut found = Measurements { skipped: gather.skipped, ..Measurements::default() };
    let mut taken = HashSet::new();
    // Of a name that came before, where the next number is looked for.
    let mut numbers: HashMap<(Text, Text), u32> = HashMap::new();
    let hash = std::cell::LazyCell::new(|| fnv1a(text.as_bytes()));
    for Case { mut record, samples, variant } in gather.cases {
        record.schema_version = SCHEMA_VERSION;
        record.freeweights_version = env!("CARGO_PKG_VERSION").into();
        if record.run_id.is_empty() {
            let tool = record.source_tool.as_deref().unwrap_or("import").replace(' ', "-");
            record.run_id = format!("{tool}-{:016x}", *hash).into();
        }
        if record.case_id.is_empty() {
            record.case_id = case_id(&record, &variant).into();
        }
        let plain = record.case_id.clone();
        let nth = numbers.entry((record.run_id.clone(), plain.clone())).or_insert(1);
        while !taken.insert((record.run_id.clone(), record.case_id.clone())) {
            *nth += 1;
            record.case_id = format!("{plain}-{nth}").into();
        }
        if samples != CaseSamples::default() {
            *found.samples.entry(&record.run_id, &record.case_id) = samples;
        }
        found.records.push(record);
    }
    found
}

/// Engine, device, threads, model, quantisation and shape, as far as they are known.
fn case_id(record: &Record, variant: &str) -> String {
    let texts = [&record.engine, &record.device, &record.model].map(Text::as_str);
    let threads = record.threads.map(|n| format!("t{n}")).unwrap_or_default();
    let quant = record.quant.as_deref().unwrap_or_default();
    let count = |name: &str, value: Option<u64>| value.map(|n| format!("{name}{n}"));
    let mut parts: Vec<String> =
        [texts[0], texts[1], &threads, texts[2], quant].map(str::to_owned).to_vec();
    parts.extend(count("isl", record.isl.map(Tokens::get)));
    parts.extend(count("osl", record.osl.map(Tokens::get)));
    parts.extend(count("d", record.depth.map(Tokens::get)));
    parts.extend(count("b", record.batch.map(u64::from)));
    parts.extend(count("c", record.concurrency.map(u64::from)));
    parts.push(variant.to_owned());
    parts.retain(|part| !part.is_empty());
    parts.join("-")
}

/// The 64-bit FNV-1a hash: it names a file by its content, and guards nothing.
///
/// # Source
/// Fowler, Noll and Vo; draft-eastlake-fnv, section 3.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
