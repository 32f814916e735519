//! What one machine like the measured one costs and draws: from the scenario, from the record, or
//! from the embedded tables, in that order, and labelled accordingly.

use crate::error::CostError;
use crate::facts::{self, Hardware};
use crate::figure::{Figure, Label, ListedFigure};
use crate::scenario::{HostingKind, Scenario};
use freeweights_record::Record;
use freeweights_record::units::{Usd, UsdPerHour, Watts};

/// What other tools leave out, and how a reader of theirs is told.
const NO_CPUS: &str = "the record does not say how many CPUs it used (--map cpu_cores=N would)";

/// One machine like the measured one.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one for an assessment")]
pub enum Machine {
    /// Bought.
    Owned {
        /// Its price.
        price: Figure<Usd>,
        /// Its power.
        power: Power,
    },
    /// Rented, electricity included.
    Rented {
        /// Its rent.
        rent: Figure<UsdPerHour>,
    },
}

/// What a machine draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Power {
    /// During prefill.
    pub prefill: Figure<Watts>,
    /// During decode.
    pub decode: Figure<Watts>,
    /// When it waits.
    pub idle: Figure<Watts>,
}

impl Machine {
    /// The figures of it, for the list of figures in use.
    #[must_use]
    pub fn figures(&self) -> Vec<ListedFigure> {
        match self {
            Self::Owned { price, power } => vec![
                ListedFigure::of("machine.price_usd", price),
                ListedFigure::of("machine.prefill_w", &power.prefill),
                ListedFigure::of("machine.decode_w", &power.decode),
                ListedFigure::of("machine.idle_w", &power.idle),
            ],
            Self::Rented { rent } => vec![ListedFigure::of("machine.rent_usd_per_hour", rent)],
        }
    }
}

/// The machine a record was measured on, or the scenario's preset, held in one way.
///
/// # Errors
/// [`CostError::NoHardwareFigure`] where neither scenario nor record nor tables know its price, its
/// rent or its power; [`CostError::UnknownDevice`] where the scenario's preset is not in the table.
pub fn machine(
    group: &str,
    record: &Record,
    scenario: &Scenario,
    kind: HostingKind,
) -> Result<Machine, CostError> {
    match kind {
        HostingKind::Own | HostingKind::Colo => {
            let price = match &scenario.hardware.price_usd {
                Some(given) => given.clone(),
                None => table_price(group, record, scenario)?,
            };
            Ok(Machine::Owned { price, power: power(group, record, scenario)? })
        }
        HostingKind::Rent => {
            let rent = match &scenario.hosting.rent_usd_per_hour {
                Some(given) => given.clone(),
                None => table_rent(group, record, scenario)?,
            };
            Ok(Machine::Rented { rent })
        }
    }
}

/// A row of the table of hardware and how much of it the record used.
struct Share {
    row: &'static Hardware,
    part: f64,
    words: String,
}

/// How the table's hardware stands for the measured one, whole servers before bare devices.
fn shares(
    group: &str,
    record: &Record,
    scenario: &Scenario,
    key: &'static str,
) -> Result<Vec<Share>, CostError> {
    let unknown =
        |reason: String| CostError::NoHardwareFigure { group: group.to_owned(), reason, key };
    if let Some(name) = &scenario.hardware.preset {
        let row = facts::device(name)
            .map_err(|nearest| CostError::UnknownDevice { name: name.clone(), nearest })?;
        let count = devices(record, scenario);
        let words = format!("{count} x {}", row.device);
        return Ok(vec![Share { row, part: f64::from(count), words }]);
    }
    if let Some(gpu) = &record.gpu_name {
        let device = facts::device_of_gpu(gpu)
            .ok_or_else(|| unknown(format!("the table of hardware has no {gpu:?}")))?;
        let count = record.gpu_count.unwrap_or(1);
        let server = facts::server_of(device).map(|(size, row)| Share {
            row,
            part: f64::from(count) / f64::from(size),
            words: format!("{count} of {size} GPUs of an {}", row.device),
        });
        let bare = facts::hardware().iter().find(|row| row.device == device).map(|row| Share {
            row,
            part: f64::from(count),
            words: format!("{count} x {}, without a host", row.device),
        });
        return Ok(server.into_iter().chain(bare).collect());
    }
    if record.engine == "server" && record.cpu_cores.is_none() {
        return Err(unknown("the record does not say what hardware the server runs on".to_owned()));
    }
    let cpus = record.cpu_cores.ok_or_else(|| unknown(NO_CPUS.to_owned()))?;
    let servers = facts::hardware().iter().filter(|row| row.kind == "cpu");
    let of_server = |row: &'static Hardware| {
        let all = row.logical_cpus?;
        let words = format!("{cpus} of {all} logical CPUs of an {}", row.device);
        Some(Share { row, part: f64::from(cpus) / f64::from(all), words })
    };
    Ok(servers.filter_map(of_server).collect())
}

