//! The embedded scenarios: readable files with the source of each line.

use crate::error::CostError;
use crate::nearest::nearest;

/// An embedded scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

/// The scenario used where none is named, and the base of those that name none.
pub const DEFAULT_PRESET: &str = "this-machine";

/// All of them, the default first.
pub const PRESETS: &[Preset] = &[
    Preset { name: DEFAULT_PRESET, text: include_str!("../../presets/this-machine.toml") },
    Preset { name: "one-gpu-at-home", text: include_str!("../../presets/one-gpu-at-home.toml") },
    Preset { name: "internal-chatbot", text: include_str!("../../presets/internal-chatbot.toml") },
    Preset { name: "customer-feature", text: include_str!("../../presets/customer-feature.toml") },
    Preset { name: "enterprise", text: include_str!("../../presets/enterprise.toml") },
    Preset { name: "rented-cloud", text: include_str!("../../presets/rented-cloud.toml") },
];

/// The file of a preset.
///
/// # Errors
/// [`CostError::UnknownPreset`] with the nearest names, or all of them where none is near.
pub fn preset_text(name: &str) -> Result<&'static str, CostError> {
    let names = || PRESETS.iter().map(|preset| preset.name);
    PRESETS.iter().find(|preset| preset.name == name).map(|preset| preset.text).ok_or_else(|| {
        let mut nearest = nearest(name, names());
        if nearest.is_empty() {
            nearest = names().map(str::to_owned).collect();
        }
        CostError::UnknownPreset { name: name.to_owned(), nearest }
    })
}
