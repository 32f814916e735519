//! A GGUF on disk, in one file or in parts: its metadata, and the bytes of its tensors by name.
//!
//! Not here: what the metadata mean, and whether a family finds its tensors.

use super::fault::Fault;
use super::header::{self, Header, integer};
use super::split::PartName;
use crate::error::ModelError;
use crate::source::regular;
use candle_core::Shape;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Result as IoResult};
use std::path::{Path, PathBuf};

/// A GGUF whose headers are read, its files open.
#[derive(Debug)]
pub(crate) struct GgufFile {
    /// The metadata of the first part, which has all of them.
    pub(crate) metadata: HashMap<String, Value>,
    pub(crate) tensors: HashMap<String, StoredTensor>,
    /// One, or the parts of a split model in their order.
    parts: Vec<Part>,
}

/// Where a tensor lies.
#[derive(Debug, Clone)]
pub(crate) struct StoredTensor {
    pub(crate) dtype: GgmlDType,
    /// The longest stride first.
    pub(crate) shape: Shape,
    /// Which of the parts has it.
    part: usize,
    /// First byte in that file.
    start: u64,
    /// Bytes of all its blocks.
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    file: File,
}

impl GgufFile {
    /// Opens a file, and with one part of a split model all the others.
    ///
    /// # Errors
    /// [`ModelError::BadGguf`], [`ModelError::UnreadGguf`], [`ModelError::MissingPart`],
    /// [`ModelError::Io`].
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let (part, header) = read_part(path)?;
        let count = split_key(&header, "split.count").unwrap_or(1);
        if count <= 1 {
            let mut whole = Self::without_tensors(header.metadata);
            whole.add(part, header.tensors).map_err(|fault| fault.of(path))?;
            return Ok(whole);
        }
        drop((part, header));
        Self::open_parts(path, count)
    }

    fn without_tensors(metadata: HashMap<String, Value>) -> Self {
        Self { metadata, tensors: HashMap::new(), parts: Vec::new() }
    }

    /// Opens all parts beside `named`, whose header counts them.
    fn open_parts(named: &Path, count: u64) -> Result<Self, ModelError> {
        let name = named.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let place = PartName::of(&name).filter(|place| place.count == count).ok_or_else(|| {
            Fault::Unread(format!(
                "it is one of {count} parts of a model, whose names end in -00001-of-{count:05}.gguf and so on; give all parts the names they were published with"
            ))
            .of(named)
        })?;
        let mut all: Option<(Self, Option<u64>)> = None;
        for (number, part_name) in (0..).zip(place.all()) {
            let path = named.with_file_name(&part_name);
            if !path.exists() {
                let missing = part_name;
                return Err(ModelError::MissingPart { path: named.to_path_buf(), missing, count });
            }
            let (part, header) = read_part(&path)?;
            check_part(&header, number, count).map_err(|fault| fault.of(&path))?;
            let tensors = split_key(&header, "split.tensors.count");
            let added = match &mut all {
                None => {
                    let mut whole = Self::without_tensors(header.metadata);
                    let added = whole.add(part, header.tensors);
                    all = Some((whole, tensors));
                    added
                }
                Some((whole, total)) => same_model(whole, *total, &header, tensors)
                    .and_then(|()| whole.add(part, header.tensors)),
            };
            added.map_err(|fault| fault.of(&path))?;
        }
        let (whole, total) = all.ok_or_else(|| nothing(named))?;
        if let Some(total) = total.filter(|&total| total != whole.tensors.len() as u64) {
            let found = whole.tensors.len();
            let reason =
                format!("its parts have {found} tensors together, they should have {total}");
            return Err(Fault::Damaged(reason).of(named));
        }
        Ok(whole)
    }

    fn add(&mut self, part: Part, tensors: HashMap<String, header::Extent>) -> Result<(), Fault> {
        let at = self.parts.len();
        self.parts.push(part);
        self.tensors.reserve(tensors.len());
        for (name, extent) in tensors {
            let shown = super::fault::shown(&name);
            let header::Extent { dtype, shape, start, bytes } = extent;
            let stored = StoredTensor { dtype, shape, part: at, start, bytes };
            if self.tensors.insert(name, stored).is_some() {
                return Err(Fault::Damaged(format!(
                    "it has the tensor {shown}, which another part has too"
                )));
            }
        }
        Ok(())
    }

    /// The files, in their order.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.parts.iter().map(|part| part.path.clone()).collect()
    }

    /// The name of the first file.
    pub(crate) fn file_name(&self) -> String {
        let first = self.parts.first().and_then(|part| part.path.file_name());
        first.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The model's name: what the names of its files have in common.
    pub(crate) fn name(&self) -> String {
        let file = self.file_name();
        match PartName::of(&file) {
            Some(part) if self.parts.len() > 1 => part.prefix().to_owned(),
            _ => file.strip_suffix(".gguf").unwrap_or(&file).to_owned(),
        }
    }

    /// Type and shape of a tensor, the longest stride first.
    pub(crate) fn info(&self, name: &str) -> Option<(GgmlDType, &[usize])> {
        self.tensors.get(name).map(|tensor| (tensor.dtype, tensor.shape.dims()))
    }

    /// Fills `out` from byte `at` of a tensor on. Any number of threads may read at once.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] without such a tensor, [`ErrorKind::UnexpectedEof`] beyond its end,
    /// and errors of the system.
    pub(crate) fn read(&self, name: &str, at: u64, out: &mut [u8]) -> IoResult<()> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no tensor {name}")));
        };
        if at.checked_add(out.len() as u64).is_none_or(|end| end > tensor.bytes) {
            let reason = format!("the tensor {name} ends before that");
            return Err(Error::new(ErrorKind::UnexpectedEof, reason));
        }
        read_exact_at(&self.parts[tensor.part].file, out, tensor.start + at)
    }
}

