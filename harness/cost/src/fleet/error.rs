//! What can keep a fleet from being simulated.

use crate::error::CostError;
use thiserror::Error;

/// Why there is no answer about a fleet. Every message ends in the next action.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FleetError {
    /// There is no record.
    #[error(
        "there is no record to take the speed of a replica from; measure first with: freeweights bench --batch 1,2,4,8"
    )]
    NoRecords,
    /// Records of several machines, models or engines make no one curve.
    #[error("these records are of several groups: {groups}; simulate each group by itself")]
    SeveralGroups {
        /// The groups.
        groups: String,
    },
    /// The records lack one of the two phases.
    #[error(
        "{group}: no record says how long {phase} takes; measure it with: freeweights bench --isl 512 --osl 128 --batch 1,2,4,8"
    )]
    NoPhase {
        /// Model, engine and device.
        group: String,
        /// Prefill, or a decode step.
        phase: &'static str,
    },
    /// Points that are no times, or none at all.
    #[error("a service curve needs at least one time above zero for {phase}; give one")]
    NoPoints {
        /// Prefill, or a decode step.
        phase: &'static str,
    },
    /// Nobody asks.
    #[error("the demand has no requests; give a trace with at least two, or a rate above zero")]
    NoRequests,
    /// A setting is outside what its meaning allows.
    #[error("{name} is {value}, but {rule}; give another value")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// More sequences together than were measured.
    #[error(
        "a batch of {asked} was asked for, but the largest that was measured is {measured}; measure more with: freeweights bench --batch {asked}, or leave --max-batch out"
    )]
    BatchNotMeasured {
        /// What was asked for.
        asked: u32,
        /// The largest of the records.
        measured: u32,
    },
    /// Requests that no replica can hold.
    #[error(
        "{count} of {requests} requests need more than the {limit} tokens that {holder} holds, the longest {longest}; raise it with {flag} if the machine has the room, or leave those requests out with --drop-long"
    )]
    LongerThanRoom {
        /// How many.
        count: u64,
        /// Of how many.
        requests: u64,
        /// Tokens of the longest, input and output.
        longest: u64,
        /// Tokens there is room for.
        limit: u64,
        /// The context, or the KV cache of a replica.
        holder: &'static str,
        /// The flag that raises it.
        flag: &'static str,
    },
    /// One request alone is too slow.
    #[error(
        "no fleet meets {objective}: on an idle replica, with nobody else, {metric} is {alone} s already; a faster machine or a smaller model would help, more replicas do not: relax it to at least {alone} s with {flag}"
    )]
    OneAloneExceeds {
        /// The bound.
        objective: String,
        /// What exceeds it.
        metric: String,
        /// What it is on an idle replica.
        alone: String,
        /// The flag that relaxes it.
        flag: &'static str,
    },
    /// No number of replicas that was tried is enough.
    #[error(
        "even with {most} replicas, the most that were tried, {objective} is missed: there is {reached}; relax the objective, or allow more with --replicas-max"
    )]
    NoFleetMeets {
        /// The bound that is missed.
        objective: String,
        /// The largest fleet that was tried.
        most: u32,
        /// What it reaches.
        reached: String,
    },
    /// What is wrong with the terms.
    #[error(transparent)]
    Cost(#[from] CostError),
}
