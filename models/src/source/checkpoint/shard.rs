//! The header of a safetensors file, held against the file before anything is mapped or made of it.
//!
//! Not here: which tensors a model needs.
//!
//! # Source
//! The format's description: eight bytes of length, so many bytes of JSON, the data.

use crate::error::ModelError;
use crate::source::regular::{self, CONFIG_BYTES};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest header that is believed; a thousand tensors take some hundred thousand bytes.
const HEADER_BYTES: u64 = 64 << 20;

/// The file of each tensor, of shards whose headers agree with their lengths, and those lengths.
///
/// # Errors
/// [`ModelError::BadCheckpoint`] with the shard and the tensor, [`ModelError::Io`].
pub(super) fn check(
    shards: &[PathBuf],
) -> Result<(HashMap<String, PathBuf>, Vec<u64>), ModelError> {
    let (mut shard_of, mut lengths) = (HashMap::new(), Vec::new());
    for path in shards {
        let bad = |reason: String| ModelError::BadCheckpoint { path: path.clone(), reason };
        let io = |source| ModelError::Io { path: path.clone(), source };
        let (file, length) = regular::open(path)?;
        lengths.push(length);
        let (tensors, data) = read(file, length).map_err(|fault| match fault {
            Fault::Damaged(reason) => bad(reason),
            Fault::Io(source) => io(source),
        })?;
        place(&tensors, data).map_err(bad)?;
        shard_of.extend(tensors.into_keys().map(|name| (name, path.clone())));
    }
    Ok((shard_of, lengths))
}

enum Fault {
    Damaged(String),
    Io(std::io::Error),
}

/// Bytes of a tensor's data: the first, and that behind the last.
type Extent = (u64, u64);

/// The tensors of a file of `length` bytes, and how many of those are data.
fn read(mut file: impl Read, length: u64) -> Result<(HashMap<String, Extent>, u64), Fault> {
    let damaged = |reason: String| Err(Fault::Damaged(reason));
    let Some(rest) = length.checked_sub(8) else {
        return damaged(format!("its {length} bytes are too few for a safetensors file"));
    };
    let mut head = [0; 8];
    file.read_exact(&mut head).map_err(Fault::Io)?;
    let header = u64::from_le_bytes(head);
    if header > rest {
        return damaged(format!(
            "its header of {header} bytes is longer than the {rest} that follow: it is cut short, or no safetensors file"
        ));
    }
    if header > HEADER_BYTES {
        return damaged(format!(
            "a header of {header} bytes, more than the {HEADER_BYTES} that are believed"
        ));
    }
    let mut text = Vec::new();
    file.take(header).read_to_end(&mut text).map_err(Fault::Io)?;
    let parsed: Map<String, Value> = serde_json::from_slice(&text)
        .map_err(|error| Fault::Damaged(format!("its header is no JSON: {error}")))?;
    let mut tensors = HashMap::with_capacity(parsed.len());
    for (name, entry) in parsed.into_iter().filter(|(name, _)| name != "__metadata__") {
        let extent = extent(&entry)
            .map_err(|reason| Fault::Damaged(format!("the tensor {}: {reason}", shown(&name))))?;
        tensors.insert(name, extent);
    }
    Ok((tensors, rest - header))
}

fn extent(entry: &Value) -> Result<Extent, String> {
    let dtype = entry["dtype"].as_str().ok_or("it has no data type")?;
    let bits = bits(dtype).ok_or_else(|| format!("its data type {} is unknown", shown(dtype)))?;
    let number = |value: &Value| value.as_u64().ok_or("its shape and offsets are no numbers");
    let shape = entry["shape"].as_array().ok_or("it has no shape")?;
    let mut total = bits;
    for size in shape {
        total = total.checked_mul(number(size)?).ok_or("its shape is beyond all memory")?;
    }
    let (begin, end) = (number(&entry["data_offsets"][0])?, number(&entry["data_offsets"][1])?);
    let held = end.checked_sub(begin).ok_or("it ends before it begins")?;
    if total.div_ceil(8) != held {
        let bytes = total.div_ceil(8);
        return Err(format!("its shape takes {bytes} bytes of {dtype}, its offsets hold {held}"));
    }
    Ok((begin, end))
}

/// Bits of an element.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ"
        | "F8_E5M2FNUZ" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "C64" | "F64" | "I64" | "U64" => 64,
        _ => return None,
    })
}

/// Whether tensors fill `data` bytes side by side.
fn place(tensors: &HashMap<String, Extent>, data: u64) -> Result<(), String> {
    let mut order: Vec<_> = tensors.iter().map(|(name, extent)| (extent, name)).collect();
    order.sort_unstable();
    let mut end = 0;
    for &(&(begin, next), name) in &order {
        if begin != end {
            let how = if begin < end { "overlaps another" } else { "leaves a gap before it" };
            return Err(format!("the tensor {} {how} at byte {begin} of the data", shown(name)));
        }
        end = next;
    }
    match data.checked_sub(end) {
        Some(0) => Ok(()),
        Some(more) => Err(format!("{more} bytes behind its last tensor belong to none")),
        None => {
            Err(format!("it is cut short: its header tells of {end} bytes of data, it has {data}"))
        }
    }
}

/// A name from a file on one line.
fn shown(name: &str) -> String {
    let short: String = name.chars().take(80).collect();
    if short.chars().all(|c| c.is_ascii_graphic()) { short } else { format!("{short:?}") }
}

/// What a config.json says that keeps its weights from being read as they stand.
///
/// # Errors
/// [`ModelError::UnreadCheckpoint`] for a quantised checkpoint, [`ModelError::BadCheckpoint`] if the
/// shards have more layers than the config tells of.
pub(super) fn check_config(
    path: &Path,
    layers: usize,
    shard_of: &HashMap<String, PathBuf>,
) -> Result<(), ModelError> {
    let text = regular::text(path, CONFIG_BYTES)?;
    // Whether it is JSON was seen before.
    let config: Value = serde_json::from_str(&text).unwrap_or_default();
    let said = [&config["quantization_config"], &config["text_config"]["quantization_config"]];
    if let Some(quantised) = said.into_iter().find(|said| said.is_object()) {
        let method = quantised["quant_method"].as_str().unwrap_or("a method it does not name");
        let reason = format!(
            "its weights are quantised by {}, which is not read; use the model's bf16 checkpoint, or a GGUF of it in q4_k_m or q8_0",
            shown(method)
        );
        return Err(ModelError::UnreadCheckpoint { path: path.to_path_buf(), reason });
    }
    // Layers that guess ahead stand behind those that are counted.
    let ahead = config["num_nextn_predict_layers"].as_u64().unwrap_or(0);
    let layer = |name: &String| -> Option<u64> {
        name.strip_prefix("model.layers.")?.split('.').next()?.parse().ok()
    };
    let most = shard_of.keys().filter_map(layer).max().map_or(0, |last| last.saturating_add(1));
    if most > (layers as u64).saturating_add(ahead) {
        let reason = format!("it tells of {layers} layers, the weights have {most}");
        return Err(ModelError::BadCheckpoint { path: path.to_path_buf(), reason });
    }
    Ok(())
}
