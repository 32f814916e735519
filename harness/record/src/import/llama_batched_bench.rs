//! llama.cpp's `llama-batched-bench --output-format jsonl`: `pl` sequences stepped together.
//!
//! It names no model: `--map model='NAME'` does. With a shared prompt (`is_pp_shared`) the prompt is
//! read once for all sequences, and its rate counts it once.

use super::content::Content;
use super::fields::Fields;
use super::{Case, Format, Gather};
use crate::read::ReadError;
use crate::record::Record;
use crate::units::{RequestsPerSecond, Seconds, Tokens, TokensPerSecond};

pub(super) const FORMAT: Format = Format { name: "llama-batched-bench JSONL", recognises, read };

fn recognises(content: &Content) -> bool {
    content.objects_have(&["pp", "tg", "pl", "speed_pp", "speed_tg"])
}

fn read(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    content.objects().try_for_each(|object| gather.take(case(&object)))
}

fn case(object: &Fields<'_>) -> Result<Case, ReadError> {
    let rate = |name| Ok::<_, ReadError>(object.number(name)?.map(TokensPerSecond::new));
    let time = |name| Ok::<_, ReadError>(object.number(name)?.map(Seconds::new));
    let (batch, generated) = (object.small_count("pl")?, object.count("tg")?);
    let whole = time("t")?;
    let steps = generated.filter(|&steps| steps > 0).map(|steps| steps as f64);
    // Nothing is in the cells of a side that was not run.
    let prompt = object.count("pp")?;
    let prefilled = prompt.is_some_and(|tokens| tokens > 0);
    let record = Record {
        source_tool: Some("llama-batched-bench".into()),
        engine: "llama.cpp".into(),
        threads: object.small_count("n_threads")?,
        isl: prompt.map(Tokens::new),
        osl: generated.map(Tokens::new),
        batch,
        repetitions: Some(1),
        // "prompt processing time (i.e. time to first token)", says its README.
        ttft_mean_s: time("t_pp")?.filter(|_| prefilled),
        // Every step gives each sequence one token.
        tpot_mean_s: time("t_tg")?.zip(steps).map(|(time, steps)| time / steps),
        e2e_mean_s: whole,
        prefill_mean_tps: rate("speed_pp")?.filter(|_| prefilled),
        decode_mean_tps: rate("speed_tg")?.filter(|_| steps.is_some()),
        total_mean_tps: rate("speed")?,
        requests_per_s: batch
            .zip(whole.filter(|time| time.get() > 0.0))
            .map(|(batch, time)| RequestsPerSecond::new(f64::from(batch) / time.get())),
        ..Record::default()
    };
    Ok(Case { record, ..Case::default() })
}
