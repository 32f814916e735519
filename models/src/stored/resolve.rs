//! From places to stretches of stored tensors: which of a role's places a file has, and which bytes
//! of which tensor a byte of the role is.

use super::{Format, Place};
use crate::families::Family;
use crate::spec::ModelSpec;
use crate::tensors::{Role, TensorSpec, tensors_of};
use candle_core::quantized::GgmlDType;
use std::collections::{HashMap, HashSet};

/// A stored tensor, as far as finding things in it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredShape {
    /// Type of its numbers.
    pub(crate) dtype: GgmlDType,
    /// Shape, rows first.
    pub(crate) shape: Vec<usize>,
}

impl StoredShape {
    fn row(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }

    /// What ranges of rows count: rows, or the numbers of a vector.
    fn parts(&self) -> usize {
        if self.shape.len() == 1 { self.row() } else { self.rows() }
    }

    /// Bytes of so many of its rows.
    fn bytes(&self, rows: usize) -> u64 {
        (rows * self.row() / self.dtype.block_size()) as u64 * self.dtype.type_size() as u64
    }
}

/// Some bytes of one stored tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Its name in the file.
    pub(crate) name: String,
    /// The first byte of it.
    pub(crate) start: u64,
    /// How many.
    pub(crate) bytes: u64,
}

/// A role as the file has it: stretches, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) dtype: GgmlDType,
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) transposed: bool,
}

