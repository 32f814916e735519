//! Models of the hub from the command line, against a small server on this machine.
//!
//! What the server may do wrong is tested beside the code that asks it (`models/src/source/hub`); here
//! it is what a user sees, and the variables of the environment.

#![expect(clippy::unwrap_used, reason = "helpers of tests stop where a test would")]

use assert_cmd::Command;
use predicates::str::contains;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

fn freeweights() -> Command {
    Command::cargo_bin("freeweights").unwrap()
}

/// A small model in a file.
fn model(folder: &Path) -> Vec<u8> {
    let config = folder.join("config.json");
    let shape = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 96,
        "vocab_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 128, "rms_norm_eps": 1e-5
    });
    std::fs::write(&config, shape.to_string()).unwrap();
    let file = folder.join("model.gguf");
    let id = format!("dummy:{}:q8_0", config.display());
    freeweights().args(["models", "write", &id]).arg(&file).assert().code(0);
    std::fs::read(file).unwrap()
}

/// Serves a repository with some files, each with the same bytes, until the process ends.
fn serve(names: &[&str], bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let siblings: Vec<_> = names
        .iter()
        .map(|name| serde_json::json!({ "rfilename": name, "size": bytes.len() }))
        .collect();
    let list = serde_json::json!({ "sha": SHA, "siblings": siblings }).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up is its own business.
            let _ = answer(&stream, list.as_bytes(), &bytes);
        }
    });
    format!("http://127.0.0.1:{port}")
}

fn answer(mut stream: &TcpStream, list: &[u8], file: &[u8]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    // The rest of the head: nothing in it matters here.
    lines.find(String::is_empty);
    let (status, body) = if request.contains("/api/models/org/tiny/revision/") {
        (200, list)
    } else if request.contains(&format!("/org/tiny/resolve/{SHA}/")) {
        (200, file)
    } else {
        (404, &b""[..])
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")?;
    stream.write_all(body)
}

#[test]
fn a_model_of_the_hub_is_fetched_once_and_found_again_offline() {
    let folder = tempfile::tempdir().unwrap();
    let url = serve(&["tiny-Q4_0.gguf", "tiny-Q8_0.gguf"], model(folder.path()));
    let home = folder.path().join("home");
    let on_the_hub = |arguments: &[&str]| {
        let mut command = freeweights();
        command.args(arguments).env("HF_HOME", &home).env("HF_ENDPOINT", &url);
        for name in ["HF_TOKEN", "HF_HUB_OFFLINE"] {
            command.env_remove(name);
        }
        command
    };
    let fetch = ["models", "fetch", "org/tiny:q8_0"];
    let cached = format!("home/hub/models--org--tiny/snapshots/{SHA}/tiny-Q8_0.gguf\n");

    on_the_hub(&fetch).env("HF_HUB_OFFLINE", "1").assert().code(2).stderr(
        "error: cannot get org/tiny from the hub: HF_HUB_OFFLINE is set and it is not in \
                 the cache; unset it to download\n",
    );
    // No terminal: a line when the file begins and one when it is here, nothing drawn over.
    let fetched =
        on_the_hub(&fetch).assert().code(0).stdout(contains(&*cached)).get_output().clone();
    let told = String::from_utf8(fetched.stderr).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("fetching tiny-Q8_0.gguf, ") && lines[0].ends_with('B'), "{told}");
    assert_eq!(lines[1..], ["fetched tiny-Q8_0.gguf"]);
    on_the_hub(&fetch).assert().code(0).stderr("");
    on_the_hub(&fetch)
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_ENDPOINT", "http://127.0.0.1:1")
        .assert()
        .code(0)
        .stdout(contains(&*cached))
        .stderr("");
    on_the_hub(&["models", "fetch", "org/tiny"])
        .assert()
        .code(2)
        .stderr(contains("hf:org/tiny:Q4_K_M, out of tiny-Q4_0.gguf, tiny-Q8_0.gguf"));

    on_the_hub(&["bench", "org/tiny@main:Q8_0", "--isl", "8", "--osl", "4", "--max-time", "0.1"])
        .args(["--no-ceilings", "--format", "csv", "--out"])
        .arg(folder.path().join("run"))
        .assert()
        .code(0)
        .stdout(contains(SHA))
        .stdout(contains("hf:org/tiny@main:Q8_0"));
}
