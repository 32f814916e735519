//! What watches a run: the sampler with its sources of energy, and notes about the machine.
//!
//! Not here: how a source is read (`freeweights_measure::energy`).

use crate::commands::bench::BenchArgs;
use crate::print;
use freeweights_measure::energy::{
    GpuCounter, GpuPower, Gpus, Nvml, Part, Rapl, RaplError, choose_gpu,
};
use freeweights_measure::{GpuInUse, Sampler, idle_differs, measure_timer};
use freeweights_record::Host;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where the kernel keeps its energy counters.
const POWERCAP: &str = "/sys/class/powercap";
/// A counter that counts moves in this time: it is renewed a hundred times.
const MOVES_IN: Duration = Duration::from_millis(100);

/// Measures the clock and opens what there is to watch, and keeps in `host` what was found.
pub fn start(args: &BenchArgs, devices: &[String], host: &mut Host) -> Option<Arc<Sampler>> {
    host.timer = measure_timer();
    if let Some(timer) = host.timer {
        print::note(&format!(
            "the clock ticks every {:.0} ns and takes {:.0} ns to read; neither is subtracted",
            1e9 * timer.resolution.get(),
            1e9 * timer.cost.get()
        ));
    }
    if args.no_sampling {
        return None;
    }
    let mut parts = Vec::new();
    parts.extend(of_cpus(args, host));
    let gpus = of_gpus(devices, host, &mut parts);
    let sampler = Sampler::start(parts, gpus);
    host.energy = sampler.parts();
    Some(Arc::new(sampler))
}

fn of_cpus(args: &BenchArgs, host: &mut Host) -> Option<Part> {
    let folder = args.powercap.as_deref().unwrap_or(Path::new(POWERCAP));
    match Rapl::open(folder, || std::thread::sleep(MOVES_IN)) {
        Ok((rapl, notes)) => {
            for note in &notes {
                print::note(note);
            }
            Some(Part { source: Box::new(rapl), check: None, device: None })
        }
        Err(error) => {
            host.notes.push(error.in_short());
            // Most virtual machines have none: nothing that anybody could do.
            if !matches!(error, RaplError::Missing { .. }) {
                print::note(&error.to_string());
            }
            None
        }
    }
}

/// Describes the GPUs among some devices.
pub fn describe_gpus(devices: &[String], host: &mut Host) {
    of_gpus(devices, host, &mut Vec::new());
}

/// The GPUs of the run; the driver is not asked where none is used.
fn of_gpus(devices: &[String], host: &mut Host, parts: &mut Vec<Part>) -> Vec<GpuInUse> {
    let devices: Vec<(&String, u32)> = devices
        .iter()
        .filter_map(|device| Some((device, device.strip_prefix("cuda:")?.parse().ok()?)))
        .collect();
    if devices.is_empty() {
        return Vec::new();
    }
    let gpus: Arc<dyn Gpus> = match Nvml::open() {
        Ok(nvml) => Arc::new(nvml),
        Err(error) => {
            print::note(&error.to_string());
            host.notes.push("the GPU's driver cannot be asked".into());
            return Vec::new();
        }
    };
    let variable = |name| std::env::var(name).ok();
    let (visible, order) = (variable("CUDA_VISIBLE_DEVICES"), variable("CUDA_DEVICE_ORDER"));
    let mut in_use = Vec::new();
    for (device, number) in devices {
        match choose_gpu(gpus.as_ref(), number, visible.as_deref(), order.as_deref()) {
            Ok(index) => {
                let mut facts = gpus.facts(index);
                facts.device = Some(device.clone());
                // A run that goes on has described it before.
                host.gpus.retain(|gpu| gpu.device.as_ref() != Some(device));
                host.gpus.push(facts);
                parts.extend(of_gpu(&gpus, index, device));
                in_use.push(GpuInUse { gpus: Arc::clone(&gpus), index, device: device.clone() });
            }
            Err(why) => {
                print::note(&format!("no energy of {device}: {why}"));
                host.notes.push(format!("which GPU {device} is cannot be told"));
            }
        }
    }
    in_use
}

/// The counter, checked by the integral of power; power alone where there is no counter.
fn of_gpu(gpus: &Arc<dyn Gpus>, index: u32, device: &str) -> Option<Part> {
    let device = Some(device.to_owned());
    let power = GpuPower::of(Arc::clone(gpus), index);
    match GpuCounter::of(Arc::clone(gpus), index) {
        Some(counter) => {
            let check = power.map(|power| Box::new(power) as Box<_>);
            Some(Part { source: Box::new(counter), check, device })
        }
        None => Some(Part { source: Box::new(power?), check: None, device }),
    }
}

/// Measures the power of the idle machine, before the cases or after them; nothing happens where
/// nothing tells energy.
pub fn idle(sampler: &Sampler, host: &mut Host, after: bool) {
    let Some(time) = sampler.idle_time() else { return };
    let when = if after { "after" } else { "before" };
    print::note(&format!("measuring the idle power for {:.0} s, {when} the cases", time.get()));
    sampler.tick();
    let from = sampler.now();
    std::thread::sleep(Duration::from_secs_f64(time.get()));
    let to = from + time;
    // The window ends between two readings.
    std::thread::sleep(Duration::from_millis(5));
    sampler.tick();
    let power = sampler.power(from, to);
    for (part, power) in host.energy.iter_mut().zip(power) {
        if after {
            part.idle_after = power;
            if let Some(note) = idle_differs(part) {
                print::note(&note);
                host.notes.push(note);
            }
        } else {
            part.idle_before = power;
        }
    }
}