impl Located {
    /// Calls `each` with the pieces that bytes `at..at + length` come from: the stored tensor, the
    /// first byte in it, and where they belong in what is asked for.
    pub(crate) fn pieces(
        &self,
        at: u64,
        length: u64,
        mut each: impl FnMut(&str, u64, std::ops::Range<usize>) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let (mut before, mut done) = (0, 0);
        for stretch in &self.stretches {
            let end = before + stretch.bytes;
            let from = (at + done).max(before);
            let to = (at + length).min(end);
            if from < to {
                let into = usize::try_from(from - at).map_err(std::io::Error::other)?;
                let count = usize::try_from(to - from).map_err(std::io::Error::other)?;
                each(&stretch.name, stretch.start + from - before, into..into + count)?;
                done += to - from;
            }
            before = end;
        }
        if done < length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

/// Finds every tensor of a model in a file.
///
/// # Errors
/// A sentence naming the tensor that is missing, has another shape, or is in the file and of no
/// known use.
pub(crate) fn resolve(
    family: &dyn Family,
    spec: &ModelSpec,
    format: Format,
    stored: &HashMap<String, StoredShape>,
) -> Result<HashMap<Role, Located>, String> {
    let mut found = HashMap::new();
    let mut used = HashSet::new();
    for wanted in tensors_of(spec) {
        let places = family.places(spec, format, wanted.role);
        let place = places
            .iter()
            .find_map(|place| find(place, &wanted, stored).map(|found| (place, found)));
        let Some((place, at)) = place else {
            return Err(why_not(&places, &wanted, format, stored));
        };
        used.extend(place.names().into_iter().map(str::to_owned));
        found.insert(wanted.role, at);
    }
    let mut unused: Vec<&String> = stored.keys().filter(|name| !used.contains(*name)).collect();
    unused.sort();
    // The layer behind the last one drafts, in families that have one.
    let drafting = spec.latent.is_some().then_some(spec.layers);
    match unused.into_iter().find(|name| !ignorable(name, drafting)) {
        Some(name) => Err(format!(
            "it has the tensor {name}, which the family {} has no use for: it is a variant that is not known here",
            family.name()
        )),
        None => Ok(found),
    }
}

/// Whether a model is the same without a tensor: tables that can be computed, heads that only
/// training or drafting uses, layers behind the last, other senses than reading.
fn ignorable(name: &str, drafting: Option<usize>) -> bool {
    let layer = ["blk.", "layers."].iter().find_map(|before| {
        let rest = &name[name.find(before)? + before.len()..];
        rest.split('.').next()?.parse::<usize>().ok()
    });
    let other = ["vision", "mm_", "multi_modal", "mtp", "audio"];
    let computed = ["rotary_emb.inv_freq", "rope_freqs.weight", "attn_rot_embd"];
    // The output head stands twice where it is tied.
    name.ends_with("lm_head.weight")
        || name == "output.weight"
        || name.starts_with("rope_factors_")
        || computed.iter().any(|table| name.contains(table))
        || other.iter().any(|sense| name.contains(sense))
        || layer.is_some_and(|n| drafting.is_some_and(|first| n >= first))
}

/// The stretches of a place if the file has it in the shape that is wanted.
fn find(
    place: &Place,
    wanted: &TensorSpec,
    stored: &HashMap<String, StoredShape>,
) -> Option<Located> {
    let mut stretches = Vec::new();
    let mut dtype = None;
    let mut rows = 0;
    let mut add = |name: &String, range: Option<std::ops::Range<usize>>| {
        let there = stored.get(name)?;
        let range = range.unwrap_or(0..there.rows());
        if range.end > there.rows() || dtype.is_some_and(|dtype| dtype != there.dtype) {
            return None;
        }
        dtype = Some(there.dtype);
        rows += range.len();
        stretches.push(Stretch {
            name: name.clone(),
            start: there.bytes(range.start),
            bytes: there.bytes(range.len()),
        });
        Some(there.row())
    };
    let transposed = matches!(place, Place::Transposed(_));
    let (row, wanted_row, wanted_rows) = match place {
        Place::Transposed(name) => {
            let (row, [.., a, b]) = (add(name, None)?, wanted.shape.as_slice()) else {
                return None;
            };
            (row, *a, wanted.rows() / a * b)
        }
        // A tensor of just these rows is not the joint one, but of the same name where another of
        // the model is stored alone: the up projection, where gates come first.
        Place::Rows(name, range) if stored.get(name)?.parts() == range.len() => return None,
        // A vector may be cut out of another: its rows are its numbers.
        Place::Rows(name, range) if wanted.shape.len() == 1 => {
            let there = stored.get(name)?;
            let (start, end) =
                (there.bytes_of_numbers(range.start)?, there.bytes_of_numbers(range.end)?);
            if there.shape.len() != 1 || range.end > there.row() || range.len() != wanted.row() {
                return None;
            }
            let stretch = Stretch { name: name.clone(), start, bytes: end - start };
            return Some(Located { dtype: there.dtype, stretches: vec![stretch], transposed });
        }
        Place::Rows(name, range) => (add(name, Some(range.clone()))?, wanted.row(), wanted.rows()),
        Place::Whole(name) => (add(name, None)?, wanted.row(), wanted.rows()),
        Place::Stack(places) => {
            let mut row = wanted.row();
            for place in places {
                let one = match place {
                    Place::Whole(name) => add(name, None)?,
                    Place::Rows(name, range) => add(name, Some(range.clone()))?,
                    Place::Stack(_) | Place::Transposed(_) => return None,
                };
                if one != wanted.row() {
                    row = one;
                }
            }
            (row, wanted.row(), wanted.rows())
        }
    };
    let fits = row == wanted_row && rows == wanted_rows;
    dtype.filter(|_| fits).map(|dtype| Located { dtype, stretches, transposed })
}

impl StoredShape {
    /// Bytes of the first numbers of a vector.
    fn bytes_of_numbers(&self, count: usize) -> Option<u64> {
        let block = self.dtype.block_size();
        count.is_multiple_of(block).then(|| (count / block) as u64 * self.dtype.type_size() as u64)
    }
}

fn why_not(
    places: &[Place],
    wanted: &TensorSpec,
    format: Format,
    stored: &HashMap<String, StoredShape>,
) -> String {
    let made = match format {
        Format::Gguf => "the header's sizes make it",
        Format::Checkpoint => "config.json makes it",
    };
    let names: Vec<&str> = places.iter().flat_map(Place::names).collect();
    let there = names.iter().find_map(|name| Some((name, stored.get(*name)?)));
    match there {
        // Of several experts one may be missing.
        Some(_) if names.iter().any(|name| !stored.contains_key(*name)) && places.len() == 1 => {
            let name = names.iter().find(|name| !stored.contains_key(**name)).unwrap_or(&"");
            format!("the tensor {name} is missing")
        }
        Some((name, there)) => {
            format!("the tensor {name} has shape {:?}, {made} {:?}", there.shape, wanted.shape)
        }
        None => format!("the tensor {} is missing", names.first().unwrap_or(&"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families;
    use crate::tensors::Part;

    /// Where gate and up projection are found (tensor, first byte, bytes) in a file of these tensors,
    /// given by name and rows.
    fn gate_and_up(family: &str, tensors: &[(&str, usize)]) -> [Vec<(String, u64, u64)>; 2] {
        let mut spec = ModelSpec::llama(family);
        (spec.hidden, spec.intermediate, spec.layers) = (8, 12, 1);
        (spec.heads, spec.kv_heads, spec.head_dim) = (2, 1, 4);
        let there = |rows| StoredShape { dtype: GgmlDType::F32, shape: vec![rows, 8] };
        let stored = tensors.iter().map(|(name, rows)| ((*name).into(), there(*rows))).collect();
        let family = families::by_name(family).unwrap();
        [Part::Gate, Part::Up].map(|part| {
            let role = Role::Layer(0, part);
            let wanted = tensors_of(&spec).into_iter().find(|tensor| tensor.role == role).unwrap();
            let places = family.places(&spec, Format::Gguf, role);
            let found = places.iter().find_map(|place| find(place, &wanted, &stored)).unwrap();
            let one = |stretch: Stretch| (stretch.name, stretch.start, stretch.bytes);
            found.stretches.into_iter().map(one).collect()
        })
    }

    #[test]
    fn joint_and_separate_tensors_are_told_apart_by_their_rows() {
        let (gate, up) = ("blk.0.ffn_gate.weight", "blk.0.ffn_up.weight");
        // 12 rows of 8 numbers of 4 bytes.
        let at = |name: &str, start| vec![(name.to_owned(), start, 384)];
        for family in ["phi3", "chatglm", "glm4", "llama"] {
            let joint = gate_and_up(family, &[(up, 24)]);
            assert_eq!(joint, [at(up, 0), at(up, 384)], "{family}");
            let separate = gate_and_up(family, &[(gate, 12), (up, 12)]);
            assert_eq!(separate, [at(gate, 0), at(up, 0)], "{family}");
        }
    }
}
