//! GuideLLM's `benchmarks.json` and `benchmarks.csv`, of versions 0.4 to 0.7; the JSON of 0.2 and 0.3
//! too, whose settings stand in other places.
//!
//! Only successful requests count. What GuideLLM calls inter-token latency is the mean gap of one
//! request without the first token: our time per output token. Its own time per output token counts
//! the first token and is left out, as are single gaps, which it does not keep. Deviations are
//! divided by `n` there and by `n - 1` here. An empty distribution is all zeros there: nothing here.

use super::content::{Content, Sheet};
use super::fields::Fields;
use super::spread::{Spread, sample_stddev};
use super::unit::rounded;
use super::{Case, Format, Gather};
use crate::read::ReadError;
use crate::record::{Record, Status};
use crate::text::Text;
use crate::units::{RequestsPerSecond, Seconds, Tokens, TokensPerSecond};

pub(super) const JSON: Format =
    Format { name: "GuideLLM JSON", recognises: is_json, read: read_json };

pub(super) const CSV: Format =
    Format { name: "GuideLLM CSV (three header lines)", recognises: is_csv, read: read_csv };

/// Places of the percentiles in the list of a CSV cell: minimum, 0.1, 1, 5, 10, 25, 75, 90, 95, 99,
/// maximum.
const PERCENTILES: usize = 11;
const P90: usize = 7;
const P99: usize = 9;

/// One metric over the successful requests.
#[derive(Debug, Clone, Copy, Default)]
struct Distribution {
    mean: Option<f64>,
    median: Option<f64>,
    stddev: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    count: Option<u64>,
}

impl Distribution {
    /// As a latency, of which `many` make a second.
    fn spread(self, many: f64, requests: Option<u64>) -> Spread {
        let time = |value: Option<f64>| value.map(|value| Seconds::new(value / many));
        let n = self.count.or(requests);
        let stddev = time(self.stddev).and_then(|population| sample_stddev(population, n));
        let (mean, p50, p90, p99) =
            (time(self.mean), time(self.median), time(self.p90), time(self.p99));
        Spread { mean, p50, p90, p99, stddev }.of_requests(n)
    }

    fn tokens(self) -> Option<Tokens> {
        self.mean.map(|mean| Tokens::new(rounded(mean)))
    }

    fn rate(self) -> Option<TokensPerSecond> {
        self.mean.map(TokensPerSecond::new)
    }
}

/// What a benchmark says about itself, wherever it stands.
#[derive(Debug, Default)]
struct Settings {
    version: Option<Text>,
    model: Option<Text>,
    strategy: Option<Text>,
    streams: Option<u32>,
    rate: Option<f64>,
    successful: Option<u64>,
}

/// The metrics of a benchmark, asked by their JSON names.
struct Metrics {
    requests: Distribution,
    output: Distribution,
    total: Distribution,
    ttft: Distribution,
    gap: Distribution,
    latency: Distribution,
    prompt: Distribution,
    generated: Distribution,
}

fn case(settings: Settings, metrics: &Metrics) -> Case {
    let requests = settings.successful.or(metrics.latency.count);
    let (arrival, concurrency) = match settings.strategy.as_deref() {
        Some("synchronous") => (Some("closed".into()), Some(1)),
        // As many at once as allowed.
        Some("concurrent" | "throughput") => (Some("closed".into()), settings.streams),
        Some("poisson") => (Some("poisson".into()), None),
        Some("constant") => (Some("constant".into()), None),
        Some("trace" | "replay") => (Some("trace".into()), None),
        _ => (None, settings.streams),
    };
    let mut record = Record {
        source_tool: Some("guidellm".into()),
        source_tool_version: settings.version,
        engine: "server".into(),
        model: settings.model.unwrap_or_default(),
        isl: metrics.prompt.tokens(),
        osl: metrics.generated.tokens(),
        concurrency,
        arrival,
        rate_rps: settings.rate.map(RequestsPerSecond::new),
        repetitions: requests.and_then(|count| u32::try_from(count).ok()),
        decode_mean_tps: metrics.output.rate(),
        total_mean_tps: metrics.total.rate(),
        requests_per_s: metrics.requests.mean.map(RequestsPerSecond::new),
        ..Record::default()
    };
    if requests == Some(0) {
        record.status = Status::Failed;
        record.error = Some("no request was completed".into());
    }
    metrics.ttft.spread(1e3, requests).ttft(&mut record);
    metrics.gap.spread(1e3, requests).tpot(&mut record);
    metrics.latency.spread(1.0, requests).e2e(&mut record);
    Case {
        record,
        variant: settings.strategy.as_deref().unwrap_or_default().into(),
        ..Case::default()
    }
}

