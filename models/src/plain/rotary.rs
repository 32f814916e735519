//! Rotary positions out of candle's operations.

use crate::spec::Rope;
use candle_core::{D, DType, Device, Result, Tensor};

/// Tables grow by this many positions.
const POSITIONS_STEP: usize = 4_096;

/// Cosines and sines of some layers, made as far as they are needed.
pub(super) struct Rotary {
    rope: Rope,
    short: Table,
    /// For sequences longer than [`Rope::long_from`].
    long: Option<Table>,
}

/// Cosines and sines of the positions from `at` on, `(length, width / 2)` each.
pub(super) struct Turn {
    cos: Tensor,
    sin: Tensor,
    width: usize,
}

impl Turn {
    /// Turns the first columns of each head and leaves the others.
    ///
    /// # Shapes
    /// `x`: `(batch, heads, length, head_dim)`, in and out.
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let columns = x.dim(D::Minus1)?;
        if columns == self.width {
            return candle_nn::rotary_emb::rope(&x.contiguous()?, &self.cos, &self.sin);
        }
        let turning = x.narrow(D::Minus1, 0, self.width)?.contiguous()?;
        let turned = candle_nn::rotary_emb::rope(&turning, &self.cos, &self.sin)?;
        let rest = x.narrow(D::Minus1, self.width, columns - self.width)?;
        Tensor::cat(&[&turned, &rest], D::Minus1)
    }
}

impl Rotary {
    pub(super) fn new(rope: &Rope, dtype: DType, device: &Device) -> Result<Self> {
        let table = |long| Table::new(rope, long, dtype, device);
        let long = rope.long_from().map(|_| table(true)).transpose()?;
        Ok(Self { rope: rope.clone(), short: table(false)?, long })
    }

    /// The turns of `length` positions from `position` on, of a sequence that has `whole` tokens when
    /// all that is being read is read.
    pub(super) fn at(&mut self, position: usize, length: usize, whole: usize) -> Result<Turn> {
        let end = position + length;
        let is_long = self.rope.long_from().is_some_and(|from| whole > from);
        let table = self.long.as_mut().filter(|_| is_long).unwrap_or(&mut self.short);
        table.cover(end)?;
        Ok(Turn {
            cos: table.cos.narrow(0, position, length)?,
            sin: table.sin.narrow(0, position, length)?,
            width: self.rope.width,
        })
    }
}

struct Table {
    /// Angle of each pair at position 1, `(1, width / 2)`.
    frequencies: Tensor,
    magnitude: f64,
    dtype: DType,
    cos: Tensor,
    sin: Tensor,
}

impl Table {
    fn new(rope: &Rope, long: bool, dtype: DType, device: &Device) -> Result<Self> {
        let frequencies = rope.inverse_frequencies(long);
        let count = frequencies.len();
        let empty = Tensor::zeros((0, count), dtype, device)?;
        Ok(Self {
            frequencies: Tensor::from_vec(frequencies, (1, count), device)?,
            magnitude: f64::from(rope.magnitude()),
            dtype,
            cos: empty.clone(),
            sin: empty,
        })
    }

    fn cover(&mut self, positions: usize) -> Result<()> {
        if positions <= self.cos.dim(0)? {
            return Ok(());
        }
        let positions = positions.next_multiple_of(POSITIONS_STEP);
        let last = u32::try_from(positions).map_err(candle_core::Error::wrap)?;
        let angles = Tensor::arange(0, last, self.frequencies.device())?
            .to_dtype(DType::F32)?
            .reshape((positions, 1))?
            .matmul(&self.frequencies)?;
        self.cos = (angles.cos()? * self.magnitude)?.to_dtype(self.dtype)?;
        self.sin = (angles.sin()? * self.magnitude)?.to_dtype(self.dtype)?;
        Ok(())
    }
}