/// Devices of the scenario's preset in a machine.
fn devices(record: &Record, scenario: &Scenario) -> u32 {
    let given = scenario.hardware.count.as_ref().map(|count| count.value.get());
    given.or(record.gpu_count).unwrap_or(1)
}

fn table_price(
    group: &str,
    record: &Record,
    scenario: &Scenario,
) -> Result<Figure<Usd>, CostError> {
    let key = "hardware.price_usd";
    let shares = shares(group, record, scenario, key)?;
    let share = shares.first().ok_or_else(|| CostError::NoHardwareFigure {
        group: group.to_owned(),
        reason: "the table of hardware has no price for it".to_owned(),
        key,
    })?;
    let source = format!("{}: {} ({})", share.words, share.row.price_basis, share.row.source);
    Ok(Figure::assumed(share.row.price_usd * share.part, source, &share.row.checked))
}

fn power(group: &str, record: &Record, scenario: &Scenario) -> Result<Power, CostError> {
    let hardware = &scenario.hardware;
    let counters = record.energy_source.as_deref().filter(|source| *source != "none");
    let measured = |watts: Option<Watts>| {
        watts.map(|watts| Figure::measured(watts, counters.unwrap_or("counter of the record")))
    };
    let rated = |factor: &Figure<_>, key| rated_power(group, record, scenario, factor, key);

    let load = |of_phase: Option<Watts>, other: Option<Watts>| {
        hardware.load_w.clone().map_or_else(
            || match measured(of_phase).or_else(|| measured(other)) {
                Some(figure) => Ok(figure),
                None => rated(&hardware.load_share_of_tdp, "hardware.load_w"),
            },
            Ok,
        )
    };
    let idle = match (&hardware.idle_w, measured(record.idle_w)) {
        (Some(given), _) => given.clone(),
        (None, Some(figure)) => figure,
        (None, None) => rated(&hardware.idle_share_of_tdp, "hardware.idle_w")?,
    };
    Ok(Power {
        prefill: at_least(load(record.prefill_w, record.decode_w)?, &idle),
        decode: at_least(load(record.decode_w, record.prefill_w)?, &idle),
        idle,
    })
}

/// A busy machine draws no less than an idle one; where two sources say so, the idle power counts.
fn at_least(load: Figure<Watts>, idle: &Figure<Watts>) -> Figure<Watts> {
    if load.value >= idle.value {
        return load;
    }
    Figure {
        value: idle.value,
        label: Label::Derived,
        source: format!("raised to idle_w from {} W, {}", load.value.get(), load.source).into(),
        checked: load.checked,
        low: None,
        high: None,
    }
}

/// Rated power times a share of it.
fn rated_power(
    group: &str,
    record: &Record,
    scenario: &Scenario,
    factor: &Figure<freeweights_record::units::Fraction>,
    key: &'static str,
) -> Result<Figure<Watts>, CostError> {
    let shares = shares(group, record, scenario, key)?;
    let known = shares.iter().find_map(|share| Some((share, share.row.tdp_w?)));
    let (share, tdp) = known.ok_or_else(|| CostError::NoHardwareFigure {
        group: group.to_owned(),
        reason: "the table of hardware has no rated power for it".to_owned(),
        key,
    })?;
    let source = format!(
        "{} of the {} W TDP of {} ({}); {}",
        factor.value.get(),
        tdp.get(),
        share.words,
        share.row.source,
        factor.source
    );
    let watts = |factor: freeweights_record::units::Fraction| tdp * (share.part * factor.get());
    Ok(Figure {
        low: factor.low.map(watts),
        high: factor.high.map(watts),
        ..Figure::assumed(watts(factor.value), source, &share.row.checked)
    })
}

