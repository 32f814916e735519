//! Quantisations by the names people use, and the type each tensor gets under them.

use crate::error::ModelError;
use crate::tensors::{Part, Role, TensorSpec};
use candle_core::quantized::GgmlDType;
use std::fmt;
use std::str::FromStr;

/// A quantisation of a whole model. The mixed ones (`q4_k_m`) give some tensors more bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are llama.cpp's and say what they are")]
pub enum Quant {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q6K,
    Q5KM,
    Q5_1,
    Q5_0,
    Q4KM,
    Q4KS,
    Q4_1,
    Q4_0,
    Q3KM,
    Q2K,
}

impl Quant {
    /// All of them, widest first.
    pub const ALL: [Self; 14] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q8_0,
        Self::Q6K,
        Self::Q5KM,
        Self::Q5_1,
        Self::Q5_0,
        Self::Q4KM,
        Self::Q4KS,
        Self::Q4_1,
        Self::Q4_0,
        Self::Q3KM,
        Self::Q2K,
    ];

    /// The name, as in `dummy:PRESET:NAME`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
            Self::Q6K => "q6_k",
            Self::Q5KM => "q5_k_m",
            Self::Q5_1 => "q5_1",
            Self::Q5_0 => "q5_0",
            Self::Q4KM => "q4_k_m",
            Self::Q4KS => "q4_k_s",
            Self::Q4_1 => "q4_1",
            Self::Q4_0 => "q4_0",
            Self::Q3KM => "q3_k_m",
            Self::Q2K => "q2_k",
        }
    }

    /// Whether the weights stay floating-point numbers.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::Bf16)
    }

    /// The file type number a GGUF carries for it, as in `general.file_type`.
    ///
    /// # Source
    /// `enum llama_ftype` of llama.cpp.
    #[must_use]
    pub fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q8_0 => 7,
            Self::Q5_0 => 8,
            Self::Q5_1 => 9,
            Self::Q2K => 10,
            Self::Q3KM => 12,
            Self::Q4KS => 14,
            Self::Q4KM => 15,
            Self::Q5KM => 17,
            Self::Q6K => 18,
            Self::Bf16 => 32,
        }
    }

    /// The quantisation of a file type number; `None` for those that are not known here.
    #[must_use]
    pub fn from_file_type(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|quant| quant.file_type() == number)
    }

    /// The type one tensor is stored in.
    ///
    /// Floating-point models have one type throughout, as checkpoints have. Under the others norms
    /// stay f32. The output head gets six bits, as llama.cpp gives it; rows that the 256-wide
    /// blocks do not divide fall back to the 32-wide type next above.
    ///
    /// # Source
    /// `llama_tensor_get_type` of llama.cpp, without importance matrix, the experts' matrices taken like those of dense models.
    #[must_use]
    pub fn tensor_dtype(self, tensor: &TensorSpec) -> GgmlDType {
        let wanted = match self {
            Self::F32 => GgmlDType::F32,
            Self::F16 => GgmlDType::F16,
            Self::Bf16 => GgmlDType::BF16,
            _ if !quantised(tensor.role) => GgmlDType::F32,
            Self::Q8_0 => GgmlDType::Q8_0,
            _ if tensor.role == Role::Output || (tensor.role == Role::Embedding && tensor.tied) => {
                GgmlDType::Q6K
            }
            Self::Q6K => GgmlDType::Q6K,
            Self::Q5_1 => GgmlDType::Q5_1,
            Self::Q5_0 => GgmlDType::Q5_0,
            Self::Q4_1 => GgmlDType::Q4_1,
            Self::Q4_0 => GgmlDType::Q4_0,
            Self::Q5KM => promoted(tensor, GgmlDType::Q5K, GgmlDType::Q6K),
            Self::Q4KM => promoted(tensor, GgmlDType::Q4K, GgmlDType::Q6K),
            Self::Q4KS => match tensor.role {
                Role::Layer(n, Part::Value) if n < 4 => GgmlDType::Q5K,
                Role::Layer(n, Part::Down | Part::ExpertDown) if n < tensor.layers / 8 => {
                    GgmlDType::Q5K
                }
                _ => GgmlDType::Q4K,
            },
            Self::Q3KM => match tensor.role {
                Role::Layer(n, Part::Value) if n < 2 => GgmlDType::Q5K,
                Role::Layer(_, Part::Value | Part::AttentionOutput) => GgmlDType::Q4K,
                Role::Layer(n, Part::Down | Part::ExpertDown) if n < tensor.layers / 16 => {
                    GgmlDType::Q5K
                }
                Role::Layer(n, Part::Down | Part::ExpertDown) if more_bits(n, tensor.layers) => {
                    GgmlDType::Q4K
                }
                _ => GgmlDType::Q3K,
            },
            Self::Q2K => match tensor.role {
                Role::Layer(
                    _,
                    Part::Value | Part::AttentionOutput | Part::Down | Part::ExpertDown,
                ) => GgmlDType::Q3K,
                _ => GgmlDType::Q2K,
            },
        };
        if tensor.row().is_multiple_of(wanted.block_size()) {
            wanted
        } else {
            narrow(wanted, tensor)
        }
    }
}

