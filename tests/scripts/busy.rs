//! Scripts that take too long.

use std::time::Duration;

use crate::support::client::{Client, wait_until};
use crate::support::reply::Value;
use crate::support::server::Server;

const BUSY: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const BUSY_FUNCTION: &str =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";

fn error(value: &Value) -> String {
    match value {
        Value::Error(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    }
}

/// Waits until `client` is told that a script runs.
fn wait_for(client: &mut Client, text: &str) {
    assert!(wait_until(Duration::from_secs(20), || error(&client.run("GET k")) == text), "never busy");
}

fn run_busy(threads: u32) {
    let mut server = Server::shoal(threads);
    let (mut slow, mut other) = (server.connect(), server.connect());
    other.run("CONFIG SET busy-reply-threshold 50");
    other
        .command(&[
            "FUNCTION",
            "LOAD",
            "#!lua name=l\nredis.register_function('loop', function() while true do end end)",
        ])
        .unwrap();
    // A script that only reads is killed, however it defends itself.
    let endless = "while true do pcall(function() while true do redis.call('get', 'x') end end) end";
    slow.send(&["EVAL", endless, "0"]).unwrap();
    wait_for(&mut other, BUSY);
    assert_eq!(error(&other.run("SET k v")), BUSY);
    other.run("MULTI");
    other.run("GET k");
    assert!(error(&other.run("EXEC")).starts_with("EXECABORT Transaction discarded because of: "));
    assert_eq!(error(&other.run("FUNCTION KILL")), BUSY);
    assert_eq!(other.run("SCRIPT KILL"), Value::Simple(b"OK".to_vec()));
    let killed = error(&slow.read().unwrap().value);
    assert!(killed.starts_with("ERR Script killed by user with SCRIPT KILL... script: "), "{killed}");
    assert!(error(&other.run("SCRIPT KILL")).starts_with("NOTBUSY"));
    // So is a function, by its own command, and in EXEC.
    slow.send(&["FCALL", "loop", "0", "arg"]).unwrap();
    wait_for(&mut other, BUSY_FUNCTION);
    assert_eq!(error(&other.run("SCRIPT KILL")), BUSY_FUNCTION);
    let stats = other.run("FUNCTION STATS");
    let running = stats.items().and_then(|items| items.get(1)?.items());
    assert_eq!(running.map(|running| running[4].text()), Some("duration_ms".to_owned()), "{stats:?}");
    assert_eq!(other.run("FUNCTION KILL"), Value::Simple(b"OK".to_vec()));
    slow.read().unwrap();
    // One that has written cannot be killed, and ends by itself.
    let writer = "redis.call('set', 'k', 'v') local t = redis.call('time')[1] while redis.call('time')[1] - t < 2 do end return 1";
    slow.send(&["EVAL", writer, "0"]).unwrap();
    wait_for(&mut other, BUSY);
    assert!(error(&other.run("SCRIPT KILL")).starts_with("UNKILLABLE"));
    assert_eq!(slow.read().unwrap().value, Value::Int(1));
    assert_eq!(other.run("GET k"), Value::Bulk(b"v".to_vec()));
    server.assert_healthy();
}

#[test]
fn others_are_told_and_may_kill_on_one_core() {
    run_busy(1);
}

#[test]
fn others_are_told_and_may_kill_on_three_cores() {
    run_busy(3);
}
