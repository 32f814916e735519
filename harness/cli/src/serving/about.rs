//! From a case to its record, and what machine is behind the URL.

use super::loads::Load;
use crate::commands::server_args::ServerArgs;
use crate::measuring::build_info;
use anyhow::bail;
use freeweights_client::Probe;
use freeweights_client::load::Schedule;
use freeweights_client::metrics_page::Readings;
use freeweights_cost::facts;
use freeweights_record::requests::RequestTotals;
use freeweights_record::units::{RequestsPerSecond, Seconds, Tokens, TokensPerRequest};
use freeweights_record::{Host, Record, SCHEMA_VERSION};

/// Lateness of sending, and of the client's own clock, beyond which latencies are in doubt.
const MOST_LATE: Seconds = Seconds::new(0.010);
const MOST_LAG: Seconds = Seconds::new(0.005);

/// How far measured lengths may lie from those asked for to count as the same.
const NEAR: f64 = 0.02;

/// The machine behind the URL, as the user says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Behind {
    gpu: Option<String>,
    gpus: Option<u32>,
    nodes: Option<u32>,
    here: bool,
}

impl Behind {
    /// From the arguments.
    pub fn of(args: &ServerArgs) -> anyhow::Result<Self> {
        let Some(name) = &args.hardware else { return Ok(Self::default()) };
        if name == "here" {
            if args.gpus.is_some() || args.nodes.is_some_and(|nodes| nodes > 1) {
                bail!(
                    "--hardware here is this one machine, by its CPUs; name a device with --gpus and --nodes"
                );
            }
            return Ok(Self { here: true, nodes: Some(1), ..Self::default() });
        }
        let Some(device) = facts::device_of_gpu(name) else {
            let near = facts::device(name).err().unwrap_or_default();
            let known =
                if near.is_empty() { facts::gpus().map(str::to_owned).collect() } else { near };
            bail!(
                "--hardware knows no GPU {name:?}; use here for this machine's CPUs, or one of {}",
                known.join(", ")
            );
        };
        let nodes = args.nodes.unwrap_or(1);
        let gpus = args.gpus.unwrap_or(1);
        let Some(gpus) = gpus.checked_mul(nodes) else {
            bail!("{gpus} GPUs on each of {nodes} nodes are too many; --gpus is a machine's");
        };
        Ok(Self { gpu: Some(device.to_owned()), gpus: Some(gpus), nodes: Some(nodes), here: false })
    }

    fn fill(&self, record: &mut Record, host: &Host) {
        record.nodes = self.nodes;
        record.gpu_name = self.gpu.as_deref().map(Into::into);
        record.gpu_count = self.gpus;
        // The client's own machine is in host.json; here are the server's.
        if self.here {
            record.device = "cpu".into();
            record.cpu_model = host.cpu_model.as_deref().map(Into::into);
            record.cpu_cores = host.cpu_cores;
            record.cpu_features = Some(host.cpu_features.join(" ").into());
            record.memory_total_bytes = host.memory_total_bytes;
            record.host_os = host.os.as_deref().map(Into::into);
            record.kernel = host.kernel.as_deref().map(Into::into);
            record.virtualised = host.virtualised;
        } else if self.gpu.is_some() {
            record.device = "cuda".into();
        }
    }
}

/// What was seen of a case beside its requests.
pub struct Seen<'a> {
    /// Why there is a doubt about the client: how late its own clock ran.
    pub lag_p99: Option<Seconds>,
    /// What the server told.
    pub metrics: &'a Readings,
    /// Requests counted differently by server and tokenizer.
    pub mismatches: u32,
    /// Who counts.
    pub tokens_from: &'static str,
    /// Whether a tokenizer checks the server.
    pub checked: bool,
}

