//! Quantised llama models out of candle's own operations, as `candle_transformers` composes them.
//!
//! The graph is that of `candle_transformers::models::quantized_llama`, and a test holds the two to
//! the same logits. It is written out here because upstream's cannot prefill a batch (the last
//! position of several sequences is not contiguous, which its quantised matrix product refuses),
//! stops at 4,096 positions, and leaves out the frequency factors that Llama 3 files carry. No
//! kernel of ours is in it: this stays the plain baseline.

use super::PlainModel;
use crate::families::Source;
use crate::spec::ModelSpec;
use crate::tensors::Role;
use candle_core::quantized::gguf_file::Content;
use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{DType, Device, IndexOp, Module, Result, Tensor};
use candle_nn::Embedding;
use candle_transformers::quantized_nn::RmsNorm;
use candle_transformers::utils::{build_causal_mask, repeat_kv};

/// Rotary tables grow by this many positions.
const POSITIONS_STEP: usize = 4_096;

/// A GGUF of the llama family.
pub struct QuantisedLlama {
    embedding: Embedding,
    layers: Vec<Layer>,
    norm: RmsNorm,
    output: QMatMul,
    rotary: Rotary,
    /// The last mask, for prompts of one length at one depth.
    mask: Option<((usize, usize), Tensor)>,
    context: usize,
    device: Device,
}

struct Layer {
    attention_norm: RmsNorm,
    query: QMatMul,
    key: QMatMul,
    value: QMatMul,
    attention_output: QMatMul,
    feed_forward_norm: RmsNorm,
    gate: QMatMul,
    up: QMatMul,
    down: QMatMul,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    /// Keys and values of all tokens so far, `(batch, kv_heads, tokens, head_dim)` each.
    cache: Option<(Tensor, Tensor)>,
}

/// What the matrices are multiplied as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Matrices {
    /// As the file has them: candle quantises the activations to match.
    AsStored,
    /// Dequantised to f32, activations left alone.
    F32,
}

impl Matrices {
    fn of(self, tensor: QTensor) -> Result<QMatMul> {
        match self {
            Self::AsStored => QMatMul::from_qtensor(tensor),
            Self::F32 => Ok(QMatMul::Tensor(tensor.dequantize(&tensor.device())?)),
        }
    }
}

