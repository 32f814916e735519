//! Feed-forward layers out of candle's operations: one for all tokens, or experts.

use super::load::{Linear, Loader};
use crate::error::ModelError;
use crate::routing::{Scratch, choose};
use crate::spec::{Activation, Experts};
use crate::tensors::{Part, Role};
use candle_core::{DType, Result, Tensor};

/// Gate, up and down projection.
pub(super) struct Gated {
    gate: Linear,
    up: Linear,
    down: Linear,
    activation: Activation,
}

impl Gated {
    fn read(
        loader: &mut Loader<'_>,
        layer: usize,
        [gate, up, down]: [Part; 3],
    ) -> std::result::Result<Self, ModelError> {
        let role = |part| Role::Layer(layer, part);
        Ok(Self {
            gate: loader.linear(role(gate), None)?,
            up: loader.linear(role(up), None)?,
            down: loader.linear(role(down), None)?,
            activation: loader.spec.activation,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (gate, up) = (self.gate.forward(x)?, self.up.forward(x)?);
        let inner = match self.activation {
            Activation::Silu => (candle_nn::ops::silu(&gate)? * up)?,
            // candle's gelu is the one by tanh.
            Activation::GeluTanh => (gate.gelu()? * up)?,
            Activation::ClampedSwiglu => {
                let gate = gate.minimum(7.0)?;
                let glow = (&gate * candle_nn::ops::sigmoid(&(&gate * 1.702)?)?)?;
                (glow * (up.clamp(-7.0, 7.0)? + 1.0)?)?
            }
        };
        self.down.forward(&inner)
    }
}

/// The feed-forward layer of a block.
pub(super) enum FeedForward {
    Dense(Gated),
    Mixture(Mixture),
}

impl FeedForward {
    pub(super) fn read(
        loader: &mut Loader<'_>,
        layer: usize,
    ) -> std::result::Result<Self, ModelError> {
        match loader.spec.experts_of(layer) {
            None => Gated::read(loader, layer, [Part::Gate, Part::Up, Part::Down]).map(Self::Dense),
            Some(experts) => Mixture::read(loader, layer, experts).map(Self::Mixture),
        }
    }

    /// # Shapes
    /// `x`: `(batch, length, hidden)`, in and out.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Dense(gated) => gated.forward(x),
            Self::Mixture(mixture) => mixture.forward(x),
        }
    }
}

/// Experts, and what all tokens use beside them.
pub(super) struct Mixture {
    shape: Experts,
    router: Linear,
    correction: Option<Vec<f32>>,
    experts: Vec<Gated>,
    shared: Option<Gated>,
}

impl Mixture {
    fn read(
        loader: &mut Loader<'_>,
        layer: usize,
        shape: &Experts,
    ) -> std::result::Result<Self, ModelError> {
        let role = |part| Role::Layer(layer, part);
        let mut of_all = |part, bias| loader.experts(role(part), role(bias));
        let gates = of_all(Part::ExpertGate, Part::ExpertGateBias)?;
        let ups = of_all(Part::ExpertUp, Part::ExpertUpBias)?;
        let downs = of_all(Part::ExpertDown, Part::ExpertDownBias)?;
        let activation = loader.spec.activation;
        let experts = gates.into_iter().zip(ups).zip(downs);
        let experts = experts.map(|((gate, up), down)| Gated { gate, up, down, activation });
        let correction = loader.vector(layer, Part::RouterCorrection)?;
        let shared = [Part::SharedGate, Part::SharedUp, Part::SharedDown];
        Ok(Self {
            experts: experts.collect(),
            router: loader.linear(role(Part::Router), Some(role(Part::RouterBias)))?,
            correction: match correction {
                Some(correction) => Some(correction.to_dtype(DType::F32)?.to_vec1()?),
                None => None,
            },
            shared: match shape.shared_intermediate {
                0 => None,
                _ => Some(Gated::read(loader, layer, shared)?),
            },
            shape: shape.clone(),
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let dims = x.dims().to_vec();
        let rows = x.flatten_to(candle_core::D::Minus2)?.contiguous()?;
        let logits: Vec<Vec<f32>> = self.router.forward(&rows)?.to_dtype(DType::F32)?.to_vec2()?;
        // Of each expert the rows that chose it, and their weights.
        let mut of_expert = vec![(Vec::new(), Vec::new()); self.experts.len()];
        let (mut scratch, mut chosen) = (Scratch::default(), Vec::new());
        for (row, logits) in (0u32..).zip(&logits) {
            choose(&self.shape, logits, self.correction.as_deref(), &mut scratch, &mut chosen);
            for &(expert, weight) in &chosen {
                of_expert[expert].0.push(row);
                of_expert[expert].1.push(weight);
            }
        }
        let mut sum = rows.zeros_like()?;
        for (expert, (chosen, weights)) in self.experts.iter().zip(of_expert) {
            if chosen.is_empty() {
                continue;
            }
            let count = chosen.len();
            let chosen = Tensor::from_vec(chosen, count, x.device())?;
            let weights = Tensor::from_vec(weights, (count, 1), x.device())?.to_dtype(x.dtype())?;
            let result = expert.forward(&rows.index_select(&chosen, 0)?)?;
            sum = sum.index_add(&chosen, &result.broadcast_mul(&weights)?, 0)?;
        }
        if let Some(shared) = &self.shared {
            sum = (sum + shared.forward(&rows)?)?;
        }
        sum.reshape(dims)
    }
}
