//! `idle`: resident bytes per idle connection, 10,000 of them, before their first command and after one PING each.
//!
//! Both are shown, for a server may give a connection its buffers with its first byte and take them back later: the second reading
//! waits for redis' own shrinking of idle buffers (2 s idle, checked 10 times a second). Bar (issue 2): half of the peer's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Outcome;
use crate::account::resident_bytes;
use crate::bench::{Bench, Side};
use crate::cores;
use crate::report::{CONNECTION_BYTES, Report};
use crate::server::{Server, Setup};

const CONNECTIONS: u64 = 10_000;
const SPARE_DESCRIPTORS: u64 = 512;
const BAR: f64 = 0.5;
const SILENT: &str = "never used";
const USED: &str = "after one PING";

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let wanted = bench.scaled(CONNECTIONS, 200);
    let limit = cores::raise_descriptor_limit(wanted + SPARE_DESCRIPTORS + 20_000)?;
    if limit < wanted + SPARE_DESCRIPTORS {
        return Err(format!(
            "{wanted} connections need `ulimit -n {}`, it is {limit}",
            wanted + SPARE_DESCRIPTORS
        )
        .into());
    }
    for _ in 0..bench.options.pairs {
        for side in [Side::Ours, Side::Peer] {
            let setup = bench.setup(side);
            let directives = vec![("maxclients".to_owned(), "20000".to_owned())];
            let server = Server::start(&Setup { directives, ..setup })?;
            let (silent, used) = measure(&server, wanted)?;
            report.add(side, SILENT, CONNECTION_BYTES, silent);
            report.add(side, USED, CONNECTION_BYTES, used);
        }
    }
    report.set_bar(SILENT, CONNECTION_BYTES, BAR);
    report.set_bar(USED, CONNECTION_BYTES, BAR);
    report.note(format!("{wanted} connections"));
    Ok(())
}

/// Bytes per connection before and after its first command.
fn measure(server: &Server, wanted: u64) -> Outcome<(f64, f64)> {
    let empty = resident_bytes(server.pid())?;
    let mut held = Vec::new();
    for number in 0..wanted {
        let stream = TcpStream::connect(("127.0.0.1", server.port))
            .map_err(|error| format!("connection {number} of {wanted} to {}: {error}", server.name))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        held.push(stream);
    }
    // A fresh PING on top says that everything before it was accepted.
    server.client()?.text(&[b"PING"])?;
    let silent = per_connection(server, empty, wanted)?;
    for stream in &mut held {
        stream.write_all(b"PING\r\n")?;
        let mut reply = [0; 7];
        stream.read_exact(&mut reply)?;
        if &reply != b"+PONG\r\n" {
            return Err(
                format!("{}: {} instead of PONG", server.name, String::from_utf8_lossy(&reply)).into()
            );
        }
    }
    Ok((silent, per_connection(server, empty, wanted)?))
}

fn per_connection(server: &Server, empty: u64, connections: u64) -> Outcome<f64> {
    std::thread::sleep(Duration::from_secs(4));
    Ok(resident_bytes(server.pid())?.saturating_sub(empty) as f64 / connections as f64)
}
