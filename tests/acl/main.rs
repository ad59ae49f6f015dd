//! Access control against a real redis-server: every command without its right, users in files, redis-py's usage.
//!
//! [`refusals`] tries every command that both servers list as a user without the command, its keys or its channels; [`files`] starts, saves, loads and
//! rewrites; `usage.py` is what an application does with redis-py, run against both servers alike. Rules and texts: tests/commands/acl.txt; random rules: tests/differential/acl.rs.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod files;
mod refusals;

use std::process::Command;

use support::server::{Plan, Server};

fn run_usage(plan: Plan) {
    let mut server: Server = plan.start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/acl/usage.py");
    let output = Command::new("python3")
        .args([script, &server.port.to_string()])
        .output()
        .expect("python3 is missing: apt-get install -y python3 python3-pip && pip install redis");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !errors.contains("No module named"),
        "redis-py is missing\n  install: pip install --break-system-packages redis"
    );
    assert!(output.status.success(), "{}\n{errors}", String::from_utf8_lossy(&output.stdout));
    server.assert_healthy();
}

#[test]
fn redis_py_usage_works_on_redis() {
    run_usage(Plan::redis());
}

#[test]
fn redis_py_usage_works() {
    run_usage(Plan::shoal(3));
}