impl QuantisedLlama {
    /// Reads every tensor the spec needs from `source`.
    ///
    /// # Errors
    /// Errors of candle.
    pub fn open(
        spec: &ModelSpec,
        content: &Content,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self> {
        Self::open_with(Matrices::AsStored, spec, content, source, device)
    }

    /// The same weights with every matrix dequantised to f32: slow, large, and what the file means
    /// to f32 precision, so that faster engines can be held against it.
    ///
    /// # Errors
    /// Errors of candle.
    pub fn open_dequantised(
        spec: &ModelSpec,
        content: &Content,
        source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self> {
        Self::open_with(Matrices::F32, spec, content, source, device)
    }

    fn open_with(
        matrices: Matrices,
        spec: &ModelSpec,
        content: &Content,
        mut source: &mut dyn Source,
        device: &Device,
    ) -> Result<Self> {
        let mut read = |role: Role| content.tensor(&mut source, &role.gguf_name(), device);
        let embedding = read(Role::Embedding)?;
        let table = embedding.dequantize(device)?;
        let output = if spec.tied_embeddings { embedding } else { read(Role::Output)? };
        let norm = RmsNorm::from_qtensor(read(Role::OutputNorm)?, spec.norm_eps)?;
        let layers = (0..spec.layers)
            .map(|n| Layer::read(n, matrices, spec, &mut read))
            .collect::<Result<Vec<_>>>()?;
        let factors = if content.tensor_infos.contains_key("rope_freqs.weight") {
            Some(content.tensor(&mut source, "rope_freqs.weight", device)?)
        } else {
            None
        };
        Ok(Self {
            embedding: Embedding::new(table, spec.hidden),
            layers,
            norm,
            output: matrices.of(output)?,
            rotary: Rotary::new(spec, factors, device)?,
            mask: None,
            context: spec.context,
            device: device.clone(),
        })
    }

    /// `(length, position + length)`: 1 where a token must not look.
    fn mask(&mut self, length: usize, position: usize) -> Result<Tensor> {
        match &self.mask {
            Some((shape, mask)) if *shape == (length, position) => Ok(mask.clone()),
            _ => {
                let mask = build_causal_mask(length, position, &self.device)?;
                self.mask = Some(((length, position), mask.clone()));
                Ok(mask)
            }
        }
    }
}

impl QuantisedLlama {
    /// The residual stream behind the last layer, normed.
    ///
    /// # Shapes
    /// `tokens`: `(batch, length)`; result `(batch, length, hidden)`.
    fn residual(&mut self, tokens: &Tensor, position: usize) -> Result<Tensor> {
        let (_, length) = tokens.dims2()?;
        let mask = if length == 1 { None } else { Some(self.mask(length, position)?) };
        let rotary = self.rotary.at(position, length)?;
        let mut x = self.embedding.forward(tokens)?;
        for layer in &mut self.layers {
            x = layer.forward(&x, mask.as_ref(), &rotary)?;
        }
        self.norm.forward(&x)
    }
}

impl PlainModel for QuantisedLlama {
    fn forward(&mut self, tokens: &Tensor, position: usize) -> Result<Tensor> {
        let (_, length) = tokens.dims2()?;
        // Only the last position needs the output head: (batch, hidden).
        let last = self.residual(tokens, position)?.i((.., length - 1, ..))?.contiguous()?;
        self.output.forward(&last)
    }

    fn forward_all(&mut self, tokens: &Tensor, position: usize) -> Result<Option<Tensor>> {
        let all = self.residual(tokens, position)?.squeeze(0)?.contiguous()?;
        self.output.forward(&all).map(Some)
    }

    fn clear(&mut self) -> Result<()> {
        for layer in &mut self.layers {
            layer.cache = None;
        }
        Ok(())
    }

    fn kv_dtype(&self) -> DType {
        DType::F32
    }

    fn max_positions(&self) -> usize {
        self.context
    }
}

impl Layer {
    fn read(
        n: usize,
        matrices: Matrices,
        spec: &ModelSpec,
        read: &mut impl FnMut(Role) -> Result<QTensor>,
    ) -> Result<Self> {
        let mut matrix = |role: Role| matrices.of(read(role)?);
        Ok(Self {
            query: matrix(Role::Query(n))?,
            key: matrix(Role::Key(n))?,
            value: matrix(Role::Value(n))?,
            attention_output: matrix(Role::AttentionOutput(n))?,
            gate: matrix(Role::Gate(n))?,
            up: matrix(Role::Up(n))?,
            down: matrix(Role::Down(n))?,
            attention_norm: RmsNorm::from_qtensor(read(Role::AttentionNorm(n))?, spec.norm_eps)?,
            feed_forward_norm: RmsNorm::from_qtensor(
                read(Role::FeedForwardNorm(n))?,
                spec.norm_eps,
            )?,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            head_dim: spec.head_dim,
            cache: None,
        })
    }

    /// `x`: `(batch, length, hidden)`, in and out.
    fn forward(
        &mut self,
        x: &Tensor,
        mask: Option<&Tensor>,
        rotary: &(Tensor, Tensor),
    ) -> Result<Tensor> {
        let x = (x + self.attention(&self.attention_norm.forward(x)?, mask, rotary)?)?;
        let normed = self.feed_forward_norm.forward(&x)?;
        let gated = candle_nn::ops::silu(&self.gate.forward(&normed)?)?;
        let inner = (gated * self.up.forward(&normed)?)?;
        &x + self.down.forward(&inner)?
    }

    fn attention(
        &mut self,
        x: &Tensor,
        mask: Option<&Tensor>,
        (cos, sin): &(Tensor, Tensor),
    ) -> Result<Tensor> {
        let (batch, length, _) = x.dims3()?;
        let by_head = |y: Tensor, heads: usize| {
            y.reshape((batch, length, heads, self.head_dim))?.transpose(1, 2)?.contiguous()
        };
        // GGUF keeps rotary pairs side by side.
        let turn = |y: &Tensor| candle_nn::rotary_emb::rope_i(y, cos, sin);
        let q = turn(&by_head(self.query.forward(x)?, self.heads)?)?;
        let k = turn(&by_head(self.key.forward(x)?, self.kv_heads)?)?;
        let v = by_head(self.value.forward(x)?, self.kv_heads)?;
        let (k, v) = match &self.cache {
            None => (k, v),
            Some((past_k, past_v)) => {
                (Tensor::cat(&[past_k, &k], 2)?, Tensor::cat(&[past_v, &v], 2)?)
            }
        };
        self.cache = Some((k.clone(), v.clone()));

        let k = repeat_kv(k, self.heads / self.kv_heads)?;
        let v = repeat_kv(v, self.heads / self.kv_heads)?;
        let scores = (q.matmul(&k.t()?)? / (self.head_dim as f64).sqrt())?;
        let scores = match mask {
            None => scores,
            Some(mask) => {
                let never = Tensor::new(f32::NEG_INFINITY, scores.device())?;
                mask.broadcast_as(scores.shape())?
                    .where_cond(&never.broadcast_as(scores.shape())?, &scores)?
            }
        };
        let weighted = candle_nn::ops::softmax_last_dim(&scores)?.matmul(&v.contiguous()?)?;
        let joined =
            weighted.transpose(1, 2)?.reshape((batch, length, self.heads * self.head_dim))?;
        self.attention_output.forward(&joined)
    }
}

/// Cosines and sines of the rotary positions, made as far as they are needed.
struct Rotary {
    /// Angle of each pair at position 1, `(1, head_dim / 2)`.
    frequencies: Tensor,
    cos: Tensor,
    sin: Tensor,
    positions: usize,
}

impl Rotary {
    /// `frequency[i] = theta^(-2i / head_dim)`, divided by the file's factor where it has them.
    fn new(spec: &ModelSpec, factors: Option<QTensor>, device: &Device) -> Result<Self> {
        let pairs: Vec<f32> = (0..spec.head_dim)
            .step_by(2)
            .map(|i| 1.0 / spec.rope_theta.powf(i as f32 / spec.head_dim as f32))
            .collect();
        let count = pairs.len();
        let mut frequencies = Tensor::from_vec(pairs, (1, count), device)?;
        if let Some(factors) = factors {
            frequencies = (frequencies / factors.dequantize(device)?.reshape((1, count))?)?;
        }
        let empty = Tensor::zeros((0, count), DType::F32, device)?;
        Ok(Self { frequencies, cos: empty.clone(), sin: empty, positions: 0 })
    }

    /// The rows of `length` positions from `position` on.
    fn at(&mut self, position: usize, length: usize) -> Result<(Tensor, Tensor)> {
        if position + length > self.positions {
            self.positions = (position + length).next_multiple_of(POSITIONS_STEP);
            let device = self.frequencies.device();
            let last = u32::try_from(self.positions).map_err(candle_core::Error::wrap)?;
            let angles = Tensor::arange(0, last, device)?
                .to_dtype(DType::F32)?
                .reshape((self.positions, 1))?
                .matmul(&self.frequencies)?;
            (self.cos, self.sin) = (angles.cos()?, angles.sin()?);
        }
        Ok((self.cos.narrow(0, position, length)?, self.sin.narrow(0, position, length)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::dummy;
    use crate::{Quant, families};
    use candle_transformers::models::quantized_llama::ModelWeights;

    fn spec() -> ModelSpec {
        let mut spec = crate::Preset::find("smollm2-135m").unwrap().spec();
        (spec.hidden, spec.layers, spec.heads, spec.kv_heads) = (128, 3, 4, 2);
        (spec.head_dim, spec.intermediate, spec.vocab) = (32, 256, 96);
        spec
    }

    fn row(logits: &Tensor, at: usize) -> Vec<f32> {
        logits.i(at).unwrap().to_vec1().unwrap()
    }

    /// Normalised mean squared error: the mean square of the difference over that of the reference.
    fn nmse(ours: &[f32], reference: &[f32]) -> f32 {
        let square = |numbers: Vec<f32>| numbers.iter().map(|x| x * x).sum::<f32>();
        let difference = ours.iter().zip(reference).map(|(a, b)| a - b).collect();
        square(difference) / square(reference.to_vec())
    }

    #[test]
    fn it_says_what_candle_transformers_says_and_a_batch_says_what_its_sequences_say_alone() {
        let family = families::by_name("llama").unwrap();
        let device = Device::Cpu;
        let (content, mut reader) = dummy::gguf(family, &spec(), Quant::Q8_0);
        let mut ours = QuantisedLlama::open(&spec(), &content, &mut reader, &device).unwrap();
        let mut theirs = ModelWeights::from_gguf(content, &mut reader, &device).unwrap();

        let prompts = [[3u32, 1, 4, 1, 5], [9, 2, 6, 5, 35]];
        let whole = Tensor::new(&prompts, &device).unwrap();
        let next = Tensor::new(&[[7u32], [8]], &device).unwrap();
        let (prefilled, stepped) =
            (ours.forward(&whole, 0).unwrap(), ours.forward(&next, 5).unwrap());
        for (at, prompt) in prompts.iter().enumerate() {
            let alone = Tensor::new(&[*prompt], &device).unwrap();
            let reference = theirs.forward(&alone, 0).unwrap();
            assert!(nmse(&row(&prefilled, at), &row(&reference, 0)) < 1e-10);
            let reference = theirs.forward(&next.narrow(0, at, 1).unwrap(), 5).unwrap();
            assert!(nmse(&row(&stepped, at), &row(&reference, 0)) < 1e-10);
        }
    }

    #[test]
    fn frequency_factors_of_the_file_slow_the_rotation() {
        let factors = Tensor::full(2f32, 16, &Device::Cpu).unwrap();
        let factors = QTensor::quantize(&factors, candle_core::quantized::GgmlDType::F32).unwrap();
        let mut plain = Rotary::new(&spec(), None, &Device::Cpu).unwrap();
        let mut slowed = Rotary::new(&spec(), Some(factors), &Device::Cpu).unwrap();
        // Twice the position at half the speed is the same angle.
        assert!(
            nmse(&row(&slowed.at(10, 1).unwrap().0, 0), &row(&plain.at(5, 1).unwrap().0, 0))
                < 1e-12
        );
        assert_eq!(plain.at(4_095, 2).unwrap().0.dims(), [2, 16]);
    }
}
