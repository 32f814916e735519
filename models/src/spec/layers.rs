//! Which layers of a model something holds for.

use serde::{Deserialize, Serialize};

/// Some of a model's layers. [`LayerSet::of`] gives every set one form, so that two specs of one
/// model are equal whatever they were read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerSet {
    /// No layer.
    None,
    /// Every layer.
    All,
    /// Layers `k - 1`, `2k - 1`, ..: every `k`-th.
    Every(usize),
    /// All but every `k`-th.
    AllButEvery(usize),
    /// These, in order.
    Listed(Vec<usize>),
}

impl LayerSet {
    /// The set of the layers whose flag is set.
    #[must_use]
    pub fn of(flags: &[bool]) -> Self {
        let is = |set: &Self| flags.iter().enumerate().all(|(n, &flag)| set.contains(n) == flag);
        let listed = || flags.iter().enumerate().filter(|(_, flag)| **flag).map(|(n, _)| n);
        let first = |wanted: bool| flags.iter().position(|&flag| flag == wanted).map(|n| n + 1);
        [Some(Self::None), Some(Self::All), first(true).map(Self::Every)]
            .into_iter()
            .chain([first(false).map(Self::AllButEvery)])
            .flatten()
            .find(is)
            .unwrap_or_else(|| Self::Listed(listed().collect()))
    }

    /// The set of the layers from 0 to `layers` for which `is` holds.
    #[must_use]
    pub fn where_layer(layers: usize, is: impl Fn(usize) -> bool) -> Self {
        Self::of(&(0..layers).map(is).collect::<Vec<_>>())
    }

    /// Whether a layer is in the set.
    #[must_use]
    pub fn contains(&self, layer: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Every(k) => (layer + 1).is_multiple_of(*k),
            Self::AllButEvery(k) => !(layer + 1).is_multiple_of(*k),
            Self::Listed(layers) => layers.contains(&layer),
        }
    }

    /// How many of the first `layers` layers are in it.
    #[must_use]
    pub fn count(&self, layers: usize) -> usize {
        (0..layers).filter(|&layer| self.contains(layer)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_has_one_form() {
        let f = |text: &str| LayerSet::of(&text.chars().map(|c| c == 'x').collect::<Vec<_>>());
        assert_eq!(f("...."), LayerSet::None);
        assert_eq!(f("xxxx"), LayerSet::All);
        assert_eq!(f("...x...x"), LayerSet::Every(4));
        assert_eq!(f("xxx.xxx.xx"), LayerSet::AllButEvery(4));
        // Every other layer from the first on: all but every second.
        assert_eq!(f("x.x.x"), LayerSet::AllButEvery(2));
        assert_eq!(f("x..x"), LayerSet::Listed(vec![0, 3]));
        assert_eq!(f("xxx.xxx.xx").count(10), 8);
    }
}
