//! The machine of a run.

use super::words::size;
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::people::number;
use freeweights_record::Host;
use freeweights_record::units::FlopsPerSecond;

/// What is known of a machine: one row per fact, the unknown ones too.
#[must_use]
pub fn host(host: &Host) -> Grid {
    let mut grid = Grid::new(vec![
        Column::text("fact", "machine"),
        Column::text("value", "value").wraps_at(24),
    ]);
    let features = (!host.cpu_features.is_empty()).then(|| host.cpu_features.join(" "));
    let rate = |value: Option<f64>, unit: &str| {
        value.map_or(Cell::Missing, |value| {
            Cell::shown(value, format!("{} {unit}", number(value / 1e9)))
        })
    };
    let ceilings = host.ceilings;
    let ceiling_threads = ceilings.map(|found| found.threads);
    let rows: [(&str, Cell); 15] = [
        ("operating system", host.os.clone().into()),
        ("kernel", host.kernel.clone().into()),
        ("CPU", host.cpu_model.clone().into()),
        ("CPUs", host.cpu_cores.into()),
        ("CPU features", features.into()),
        ("last-level cache", size(host.last_level_cache_bytes)),
        ("memory", size(host.memory_total_bytes)),
        ("memory available", size(host.memory_available_bytes)),
        ("governor", host.governor.clone().into()),
        ("transparent huge pages", host.transparent_huge_pages.clone().into()),
        ("virtual machine", host.virtualised.into()),
        ("load average, 1 minute", host.load_average_1m.into()),
        ("ceilings measured with threads", ceiling_threads.into()),
        ("read bandwidth", rate(ceilings.map(|found| found.read_bytes_per_s.get()), "GB/s")),
        ("f32 peak", rate(ceilings.map(|found| found.f32_flops_per_s.get()), "GFLOP/s")),
    ];
    for (fact, value) in rows {
        grid.push(vec![fact.into(), value]);
    }
    let bf16 = ceilings.and_then(|found| found.bf16_flops_per_s).map(FlopsPerSecond::get);
    let int8 = ceilings.and_then(|found| found.int8_ops_per_s).map(FlopsPerSecond::get);
    grid.push(vec!["bf16 peak".into(), rate(bf16, "GFLOP/s")]);
    grid.push(vec!["int8 peak".into(), rate(int8, "GOP/s")]);
    grid
}