fn nothing(path: &Path) -> ModelError {
    Fault::Damaged("it has no parts".into()).of(path)
}

fn read_part(path: &Path) -> Result<(Part, Header), ModelError> {
    let (file, length) = regular::open(path)?;
    if begins_as_pickle(&file, length) {
        return Err(ModelError::Pickle { path: path.to_path_buf() });
    }
    let header = header::read(BufReader::new(&file), length).map_err(|fault| fault.of(path))?;
    Ok((Part { path: path.to_path_buf(), file }, header))
}

/// Whether a file under this name is one of `PyTorch` after all: an archive, or a bare pickle of
/// protocol 2 to 5.
///
/// # Source
/// APPNOTE.TXT of ZIP, 4.3.7; Python's pickletools, `PROTO`.
fn begins_as_pickle(file: &File, length: u64) -> bool {
    let mut head = [0; 4];
    length >= 4
        && read_exact_at(file, &mut head, 0).is_ok()
        && (head == *b"PK\x03\x04" || head[0] == 0x80 && (2..=5).contains(&head[1]))
}

fn split_key(header: &Header, key: &str) -> Option<u64> {
    header.metadata.get(key).and_then(integer)
}

/// Whether a header says that it is part `number` (from 0) of `count`.
fn check_part(header: &Header, number: u64, count: u64) -> Result<(), Fault> {
    let says = |key| split_key(header, key);
    if says("split.count") != Some(count) {
        return Err(Fault::Damaged(format!(
            "its name makes it one of {count} parts, its split.count does not"
        )));
    }
    if says("split.no") != Some(number) {
        return Err(Fault::Damaged(format!(
            "its name makes it part {} of {count}, its split.no does not",
            number + 1
        )));
    }
    Ok(())
}

/// Whether a later part goes with those before. It carries no more than the keys of the split and
/// those that it may have in common with the first.
fn same_model(
    whole: &GgufFile,
    total: Option<u64>,
    header: &Header,
    tensors: Option<u64>,
) -> Result<(), Fault> {
    let other = |key: &str| {
        Fault::Damaged(format!("it is a part of another model than the first part: {key} differs"))
    };
    if total != tensors {
        return Err(other("split.tensors.count"));
    }
    let said = |metadata: &HashMap<String, Value>, key: &str| match metadata.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    for key in ["general.architecture", "general.name", "general.basename"] {
        let (first, here) = (said(&whole.metadata, key), said(&header.metadata, key));
        if here.is_some() && here != first {
            return Err(other(key));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn read_exact_at(file: &File, out: &mut [u8], at: u64) -> IoResult<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut out: &mut [u8], mut at: u64) -> IoResult<()> {
    while !out.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, out, at)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        out = &mut out[read..];
        at += read as u64;
    }
    Ok(())
}
