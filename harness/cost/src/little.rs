//! How many requests a service holds at once.

use freeweights_record::units::{RequestsInFlight, RequestsPerSecond, Seconds};

/// Requests in flight.
///
/// `arrival rate * latency`; requests. It holds for any service that finishes what arrives.
///
/// # Source
/// J. D. C. Little, A Proof for the Queuing Formula L = λW, Operations Research 9 (1961).
#[must_use]
pub fn requests_in_flight(arrivals: RequestsPerSecond, latency: Seconds) -> RequestsInFlight {
    arrivals * latency
}

/// Requests a service finishes, from how many it holds and how long each takes.
///
/// `in flight / latency`; requests per second: what a closed-loop load test of so many clients
/// measures.
#[must_use]
pub fn arrival_rate(in_flight: RequestsInFlight, latency: Seconds) -> RequestsPerSecond {
    RequestsPerSecond::new(in_flight.get() / latency.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_a_second_for_eight_seconds_are_forty() {
        let (rate, latency) = (RequestsPerSecond::new(5.0), Seconds::new(8.0));
        let in_flight = requests_in_flight(rate, latency);
        assert_eq!(in_flight, RequestsInFlight::new(40.0));
        assert_eq!(arrival_rate(in_flight, latency), rate);
    }
}
