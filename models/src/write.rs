//! A dummy model as a file, so that any other engine can be timed on the same shape.

use crate::error::ModelError;
use crate::load::dummy_shape;
use crate::model_id::ModelId;
use crate::source::dummy;
use crate::source::gguf_write::Layout;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Writes the dummy model `id` as a GGUF to `path` and gives the file's length in bytes. It holds
/// what loading `id` directly makes up, byte for byte.
///
/// It is written under another name first, which is removed where anything goes wrong, so `path`
/// holds a whole model or what it held before. `each` is told the bytes written and the bytes of
/// the whole file after every tensor, and may stop it. The largest tensor is what stands in memory.
///
/// # Errors
/// [`ModelError::NotADummy`]; [`ModelError::Exists`] unless `force`; [`ModelError::Write`];
/// [`ModelError::Interrupted`] where `each` stopped it.
pub fn write_dummy(
    id: &ModelId,
    path: &Path,
    force: bool,
    each: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<u64, ModelError> {
    let ModelId::Dummy { shape, quant } = id else {
        return Err(ModelError::NotADummy { id: id.to_string() });
    };
    let (family, spec) = dummy_shape(shape)?;
    if !force && path.exists() {
        return Err(ModelError::Exists { path: path.to_path_buf() });
    }
    let (content, mut reader) = dummy::gguf(family, &spec, *quant);
    let part = part_of(path);
    let failed = |bytes, source: std::io::Error| match source.kind() {
        ErrorKind::Interrupted => ModelError::Interrupted,
        _ => ModelError::Write { path: path.to_path_buf(), bytes, source },
    };
    let layout = Layout::of(&content).map_err(|source| failed(0, source))?;
    let bytes = layout.length();
    let written = File::create(&part).map(BufWriter::new).and_then(|mut out| {
        layout.write(&mut reader, &mut out, &mut |done| each(done, bytes))?;
        std::fs::rename(&part, path)
    });
    written.map(|()| bytes).map_err(|source| {
        // Gone already, or never made: then there is nothing to remove.
        let _ = std::fs::remove_file(&part);
        failed(bytes, source)
    })
}

/// Where the file grows: `model.gguf.part` beside it.
fn part_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(".part");
    PathBuf::from(name)
}
