//! Cases, engines, the runner and the probes of the host.
