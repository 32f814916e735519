//! The server of the tests as a program, to measure clients with: no model, no waiting but as told.
//!
//! `cargo run --release -p freeweights-client --example fake_server -- 8081`, then any client on
//! `http://127.0.0.1:8081/v1` with the model `ok` (as fast as it can) or `ttft=20,gap=10` (in
//! milliseconds). With the word `awake` behind the port it never sleeps, and keeps its pace to
//! microseconds; `/missed` says by how much it did not.

#[path = "../tests/fake/mod.rs"]
mod fake;

#[expect(clippy::print_stdout, reason = "a program of its own")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(0);
    let awake = arguments.next().is_some_and(|word| word == "awake");
    let server = if awake { fake::FakeServer::awake_on(port) } else { fake::FakeServer::on(port) };
    println!("{}", server.url());
    loop {
        std::thread::park();
    }
}
