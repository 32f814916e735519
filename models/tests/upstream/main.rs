//! The models of candle-transformers 0.11.1 on the reference fixtures, beside ours: where they say
//! what transformers says, ours must say what they say; where not, what is wrong stands in
//! [`CASES`], so that this test fails when upstream changes and the note is looked at again.
//!
//! This is the evidence of results/decisions/0012-one-graph.md. `--nocapture` prints the table.
//! Not here: families without a model upstream (glm, deepseek-v3, gpt-oss).

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]
#![expect(clippy::print_stdout, reason = "a table is shown with --nocapture")]

mod fixture;
mod models;
mod speed;

use fixture::{Fixture, Said};
use freeweights_models::nmse;
use models::Build;

/// What upstream makes of a fixture.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// What transformers says.
    TheSame,
    /// Other logits behind prompts and behind steps, by these errors, a third more or less.
    Other(f64, f64),
}
use Says::{Other, TheSame};

/// How a fixture is made fit to be read, where upstream refuses it as it stands.
#[derive(Debug, Clone, Copy)]
enum Fit {
    AsItStands,
    Keys(&'static [(&'static str, &'static str)]),
    Widened(&'static [(&'static str, &'static str)]),
    Untied,
}
use Fit::{AsItStands, Keys, Untied, Widened};

struct Case {
    fixture: &'static str,
    build: Build,
    /// Words of the error for the fixture as it stands.
    refusal: Option<&'static str>,
    fit: Fit,
    says: Says,
}

const fn case(fixture: &'static str, build: Build, says: Says) -> Case {
    Case { fixture, build, refusal: None, fit: AsItStands, says }
}

impl Case {
    const fn given(self, fit: Fit) -> Self {
        Self { fit, ..self }
    }

    const fn refused(self, words: &'static str, fit: Fit) -> Self {
        Self { refusal: Some(words), fit, ..self }
    }
}

/// `head_dim` is not read.
const HEAD_DIM: &str = "shape mismatch for model.layers.0.self_attn.q_proj.weight";

const CASES: [Case; 20] = [
    case("smollm2", models::llama, TheSame),
    case("llama2", models::llama, TheSame).refused(HEAD_DIM, Widened(&[])),
    case("llama3.1", models::llama, TheSame).refused(HEAD_DIM, Widened(&[])),
    case("llama3.2", models::llama, TheSame).refused(HEAD_DIM, Widened(&[])),
    case("mistral-small", models::mistral, TheSame),
    // The window is one token too wide, and single steps have none.
    case("mistral", models::mistral, Other(6.3e-2, 4.0e-1)),
    // The published file has no `use_flash_attn`, and a window of null.
    case("mixtral", models::mixtral, TheSame).refused(
        "invalid type: null, expected usize",
        Widened(&[("use_flash_attn", "false"), ("sliding_window", "4096")]),
    ),
    // A window of which the file says that it is not in use.
    case("qwen2", models::qwen2, Other(1.8e-1, 3.2e-2)),
    case("qwen2", models::qwen2, TheSame).given(Keys(&[("sliding_window", "4096")])),
    // Files of newer versions of transformers.
    case("qwen3", models::qwen3, TheSame)
        .refused("missing field `rope_theta`", Keys(&[("rope_theta", "1000000.0")])),
    case("qwen3-moe", models::qwen3_moe, TheSame),
    // A window in every layer, one token too wide, not in single steps; `query_pre_attn_scalar` is
    // not read.
    case("gemma2", models::gemma2, Other(3.5e-1, 4.7e-2)),
    // `rope_scaling` is not read; the window is one token too wide.
    case("gemma3", models::gemma3, Other(3.5e-2, 2.0e-2)),
    // The window of Phi-3-mini-4k is not read.
    case("phi3", models::phi3, Other(4.3e-1, 2.7e-1)),
    // Frequencies are multiplied with the factors, not divided; which factors goes by the position
    // of a token, not by the length of the text; and cos and sin are not scaled.
    case("phi3-long", models::phi3, Other(7.2e-1, 5.4e-1)),
    case("smollm3", models::smollm3, TheSame).refused(HEAD_DIM, Widened(&[])),
    case("olmo2", models::olmo2, TheSame)
        .refused("missing field `rope_theta`", Widened(&[("rope_theta", "500000.0")])),
    case("glm4", models::glm4, TheSame),
    // No tied head, and none of the four multipliers.
    case("granite", models::granite, Other(3.7e1, 4.3e1))
        .refused("cannot find tensor lm_head.weight", Untied),
    case("deepseek-v2", models::deepseek2, TheSame),
];

/// Far above what f32 arithmetic in another order makes, far below any term left out.
const SAME: f64 = 1e-6;

fn errors(said: &Said, than: &Said) -> [f64; 2] {
    [0, 1].map(|which| nmse(&said[which], &than[which]))
}

fn fit(fixture: &mut Fixture, how: Fit) {
    if let Keys(keys) | Widened(keys) = how {
        for (key, value) in keys {
            fixture.config[*key] = serde_json::from_str(value).unwrap();
        }
    }
    match how {
        AsItStands | Keys(_) => {}
        Widened(_) => fixture.widened(),
        Untied => fixture.untied(),
    }
}

/// What a case does that its entry does not say.
fn surprise(case: &Case) -> Result<(), String> {
    let mut fixture = Fixture::read(case.fixture);
    if let Some(words) = case.refusal {
        match fixture.upstream(case.build) {
            Err(error) if error.contains(words) => println!("{:14} {error}", case.fixture),
            other => return Err(format!("as it stands: {:?}", other.err())),
        }
    }
    let (expected, ours) = (fixture.expected(), fixture.ours());
    fit(&mut fixture, case.fit);
    let theirs = fixture.upstream(case.build)?;
    let off = errors(&theirs, &expected);
    let shown = |[prompt, steps]: [f64; 2]| format!("{prompt:.1e} and {steps:.1e}");
    let row = format!("ours {}, upstream {}", shown(errors(&ours, &expected)), shown(off));
    println!("{:14} {row}", case.fixture);
    let right = match case.says {
        TheSame => off.iter().chain(&errors(&ours, &theirs)).all(|error| *error < SAME),
        Other(prompt, steps) => {
            off.iter().zip([prompt, steps]).all(|(found, noted)| (found / noted - 1.0).abs() < 0.33)
        }
    };
    if right { Ok(()) } else { Err(row) }
}

#[test]
fn upstream_is_as_right_as_is_noted() {
    let surprises: Vec<String> = CASES
        .iter()
        .filter_map(|case| surprise(case).err().map(|row| format!("{}: {row}", case.fixture)))
        .collect();
    assert!(surprises.is_empty(), "{surprises:#?}");
}
