//! The same for what is seen of a server, which a thread of its own writes down.

use super::*;
use fake::FakeServer;

#[path = "../../../client/tests/fake/mod.rs"]
mod fake;

#[test]
fn a_disk_that_fills_up_ends_a_load_with_its_row_and_whole_requests() {
    let server = FakeServer::start();
    let home = tempfile::tempdir().unwrap();
    let out = fresh(&home);
    let mut command = Command::new(PROGRAM);
    command.args(["bench", "--url", &server.url(), "--model", "ttft=20,gap=5"]);
    command.args(["--isl", "40", "--osl", "8", "--concurrency", "4,8", "--duration", "120"]);
    command.arg("--out").arg(&out);
    let output = behind("trap '' XFSZ; ulimit -f 128", &command).output().unwrap();
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("File too large") && told.contains("ended early"), "{told}");
    // The second case never began.
    let records = records(&out);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].status, Status::Interrupted);
    assert!(records[0].error.as_deref().unwrap().contains("requests could not be kept"));
    let mut requests = 0;
    freeweights_record::read_requests(&out, |_, _| requests += 1).unwrap();
    assert!(requests > 0);
    let raw = fs::read_to_string(out.join("raw.csv")).unwrap();
    assert!(raw.ends_with('\n') && raw.matches('\n').count() == requests + 1);
}
