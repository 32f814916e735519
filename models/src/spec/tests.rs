//! What shapes come to, against published numbers.

use crate::preset::Preset;
use crate::quant::Quant;

#[test]
fn parameters_are_those_published() {
    // Sources: the parameter counts of the safetensors headers on each model's page.
    for (name, published) in [
        ("smollm2-135m", 134_515_008),
        ("smollm2-360m", 361_821_120),
        ("smollm2-1.7b", 1_711_376_384),
        ("llama-3.2-1b", 1_235_814_400),
        ("llama-3.2-3b", 3_212_749_824),
        ("llama-3.1-8b", 8_030_261_248),
        ("llama-3.1-70b", 70_553_706_496),
    ] {
        assert_eq!(Preset::find(name).unwrap().spec().params(), published, "{name}");
    }
}

#[test]
fn bf16_takes_two_bytes_a_parameter() {
    let spec = Preset::find("llama-3.1-8b").unwrap().spec();
    assert_eq!(spec.weight_bytes(Quant::Bf16), 2 * 8_030_261_248);
    // The embedding (128,256 x 4,096) is not read whole.
    let untied = 2 * (8_030_261_248 - 128_256 * 4_096);
    assert_eq!(spec.weight_bytes_per_step(Quant::Bf16, 1), untied);
}

#[test]
fn llama_3_1_8b_keeps_128_kib_of_f16_a_token() {
    // 2 * 32 layers * 8 heads * 128 wide * 2 bytes
    let spec = Preset::find("llama-3.1-8b").unwrap().spec();
    assert_eq!(spec.kv_bytes_per_token(2), 131_072);
}

#[test]
fn operations_of_a_token_are_two_a_parameter_and_attention() {
    let spec = Preset::find("smollm2-135m").unwrap().spec();
    // All parameters but the norms (30 * 2 + 1 vectors of 576) are in matrices.
    let matrices = 134_515_008.0 - 61.0 * 576.0;
    // 4 * 30 layers * 9 heads * 64 wide
    let attention = 69_120.0;
    assert!((spec.decode_flops(10) - (2.0 * matrices + 10.0 * attention)).abs() < 1.0);
    // Prefilling one token is one decode step.
    assert!((spec.prefill_flops(1, 9) - spec.decode_flops(10)).abs() < 1.0);
    // Three tokens at depth 2 attend to 3 + 4 + 5 = 12 tokens.
    let head = 49_152.0 * 576.0;
    let expected = 2.0 * 3.0 * (matrices - head) + 2.0 * head + 12.0 * attention;
    assert!((spec.prefill_flops(3, 2) - expected).abs() < 1.0);
}

#[test]
fn nonsense_is_refused_before_it_is_allocated() {
    let mut spec = Preset::find("smollm2-135m").unwrap().spec();
    spec.kv_heads = 4;
    let error = spec.validate().unwrap_err().to_string();
    assert!(error.contains("9 heads do not divide into 4 key-value heads"), "{error}");
    spec.kv_heads = 0;
    assert!(spec.validate().is_err());
}
