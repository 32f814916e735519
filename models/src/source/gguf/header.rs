//! The header of a GGUF file: counts, metadata, and where each tensor lies.
//!
//! Every length is held against what is left of the file, and against the most that is believed,
//! before anything is allocated for it; so a header takes a small multiple of its own bytes in
//! memory, whatever they say. Versions 1 to 3, little-endian.
//!
//! Not here: what a family wants of the metadata, and the parts of a split model.
//!
//! # Source
//! The GGUF specification (ggml/docs/gguf.md).

use super::cursor::{Cursor, Place};
use super::fault::{Fault, shown};
use super::tensor_type::{tensor_type, type_name};
use candle_core::Shape;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;

/// Most keys that are believed; published files have some fifty.
const KEYS: u64 = 1 << 16;
/// Most tensors; the largest published models have some two thousand.
const TENSORS: u64 = 1 << 17;
/// Most elements of all arrays together. A vocabulary of 262,144 with its scores, types and merges
/// has 1.3 million; each takes 32 bytes in memory.
const ELEMENTS: u64 = 1 << 23;
/// Longest key, which the specification says.
const KEY_BYTES: u64 = (1 << 16) - 1;
/// Longest string value; chat templates and licences have tens of thousands of bytes.
const STRING_BYTES: u64 = 16 << 20;
/// Longest name of a tensor; llama.cpp takes 63.
const NAME_BYTES: u64 = 255;
/// Most dimensions of a tensor: `GGML_MAX_DIMS`.
const DIMENSIONS: u32 = 4;
/// Where tensors begin if the header does not say.
const ALIGNMENT: u64 = 32;
/// Widest alignment that is believed: pages are 4 KiB, large ones 2 MiB.
const MOST_ALIGNMENT: u64 = 2 << 20;

/// A header, read and found to agree with the length of its file.
pub(super) struct Header {
    pub(super) metadata: HashMap<String, Value>,
    pub(super) tensors: HashMap<String, Extent>,
}

/// Where a tensor lies in its file.
#[derive(Debug)]
pub(super) struct Extent {
    pub(super) dtype: GgmlDType,
    /// The longest stride first, as candle has it.
    pub(super) shape: Shape,
    /// First byte, from the beginning of the file.
    pub(super) start: u64,
    pub(super) bytes: u64,
}

/// Reads the header of a file of `length` bytes.
///
/// # Errors
/// [`Fault`], with the key, the tensor and the byte.
pub(super) fn read(source: impl Read, length: u64) -> Result<Header, Fault> {
    let mut cursor = Cursor::new(source, length);
    if length < 8 || &cursor.take::<4>()? != b"GGUF" {
        return Err(Fault::Damaged("it does not begin as one does".into()));
    }
    version(&mut cursor)?;
    // A tensor has a name, a number of dimensions, a type and an offset.
    let tensor_count = cursor.count("tensors", cursor.length_bytes() + 16, TENSORS)?;
    // A key has a name, a type and a byte at least.
    let key_count = cursor.count("keys", cursor.length_bytes() + 5, KEYS)?;
    let metadata = metadata(&mut cursor, key_count)?;
    let alignment = alignment(&metadata)?;
    let mut tensors = tensors(&mut cursor, tensor_count, alignment)?;
    let data = cursor.at().next_multiple_of(alignment);
    place(&mut tensors, data, length)?;
    Ok(Header { metadata, tensors })
}

/// Sees that the version is one that is read, and how it writes lengths.
fn version<R: Read>(cursor: &mut Cursor<R>) -> Result<(), Fault> {
    let number = cursor.u32()?;
    match number {
        1 => {
            cursor.short_lengths = true;
            Ok(())
        }
        2 | 3 => Ok(()),
        _ if (1..=3).contains(&number.swap_bytes()) => Err(Fault::Unread(
            "it is big-endian, made for another kind of machine; use the little-endian file of the model, which is what publishers mean unless they say otherwise".into(),
        )),
        4..=255 => Err(Fault::Unread(format!(
            "it is of GGUF version {number}, and 1 to 3 are read; use a file of version 3, or a newer freeweights"
        ))),
        _ => Err(Fault::Damaged(format!("its version is {number}"))),
    }
}

fn metadata<R: Read>(
    cursor: &mut Cursor<R>,
    count: usize,
) -> Result<HashMap<String, Value>, Fault> {
    let mut metadata = HashMap::with_capacity(count);
    let mut elements = ELEMENTS;
    for n in 1..=count {
        cursor.place = Place::Key(n as u64);
        let key = cursor.string(KEY_BYTES)?;
        cursor.name.clone_from(&key);
        cursor.place = Place::Value;
        let kind = cursor.u32()?;
        let value = if kind == 9 { array(cursor, &mut elements)? } else { scalar(cursor, kind)? };
        match metadata.entry(key) {
            Entry::Vacant(free) => free.insert(value),
            Entry::Occupied(_) => return Err(cursor.damaged("the same key comes twice")),
        };
    }
    Ok(metadata)
}

/// A value that is no array, by the number of its type.
fn scalar<R: Read>(cursor: &mut Cursor<R>, kind: u32) -> Result<Value, Fault> {
    Ok(match kind {
        0 => Value::U8(u8::from_le_bytes(cursor.take()?)),
        1 => Value::I8(i8::from_le_bytes(cursor.take()?)),
        2 => Value::U16(u16::from_le_bytes(cursor.take()?)),
        3 => Value::I16(i16::from_le_bytes(cursor.take()?)),
        4 => Value::U32(cursor.u32()?),
        5 => Value::I32(i32::from_le_bytes(cursor.take()?)),
        6 => Value::F32(f32::from_le_bytes(cursor.take()?)),
        7 => match u8::from_le_bytes(cursor.take()?) {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            other => return Err(cursor.damaged(&format!("{other} is neither true nor false"))),
        },
        8 => Value::String(cursor.string(STRING_BYTES)?),
        10 => Value::U64(cursor.u64()?),
        11 => Value::I64(i64::from_le_bytes(cursor.take()?)),
        12 => Value::F64(f64::from_le_bytes(cursor.take()?)),
        _ => return Err(cursor.damaged(&format!("{kind} is no type of a value"))),
    })
}

