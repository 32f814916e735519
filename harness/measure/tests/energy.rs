//! From fake counters, through the sampler and the runner, to the cells of a record: every joule is
//! the one that the counters' arithmetic gives.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use freeweights_measure::energy::{EnergySource, Part, Rapl, Reading};
use freeweights_measure::{
    Case, Engine, HostInstruments, Prompts, RunContext, RunOptions, Sampler, ScriptedEngine,
    Silent, Timing, Tree, record_of, run,
};
use freeweights_record::units::{Joules, JoulesPerToken, Percent, Seconds, Watts};
use freeweights_record::{Host, Record};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Counters run from 0 to this, and then from 0 again.
const RANGE: u64 = 2_000_000_000;
/// All times are multiples of a 64th of a second, which a f64 keeps exactly.
const TICK: f64 = 1.0 / 64.0;
const IDLE: f64 = 64.0;
const PREFILL: f64 = 256.0;
const DECODE: f64 = 128.0;
const CASE: Case = Case { isl: 10, osl: 5, depth: 0, batch: 2, prompts: Prompts::Random };

/// A machine with two packages and memory, whose time passes when it is told to.
struct World {
    folder: tempfile::TempDir,
    clock: Arc<AtomicU64>,
    /// Microjoules since it was made.
    spent: u64,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The clock of the sampler is not the engine's.
        let world = Self { folder, clock: Arc::new(AtomicU64::new(1_000f64.to_bits())), spent: 0 };
        for (zone, name) in [("0", "package-0"), ("1", "package-1"), ("1:0", "dram"), ("2", "psys")]
        {
            std::fs::create_dir(world.zone(zone)).unwrap();
            std::fs::write(world.zone(zone).join("name"), name).unwrap();
            std::fs::write(world.zone(zone).join("max_energy_range_uj"), RANGE.to_string())
                .unwrap();
        }
        world.write();
        world
    }

    fn zone(&self, zone: &str) -> PathBuf {
        self.folder.path().join(format!("intel-rapl:{zone}"))
    }

    /// Half of the energy goes to the first package, a quarter each to the second and the memory. The
    /// first stands 100 J below its range at the start; the platform counts what nobody may add.
    fn write(&self) {
        let quarter = self.spent / 4;
        let first = (RANGE - 100_000_000 + 2 * quarter) % RANGE;
        let zones = [("0", first), ("1", 7 + quarter), ("1:0", quarter), ("2", 3 * self.spent)];
        for (zone, energy) in zones {
            std::fs::write(self.zone(zone).join("energy_uj"), format!("{energy}\n")).unwrap();
        }
    }

    fn now(&self) -> f64 {
        f64::from_bits(self.clock.load(Ordering::Relaxed))
    }

    /// Lets time pass at a power, and calls `each` after each tick.
    fn pass(&mut self, seconds: f64, watts: f64, each: &mut dyn FnMut()) {
        let end = self.now() + seconds;
        while self.now() < end {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole microjoules: every power here is a multiple of 64 W"
            )]
            let microjoules = (watts * 1e6 * TICK) as u64;
            self.spent += microjoules;
            self.write();
            self.clock.store((self.now() + TICK).to_bits(), Ordering::Relaxed);
            each();
        }
    }

    fn clock(&self) -> Box<dyn Fn() -> Seconds + Send + Sync> {
        let clock = Arc::clone(&self.clock);
        Box::new(move || Seconds::new(f64::from_bits(clock.load(Ordering::Relaxed))))
    }
}

