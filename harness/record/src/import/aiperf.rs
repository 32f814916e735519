//! NVIDIA AIPerf's `profile_export_aiperf.json` and `.csv`, as versions 0.3 to 0.13 write them.
//!
//! Every metric says its unit, which is checked. What AIPerf calls inter-token latency is
//! `(request_latency - ttft) / (osl - 1)` of one request: our time per output token. The CSV stacks
//! a table of requests, a table of totals and one of GPUs in one file, and names no model.

use super::content::{Content, Sheet};
use super::fields::{Fields, Source};
use super::spread::Spread;
use super::unit::{check_requests_per_second, check_tokens_per_second, rounded, seconds};
use super::{Case, Format, Gather};
use crate::read::ReadError;
use crate::record::{Record, Status};
use crate::text::Text;
use crate::units::{RequestsPerSecond, Tokens, TokensPerSecond};

pub(super) const JSON: Format =
    Format { name: "AIPerf JSON", recognises: is_json, read: read_json };

pub(super) const CSV: Format = Format { name: "AIPerf CSV", recognises: is_csv, read: read_csv };

/// Metrics by their tag in the JSON, and as the CSV calls them.
const TITLES: &[(&str, &str)] = &[
    ("time_to_first_token", "Time to First Token"),
    ("inter_token_latency", "Inter Token Latency"),
    ("request_latency", "Request Latency"),
    ("input_sequence_length", "Input Sequence Length"),
    ("output_sequence_length", "Output Sequence Length"),
    ("output_token_throughput", "Output Token Throughput"),
    ("total_token_throughput", "Total Token Throughput"),
    ("request_throughput", "Request Throughput"),
    ("goodput", "Goodput"),
    ("request_count", "Request Count"),
];

/// A metric: its unit, and its statistics by name.
struct Metric<'a> {
    /// For messages.
    place: String,
    unit: String,
    statistics: Fields<'a>,
    /// The name of the mean: `avg`, or `Value` in a table of totals.
    mean: &'static str,
}

impl Metric<'_> {
    fn mean(&self) -> Result<Option<f64>, ReadError> {
        self.statistics.number(self.mean)
    }
}

/// Finds a metric by its tag.
type Find<'a> = dyn Fn(&str) -> Option<Metric<'a>> + 'a;

fn measure(record: &mut Record, find: &Find<'_>) -> Result<(), ReadError> {
    let mean = |tag: &str| find(tag).map(|metric| metric.mean()).transpose().map(Option::flatten);
    let tokens_per_second = |tag: &str| -> Result<_, ReadError> {
        let Some(metric) = find(tag) else { return Ok(None) };
        check_tokens_per_second(&metric.unit, &metric.place)?;
        Ok(metric.mean()?.map(TokensPerSecond::new))
    };
    let requests_per_second = |tag: &str| -> Result<_, ReadError> {
        let Some(metric) = find(tag) else { return Ok(None) };
        check_requests_per_second(&metric.unit, &metric.place)?;
        Ok(metric.mean()?.map(RequestsPerSecond::new))
    };
    let requests = mean("request_count")?.map(rounded);
    record.repetitions = requests.and_then(|count| u32::try_from(count).ok());
    record.isl = mean("input_sequence_length")?.map(|mean| Tokens::new(rounded(mean)));
    record.osl = mean("output_sequence_length")?.map(|mean| Tokens::new(rounded(mean)));
    record.decode_mean_tps = tokens_per_second("output_token_throughput")?;
    record.total_mean_tps = tokens_per_second("total_token_throughput")?;
    record.requests_per_s = requests_per_second("request_throughput")?;
    record.goodput_rps = requests_per_second("goodput")?;
    spread(find("time_to_first_token"), requests)?.ttft(record);
    spread(find("inter_token_latency"), requests)?.tpot(record);
    spread(find("request_latency"), requests)?.e2e(record);
    if requests == Some(0) {
        record.status = Status::Failed;
        record.error = Some("no request was completed".into());
    }
    Ok(())
}

fn spread(metric: Option<Metric<'_>>, requests: Option<u64>) -> Result<Spread, ReadError> {
    let Some(metric) = metric else { return Ok(Spread::default()) };
    let time = |name: &str| -> Result<_, ReadError> {
        let value = metric.statistics.number(name)?;
        value.map(|value| seconds(value, &metric.unit, &metric.place)).transpose()
    };
    let all = Spread {
        mean: time(metric.mean)?,
        p50: time("p50")?,
        p90: time("p90")?,
        p99: time("p99")?,
        stddev: time("std")?,
    };
    Ok(all.of_requests(requests))
}

fn blank() -> Record {
    Record { source_tool: Some("aiperf".into()), engine: "server".into(), ..Record::default() }
}

fn is_json(content: &Content) -> bool {
    content.objects_have(&["request_throughput", "request_latency"])
        && content.objects().all(|object| object.path(&["request_latency"]).is_some())
}

fn read_json(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    content.objects().try_for_each(|object| gather.take(json_case(&object)))
}

