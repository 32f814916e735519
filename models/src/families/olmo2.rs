//! `OLMo` 2: norms behind attention and feed-forward layer instead of before, and of all queries and
//! all keys together.

use super::{Config, Family, Header};
use crate::spec::{ModelSpec, Norms, QkNorm};

/// The family.
pub(super) struct Olmo2;

impl Family for Olmo2 {
    fn name(&self) -> &'static str {
        "olmo2"
    }

    fn checkpoint_names(&self) -> &'static [&'static str] {
        &["Olmo2ForCausalLM"]
    }

    fn spec_from_gguf(&self, header: &Header<'_>) -> Result<ModelSpec, String> {
        let spec = header.base(self.name())?;
        if spec.window.is_some() {
            return Err("it has a sliding window, as OLMo 3 has, which is not read".into());
        }
        Ok(behind(spec))
    }

    fn spec_from_config(&self, config: &Config<'_>) -> Result<ModelSpec, String> {
        Ok(behind(config.base(self.name())?))
    }
}

fn behind(mut spec: ModelSpec) -> ModelSpec {
    spec.norms = Norms::Behind;
    spec.qk_norm = QkNorm::Whole;
    spec
}
