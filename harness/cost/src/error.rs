//! What can be wrong with a scenario, a price or a set of records, and what to do about it.

use thiserror::Error;

/// Why there is no assessment. Every message ends in the next action.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CostError {
    /// The text of a scenario is not TOML.
    #[error("{origin}, line {line}: {message}; correct that line")]
    Syntax {
        /// File or preset.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// A key that no scenario has.
    #[error("{origin}: there is no key {key}; {}", crate::nearest::advice(nearest))]
    UnknownKey {
        /// File, preset or `--set`.
        origin: String,
        /// The dotted key.
        key: String,
        /// Keys that look like it.
        nearest: Vec<String>,
    },
    /// A key holds something of another type.
    #[error("{origin}: {key} holds {found}; write {expected}")]
    WrongType {
        /// File, preset or `--set`.
        origin: String,
        /// The dotted key.
        key: String,
        /// What is there.
        found: String,
        /// What belongs there.
        expected: String,
    },
    /// A value is outside what its meaning allows.
    #[error("{name} is {value}, but {rule}; correct it in the scenario or with --set {name}=VALUE")]
    OutOfRange {
        /// The dotted key, or the name of an argument.
        name: String,
        /// What it holds.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A scenario lacks something it cannot do without.
    #[error(
        "{origin}: {key} is missing; add it, or start from a preset with base = \"this-machine\""
    )]
    Missing {
        /// File or preset.
        origin: String,
        /// The dotted key.
        key: String,
    },
    /// No preset has this name.
    #[error("there is no preset {name:?}; {}", crate::nearest::advice(nearest))]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// Presets that look like it.
        nearest: Vec<String>,
    },
    /// A scenario names a fact that is not in the table.
    #[error(
        "{origin}: {key} names the fact {fact:?}, which is unknown; {}",
        crate::nearest::advice(nearest)
    )]
    UnknownFact {
        /// File or preset.
        origin: String,
        /// The dotted key.
        key: String,
        /// The name.
        fact: String,
        /// Facts that look like it.
        nearest: Vec<String>,
    },
    /// A scenario states a value beside a fact that says otherwise.
    #[error(
        "{origin}: {key} is {value}, but the fact {fact:?} is {known}; drop the value or name your own source"
    )]
    FactDisagrees {
        /// File or preset.
        origin: String,
        /// The dotted key.
        key: String,
        /// The name.
        fact: String,
        /// What the scenario says.
        value: String,
        /// What the table says.
        known: String,
    },
    /// An override is not of the form `a.b=value`.
    #[error(
        "{text:?} is no override; write --set KEY=VALUE, for example --set demand.requests_per_day=5000"
    )]
    BadOverride {
        /// What was given.
        text: String,
    },
    /// An override of what a scenario stands on.
    #[error("base is no value to set; write --scenario {value}")]
    BaseOverride {
        /// The base that was asked for.
        value: String,
    },
    /// An allocation policy nobody knows.
    #[error("{text:?} is no way to split a bill; write time-share, full-to-each or ratio:N")]
    UnknownAllocation {
        /// What was given.
        text: String,
    },
    /// No API in the catalogue has this id.
    #[error(
        "no price for {id:?} in the catalogue; {}, or search with: freeweights prices TEXT",
        crate::nearest::advice(nearest)
    )]
    UnknownPrice {
        /// What was asked for.
        id: String,
        /// Ids that look like it.
        nearest: Vec<String>,
    },
    /// The catalogue knows the model but not what its tokens cost.
    #[error(
        "{id} has no price for both input and output tokens in the catalogue; choose another with: freeweights prices TEXT"
    )]
    NoTokenPrice {
        /// The id.
        id: String,
    },
    /// There is nothing to cost.
    #[error("there is no record to cost; measure first with: freeweights bench")]
    NoRecords,
    /// Records that need an assessment each.
    #[error("these records are of several groups: {groups}; cost each group by itself")]
    SeveralGroups {
        /// The groups.
        groups: String,
    },
    /// No record of the group can carry a cost.
    #[error("{group}: {reason}; measure it again with: freeweights bench")]
    NoUsableRecord {
        /// Model, engine and device.
        group: String,
        /// Why not.
        reason: String,
    },
    /// No measured point meets the objective.
    #[error(
        "{group}: no measured point meets {objective}; the nearest is {case_id} with {reached}; relax the objective or measure smaller batches"
    )]
    ObjectiveMissed {
        /// Model, engine and device.
        group: String,
        /// The bound that no case meets.
        objective: String,
        /// The case that comes nearest.
        case_id: String,
        /// What that case reaches.
        reached: String,
    },
    /// Nothing is known about what the hardware costs.
    #[error("{group}: {reason}; give it with --set {key}=VALUE")]
    NoHardwareFigure {
        /// Model, engine and device.
        group: String,
        /// What is not known.
        reason: String,
        /// The key that would answer it.
        key: &'static str,
    },
    /// The scenario names a device that is not in the table of hardware.
    #[error("the table of hardware has no {name:?}; {}", crate::nearest::advice(nearest))]
    UnknownDevice {
        /// What was asked for.
        name: String,
        /// Devices that look like it.
        nearest: Vec<String>,
    },
    /// Records know the throughput of another shape of request only, and not its two phases.
    #[error(
        "{group}: it was measured at isl {isl}, osl {osl} without a prefill rate, so no other shape can be derived; use --set demand.isl={isl} --set demand.osl={osl}, or measure the scenario's shape"
    )]
    OtherShape {
        /// Model, engine and device.
        group: String,
        /// Input tokens it was measured at.
        isl: u64,
        /// Output tokens it was measured at.
        osl: u64,
    },
    /// The bill cannot be split by time.
    #[error(
        "{group}: no record says how much of a request's time is prefill, so the bill cannot be split by time; use --set split.allocation=ratio:4"
    )]
    NoPrefillShare {
        /// Model, engine and device.
        group: String,
    },
    /// The demand needs more machines than there are.
    #[error(
        "{group}: this demand needs more than four thousand million machines like the measured one; look for an absurd value in demand with: freeweights cost --explain"
    )]
    TooManyMachines {
        /// Model, engine and device.
        group: String,
    },
    /// A money figure came out as infinite or not a number.
    #[error(
        "{what} is not a finite amount; look for an absurd value in the scenario with: freeweights cost --explain"
    )]
    NotFinite {
        /// The figure.
        what: &'static str,
    },
}