fn json_case(object: &Fields<'_>) -> Result<Case, ReadError> {
    let mut record = blank();
    record.source_tool_version = object.text("aiperf_version");
    let config = object.child("input_config");
    let at = |path: &[&str]| config.as_ref().and_then(|config| config.path(path));
    let model = at(&["endpoint"]).and_then(|endpoint| endpoint.first_text("model_names"));
    let listed = || at(&["models"])?.children("items").first()?.text("name");
    record.model = model.or_else(listed).unwrap_or_default();
    let load = at(&["loadgen"]).or_else(|| {
        config.as_ref()?.children("phases").into_iter().find(|phase| {
            phase.text("concurrency").is_some()
                || phase.text_of(&["rate", "request_rate"]).is_some()
        })
    });
    if let Some(load) = load {
        record.concurrency = load.small_count("concurrency")?;
        let rate = load.number_of(&["request_rate", "rate"])?.map(RequestsPerSecond::new);
        let mode = load.text_of(&["arrival_pattern", "request_rate_mode"]);
        record.rate_rps = rate;
        record.arrival = match (rate, mode.as_deref()) {
            (None, _) => record.concurrency.map(|_| "closed".into()),
            (Some(_), Some(mode @ ("poisson" | "constant"))) => Some(mode.into()),
            (Some(_), _) => None,
        };
    }
    if let Some(endpoints) = object.path(&["telemetry_data", "endpoints"]) {
        let gpus: Vec<_> = endpoints
            .members()
            .into_iter()
            .filter_map(|endpoint| endpoint.child("gpus"))
            .flat_map(|gpus| gpus.members())
            .collect();
        record.gpu_name = gpus.first().and_then(|gpu| gpu.text("gpu_name"));
        record.gpu_count = u32::try_from(gpus.len()).ok().filter(|&count| count > 0);
    }
    let find = |tag: &str| {
        let statistics = object.child(tag)?;
        let unit = statistics.text("unit").unwrap_or_default().to_string();
        Some(Metric { place: statistics.place("unit"), unit, statistics, mean: "avg" })
    };
    measure(&mut record, &find)?;
    Ok(Case { record, ..Case::default() })
}

fn is_csv(content: &Content) -> bool {
    let Content::Csv(sheet) = content else { return false };
    let is_known = |(_, cells): &(u64, Vec<String>)| {
        cells.first().is_some_and(|cell| TITLES.iter().any(|(_, title)| split(cell).0 == *title))
    };
    sheet.header().first().is_some_and(|name| name == "Metric") && sheet.0.iter().any(is_known)
}

fn read_csv(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    if let Content::Csv(sheet) = content {
        gather.take(csv_case(sheet))?;
    }
    Ok(())
}

/// `Time to First Token (ms)`: the name, and the unit between the last brackets.
fn split(title: &str) -> (&str, &str) {
    title.strip_suffix(')').and_then(|title| title.rsplit_once(" (")).unwrap_or((title, ""))
}

fn csv_case(sheet: &Sheet) -> Result<Case, ReadError> {
    let mut record = blank();
    let rows = metric_rows(sheet)?;
    record.gpu_name = gpus(sheet).first().cloned();
    record.gpu_count = u32::try_from(gpus(sheet).len()).ok().filter(|&count| count > 0);
    let find = |tag: &str| {
        let (_, title) = TITLES.iter().find(|(known, _)| *known == tag)?;
        rows.iter().find_map(|(statistics, mean)| {
            let named = statistics.text("Metric")?;
            let (name, unit) = split(&named);
            (name == *title).then(|| Metric {
                place: format!("{}, {named}", statistics.place("Metric")),
                unit: unit.to_owned(),
                statistics: statistics.clone(),
                mean,
            })
        })
    };
    measure(&mut record, &find)?;
    Ok(Case { record, ..Case::default() })
}

/// The lines of the tables of metrics, each under the header of its table.
fn metric_rows(sheet: &Sheet) -> Result<Vec<(Fields<'_>, &'static str)>, ReadError> {
    let mut rows = Vec::new();
    let mut header: &[String] = &[];
    for (line, cells) in &sheet.0 {
        match cells.first().map(String::as_str) {
            Some("Metric" | "Endpoint") => header = cells,
            _ if header.first().is_some_and(|name| name == "Metric") => {
                super::content::check_width(*line, cells.len(), header.len())?;
                let mean = if header.iter().any(|name| name == "Value") { "Value" } else { "avg" };
                rows.push((Fields::new(Source::Row { line: *line, header, cells }), mean));
            }
            _ => {}
        }
    }
    Ok(rows)
}

/// Names of the GPUs of the third table, one for each GPU.
fn gpus(sheet: &Sheet) -> Vec<Text> {
    let tables =
        sheet.0.iter().skip_while(|(_, cells)| cells.first().is_none_or(|c| c != "Endpoint"));
    let mut seen = std::collections::BTreeMap::new();
    for (_, cells) in tables.skip(1) {
        // Endpoint, GPU_Index, GPU_Name, GPU_UUID, ..
        if let [endpoint, index, name, ..] = cells.as_slice() {
            seen.insert((endpoint, index), Text::from(name));
        }
    }
    seen.into_values().collect()
}
