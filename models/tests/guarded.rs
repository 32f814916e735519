//! What a folder from a stranger may try: names that lead outside, pipes that never end, pickles
//! under other names, texts without end, counts without measure.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use freeweights_models::{Device, ModelId, Quiet, TextTokenizer, inspect, load};
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/llama3.2");

/// A sound checkpoint in a folder of its own.
fn checkpoint() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(format!("{FIXTURE}/{name}"), folder.path().join(name)).unwrap();
    }
    folder
}

fn index(folder: &Path, shard: &str) {
    let index = json!({ "weight_map": { "model.norm.weight": shard } });
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

/// The sentence about a model, its folder left out.
#[track_caller]
fn refused(path: &Path) -> String {
    let error = inspect(&ModelId::Path(path.into()), &Quiet).unwrap_err().to_string();
    let folder = if path.is_dir() { path } else { path.parent().unwrap() };
    error.replace(&format!("{}/", folder.display()), "")
}

#[test]
fn an_index_leads_to_no_other_folder() {
    let folder = checkpoint();
    let outside = tempfile::NamedTempFile::with_suffix(".safetensors").unwrap();
    let outside = outside.path().to_str().unwrap();
    for name in
        ["../model.safetensors", outside, "a/b.safetensors", "..", ".", ".hidden", "a\\b", "/", ""]
    {
        index(folder.path(), name);
        let error = refused(folder.path());
        assert!(error.contains("which is no plain file name; fetch the model again"), "{error}");
    }
    index(folder.path(), "absent.safetensors");
    assert!(refused(folder.path()).contains("the shard absent.safetensors is missing"));
    index(folder.path(), "model.safetensors");
    inspect(&ModelId::Path(folder.path().into()), &Quiet).unwrap();
}

#[test]
fn a_name_with_control_characters_is_shown_and_not_obeyed() {
    let folder = checkpoint();
    index(folder.path(), "a\u{1b}[2J\nb\u{9b}");
    let error = refused(folder.path());
    assert!(error.contains(r"the shard a\u{1b}[2J\nb\u{9b} is missing"), "{error}");
}

#[test]
fn a_pickle_is_refused_under_any_name() {
    let folder = checkpoint();
    let advice = "is a pickle file, which can run any code when it is read; \
                  use the safetensors or GGUF of the same model";
    index(folder.path(), "pytorch_model.BIN");
    assert_eq!(refused(folder.path()), format!("pytorch_model.BIN {advice}"));
    for (name, bytes) in [
        ("model.gguf", &b"PK\x03\x04 an archive"[..]),
        ("weights", b"\x80\x02ccollections\nOrderedDict"),
        ("model.pt", b""),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(refused(&path), format!("{name} {advice}"));
    }
}

#[test]
fn a_text_that_is_too_long_is_not_read() {
    for name in ["config.json", "model.safetensors.index.json"] {
        let folder = checkpoint();
        // A hole: it takes no disk, and reading it would take a gigabyte.
        let file = std::fs::File::create(folder.path().join(name)).unwrap();
        file.set_len(1 << 30).unwrap();
        let error = refused(folder.path());
        assert!(error.starts_with(&format!("{name}: it has 1073741824 bytes")), "{error}");
        assert!(
            error.ends_with("are believed; fetch the model again, or point at a complete folder")
        );
    }
    let folder = checkpoint();
    let path = folder.path().join("tokenizer.json");
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let error = TextTokenizer::from_file(&path).unwrap_err().to_string();
    assert!(error.contains("it has 1073741824 bytes"), "{error}");
}

#[test]
fn a_pipe_is_not_waited_for() {
    let pipe = |path: &Path| {
        let _ = std::fs::remove_file(path);
        std::process::Command::new("mkfifo").arg(path).status().is_ok_and(|made| made.success())
    };
    let folder = tempfile::tempdir().unwrap();
    let gguf = folder.path().join("model.gguf");
    if !pipe(&gguf) {
        // Only systems of the kind of Unix have pipes with names.
        return;
    }
    let advice = "is a folder, a pipe or a device, and no file; name the file of the model itself";
    assert_eq!(refused(&gguf), format!("model.gguf {advice}"));
    for name in ["config.json", "model.safetensors", "model.safetensors.index.json"] {
        let folder = checkpoint();
        assert!(pipe(&folder.path().join(name)));
        assert_eq!(refused(folder.path()), format!("{name} {advice}"));
    }
    let path = folder.path().join("tokenizer.json");
    assert!(pipe(&path));
    assert!(TextTokenizer::from_file(&path).unwrap_err().to_string().ends_with(advice));
}

/// The cache of the hub has links to blobs beside it: a link is the file it leads to.
#[cfg(unix)]
#[test]
fn links_are_followed_and_a_broken_one_is_missing() {
    let blobs = checkpoint();
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::os::unix::fs::symlink(blobs.path().join(name), folder.path().join(name)).unwrap();
    }
    inspect(&ModelId::Path(folder.path().into()), &Quiet).unwrap();
    std::fs::remove_file(blobs.path().join("model.safetensors")).unwrap();
    let id = ModelId::Path(folder.path().into());
    assert!(inspect(&id, &Quiet).is_err());
}

#[test]
fn more_layers_than_any_model_has_are_refused_before_a_list_of_them_is_made() {
    let fixtures = Path::new(FIXTURE).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    for family in std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(text) = std::fs::read_to_string(family.join("config.json")) else { continue };
        let mut config: Value = serde_json::from_str(&text).unwrap();
        let config_of_text = if config["text_config"].is_object() {
            &mut config["text_config"]
        } else {
            &mut config
        };
        config_of_text["num_hidden_layers"] = json!(u64::MAX / 4);
        // What would have each family make a list of them.
        config_of_text["use_sliding_window"] = json!(true);
        config_of_text["sliding_window"] = json!(16);
        config_of_text.as_object_mut().unwrap().remove("layer_types");
        std::fs::write(&path, config.to_string()).unwrap();
        let id = format!("dummy:{}:q4_0", path.display()).parse().unwrap();
        let error = inspect(&id, &Quiet).unwrap_err().to_string();
        assert!(error.contains("num_hidden_layers is 4611686018427387903"), "{error}");
    }
}

#[test]
fn a_model_cut_short_after_it_was_looked_at_is_an_error() {
    let folder = checkpoint();
    let id = ModelId::Path(folder.path().into());
    inspect(&id, &Quiet).unwrap();
    let shard = folder.path().join("model.safetensors");
    let file = std::fs::File::options().write(true).open(&shard).unwrap();
    file.set_len(20_000).unwrap();
    let error = load(&id, None, &Device::Cpu, &Quiet).map(drop).unwrap_err().to_string();
    assert!(error.contains("cut short"), "{error}");
}
