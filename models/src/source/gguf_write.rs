//! GGUF files as they are written: header first, then one tensor at a time, so that a model larger
//! than memory can be written too.
//!
//! # Source
//! The GGUF specification, version 3 (ggml/docs/gguf.md). Numbers are little-endian.

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

/// Where tensors may begin: at multiples of so many bytes.
pub(crate) const ALIGNMENT: u32 = 32;

/// A header in bytes, and the tensors in the order of their data.
pub(crate) struct Layout<'a> {
    header: Vec<u8>,
    tensors: Vec<&'a TensorInfo>,
}

impl<'a> Layout<'a> {
    /// The header of `content`, padded to where the data begins.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for metadata of a kind that is not written here.
    pub(crate) fn of(content: &'a Content) -> Result<Self> {
        let mut tensors: Vec<_> = content.tensor_infos.iter().collect();
        tensors.sort_by_key(|(_, info)| info.offset);
        let metadata: BTreeMap<_, _> = content.metadata.iter().collect();

        let mut header = b"GGUF".to_vec();
        header.extend(3u32.to_le_bytes());
        header.extend((tensors.len() as u64).to_le_bytes());
        header.extend((metadata.len() as u64).to_le_bytes());
        for (key, value) in metadata {
            put_text(&mut header, key);
            put_value(&mut header, value)?;
        }
        for (name, info) in &tensors {
            put_tensor(&mut header, name, info);
        }
        pad(&mut header);
        Ok(Self { header, tensors: tensors.into_iter().map(|(_, info)| info).collect() })
    }

    /// Bytes of the whole file.
    pub(crate) fn length(&self) -> u64 {
        let data = self.tensors.last().map_or(0, |info| info.offset + bytes_of(info));
        self.header.len() as u64 + data.next_multiple_of(u64::from(ALIGNMENT))
    }

    /// Writes the file, reading each tensor whole from `source`, whose data begins at 0. `each` is
    /// told the bytes written so far and may stop it.
    ///
    /// # Errors
    /// Those of `source` and `out`; [`ErrorKind::Interrupted`] where `each` stopped it.
    pub(crate) fn write(
        &self,
        source: &mut (impl Read + Seek),
        out: &mut impl Write,
        each: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<()> {
        out.write_all(&self.header)?;
        let mut buffer = Vec::new();
        for info in &self.tensors {
            let bytes = usize::try_from(bytes_of(info)).map_err(Error::other)?;
            buffer.clear();
            buffer.resize(bytes, 0);
            source.seek(SeekFrom::Start(info.offset))?;
            source.read_exact(&mut buffer)?;
            pad(&mut buffer);
            out.write_all(&buffer)?;
            if each(self.header.len() as u64 + info.offset + buffer.len() as u64).is_break() {
                return Err(Error::new(ErrorKind::Interrupted, "interrupted"));
            }
        }
        out.flush()
    }
}

fn bytes_of(info: &TensorInfo) -> u64 {
    (info.shape.elem_count() / info.ggml_dtype.block_size() * info.ggml_dtype.type_size()) as u64
}

fn pad(bytes: &mut Vec<u8>) {
    let to = (bytes.len() as u64).next_multiple_of(u64::from(ALIGNMENT)) - bytes.len() as u64;
    bytes.extend(std::iter::repeat_n(0, usize::try_from(to).unwrap_or(0)));
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) -> Result<()> {
    let mut put = |kind: u32, bytes: &[u8]| {
        out.extend(kind.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::U32(n) => put(4, &n.to_le_bytes()),
        Value::F32(x) => put(6, &x.to_le_bytes()),
        Value::Bool(yes) => put(7, &[u8::from(*yes)]),
        Value::String(text) => {
            put(8, &[]);
            put_text(out, text);
        }
        other => {
            let reason = format!("no metadata of the kind of {other:?} is written");
            return Err(Error::new(ErrorKind::InvalidData, reason));
        }
    }
    Ok(())
}

/// Name, sizes with the longest stride last, type, and where the data begins.
fn put_tensor(out: &mut Vec<u8>, name: &str, info: &TensorInfo) {
    let dims = info.shape.dims();
    put_text(out, name);
    out.extend(u32::try_from(dims.len()).unwrap_or(u32::MAX).to_le_bytes());
    for &dim in dims.iter().rev() {
        out.extend((dim as u64).to_le_bytes());
    }
    out.extend(type_number(info.ggml_dtype).to_le_bytes());
    out.extend(info.offset.to_le_bytes());
}

/// The number of a tensor type in a file.
///
/// # Source
/// `enum ggml_type` of ggml.h.
fn type_number(dtype: GgmlDType) -> u32 {
    match dtype {
        GgmlDType::F32 => 0,
        GgmlDType::F16 => 1,
        GgmlDType::Q4_0 => 2,
        GgmlDType::Q4_1 => 3,
        GgmlDType::Q5_0 => 6,
        GgmlDType::Q5_1 => 7,
        GgmlDType::Q8_0 => 8,
        GgmlDType::Q8_1 => 9,
        GgmlDType::Q2K => 10,
        GgmlDType::Q3K => 11,
        GgmlDType::Q4K => 12,
        GgmlDType::Q5K => 13,
        GgmlDType::Q6K => 14,
        GgmlDType::Q8K => 15,
        GgmlDType::BF16 => 30,
    }
}
