//! What answers requests, and what was seen of an answer.

use crate::fault::Fault;
use crate::wire::Usage;
use freeweights_record::units::Tokens;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::Instant;

/// A request that is ready to be sent: nothing is left to do between its schedule and the network.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Position in the schedule of the case, over all client processes.
    pub index: u32,
    /// What is read.
    pub prompt: Arc<str>,
    /// Output tokens asked for.
    pub osl: Tokens,
}

/// What was seen of one answer. Times are taken as the bytes arrive.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// When it was sent.
    pub sent: Instant,
    /// When each chunk with content came.
    pub arrivals: Vec<Instant>,
    /// Token counts, by the server.
    pub usage: Option<Usage>,
    /// What was written, where it is kept.
    pub text: Option<String>,
    /// Why it failed, where it did.
    pub fault: Option<Fault>,
}

/// Tells requests on their way that the case has ended, so that they give back what came so far.
#[derive(Debug, Clone)]
pub struct Cut(Option<watch::Receiver<bool>>);

impl Cut {
    /// One that never comes: the answer is followed to its end.
    #[must_use]
    pub const fn never() -> Self {
        Self(None)
    }

    /// One that comes when the sender sends `true`, or is gone.
    pub(crate) const fn when(told: watch::Receiver<bool>) -> Self {
        Self(Some(told))
    }

    /// Waits until it comes.
    pub async fn comes(self) {
        match self.0 {
            // A sender that is gone cuts, too.
            Some(mut told) => drop(told.wait_for(|cut| *cut).await),
            None => std::future::pending().await,
        }
    }
}

/// Something that answers requests.
pub trait Server: Send + Sync + 'static {
    /// Sends a request and follows the answer to its end, or to the cut. What fails is in the
    /// exchange.
    fn send(&self, request: Prepared, cut: Cut) -> impl Future<Output = Exchange> + Send;
}
