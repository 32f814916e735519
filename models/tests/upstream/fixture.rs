//! A reference fixture: tokens, weights, the logits of transformers; and what a model says of them.

use crate::models::Build;
use candle_core::{DType, Device, Tensor, safetensors};
use candle_nn::VarBuilder;
use freeweights_models::{Decoder, ModelId, Quiet, load};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Steps at the end of each sequence.
const STEPS: usize = 4;

/// Logits behind the prompts, and behind the steps.
pub type Said = [Vec<f32>; 2];

pub struct Fixture {
    folder: PathBuf,
    weights: HashMap<String, Tensor>,
    pub config: Json,
    /// Token ids of each sequence, and the logits behind each of them.
    sequences: Vec<(Vec<u32>, Vec<Vec<f32>>)>,
}

impl Fixture {
    pub fn read(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let tensors = |file| safetensors::load(folder.join(file), &Device::Cpu).unwrap();
        let expected = tensors("reference.safetensors");
        let ids = |name: String| expected[&name].to_dtype(DType::U32).unwrap().to_vec1().unwrap();
        let rows = |name: String| expected[&name].to_vec2().unwrap();
        let sequences =
            (0..3).map(|k| (ids(format!("tokens.{k}")), rows(format!("prefill.{k}")))).collect();
        let config = std::fs::read(folder.join("config.json")).unwrap();
        let config = serde_json::from_slice(&config).unwrap();
        Self { weights: tensors("model.safetensors"), folder, config, sequences }
    }

    /// What transformers says.
    pub fn expected(&self) -> Said {
        let of = |rows: &Vec<Vec<f32>>, from: usize| rows[rows.len() - from..].concat();
        [1, STEPS].map(|from| self.sequences.iter().flat_map(|(_, rows)| of(rows, from)).collect())
    }

    /// What upstream says, or its error; a panic is one too, for upstream unwraps what it reads.
    pub fn upstream(&self, build: Build) -> Result<Said, String> {
        let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let said = || {
            self.said(|tokens, prompt| {
                let weights = self.weights.clone();
                let weights = VarBuilder::from_tensors(weights, DType::F32, &Device::Cpu);
                let mut forward = build(&self.config, weights)?;
                let mut run = |tokens: &[u32], before| {
                    let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
                    forward(&tokens, before)?.flatten_all()?.to_vec1()
                };
                let said = behind(tokens, prompt, &mut run);
                said.map_err(|error: candle_core::Error| first_line(&error.to_string()))
            })
        };
        catch_unwind(AssertUnwindSafe(said)).unwrap_or_else(|panic| {
            Err(first_line(panic.downcast_ref::<String>().map_or("a panic", String::as_str)))
        })
    }

    /// What the candle engine says.
    pub fn ours(&self) -> Said {
        let id = ModelId::Path(self.folder.clone());
        let mut decoder = load(&id, None, &Device::Cpu, &Quiet).unwrap().decoder;
        let said = self.said(|tokens, prompt| {
            decoder.reset()?;
            behind(tokens, prompt, &mut |tokens, before| fed(decoder.as_mut(), tokens, before))
        });
        said.unwrap()
    }

    /// Each sequence as one prompt, then as a prompt and steps.
    fn said<E>(
        &self,
        mut behind: impl FnMut(&[u32], usize) -> Result<Vec<f32>, E>,
    ) -> Result<Said, E> {
        let mut said = [Vec::new(), Vec::new()];
        for (tokens, _) in &self.sequences {
            said[0].extend(behind(tokens, tokens.len())?);
            said[1].extend(behind(tokens, tokens.len() - STEPS)?);
        }
        Ok(said)
    }

    /// The same model, its residual stream so wide that a head is a heads-th of it: upstream's
    /// models of families whose published members are so do not read `head_dim`. What is added is
    /// nothing, and norms see through it: over twice as many numbers the mean square is half.
    pub fn widened(&mut self) {
        let number = |key: &str| usize::try_from(self.config[key].as_u64().unwrap()).unwrap();
        let narrow = number("hidden_size");
        let wide = number("head_dim") * number("num_attention_heads");
        #[expect(clippy::cast_precision_loss, reason = "widths of tens")]
        let share = narrow as f64 / wide as f64;
        let epsilon = self.config["rms_norm_eps"].as_f64().unwrap() * share;
        self.config["rms_norm_eps"] = epsilon.into();
        self.config["hidden_size"] = wide.into();
        for (name, tensor) in &mut self.weights {
            let part = name.trim_end_matches(".weight").rsplit('.').next().unwrap();
            let norm = part == "norm" || part.ends_with("layernorm");
            let written = norm || ["o_proj", "down_proj", "w2"].contains(&part);
            if part == "q_norm" || part == "k_norm" {
                continue;
            }
            let as_f32 = tensor.to_dtype(DType::F32).unwrap();
            let scaled = if norm { (as_f32 * share.sqrt()).unwrap() } else { as_f32 };
            let side = usize::from(!written);
            *tensor = scaled.pad_with_zeros(side, 0, wide - narrow).unwrap();
        }
    }

    /// The same model with a head of its own, which is the table of its tokens.
    pub fn untied(&mut self) {
        let table = self.weights["model.embed_tokens.weight"].clone();
        self.weights.insert("lm_head.weight".into(), table);
    }
}

/// Feeds tokens at a depth and gives the logits behind the last.
type Run<'a, E> = dyn FnMut(&[u32], usize) -> Result<Vec<f32>, E> + 'a;

/// The logits behind a prompt, or, where tokens follow it, behind each of those.
fn behind<E>(tokens: &[u32], prompt: usize, run: &mut Run<'_, E>) -> Result<Vec<f32>, E> {
    let mut said = run(&tokens[..prompt], 0)?;
    if prompt < tokens.len() {
        said.clear();
    }
    for at in prompt..tokens.len() {
        said.extend(run(&tokens[at..=at], at)?);
    }
    Ok(said)
}

fn fed(
    decoder: &mut dyn Decoder,
    tokens: &[u32],
    before: usize,
) -> Result<Vec<f32>, freeweights_models::ModelError> {
    if before == 0 {
        decoder.prefill(&[tokens])?;
    } else {
        decoder.step(tokens)?;
    }
    Ok(decoder.logits()?.concat())
}