/// Fewest bytes of a value that is no array.
fn scalar_bytes<R: Read>(cursor: &Cursor<R>, kind: u32) -> Result<u64, Fault> {
    Ok(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        8 => cursor.length_bytes(),
        10..=12 => 8,
        9 => return Err(cursor.damaged("an array of arrays, which llama.cpp has not either")),
        _ => return Err(cursor.damaged(&format!("{kind} is no type of a value"))),
    })
}

/// An array; `elements` is how many more are believed.
fn array<R: Read>(cursor: &mut Cursor<R>, elements: &mut u64) -> Result<Value, Fault> {
    let kind = cursor.u32()?;
    let each = scalar_bytes(cursor, kind)?;
    let count = cursor.count("elements of an array", each, *elements)?;
    *elements -= count as u64;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(scalar(cursor, kind)?);
    }
    Ok(Value::Array(values))
}

fn alignment(metadata: &HashMap<String, Value>) -> Result<u64, Fault> {
    let Some(value) = metadata.get("general.alignment") else { return Ok(ALIGNMENT) };
    let alignment = integer(value).unwrap_or(0);
    if alignment.is_power_of_two() && alignment <= MOST_ALIGNMENT {
        return Ok(alignment);
    }
    Err(Fault::Damaged(format!("general.alignment is no power of two up to {MOST_ALIGNMENT}")))
}

/// A whole number of any width that is not negative.
pub(super) fn integer(value: &Value) -> Option<u64> {
    match *value {
        Value::I8(n) => u64::try_from(n).ok(),
        Value::I16(n) => u64::try_from(n).ok(),
        Value::I32(n) => u64::try_from(n).ok(),
        Value::I64(n) => u64::try_from(n).ok(),
        Value::Bool(_) => None,
        ref other => other.to_u64().ok(),
    }
}

/// Names and extents, each counted from the beginning of the data.
fn tensors<R: Read>(
    cursor: &mut Cursor<R>,
    count: usize,
    alignment: u64,
) -> Result<HashMap<String, Extent>, Fault> {
    let mut tensors = HashMap::with_capacity(count);
    for n in 1..=count {
        cursor.place = Place::TensorName(n as u64);
        let name = cursor.string(NAME_BYTES)?;
        cursor.name.clone_from(&name);
        cursor.place = Place::Tensor;
        let extent = extent(cursor, alignment)?;
        match tensors.entry(name) {
            Entry::Vacant(free) => free.insert(extent),
            Entry::Occupied(_) => return Err(cursor.damaged("the same name comes twice")),
        };
    }
    Ok(tensors)
}

fn extent<R: Read>(cursor: &mut Cursor<R>, alignment: u64) -> Result<Extent, Fault> {
    let rank = cursor.u32()?;
    if rank > DIMENSIONS {
        return Err(cursor.damaged(&format!("{rank} dimensions, where {DIMENSIONS} are the most")));
    }
    let mut sizes = Vec::with_capacity(rank as usize);
    let mut elements = 1u64;
    for _ in 0..rank {
        let size = cursor.length()?;
        sizes.push(usize::try_from(size).unwrap_or(0));
        elements = elements
            .checked_mul(size)
            .filter(|&elements| elements > 0 && i64::try_from(elements).is_ok())
            .ok_or_else(|| cursor.damaged(&format!("a dimension of {size}")))?;
    }
    let dtype = tensor_type(cursor.u32()?, &cursor.name)?;
    let start = cursor.u64()?;
    let block = dtype.block_size() as u64;
    let row = sizes.first().map_or(1, |&row| row as u64);
    if !row.is_multiple_of(block) {
        let name = type_name(dtype);
        return Err(cursor.damaged(&format!(
            "rows of {row} do not divide into the blocks of {block} of {name}"
        )));
    }
    if !start.is_multiple_of(alignment) {
        return Err(cursor
            .damaged(&format!("its data begins at {start}, which is no multiple of {alignment}")));
    }
    let bytes = (elements / block)
        .checked_mul(dtype.type_size() as u64)
        .ok_or_else(|| cursor.damaged(&format!("{elements} elements")))?;
    sizes.reverse();
    Ok(Extent { dtype, shape: Shape::from(sizes), start, bytes })
}

/// Counts extents from the beginning of the file, and sees that they lie in it side by side.
fn place(tensors: &mut HashMap<String, Extent>, data: u64, length: u64) -> Result<(), Fault> {
    let mut end = data;
    for extent in tensors.values_mut() {
        extent.start = extent.start.saturating_add(data);
        end = end.max(extent.start.saturating_add(extent.bytes));
    }
    if end > length && !tensors.is_empty() {
        return Err(Fault::Damaged(format!(
            "it is cut short: its header tells of {end} bytes, the file has {length}"
        )));
    }
    let mut order: Vec<(&String, &Extent)> = tensors.iter().collect();
    order.sort_unstable_by_key(|(_, extent)| extent.start);
    for pair in order.windows(2) {
        let [(first, before), (second, after)] = pair else { continue };
        if before.start + before.bytes > after.start {
            return Err(Fault::Damaged(format!(
                "the tensors {} and {} overlap at byte {}",
                shown(first),
                shown(second),
                after.start
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
