//! What a server tells of itself on its `/metrics` page, in the text format of Prometheus.
//!
//! Not here: any figure of latency or throughput. Those are measured from outside.

use freeweights_record::units::{Fraction, RequestsInFlight};

/// Names under which servers tell the same thing; the first that is there counts.
const RUNNING: &[&str] = &[
    "vllm:num_requests_running",
    "sglang:num_running_reqs",
    "llamacpp:requests_processing",
    "tgi_batch_current_size",
];
const WAITING: &[&str] = &[
    "vllm:num_requests_waiting",
    "sglang:num_queue_reqs",
    "llamacpp:requests_deferred",
    "tgi_queue_size",
];
const KV_USED: &[&str] = &[
    "vllm:kv_cache_usage_perc",
    "vllm:gpu_cache_usage_perc",
    "sglang:token_usage",
    "llamacpp:kv_cache_usage_ratio",
];
const PREEMPTIONS: &[&str] = &["vllm:num_preemptions_total", "vllm:num_preemptions"];

/// One reading of the page.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// Requests being worked on.
    pub running: Option<f64>,
    /// Requests that wait.
    pub waiting: Option<f64>,
    /// Share of the KV cache in use.
    pub kv_used: Option<f64>,
    /// Requests preempted since the server began.
    pub preemptions: Option<f64>,
}

impl Reading {
    /// Reads a page. What it does not tell is `None`; `None` altogether where it tells nothing.
    #[must_use]
    pub fn of(page: &str) -> Option<Self> {
        let first = |names: &[&str], put_together: fn(f64, f64) -> f64| {
            names.iter().find_map(|name| value_of(page, name, put_together))
        };
        // Several engines behind one page add up; of their caches the fullest one counts.
        let reading = Self {
            running: first(RUNNING, |a, b| a + b),
            waiting: first(WAITING, |a, b| a + b),
            kv_used: first(KV_USED, f64::max),
            preemptions: first(PREEMPTIONS, |a, b| a + b),
        };
        (reading != Self::default()).then_some(reading)
    }
}

/// The value of a metric over all its labels.
fn value_of(page: &str, name: &str, put_together: fn(f64, f64) -> f64) -> Option<f64> {
    page.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let rest = match rest.strip_prefix('{') {
                Some(labels) => labels.rsplit_once('}')?.1,
                None => rest.strip_prefix([' ', '\t']).map(|_| rest)?,
            };
            let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
            value.is_finite().then_some(value)
        })
        .reduce(put_together)
        .filter(|value| value.is_finite())
}

/// All readings of a case.
#[derive(Debug, Clone, Default)]
pub struct Readings(Vec<Reading>);

impl Readings {
    /// Adds one.
    pub fn push(&mut self, reading: Reading) {
        self.0.push(reading);
    }

    /// Mean of the requests being worked on.
    #[must_use]
    pub fn running_mean(&self) -> Option<RequestsInFlight> {
        self.mean(|reading| reading.running).map(RequestsInFlight::new)
    }

    /// Mean of the requests that wait.
    #[must_use]
    pub fn waiting_mean(&self) -> Option<RequestsInFlight> {
        self.mean(|reading| reading.waiting).map(RequestsInFlight::new)
    }

    /// The KV cache at its fullest.
    #[must_use]
    pub fn kv_used_max(&self) -> Option<Fraction> {
        self.0.iter().filter_map(|reading| reading.kv_used).reduce(f64::max).map(Fraction::new)
    }

    /// Requests preempted from the first reading to the last; `None` of fewer than two.
    #[must_use]
    pub fn preemptions(&self) -> Option<u32> {
        let told: Vec<f64> = self.0.iter().filter_map(|reading| reading.preemptions).collect();
        let grown = match told.as_slice() {
            [first, .., last] => last - first,
            _ => return None,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter that fell was reset, and a cast of what is too large saturates"
        )]
        let count = grown.max(0.0) as u32;
        Some(count)
    }

    fn mean(&self, of: impl Fn(&Reading) -> Option<f64>) -> Option<f64> {
        let told: Vec<f64> = self.0.iter().filter_map(of).collect();
        let mean = told.iter().sum::<f64>() / told.len() as f64;
        mean.is_finite().then_some(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VLLM: &str = "\
# HELP vllm:num_requests_running Number of requests.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine=\"0\",model_name=\"a } b\"} 3.0
vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 4.0
vllm:num_requests_waiting{engine=\"0\"} 1
vllm:num_requests_waiting_by_reason{reason=\"x\"} 99
vllm:kv_cache_usage_perc{engine=\"0\"} 0.25
vllm:kv_cache_usage_perc{engine=\"1\"} 0.5
vllm:num_preemptions_total{engine=\"0\"} 7.0 1700000000
";

    #[test]
    fn a_page_of_vllm_is_read_over_its_engines() {
        let reading = Reading::of(VLLM).unwrap();
        assert_eq!(
            reading,
            Reading {
                running: Some(7.0),
                waiting: Some(1.0),
                kv_used: Some(0.5),
                preemptions: Some(7.0)
            }
        );
        let llama = Reading::of("llamacpp:requests_processing 2\nllamacpp:requests_deferred 0\n");
        assert_eq!(llama.unwrap().running, Some(2.0));
        assert_eq!(Reading::of("<html>not found</html>"), None);
        assert_eq!(Reading::of("vllm:num_requests_running NaN\n"), None);
    }

    #[test]
    fn readings_are_put_together() {
        let mut all = Readings::default();
        assert_eq!((all.running_mean(), all.preemptions()), (None, None));
        for (running, preemptions) in [(2.0, 5.0), (4.0, 8.0)] {
            let (running, preemptions) = (Some(running), Some(preemptions));
            all.push(Reading { running, preemptions, ..Reading::default() });
        }
        assert_eq!(all.running_mean(), Some(RequestsInFlight::new(3.0)));
        assert_eq!((all.preemptions(), all.kv_used_max()), (Some(3), None));
    }

    #[test]
    fn sums_beyond_all_numbers_are_not_told() {
        let name = "vllm:num_requests_running";
        assert_eq!(
            Reading::of(&format!("{name}{{a=\"0\"}} 1e308\n{name}{{a=\"1\"}} 1e308\n")),
            None
        );
        let mut all = Readings::default();
        for _ in 0..2 {
            all.push(Reading { running: Some(1e308), ..Reading::default() });
        }
        assert_eq!(all.running_mean(), None);
    }
}
