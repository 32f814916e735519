//! The embedded tables of default figures: hardware, rents, operations. Each row has its source.

use crate::nearest::nearest;
use freeweights_record::units::{Bytes, Usd, UsdPerHour, Watts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::sync::LazyLock;

/// A device or a whole machine, and what it costs to buy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Hardware {
    /// Name.
    pub device: String,
    /// `gpu`, `cpu` or `system`.
    pub kind: String,
    /// Price of it.
    pub price_usd: Usd,
    /// What the price is for.
    pub price_basis: String,
    /// Rated power; `None` where unknown.
    pub tdp_w: Option<Watts>,
    /// Memory that holds weights, of all its devices together, at 10^9 bytes the GB of its data
    /// sheet; `None` where unknown. Drivers report more, which is about what a runtime takes.
    #[serde(rename = "memory_gb", deserialize_with = "gigabytes")]
    pub memory: Option<Bytes>,
    /// Where the row comes from.
    pub source: String,
    /// When that was checked.
    pub checked: String,
    /// Logical CPUs of it, where a share of a CPU server is asked for.
    pub logical_cpus: Option<u32>,
}

/// What an hour of a device costs at a cloud.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Rental {
    /// Name.
    pub device: String,
    /// Who rents it out.
    pub provider: String,
    /// Rent of one of it.
    pub usd_per_gpu_hour: UsdPerHour,
    /// On what terms.
    pub basis: String,
    /// Where the row comes from.
    pub source: String,
    /// When that was checked.
    pub checked: String,
}

/// A default figure of operations.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Operation {
    /// Name, as a scenario refers to it.
    pub fact: String,
    /// The value, in `unit`.
    pub value: f64,
    /// The unit.
    pub unit: String,
    /// The low end of what is seen.
    pub low: Option<f64>,
    /// The high end of what is seen.
    pub high: Option<f64>,
    /// Where it comes from.
    pub source: String,
    /// When that was checked.
    pub checked: String,
}

static HARDWARE: LazyLock<Vec<Hardware>> =
    LazyLock::new(|| rows(include_str!("../data/hardware.csv")));
static RENTAL: LazyLock<Vec<Rental>> = LazyLock::new(|| rows(include_str!("../data/rental.csv")));
static OPERATIONS: LazyLock<Vec<Operation>> =
    LazyLock::new(|| rows(include_str!("../data/operations.csv")));

/// The table of hardware.
#[must_use]
pub fn hardware() -> &'static [Hardware] {
    &HARDWARE
}

/// The table of rents.
#[must_use]
pub fn rentals() -> &'static [Rental] {
    &RENTAL
}

/// The table of operations.
#[must_use]
pub fn operations() -> &'static [Operation] {
    &OPERATIONS
}

/// A figure of operations by its name.
///
/// # Errors
/// The nearest names.
pub fn operation(name: &str) -> Result<&'static Operation, Vec<String>> {
    operations()
        .iter()
        .find(|row| row.fact == name)
        .ok_or_else(|| nearest(name, operations().iter().map(|row| row.fact.as_str())))
}

/// A row of the table of hardware by its name.
///
/// # Errors
/// The nearest names.
pub fn device(name: &str) -> Result<&'static Hardware, Vec<String>> {
    hardware()
        .iter()
        .find(|row| row.device == name)
        .ok_or_else(|| nearest(name, hardware().iter().map(|row| row.device.as_str())))
}

/// The row of the table that a GPU's name, as its driver reports it, stands for.
///
/// The words of a row's device must all occur in the name; the row with the most words wins, so
/// that an `L40S` is no `L4` and an `RTX PRO 6000` no `RTX 6000`. Form factor and memory size are
/// not compared.
#[must_use]
pub fn device_of_gpu(gpu_name: &str) -> Option<&'static str> {
    let named = words(gpu_name);
    gpus()
        .map(|device| (device, significant_words(device)))
        .filter(|(_, device)| device.iter().all(|word| named.contains(word)))
        .max_by_key(|(_, device)| device.len())
        .map(|(device, _)| device)
}

/// Names of the GPUs in the table.
pub fn gpus() -> impl Iterator<Item = &'static str> {
    hardware().iter().filter(|row| row.kind == "gpu").map(|row| row.device.as_str())
}

/// A whole server with several of a GPU: how many, and its row.
#[must_use]
pub fn server_of(device: &str) -> Option<(u32, &'static Hardware)> {
    let device = significant_words(device);
    hardware().iter().filter(|row| row.kind == "system").find_map(|row| {
        let (count, rest) = row.device.split_once("x ")?;
        let rest = words(rest.strip_suffix(" server")?);
        (rest == device).then_some((count.parse().ok()?, row))
    })
}

fn gigabytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
    let count = Option::<u64>::deserialize(deserializer)?;
    Ok(count.map(|count| Bytes::new(count * 1_000_000_000)))
}

fn words(name: &str) -> Vec<String> {
    name.to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Without form factor and memory size, which drivers report in many ways.
fn significant_words(device: &str) -> Vec<String> {
    words(device).into_iter().filter(|word| word != "sxm" && !word.ends_with("gb")).collect()
}

/// The rows of an embedded table.
pub(crate) fn rows<T: DeserializeOwned>(text: &str) -> Vec<T> {
    csv::Reader::from_reader(text.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("invariant: the embedded tables are tested")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_source_and_a_date() {
        assert!(hardware().len() >= 17 && rentals().len() >= 29 && operations().len() >= 16);
        assert!(hardware().iter().all(|r| !r.source.is_empty() && !r.checked.is_empty()));
        assert!(rentals().iter().all(|r| !r.source.is_empty() && !r.checked.is_empty()));
        assert!(operations().iter().all(|r| !r.source.is_empty() && !r.checked.is_empty()));
    }

    #[test]
    fn drivers_name_gpus_in_their_own_way() {
        for (name, device) in [
            ("NVIDIA H200", Some("H200 SXM")),
            ("NVIDIA H100 80GB HBM3", Some("H100 SXM")),
            ("NVIDIA A100-SXM4-80GB", Some("A100 80GB SXM")),
            ("NVIDIA L40S", Some("L40S")),
            ("NVIDIA L4", Some("L4")),
            ("NVIDIA GeForce RTX 4090", Some("RTX 4090")),
            ("NVIDIA RTX PRO 6000 Blackwell Server Edition", Some("RTX PRO 6000 Blackwell")),
            ("AMD Instinct MI300X", Some("MI300X")),
            ("Tesla T4", None),
        ] {
            assert_eq!(device_of_gpu(name), device, "{name}");
        }
    }

    #[test]
    fn memory_is_known_of_all_but_one() {
        assert_eq!(device("H100 SXM").unwrap().memory, Some(Bytes::new(80_000_000_000)));
        assert_eq!(device("8x B300 server").unwrap().memory, None);
        assert_eq!(hardware().iter().filter(|row| row.memory.is_none()).count(), 1);
    }

    #[test]
    fn some_gpus_come_as_a_whole_server() {
        let (count, row) = server_of("H200 SXM").unwrap();
        assert_eq!((count, row.device.as_str()), (8, "8x H200 server"));
        assert_eq!(server_of("L40S").unwrap().0, 4);
        assert!(server_of("RTX 4090").is_none());
    }

    #[test]
    fn operations_are_found_by_name() {
        assert!((operation("electricity US residential").unwrap().value - 0.1872).abs() < 1e-12);
        let near = operation("electricity US residental").unwrap_err();
        assert_eq!(near[0], "electricity US residential");
    }
}
