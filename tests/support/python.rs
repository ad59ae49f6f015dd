//! Python programs of the tests: redis-py as applications use it.
//!
//! Called by tests/clients and tests/churn. A missing interpreter or redis-py is a loud failure with its install line.

use std::process::Command;

/// Runs a program of `tests/` with these arguments; gives what it printed, panics with everything if it fails.
pub fn run(program: &str, args: &[String]) -> String {
    let path = format!("{}/tests/{program}", env!("CARGO_MANIFEST_DIR"));
    // No compiled files beside the sources.
    let output = Command::new("python3")
        .arg("-B")
        .arg(path)
        .args(args)
        .output()
        .expect("python3 is missing: apt-get install -y python3 python3-pip && pip install redis");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !errors.contains("No module named 'redis'"),
        "redis-py is missing\n  install: pip install --break-system-packages redis"
    );
    assert!(output.status.success(), "{program} {args:?}: {}\n{text}\n{errors}", output.status);
    text
}
