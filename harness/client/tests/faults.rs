//! Whatever a server does to a request becomes its row, on time, and nothing is sent twice.

#![expect(clippy::unwrap_used, reason = "tests stop where something is not as expected")]

mod fake;

use fake::FakeServer;
use freeweights_client::load::{
    CaseEnd, Lengths, LoadCase, Schedule, Shard, Spread, WhyEnded, Written, drive,
};
use freeweights_client::prompt::{Calibration, Prefix, Prompts};
use freeweights_client::{Api, OpenAi, Target, probe};
use freeweights_record::Record;
use freeweights_record::requests::{Phase, RequestSample, RequestTotals};
use freeweights_record::units::Tokens;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::time::Instant;

const REQUESTS: u32 = 6;

fn target(url: &str, model: &str) -> Target {
    let mut target = Target::new(url, model).unwrap();
    target.timeout = Duration::from_millis(1_500);
    target.stall = Duration::from_millis(400);
    target
}

fn case() -> LoadCase {
    let lengths = Lengths { isl: Tokens::new(20), osl: Tokens::new(8), spread: Spread::Fixed };
    LoadCase {
        schedule: Schedule::Closed { concurrency: 2, lengths },
        shard: Shard::default(),
        seed: 1,
        warmup: 0,
        until_ended: false,
        requests: Some(REQUESTS),
        time: None,
        counted_elsewhere: false,
    }
}

fn run(target: Target, case: &LoadCase) -> (Vec<RequestSample>, CaseEnd) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Arc::new(OpenAi::new(target).unwrap());
        let prompts = Prompts::new(Calibration::default(), Prefix::Bust, 1, 2);
        let mut rows = Vec::new();
        let mut sink = |row: RequestSample, _: Option<Written>| rows.push(row);
        let now = Instant::now();
        let stop = AtomicBool::new(false);
        let end = drive(server, &prompts, case, (now, now), &stop, &mut sink).await;
        (rows, end)
    })
}

fn measured(rows: &[RequestSample]) -> Vec<&RequestSample> {
    rows.iter().filter(|row| row.phase == Phase::Measured).collect()
}

/// All requests fail with this, and the server was asked once for each.
fn fails_with(model: &str, said: &str) -> Vec<RequestSample> {
    fails_in(model, said, |_| ())
}

fn fails_in(model: &str, said: &str, set: impl Fn(&mut Target)) -> Vec<RequestSample> {
    let server = FakeServer::start();
    let mut target = target(&server.url(), model);
    set(&mut target);
    let (rows, end) = run(target, &case());
    let counted = measured(&rows);
    assert_eq!((counted.len(), end.why), (REQUESTS as usize, WhyEnded::Done), "{model}");
    for row in &counted {
        assert_eq!(row.error.as_deref(), Some(said), "{model}");
    }
    assert_eq!(server.asked(), rows.len() as u64, "{model}: something was sent twice");
    let mut totals = RequestTotals::default();
    for row in &rows {
        totals.push(row);
    }
    let mut record = Record::default();
    totals.summarise(&mut record, 1);
    assert_eq!((record.requests, record.requests_failed), (Some(REQUESTS), Some(REQUESTS)));
    let word = said.split(':').next().unwrap();
    assert_eq!(record.errors.unwrap(), *format!("{word} {REQUESTS}"));
    rows
}

/// All requests are good.
fn answers(model: &str) -> Vec<RequestSample> {
    let server = FakeServer::start();
    let (rows, _) = run(target(&server.url(), model), &case());
    let counted: Vec<RequestSample> = measured(&rows).into_iter().cloned().collect();
    assert!(counted.iter().all(|row| row.error.is_none()), "{model} {counted:?}");
    assert_eq!(counted.len(), REQUESTS as usize);
    counted
}

#[test]
fn a_paced_answer_is_timed_as_it_was_paced() {
    for row in answers("ttft=30,gap=10") {
        assert_eq!((row.events, row.tokens_out), (8, Some(Tokens::new(8))));
        assert_eq!(row.tokens_in, Some(Tokens::new(30)));
        // The empty first chunk came at once and is not the first token.
        assert!(row.ttft.unwrap().get() >= 0.029, "{row:?}");
        assert_eq!(row.gaps.len(), 7);
        assert!(row.e2e.unwrap().get() >= 0.099, "{row:?}");
    }
}

#[test]
fn statuses_that_are_no_answer() {
    fails_with("http_500", "http_500: out of blocks");
    fails_with("http_429", "http_429: busy; Retry-After 2");
    fails_with("redirect", "redirect: 302 to http://elsewhere/v1; give that URL");
    fails_with("no such thing", "http_404: no model no such thing");
}

