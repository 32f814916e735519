//! The machine of a run.

use super::words::size;
use crate::grid::{Cell, Column, Grid};
use freeweights_cost::people::number;
use freeweights_record::Host;
use freeweights_record::host::{DeviceCeilings, Gpu};
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
    for gpu in &host.gpus {
        for (fact, value) in of_gpu(gpu) {
            grid.push(vec![fact.into(), value]);
        }
    }
    for DeviceCeilings { device, ceilings, fp8_flops_per_s } in &host.device_ceilings {
        let of = |rate: Option<FlopsPerSecond>| rate.map(FlopsPerSecond::get);
        let rows = [
            ("read bandwidth", rate(Some(ceilings.read_bytes_per_s.get()), "GB/s")),
            ("f32 peak", rate(Some(ceilings.f32_flops_per_s.get()), "GFLOP/s")),
            ("bf16 peak", rate(of(ceilings.bf16_flops_per_s), "GFLOP/s")),
            ("fp8 peak", rate(of(*fp8_flops_per_s), "GFLOP/s")),
            ("int8 peak", rate(of(ceilings.int8_ops_per_s), "GOP/s")),
        ];
        for (fact, value) in rows {
            grid.push(vec![format!("{device}: {fact}").into(), value]);
        }
    }
    grid
}

/// What the driver says of a GPU.
fn of_gpu(gpu: &Gpu) -> [(String, Cell); 7] {
    let device = gpu.device.clone().unwrap_or_else(|| format!("GPU {}", gpu.index));
    let now_of_most = |pair: Option<(u32, u32)>| pair.map(|(now, most)| format!("{now} of {most}"));
    [
        ("GPU", gpu.name.clone().into()),
        ("memory", size(gpu.memory_bytes)),
        ("power limit", gpu.power_limit.map(|limit| format!("{} W", number(limit.get()))).into()),
        ("driver", gpu.driver.clone().into()),
        ("PCIe generation", now_of_most(gpu.pcie_generation).into()),
        ("PCIe lanes", now_of_most(gpu.pcie_lanes).into()),
        ("NVLinks", gpu.nvlinks.into()),
    ]
    .map(|(fact, value)| (format!("{device}: {fact}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use freeweights_record::host::Ceilings;
    use freeweights_record::units::{Bytes, BytesPerSecond, Watts};

    #[test]
    fn a_gpu_is_described_behind_the_machine() {
        let gpu = Gpu {
            device: Some("cuda:0".into()),
            name: Some("NVIDIA H200".into()),
            memory_bytes: Some(Bytes::new(150_000_000_000)),
            power_limit: Some(Watts::new(700.0)),
            pcie_generation: Some((4, 5)),
            ..Gpu::default()
        };
        let ceilings = DeviceCeilings {
            device: "cuda:0".into(),
            ceilings: Ceilings {
                threads: 1,
                read_bytes_per_s: BytesPerSecond::new(4.2e12),
                f32_flops_per_s: FlopsPerSecond::new(5e13),
                bf16_flops_per_s: Some(FlopsPerSecond::new(7.5e14)),
                int8_ops_per_s: None,
            },
            fp8_flops_per_s: Some(FlopsPerSecond::new(1.4e15)),
        };
        let machine = Host { gpus: vec![gpu], device_ceilings: vec![ceilings], ..Host::default() };
        let text = host(&machine).render(Format::Csv, 80).unwrap();
        let of_gpu: Vec<&str> = text.lines().filter(|line| line.starts_with("cuda:0")).collect();
        assert_eq!(
            of_gpu,
            [
                "cuda:0: GPU,NVIDIA H200",
                "cuda:0: memory,150000000000",
                "cuda:0: power limit,700 W",
                "cuda:0: driver,",
                "cuda:0: PCIe generation,4 of 5",
                "cuda:0: PCIe lanes,",
                "cuda:0: NVLinks,",
                "cuda:0: read bandwidth,4200000000000",
                "cuda:0: f32 peak,50000000000000",
                "cuda:0: bf16 peak,750000000000000",
                "cuda:0: fp8 peak,1400000000000000",
                "cuda:0: int8 peak,",
            ]
        );
    }
}