/// Whether a tensor is quantised under any quantisation: matrices but the router, whose choice is
/// all or nothing.
pub(crate) fn quantised(role: Role) -> bool {
    role.is_matrix() && role.part() != Some(Part::Router)
}

/// The `_M` mixtures: values and down projections of some layers get more bits.
fn promoted(tensor: &TensorSpec, most: GgmlDType, some: GgmlDType) -> GgmlDType {
    match tensor.role {
        Role::Layer(n, Part::Value | Part::Down | Part::ExpertDown)
            if more_bits(n, tensor.layers) =>
        {
            some
        }
        _ => most,
    }
}

/// The first and the last eighth of the layers, and every third between.
fn more_bits(layer: usize, layers: usize) -> bool {
    let eighth = layers / 8;
    layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2
}

/// The type with blocks of 32 that stands in where blocks of 256 do not divide a row.
fn narrow(wanted: GgmlDType, tensor: &TensorSpec) -> GgmlDType {
    let narrower = match wanted {
        GgmlDType::Q2K | GgmlDType::Q3K => GgmlDType::Q4_0,
        GgmlDType::Q4K => GgmlDType::Q5_0,
        GgmlDType::Q5K => GgmlDType::Q5_1,
        _ => GgmlDType::Q8_0,
    };
    if tensor.row().is_multiple_of(narrower.block_size()) { narrower } else { GgmlDType::F16 }
}

impl fmt::Display for Quant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Quant {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, ModelError> {
        let lower = name.to_ascii_lowercase();
        Self::ALL.into_iter().find(|quant| quant.name() == lower).ok_or_else(|| {
            ModelError::UnknownQuant {
                name: name.to_owned(),
                known: Self::ALL.map(Self::name).join(", "),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preset::Preset;

    #[test]
    fn names_are_read_back_in_any_case() {
        for quant in Quant::ALL {
            assert_eq!(quant.name().to_uppercase().parse::<Quant>().unwrap(), quant);
        }
        assert!("q4_2".parse::<Quant>().unwrap_err().to_string().contains("q4_k_m"));
    }

    #[test]
    fn rows_of_576_fall_back_to_blocks_of_32() {
        let spec = Preset::find("smollm2-135m").unwrap().spec();
        for tensor in crate::tensors_of(&spec) {
            for quant in Quant::ALL {
                let dtype = quant.tensor_dtype(&tensor);
                assert!(tensor.row().is_multiple_of(dtype.block_size()), "{tensor:?} {quant}");
            }
        }
        // Of the down projections the rows are 1,536 wide and 256 divides them.
        let down = crate::tensors_of(&spec)
            .into_iter()
            .find(|tensor| tensor.role == Role::Layer(4, Part::Down))
            .unwrap();
        assert_eq!(Quant::Q4KM.tensor_dtype(&down), GgmlDType::Q4K);
    }

    #[test]
    fn llama_3_1_8b_in_q4_k_m_has_the_published_size() {
        // 4.92 GB (4.58 GiB) is what the published GGUF files of this model hold.
        let bytes = Preset::find("llama-3.1-8b").unwrap().spec().weight_bytes(Quant::Q4KM);
        assert!((4.91e9..4.93e9).contains(&(bytes as f64)), "{bytes}");
    }
}
