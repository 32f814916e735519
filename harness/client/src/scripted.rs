//! A server whose every latency is known beforehand, for tests of what measures.

use crate::fault::Fault;
use crate::server::{Cut, Exchange, Prepared, Server};
use crate::wire::Usage;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Until the first token.
    pub ttft: Duration,
    /// Between tokens.
    pub gap: Duration,
    /// What it fails with, before any token.
    pub fault: Option<Fault>,
}

/// Answers every request by a function of it. On a paused clock no time passes in truth.
pub struct Scripted<F> {
    script: F,
}

impl<F: Fn(&Prepared) -> Script + Send + Sync + 'static> Scripted<F> {
    /// A server that follows a script.
    pub const fn new(script: F) -> Self {
        Self { script }
    }
}

impl<F: Fn(&Prepared) -> Script + Send + Sync + 'static> Server for Scripted<F> {
    async fn send(&self, request: Prepared, cut: Cut) -> Exchange {
        let script = (self.script)(&request);
        let sent = Instant::now();
        let mut arrivals = Vec::new();
        let tokens = if script.fault.is_none() { request.osl.get() } else { 0 };
        let answer = async {
            sleep(script.ttft).await;
            for at in 0..tokens {
                if at > 0 {
                    sleep(script.gap).await;
                }
                arrivals.push(Instant::now());
            }
        };
        let was_cut = tokio::select! {
            biased;
            () = answer => false,
            () = cut.comes() => true,
        };
        if was_cut {
            return Exchange { sent, arrivals, usage: None, text: None, fault: Some(Fault::Cut) };
        }
        let usage = Usage {
            prompt_tokens: request.prompt.split(' ').count() as u64,
            completion_tokens: arrivals.len() as u64,
        };
        Exchange { sent, arrivals, usage: Some(usage), text: None, fault: script.fault }
    }
}