#[test]
fn answers_that_are_no_stream() {
    fails_with("html", "not_a_stream: text/html, and begins: <html>login</html>");
    fails_with("json", r#"not_a_stream: application/json, and begins: {"choices":[]}"#);
}

#[test]
fn streams_that_break() {
    for row in fails_with("reset", "reset: the connection broke in the middle of the answer") {
        // What came before is in the row.
        assert!(row.phase != Phase::Measured || row.events == 2, "{row:?}");
    }
    fails_with("reset_at_once", "reset: the connection broke in the middle of the answer");
    fails_with("malformed", "bad_event: EOF while parsing an object at line 1 column 13");
    fails_with("not_utf8", "bad_event: it is no UTF-8");
    fails_with("error_event", "server: out of memory");
    fails_with("endless_line", "too_long: a line of the stream has more than 4194304 bytes");
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let said =
        "endless: the answer goes on beyond 8 tokens by far; the server keeps to no max_tokens";
    // On a busy machine so much takes its time.
    let patient = |target: &mut Target| {
        (target.timeout, target.stall) = (Duration::from_mins(2), Duration::from_mins(2));
        target.keep_text = true;
    };
    fails_in("endless", said, patient);
    fails_in("endless_text", said, patient);
}

#[test]
fn streams_that_do_not_end_as_they_should() {
    fails_with("stall", "stall: nothing came for 400ms");
    fails_with("slow", "timeout: not done in 1.5s");
    fails_with("no_done", "no_done: the stream ended without [DONE]");
    fails_with("no_usage", "no_usage: the server tells no token counts; give --tokenizer");
    fails_with("empty", "empty: the answer has no content");
}

#[test]
fn what_is_odd_but_no_fault() {
    for row in answers("at_once") {
        assert_eq!((row.events, row.tokens_out), (8, Some(Tokens::new(8))));
    }
    for row in answers("split_utf8") {
        assert_eq!(row.events, 2);
    }
    for row in answers("short") {
        // Two chunks are four tokens, and eight were asked for.
        assert_eq!((row.events, row.tokens_out), (2, Some(Tokens::new(4))));
        assert_eq!(row.tokens_asked, Tokens::new(8));
    }
}

#[test]
fn the_other_interface_is_spoken_too() {
    let server = FakeServer::start();
    let mut target = target(&server.url(), "ttft=1");
    target.api = Api::Completions;
    let (rows, _) = run(target, &case());
    let counted = measured(&rows);
    assert!(counted.iter().all(|row| row.error.is_none()), "{counted:?}");
    // 20 words and a mark at the beginning, without a template
    assert_eq!(counted[0].tokens_in, Some(Tokens::new(21)));
}

#[test]
fn http_2_is_spoken_where_it_is_asked_for() {
    let server = FakeServer::start();
    let mut target = target(&server.url(), "ttft=5,gap=1");
    target.http2 = true;
    let (rows, _) = run(target, &case());
    let counted = measured(&rows);
    assert!(counted.iter().all(|row| row.error.is_none() && row.events == 8), "{counted:?}");
    // One connection carries all requests.
    assert_eq!(server.versions(), ["HTTP/2.0"]);
}

#[test]
fn a_field_that_a_server_refuses_is_left_out() {
    let server = FakeServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(probe(target(&server.url(), "strict"), 1, 2)).unwrap();
    assert!(!found.server.target().ignore_eos);
    assert!(found.counts);
    let told = found.notes.join("\n");
    assert!(told.starts_with("the server knows no ignore_eos: answers may be shorter"), "{told}");
    let found = runtime.block_on(probe(target(&server.url(), "ttft=1"), 1, 2)).unwrap();
    assert!(found.server.target().ignore_eos);
    assert_eq!(found.version.as_deref(), Some("0.0-fake"));
    let calibration = found.calibration.unwrap();
    assert!((calibration.per_word - 1.0).abs() < 1e-9 && (calibration.around - 10.0).abs() < 1e-9);
}

#[test]
fn nobody_listens_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", free.local_addr().unwrap());
    drop(free);
    let (rows, _) = run(target(&url, "ok"), &case());
    assert!(
        measured(&rows)
            .iter()
            .all(|row| row.error.as_deref() == Some("refused: nobody listens there")),
        "{rows:?}"
    );
}

#[test]
fn a_server_that_dies_ends_the_case() {
    let server = FakeServer::dying_after(30);
    let long = LoadCase { requests: Some(1_000_000), ..case() };
    let (rows, end) = run(target(&server.url(), "ttft=2,gap=1"), &long);
    let WhyEnded::ServerGone(last) = end.why else { panic!("{end:?}") };
    assert_eq!(last, "refused: nobody listens there");
    let good = rows.iter().filter(|row| row.error.is_none()).count();
    assert!((20..=30).contains(&good), "{good}");
    assert!(rows.len() < 100, "{}", rows.len());
}

#[test]
fn an_expired_certificate_is_refused() {
    let mut parameters = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2020, 2, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, certificate.pem()).unwrap();
    let port = serve_tls(certificate.der().to_vec(), key.serialize_der());
    let mut target = target(&format!("https://localhost:{port}/v1"), "ok");
    target.certificate = Some(path);
    let (rows, _) = run(target, &case());
    for row in measured(&rows) {
        let error = row.error.as_deref().unwrap();
        assert!(error.starts_with("tls: ") && error.to_lowercase().contains("expired"), "{error}");
    }
}

/// Shakes hands on a thread of its own, and no more.
fn serve_tls(certificate: Vec<u8>, key: Vec<u8>) -> u16 {
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(certificate)],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = acceptor.accept(stream).await;
            }
        });
    });
    told.recv().unwrap()
}