/// The columns of a record that say what case it is, before anything was measured.
pub fn described(
    run_id: &str,
    seed: u64,
    probe: &Probe,
    load: &Load,
    behind: &Behind,
    host: &Host,
) -> Record {
    let build = build_info();
    let target = probe.server.target();
    let text = |text: &Option<String>| text.as_deref().map(Into::into);
    let (concurrency, arrival, rate) = match &load.schedule {
        Schedule::Closed { concurrency, .. } => (Some(*concurrency), "closed".to_owned(), None),
        Schedule::Open { rate, .. } => (None, rate.arrivals.to_string(), Some(rate.rate)),
        Schedule::Trace(replay) => {
            let span = replay.requests.last().map_or(0.0, |last| last.arrival.get());
            let rate = replay.requests.len() as f64 / span * replay.speed.get();
            (None, "trace".to_owned(), rate.is_finite().then(|| RequestsPerSecond::new(rate)))
        }
    };
    let prompts = load.trace.as_ref().map_or("words".into(), |name| format!("trace {name}"));
    let mut record = Record {
        schema_version: SCHEMA_VERSION,
        run_id: run_id.into(),
        case_id: format!("server-{}-{}-{}", target.model, target.api.name(), load.id()).into(),
        started_at: jiff::Timestamp::now().to_string().into(),
        freeweights_version: build.version.as_str().into(),
        git_commit: text(&build.git_commit),
        build_profile: build.profile.as_str().into(),
        build_flags: text(&build.flags),
        engine: "server".into(),
        engine_version: text(&probe.version),
        model: target.model.as_str().into(),
        isl: load.shape.map(|(isl, _)| isl),
        osl: load.shape.map(|(_, osl)| osl),
        depth: Some(Tokens::new(0)),
        concurrency,
        arrival: Some(arrival.into()),
        rate_rps: rate,
        seed: Some(seed),
        prompts: Some(prompts.into()),
        endpoint: Some(target.api.name().into()),
        prefix: Some(load.prefix.to_string().into()),
        ..Record::default()
    };
    behind.fill(&mut record, host);
    record
}

/// Fills in what was measured.
pub fn fill(record: &mut Record, totals: &RequestTotals, seed: u64, beside: &Seen<'_>) {
    totals.summarise(record, seed);
    // Bills are divided by what was really read and written.
    record.isl = length(record.isl, record.tokens_in_mean);
    record.osl = length(record.osl, record.tokens_out_mean);
    record.tokens_from = Some(beside.tokens_from.into());
    record.tokens_mismatch = beside.checked.then_some(beside.mismatches);
    let late = record.concurrency.is_none() && record.late_p99_s.is_some_and(|p99| p99 > MOST_LATE);
    if record.concurrency.is_some() {
        // A closed loop has no schedule to be late for.
        record.late_p99_s = None;
    }
    record.degraded = Some(late || beside.lag_p99.is_some_and(|lag| lag > MOST_LAG));
    record.server_running_mean = beside.metrics.running_mean();
    record.server_waiting_mean = beside.metrics.waiting_mean();
    record.server_kv_used_max = beside.metrics.kv_used_max();
    record.server_preemptions = beside.metrics.preemptions();
}

/// The length asked for, where the mean is near enough; else the mean, to whole tokens.
pub fn length(asked: Option<Tokens>, mean: Option<TokensPerRequest>) -> Option<Tokens> {
    let Some(mean) = mean else { return asked };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of counts is at least 0 and far below 2^53"
    )]
    let whole = Tokens::new(mean.get().round() as u64);
    let near = |asked: &Tokens| (mean.get() / asked.as_f64() - 1.0).abs() <= NEAR;
    asked.filter(near).or(Some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_asked_for_or_else_those_that_were() {
        let of = |asked: Option<u64>, mean: f64| {
            length(asked.map(Tokens::new), Some(TokensPerRequest::new(mean))).unwrap().get()
        };
        assert_eq!((of(Some(128), 129.6), of(Some(128), 140.4), of(None, 77.7)), (128, 140, 78));
        assert_eq!(length(Some(Tokens::new(5)), None), Some(Tokens::new(5)));
    }

    #[test]
    fn machines_are_known_or_refused_with_what_is_known() {
        let of = |name: &str, gpus: Option<u32>, nodes: Option<u32>| {
            let hardware = Some(name.to_owned());
            Behind::of(&ServerArgs { hardware, gpus, nodes, ..ServerArgs::default() })
        };
        let two = of("H100 SXM", Some(8), Some(2)).unwrap();
        let mut record = Record::default();
        two.fill(&mut record, &Host::default());
        assert_eq!((record.gpu_count, record.nodes), (Some(16), Some(2)));
        assert_eq!(record.gpu_name.as_deref(), Some("H100 SXM"));
        assert!(of("here", Some(2), None).is_err());
        let error = of("H900", None, None).unwrap_err().to_string();
        assert!(
            error.starts_with(
                "--hardware knows no GPU \"H900\"; use here for this machine's CPUs, or one of "
            ),
            "{error}"
        );
    }
}