/// The cheapest offer that is no community one, times the devices used.
fn table_rent(
    group: &str,
    record: &Record,
    scenario: &Scenario,
) -> Result<Figure<UsdPerHour>, CostError> {
    let key = "hosting.rent_usd_per_hour";
    let unknown =
        |reason: String| CostError::NoHardwareFigure { group: group.to_owned(), reason, key };
    let (device, count) = match (&scenario.hardware.preset, &record.gpu_name) {
        (Some(name), _) => (name.as_str(), devices(record, scenario)),
        (None, Some(gpu)) => {
            let device = facts::device_of_gpu(gpu)
                .ok_or_else(|| unknown(format!("the table of rents has no {gpu:?}")))?;
            (device, record.gpu_count.unwrap_or(1))
        }
        (None, None) if record.engine == "server" && record.cpu_cores.is_none() => {
            let reason = "the record does not say what hardware the server runs on";
            return Err(unknown(reason.to_owned()));
        }
        (None, None) => ("vCPU", record.cpu_cores.ok_or_else(|| unknown(NO_CPUS.to_owned()))?),
    };
    let offers = facts::rentals().iter().filter(|row| row.device == device);
    let cheapest = |community: bool| {
        let offers = offers.clone().filter(|row| (row.basis == "community") == community);
        offers.min_by(|a, b| a.usd_per_gpu_hour.get().total_cmp(&b.usd_per_gpu_hour.get()))
    };
    let row = cheapest(false)
        .or_else(|| cheapest(true))
        .ok_or_else(|| unknown(format!("the table of rents has no {device}")))?;
    let source = format!("{count} x {device} at {}, {} ({})", row.provider, row.basis, row.source);
    Ok(Figure::assumed(row.usd_per_gpu_hour * f64::from(count), source, &row.checked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(record: &Record, preset: &str, sets: &[&str]) -> Result<Machine, CostError> {
        let sets: Vec<_> = sets.iter().map(|set| set.parse().unwrap()).collect();
        let scenario = Scenario::preset(preset, &sets).unwrap();
        machine("model", record, &scenario, scenario.hosting.kind)
    }

    fn owned(record: &Record, sets: &[&str]) -> (Figure<Usd>, Power) {
        match of(record, "this-machine", sets).unwrap() {
            Machine::Owned { price, power } => (price, power),
            Machine::Rented { .. } => panic!("it is owned"),
        }
    }

    #[test]
    fn a_few_cpus_are_a_share_of_a_server() {
        let record = Record { cpu_cores: Some(2), ..Record::default() };
        let (price, power) = owned(&record, &[]);
        // 25,000 * 2 / 192 and 360 W * 2 / 192 * 0.76
        assert!((price.value.get() - 260.4167).abs() < 1e-4);
        assert!((power.decode.value.get() - 2.85).abs() < 1e-9);
        assert!((power.idle.value.get() - 0.9375).abs() < 1e-9);
        assert_eq!((price.label, price.checked.as_deref()), (Label::Assumed, Some("2026-11")));
        assert!(price.source.starts_with("2 of 192 logical CPUs of an EPYC 9654 server"));
    }

    #[test]
    fn a_gpu_is_a_share_of_a_whole_server_or_a_bare_one() {
        let gpu = |name: &str| Record { gpu_name: Some(name.into()), ..Record::default() };
        let (price, power) = owned(&gpu("NVIDIA H200"), &[]);
        // 277,897.75 / 8 and 10,200 W / 8 * 0.76
        assert!((price.value.get() - 34_737.218_75).abs() < 1e-6);
        assert!((power.decode.value.get() - 969.0).abs() < 1e-9);
        let (price, _) = owned(&gpu("NVIDIA GeForce RTX 4090"), &[]);
        assert!((price.value.get() - 1_599.0).abs() < 1e-9);
        assert!(price.source.contains("without a host"));
        // the server of L40S has a price but no rated power, the bare card has
        let (price, power) = owned(&gpu("NVIDIA L40S"), &[]);
        assert!((price.value.get() - 13_097.625).abs() < 1e-6);
        assert!((power.decode.value.get() - 350.0 * 0.76).abs() < 1e-9);
    }

    #[test]
    fn measured_watts_win_over_the_table_and_given_ones_over_both() {
        let record = Record {
            cpu_cores: Some(2),
            energy_source: Some("rapl".into()),
            idle_w: Some(Watts::new(10.0)),
            decode_w: Some(Watts::new(30.0)),
            ..Record::default()
        };
        let (_, power) = owned(&record, &[]);
        assert_eq!((power.decode.label, power.decode.value), (Label::Measured, Watts::new(30.0)));
        assert_eq!(power.prefill.value, Watts::new(30.0));
        assert_eq!(power.idle.source, "rapl");
        let (_, power) = owned(&record, &["hardware.load_w=5"]);
        assert_eq!((power.decode.label, power.decode.value), (Label::Derived, Watts::new(10.0)));
        assert_eq!(power.decode.source, "raised to idle_w from 5 W, --set");
    }

    #[test]
    fn rents_come_from_the_table() {
        let rent = |record: &Record| match of(record, "rented-cloud", &[]).unwrap() {
            Machine::Rented { rent } => rent,
            Machine::Owned { .. } => panic!("it is rented"),
        };
        let gpu = Record {
            gpu_name: Some("NVIDIA H100 80GB HBM3".into()),
            gpu_count: Some(2),
            ..Record::default()
        };
        // RunPod secure at 3.49, the cheapest beside community offers
        assert!((rent(&gpu).value.get() - 6.98).abs() < 1e-9);
        let cpu = Record { cpu_cores: Some(2), ..Record::default() };
        assert!((rent(&cpu).value.get() - 0.102_64).abs() < 1e-9);
    }

    #[test]
    fn a_device_of_the_table_can_stand_for_the_measured_one() {
        let record = Record { cpu_cores: Some(2), ..Record::default() };
        let sets = ["hardware.preset=H100 SXM", "hardware.count=2"];
        let (price, power) = owned(&record, &sets);
        // 2 * 30,000 USD, 2 * 700 W * 0.76
        assert!((price.value.get() - 60_000.0).abs() < 1e-9);
        assert!((power.decode.value.get() - 1_064.0).abs() < 1e-9);
        let error = of(&record, "this-machine", &["hardware.preset=H100 SXN"]).unwrap_err();
        insta::assert_snapshot!(error, @r#"the table of hardware has no "H100 SXN"; did you mean H100 SXM?"#);
    }

    #[test]
    fn a_share_of_the_rated_power_keeps_its_range() {
        let record = Record { cpu_cores: Some(2), ..Record::default() };
        let (_, power) = owned(&record, &[]);
        // 360 W * 2 / 192 * (0.60, 0.90)
        assert!((power.decode.low.unwrap().get() - 2.25).abs() < 1e-9);
        assert!((power.decode.high.unwrap().get() - 3.375).abs() < 1e-9);
    }

    #[test]
    fn what_nobody_knows_must_be_given() {
        let unknown = Record { gpu_name: Some("Tesla T4".into()), ..Record::default() };
        let error = of(&unknown, "this-machine", &[]).unwrap_err();
        insta::assert_snapshot!(error, @r#"model: the table of hardware has no "Tesla T4"; give it with --set hardware.price_usd=VALUE"#);
        let server = Record { engine: "server".into(), ..Record::default() };
        let error = of(&server, "rented-cloud", &[]).unwrap_err();
        insta::assert_snapshot!(error, @"model: the record does not say what hardware the server runs on; give it with --set hosting.rent_usd_per_hour=VALUE");
        let sets = ["hardware.price_usd=5000", "hardware.load_w=300", "hardware.idle_w=60"];
        assert!(of(&server, "this-machine", &sets).is_ok());
    }
}
