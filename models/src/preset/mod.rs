//! Known models by name: their true shapes, for sizing and for dummy weights.
//!
//! A preset is data: the keys of the model's published config.json that shape it, read by the same
//! code that reads the file beside real weights. One file a vendor; a new model is an entry in its
//! table, a new vendor a file and a line in [`VENDORS`].
//!
//! Not here: what the shapes come to ([`crate::spec`]), prices of the same models (the cost crate).

mod deepseek;
mod gemma;
mod glm;
mod gpt_oss;
mod granite;
mod llama;
mod mistral;
mod olmo;
mod phi;
mod qwen;
mod smol;
#[cfg(test)]
mod tests;

use crate::error::{ModelError, nearest};
use crate::families::{Config, by_checkpoint_name};
use crate::spec::ModelSpec;
use serde_json::{Map, Value};

/// A named model and its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Name, as in `dummy:NAME`.
    pub name: &'static str,
    /// Other names it is found by, beside that of its repository.
    pub aliases: &'static [&'static str],
    /// Repository on the hub whose config.json the shape is that of.
    pub source: &'static str,
    /// Licence of the weights.
    pub licence: &'static str,
    /// When the weights were published: year-month-day, or year-month.
    pub released: &'static str,
    /// As config.json has it in `architectures`.
    architecture: &'static str,
    /// Keys of config.json that models of the vendor share.
    shared: &'static str,
    /// Keys of config.json of its own, which win over the shared ones.
    own: &'static str,
}

impl Preset {
    /// Nothing yet: what the tables begin from.
    const NONE: Self = Self {
        name: "",
        aliases: &[],
        source: "",
        licence: "",
        released: "",
        architecture: "",
        shared: "{}",
        own: "{}",
    };
}

/// The tables, in the order of [`PRESETS`].
const VENDORS: [&[Preset]; 11] = [
    smol::MODELS,
    llama::MODELS,
    mistral::MODELS,
    qwen::MODELS,
    gemma::MODELS,
    phi::MODELS,
    deepseek::MODELS,
    olmo::MODELS,
    glm::MODELS,
    granite::MODELS,
    gpt_oss::MODELS,
];

const COUNT: usize = {
    let (mut count, mut vendor) = (0, 0);
    while vendor < VENDORS.len() {
        count += VENDORS[vendor].len();
        vendor += 1;
    }
    count
};

static ALL: [Preset; COUNT] = {
    let mut all = [Preset::NONE; COUNT];
    let (mut filled, mut vendor) = (0, 0);
    while vendor < VENDORS.len() {
        let mut at = 0;
        while at < VENDORS[vendor].len() {
            all[filled] = VENDORS[vendor][at];
            filled += 1;
            at += 1;
        }
        vendor += 1;
    }
    all
};

/// Every preset: vendor by vendor, generation by generation, the smallest first.
pub static PRESETS: &[Preset] = &ALL;

impl Preset {
    /// The preset of that name, in any case: its own, another it goes by, or its repository's.
    ///
    /// # Errors
    /// [`ModelError::UnknownPreset`] with the nearest names.
    pub fn find(name: &str) -> Result<Self, ModelError> {
        let lower = name.to_ascii_lowercase();
        PRESETS.iter().find(|preset| preset.goes_by(&lower)).copied().ok_or_else(|| {
            ModelError::UnknownPreset {
                name: name.to_owned(),
                nearest: nearest(&lower, PRESETS.iter().map(|preset| preset.name)),
            }
        })
    }

    fn goes_by(&self, lower: &str) -> bool {
        let repository = self.source.rsplit('/').next().unwrap_or_default();
        self.name == lower
            || self.aliases.contains(&lower)
            || lower.eq_ignore_ascii_case(repository)
            || lower.eq_ignore_ascii_case(self.source)
    }

    /// The keys of its config.json that shape it.
    fn config(&self) -> Value {
        let read = |text: &str| {
            serde_json::from_str::<Map<String, Value>>(text)
                .expect("invariant: every preset's config is read by a test")
        };
        let mut keys = read(self.shared);
        keys.extend(read(self.own));
        Value::Object(keys)
    }

    /// Its shape, as its family reads it from config.json.
    ///
    /// # Panics
    /// Never: a test reads every preset.
    #[must_use]
    pub fn spec(&self) -> ModelSpec {
        by_checkpoint_name(self.architecture)
            .expect("invariant: presets are of known families")
            .spec_from_config(&Config::new(&self.config()))
            .expect("invariant: every preset's config is read by a test")
    }
}