fn is_json(content: &Content) -> bool {
    let reports = || content.objects().flat_map(|report| report.children("benchmarks"));
    content.objects_have(&["benchmarks"])
        && reports().all(|benchmark| benchmark.path(&["metrics", "requests_per_second"]).is_some())
}

fn read_json(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    for report in content.objects() {
        for benchmark in report.children("benchmarks") {
            gather.take(json_case(&report, &benchmark))?;
        }
    }
    Ok(())
}

fn json_case(report: &Fields<'_>, benchmark: &Fields<'_>) -> Result<Case, ReadError> {
    // Strategy and backend stand in `config` since 0.4, in `args` and `worker` before.
    let at = |paths: &[&[&str]]| paths.iter().find_map(|path| benchmark.path(path));
    let strategy =
        at(&[&["config", "strategy"], &["args", "strategy"], &["scheduler", "strategy"]]);
    let backend = at(&[&["config", "backend"], &["worker"], &["benchmarker", "backend"]]);
    let model = backend
        .and_then(|backend| {
            let info = backend.child("info");
            let nested = info.and_then(|info| info.text("model"));
            backend.text_of(&["model", "backend_model"]).or(nested)
        })
        .or_else(|| report.path(&["args"])?.text("model"))
        .or_else(|| report.path(&["config", "spec", "backend"])?.text("model"));
    let metrics = benchmark.child("metrics");
    let totals = metrics.as_ref().and_then(|metrics| metrics.child("request_totals"));
    let totals = totals.or_else(|| benchmark.path(&["run_stats", "requests_made"]));
    let settings = Settings {
        version: report.path(&["metadata"]).and_then(|metadata| metadata.text("guidellm_version")),
        model,
        strategy: strategy.as_ref().and_then(|strategy| strategy.text_of(&["type_", "kind"])),
        streams: match &strategy {
            Some(strategy) => match strategy.small_count("streams")? {
                Some(streams) => Some(streams),
                None => strategy.small_count("max_concurrency")?,
            },
            None => None,
        },
        rate: strategy.as_ref().map(|strategy| strategy.number("rate")).transpose()?.flatten(),
        successful: totals.map(|totals| totals.count("successful")).transpose()?.flatten(),
    };
    let distribution = |name: &str| json_distribution(benchmark, name);
    let metrics = Metrics {
        requests: distribution("requests_per_second")?,
        output: distribution("output_tokens_per_second")?,
        total: distribution("tokens_per_second")?,
        ttft: distribution("time_to_first_token_ms")?,
        gap: distribution("inter_token_latency_ms")?,
        latency: distribution("request_latency")?,
        prompt: distribution("prompt_token_count")?,
        generated: distribution("output_token_count")?,
    };
    Ok(case(settings, &metrics))
}

fn json_distribution(benchmark: &Fields<'_>, name: &str) -> Result<Distribution, ReadError> {
    let Some(found) = benchmark.path(&["metrics", name, "successful"]) else {
        return Ok(Distribution::default());
    };
    let count = found.count("count")?;
    if count == Some(0) {
        return Ok(Distribution { count, ..Distribution::default() });
    }
    let percentiles = found.child("percentiles");
    let at = |name: &str| percentiles.as_ref().map(|p| p.number(name)).transpose();
    Ok(Distribution {
        mean: found.number("mean")?,
        median: found.number("median")?,
        stddev: found.number("std_dev")?,
        p90: at("p90")?.flatten(),
        p99: at("p99")?.flatten(),
        count,
    })
}

