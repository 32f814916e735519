//! The record of whole assessments.

use freeweights_record::units::{Seconds, Tokens, TokensPerSecond};
use freeweights_record::{Record, Weights};

/// SmolLM2-135M on two cores: 400 tokens/s in, 40 out, so 128 / 400 + 63 / 40 = 1.895 s a request.
pub fn record() -> Record {
    Record {
        run_id: "run".into(),
        case_id: "b1".into(),
        engine: "candle".into(),
        device: "cpu".into(),
        threads: Some(2),
        cpu_cores: Some(2),
        model: "dummy:smollm2-135m".into(),
        weights: Some(Weights::Dummy),
        params_total: Some(134_515_008),
        isl: Some(Tokens::new(128)),
        osl: Some(Tokens::new(64)),
        depth: Some(Tokens::new(0)),
        batch: Some(1),
        ttft_mean_s: Some(Seconds::new(0.32)),
        tpot_mean_s: Some(Seconds::new(0.025)),
        prefill_mean_tps: Some(TokensPerSecond::new(400.0)),
        prefill_ci95_low_tps: Some(TokensPerSecond::new(390.0)),
        prefill_ci95_high_tps: Some(TokensPerSecond::new(410.0)),
        decode_mean_tps: Some(TokensPerSecond::new(40.0)),
        decode_ci95_low_tps: Some(TokensPerSecond::new(39.0)),
        decode_ci95_high_tps: Some(TokensPerSecond::new(41.0)),
        ..Record::default()
    }
}
