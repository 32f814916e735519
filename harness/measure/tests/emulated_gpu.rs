//! A case on the kernels for GPUs, which this CPU runs: from a model's name to the samples.

#![expect(clippy::unwrap_used, reason = "a test stops where something is missing")]

use freeweights_measure::{
    Case, Engine, EngineInfo, LocalEngine, ModelFacts, Prompts, Reading, RunOptions, Silent,
    Unwatched, run,
};
use freeweights_models::{EMULATED, ModelId, Quiet, load_cuda, open_gpu};
use freeweights_record::Status;
use freeweights_record::units::{Bytes, Seconds};
use std::io::Write;
use std::process::Command;
use std::sync::atomic::AtomicBool;

/// The engine over a small made-up model; without a C++ compiler a message and nothing.
fn engine() -> Option<LocalEngine> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    if Command::new(&compiler).arg("--version").output().is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: no C++ compiler {compiler}");
        return None;
    }
    let gpu = open_gpu(EMULATED).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let config = r#"{"architectures": ["LlamaForCausalLM"], "hidden_size": 64,
        "intermediate_size": 96, "vocab_size": 70, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5}"#;
    std::fs::write(&path, config).unwrap();
    let id: ModelId = format!("dummy:{}:bf16", path.display()).parse().unwrap();
    let decoder = load_cuda(&id, None, gpu, true, &Quiet).unwrap().decoder;
    let info = EngineInfo {
        engine: "fused".into(),
        engine_version: None,
        device: EMULATED.into(),
        threads: Some(1),
        model: ModelFacts { name: "small".into(), ..ModelFacts::default() },
    };
    Some(LocalEngine::new(decoder, info, Reading::default()))
}

#[test]
fn a_case_is_checked_and_its_depth_is_filled_once() {
    let Some(mut engine) = engine() else { return };
    let case = Case { isl: 5, osl: 3, depth: 20, batch: 2, prompts: Prompts::Random };
    // One warm-up, and the fewest samples.
    let options = RunOptions {
        repetitions: 3,
        min_time: Seconds::new(0.0),
        max_time: Seconds::new(1e-9),
        ..RunOptions::default()
    };
    let stop = AtomicBool::new(false);
    let results = run(&mut engine, &[case], &options, &mut Unwatched, &stop, &mut Silent).unwrap();
    assert_eq!((results[0].status, results[0].error.as_deref()), (Status::Ok, None));
    assert_eq!(results[0].samples.len(), 4);
    let check = results[0].facts.check;
    assert_eq!(check.against, "reference");
    assert!(check.error.unwrap() < 1e-4, "{check:?}");
    // The first sample filled it, three rewound it; nothing is kept beside the cache.
    assert_eq!(engine.kept(), (Bytes::new(0), 3));
    // Two layers, keys and values of two heads of sixteen columns in two bytes: 256 a token.
    let kv = Bytes::new(256 * 2 * (20 + 5 + 3 - 1));
    assert_eq!(engine.kv_bytes(&case), Some(kv));
    assert!(engine.workspace_bytes().unwrap().get() > 0);
}

#[test]
fn another_case_in_between_fills_it_anew() {
    let Some(mut engine) = engine() else { return };
    let case = Case { isl: 5, osl: 3, depth: 20, batch: 2, prompts: Prompts::Random };
    let other = Case { depth: 8, ..case };
    engine.sample(&case, 1).unwrap();
    let expected = engine.last_output().to_vec();
    engine.sample(&other, 2).unwrap();
    engine.sample(&case, 1).unwrap();
    assert_eq!((engine.last_output(), engine.kept().1), (expected.as_slice(), 0));
    engine.sample(&case, 3).unwrap();
    engine.sample(&case, 1).unwrap();
    assert_eq!((engine.last_output(), engine.kept().1), (expected.as_slice(), 2));
}
