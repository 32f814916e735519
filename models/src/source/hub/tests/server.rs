//! A server on this machine that answers as the hub does, and errs where it is told to.

use super::super::transfer::escaped;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub(super) const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
pub(super) const NEWER: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// What the server has, and how it behaves.
#[derive(Default)]
pub(super) struct Script {
    pub(super) sha: &'static str,
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    /// Who has no such token is answered 401, with the hub's word for it.
    pub(super) gate: Option<(&'static str, &'static str)>,
    /// A token that is known but not let in, answered 403.
    pub(super) barred: Option<&'static str>,
    /// So many bodies of files are cut in half.
    pub(super) cuts: usize,
    /// So many requests are answered 503.
    pub(super) pauses: usize,
    /// Bodies come in so many pieces with a pause between; whole in one where it is 0.
    pub(super) trickle: usize,
    /// Ignores `Range`.
    pub(super) whole: bool,
    /// Leaves sizes and hashes out of the list.
    pub(super) terse: bool,
    /// Sends a byte that is not in the file.
    pub(super) lies: bool,
    /// Sends so many bytes more than the list tells of.
    pub(super) surplus: usize,
    /// Where files are redirected to.
    pub(super) elsewhere: Option<String>,
}

/// What matters of one request.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) token: Option<String>,
    pub(super) from: Option<usize>,
}

pub(super) struct Server {
    pub(super) port: u16,
    pub(super) script: Arc<Mutex<Script>>,
    pub(super) seen: Arc<Mutex<Vec<Request>>>,
    pub(super) ended: Arc<AtomicBool>,
    pub(super) thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(script));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let shared = (script.clone(), seen.clone(), ended.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.2.load(Ordering::SeqCst) {
                    return;
                }
                if let Some(request) = stream.as_ref().ok().and_then(read_request) {
                    // Counted before it is answered: who has the answer may count at once.
                    shared.1.lock().unwrap().push(request.clone());
                    // A client that hangs up is its own business.
                    let _ = answer(&request, &mut shared.0.lock().unwrap(), &stream.unwrap());
                }
            }
        });
        Self { port, script, seen, ended, thread: Some(thread) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn count(&self, wanted: impl Fn(&Request) -> bool) -> usize {
        self.seen.lock().unwrap().iter().filter(|request| wanted(request)).count()
    }

    pub(super) fn downloads(&self) -> usize {
        self.count(|request| request.path.contains("/resolve/"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread from waiting for a connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut request = Request { path, token: None, from: None };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap_or((line.as_str(), ""));
        match name.to_ascii_lowercase().as_str() {
            "authorization" => request.token = Some(value.to_owned()),
            "range" => {
                let from = value.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-'));
                request.from = Some(from.unwrap().parse().unwrap());
            }
            _ => {}
        }
    }
    Some(request)
}

fn answer(request: &Request, script: &mut Script, mut to: &TcpStream) -> std::io::Result<()> {
    let pieces = script.trickle.max(1);
    let mut reply = |status: u16, headers: &str, body: &[u8], sent: usize| {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        to.write_all(head.as_bytes())?;
        for (at, piece) in body[..sent].chunks(sent.div_ceil(pieces).max(1)).enumerate() {
            if at > 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            to.write_all(piece)?;
        }
        to.shutdown(Shutdown::Write)
    };
    if script.pauses > 0 {
        script.pauses -= 1;
        return reply(503, "", b"", 0);
    }
    if let Some((token, word)) = script.gate {
        if script.barred.is_some_and(|known| request.token == Some(format!("Bearer {known}"))) {
            return reply(403, "", b"", 0);
        }
        if request.token != Some(format!("Bearer {token}")) {
            return reply(401, &format!("X-Error-Code: {word}\r\n"), b"", 0);
        }
    }
    let sha = script.sha;
    // The hub serves small files from another path of its own.
    let path = request.path.strip_prefix("/cache").unwrap_or(&request.path);
    if ["main", "v1", sha]
        .iter()
        .any(|at| request.path == format!("/api/models/org/tiny/revision/{at}?blobs=true"))
    {
        let body = listing(script);
        return reply(200, "Content-Type: application/json\r\n", body.as_bytes(), body.len());
    }
    let file = path.strip_prefix(&format!("/org/tiny/resolve/{sha}/"));
    let found = script.files.iter().find(|(name, _)| file == Some(escaped(name).as_str()));
    let Some((_, bytes)) = found else { return reply(404, "", b"", 0) };
    let elsewhere = script.elsewhere.as_ref().filter(|_| path == request.path);
    if let Some(elsewhere) = elsewhere {
        return reply(302, &format!("Location: {elsewhere}{}\r\n", request.path), b"", 0);
    }
    let from = request.from.filter(|_| !script.whole).unwrap_or(0);
    let status = if from > 0 { 206 } else { 200 };
    let mut body = bytes[from..].to_vec();
    let cut = script.cuts > 0;
    script.cuts -= usize::from(cut);
    if script.lies {
        body[0] ^= 1;
    }
    body.resize(body.len() + script.surplus, 7);
    let sent = if cut { body.len() / 2 } else { body.len() };
    reply(status, "", &body, sent)
}

fn listing(script: &Script) -> String {
    let files = script.files.iter().map(|(name, bytes)| {
        if script.terse {
            return serde_json::json!({ "rfilename": name });
        }
        let hash = Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        let mut file = serde_json::json!({
            "rfilename": name, "size": bytes.len(), "blobId": &hash[..40],
        });
        if [".safetensors", ".gguf"].iter().any(|end| name.ends_with(end)) {
            file["lfs"] = serde_json::json!({ "sha256": hash, "size": bytes.len() });
        }
        file
    });
    let files: Vec<_> = files.collect();
    serde_json::json!({ "sha": script.sha, "private": false, "siblings": files }).to_string()
}

pub(super) fn bytes(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|i| seed.wrapping_add(u8::try_from(i * i % 251).unwrap())).collect()
}

pub(super) fn files(names: &[&'static str]) -> Script {
    let seeds = 1..;
    let files = names.iter().zip(seeds).map(|(name, seed)| (*name, bytes(seed, 4_000))).collect();
    Script { sha: SHA, files, ..Script::default() }
}