/// Power that a test has set, beside the counters or to check them.
struct Meter(Arc<Mutex<f64>>, &'static str);

impl EnergySource for Meter {
    fn name(&self) -> String {
        self.1.into()
    }
    fn update(&self) -> Seconds {
        Seconds::new(0.01)
    }
    fn read(&mut self, _: Seconds) -> Option<Reading> {
        Some(Reading::Power(Watts::new(*self.0.lock().unwrap())))
    }
}

fn parts(world: &Rc<RefCell<World>>) -> Vec<Part> {
    let folder = world.borrow().folder.path().to_path_buf();
    let moves = || world.borrow_mut().pass(TICK, IDLE, &mut || ());
    let (rapl, notes) = Rapl::open(&folder, moves).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    vec![Part { source: Box::new(rapl), check: None, device: None }]
}

/// How a scripted sample takes its half second of prefill and its second of decode: `watched` reads
/// after each tick.
fn measured(
    world: &Rc<RefCell<World>>,
    parts: Vec<Part>,
    scale: f64,
    watched: bool,
    power: Option<Arc<Mutex<f64>>>,
) -> Record {
    let sampler = Arc::new(Sampler::by_hand(parts, Vec::new(), world.borrow().clock()));
    let mut host = Host { energy: sampler.parts(), ..Host::default() };
    sampler.tick();
    let from = sampler.now();
    world.borrow_mut().pass(4.0, IDLE, &mut || sampler.tick());
    let idle = sampler.power(from, sampler.now());
    for (part, idle) in host.energy.iter_mut().zip(idle) {
        part.idle_before = idle;
    }
    let (of_script, of_sampler) = (Rc::clone(world), Arc::clone(&sampler));
    let mut engine = ScriptedEngine::new(move |_, _| {
        let mut tick = || {
            if watched {
                of_sampler.tick();
            }
        };
        let set = |watts| {
            if let Some(power) = &power {
                *power.lock().unwrap() = watts;
            }
        };
        set(PREFILL);
        of_script.borrow_mut().pass(0.5 * scale, PREFILL, &mut tick);
        set(DECODE);
        of_script.borrow_mut().pass(scale, DECODE, &mut tick);
        let prefill = Seconds::new(0.5 * scale);
        let gaps = vec![Seconds::new(0.25 * scale); 4];
        Ok(Timing { started: Seconds::new(0.0), prefill, ttft: prefill, gaps })
    });
    let empty = tempfile::tempdir().unwrap();
    let mut instruments = HostInstruments::over(Some(sampler), "cpu", Tree::at(empty.path()));
    let stop = AtomicBool::new(false);
    let options = RunOptions::default();
    let results =
        run(&mut engine, &[CASE], &options, &mut instruments, &stop, &mut Silent).unwrap();
    let context = RunContext { host, ..RunContext::default() };
    record_of(&context, engine.info(), &results[0], "2026-01-01T00:00:00Z".into())
}

#[test]
fn the_joules_of_a_record_are_those_of_the_counters() {
    let world = Rc::new(RefCell::new(World::new()));
    let record = measured(&world, parts(&world), 1.0, true, None);
    assert_eq!(record.energy_source.as_deref(), Some("rapl:package+dram"));
    assert_eq!(record.idle_w, Some(Watts::new(IDLE)));
    // 256 W for 0.5 s are 128 J for 2 * 10 tokens
    assert_eq!(record.prefill_w, Some(Watts::new(PREFILL)));
    assert_eq!(record.prefill_j_per_token, Some(JoulesPerToken::new(6.4)));
    // 128 W for 1 s are 128 J for 2 * 4 tokens
    assert_eq!(record.decode_w, Some(Watts::new(DECODE)));
    assert_eq!(record.decode_j_per_token, Some(JoulesPerToken::new(16.0)));
    assert_eq!(record.energy_check_percent, None);
    // Seven samples took 1,792 J, half of them from a counter that wrapped after its first 100 J.
    assert!(world.borrow().spent / 2 > 100_000_000 + 256_000_000);
}

#[test]
fn a_second_way_that_disagrees_is_on_record() {
    let world = Rc::new(RefCell::new(World::new()));
    let power = Arc::new(Mutex::new(IDLE));
    let mut parts = parts(&world);
    // A meter that reads what the machine draws, as the counters do.
    parts[0].check = Some(Box::new(Meter(Arc::clone(&power), "meter")));
    let record = measured(&world, parts, 1.0, true, Some(power));
    // Trapezoids see the first tick of prefill as rising from what was before: (128 - 256) / 2 W for a
    // 64th of a second, -1 J of 256; at the step to decode they are 1 J too high, which makes up for
    // it in all samples but the first, and that one is a warm-up.
    let apart = record.energy_check_percent.unwrap();
    assert!(apart < Percent::new(0.5), "{apart}");
    assert_eq!(record.decode_w, Some(Watts::new(DECODE)));

    let world = Rc::new(RefCell::new(World::new()));
    let constant = Arc::new(Mutex::new(192.0));
    let mut parts = self::parts(&world);
    parts[0].check = Some(Box::new(Meter(constant, "meter")));
    let record = measured(&world, parts, 1.0, true, None);
    // 192 W for 1.5 s are 288 J beside the counters' 256
    assert_eq!(record.energy_check_percent, Some(Percent::new(12.5)));
}

#[test]
fn phases_too_short_for_the_sampler_stay_empty() {
    let world = Rc::new(RefCell::new(World::new()));
    // Nothing is read between the ends of a sample: half a second is not ten gaps of 1.5.
    let record = measured(&world, parts(&world), 1.0, false, None);
    assert_eq!((record.prefill_w, record.decode_w), (None, None));
    assert_eq!((record.prefill_j_per_token, record.decode_j_per_token), (None, None));
    assert_eq!(record.energy_source.as_deref(), Some("rapl:package+dram"));
    assert_eq!(record.idle_w, Some(Watts::new(IDLE)));
}

/// A source that has nothing to tell.
struct Mute;
impl EnergySource for Mute {
    fn name(&self) -> String {
        "mute".into()
    }
    fn update(&self) -> Seconds {
        Seconds::new(0.01)
    }
    fn read(&mut self, _: Seconds) -> Option<Reading> {
        None
    }
}

#[test]
fn a_part_that_is_not_known_leaves_the_sum_empty() {
    let world = Rc::new(RefCell::new(World::new()));
    let mut parts = parts(&world);
    parts.push(Part { source: Box::new(Mute), check: None, device: None });
    let record = measured(&world, parts, 1.0, true, None);
    assert_eq!(record.energy_source.as_deref(), Some("rapl:package+dram+mute"));
    assert_eq!((record.decode_w, record.idle_w), (None, None));
}

#[test]
fn energy_of_another_device_is_not_ours() {
    let world = Rc::new(RefCell::new(World::new()));
    let power = Arc::new(Mutex::new(300.0));
    let mut parts = parts(&world);
    let source = Box::new(Meter(power, "nvml:power"));
    parts.push(Part { source, check: None, device: Some("cuda:0".into()) });
    let record = measured(&world, parts, 1.0, true, None);
    assert_eq!(record.energy_source.as_deref(), Some("rapl:package+dram"));
    assert_eq!(record.decode_w, Some(Watts::new(DECODE)));
}

#[test]
fn joules_do_not_get_lost_between_samples() {
    let world = Rc::new(RefCell::new(World::new()));
    let before = world.borrow().spent;
    let record = measured(&world, parts(&world), 2.0, true, None);
    let repetitions = f64::from(record.repetitions.unwrap());
    let warmups = f64::from(record.warmups.unwrap());
    let per_sample = 20.0 * record.prefill_j_per_token.unwrap().get()
        + 8.0 * record.decode_j_per_token.unwrap().get();
    let all = Joules::new((world.borrow().spent - before) as f64 / 1e6);
    // One tick at opening and four seconds of idling, then nothing but samples.
    let idle = IDLE * (TICK + 4.0);
    assert_eq!(all, Joules::new(idle + (repetitions + warmups) * per_sample));
}