fn is_csv(content: &Content) -> bool {
    let Content::Csv(Sheet(rows)) = content else { return false };
    let has = |row: usize, name: &str| {
        rows.get(row).is_some_and(|(_, cells)| cells.iter().any(|cell| cell == name))
    };
    has(0, "Run Info") && has(0, "Benchmark") && has(1, "Strategy")
}

/// The three header lines become one: `group / name / statistic`.
fn read_csv(content: &Content, gather: &mut Gather) -> Result<(), ReadError> {
    let Content::Csv(Sheet(rows)) = content else { return Ok(()) };
    let part = |row: usize, at: usize| {
        rows.get(row).and_then(|(_, cells)| cells.get(at)).map_or("", String::as_str)
    };
    let width = rows.first().map_or(0, |(_, cells)| cells.len());
    let header: Vec<String> = (0..width)
        .map(|at| format!("{} / {} / {}", part(0, at), part(1, at), part(2, at)))
        .collect();
    for (line, cells) in rows.iter().skip(3) {
        let case = super::content::check_width(*line, cells.len(), width).and_then(|()| {
            let source = super::fields::Source::Row { line: *line, header: &header, cells };
            csv_case(&Fields::new(source))
        });
        gather.take(case)?;
    }
    Ok(())
}

fn csv_case(row: &Fields<'_>) -> Result<Case, ReadError> {
    let json =
        |name: &str| -> Option<serde_json::Value> { serde_json::from_str(&row.text(name)?).ok() };
    let text = |value: &serde_json::Value, pointer: &str| {
        value.pointer(pointer).and_then(serde_json::Value::as_str).map(Text::from)
    };
    let backend = json("Run Info / Backend / ");
    let metadata = json("Runtime Info / Metadata / ");
    let strategy = row.text("Benchmark / Strategy / ");
    let distribution = |group: &str, name: &str| csv_distribution(row, group, name);
    let concurrency = distribution("Server Throughput", "Concurrency")?;
    let settings = Settings {
        version: metadata.and_then(|value| text(&value, "/guidellm_version")),
        model: backend
            .and_then(|value| ["/model", "/info/model"].iter().find_map(|at| text(&value, at))),
        // The number of streams is in no column: the mean of the requests in flight is near it.
        streams: concurrency.mean.and_then(|mean| u32::try_from(rounded(mean)).ok()),
        strategy,
        rate: None,
        successful: row.count("Request Counts / Successful / ")?,
    };
    let metrics = Metrics {
        requests: distribution("Server Throughput", "Requests/Sec")?,
        output: distribution("Token Throughput", "Output Tokens/Sec")?,
        total: distribution("Token Throughput", "Total Tokens/Sec")?,
        ttft: distribution("Time to First Token", "ms")?,
        gap: distribution("Inter Token Latency", "ms")?,
        latency: distribution("Request Latency", "Sec")?,
        prompt: distribution("Token Metrics", "Input Tokens")?,
        generated: distribution("Token Metrics", "Output Tokens")?,
    };
    Ok(case(settings, &metrics))
}

fn csv_distribution(row: &Fields<'_>, group: &str, name: &str) -> Result<Distribution, ReadError> {
    let column = |statistic: &str| format!("{group} / Successful {name} / {statistic}");
    let number = |statistic: &str| row.number(&column(statistic));
    let percentiles = match row.text(&column("Percentiles")) {
        None => Vec::new(),
        Some(text) => {
            let list: Option<Vec<f64>> = serde_json::from_str(&text).ok();
            let all = |list: &Vec<f64>| list.iter().all(|number| *number >= 0.0);
            let list = list.filter(|list| list.len() == PERCENTILES && all(list));
            let wrong = || {
                let expected = "a list of 11 percentiles of 0 or more, [minimum, .., maximum]";
                row.refuse(&column("Percentiles"), &text, expected)
            };
            list.ok_or_else(wrong)?
        }
    };
    Ok(Distribution {
        mean: number("Mean")?,
        median: number("Median")?,
        stddev: number("Std Dev")?,
        p90: percentiles.get(P90).copied(),
        p99: percentiles.get(P99).copied(),
        count: None,
    })
}
