//! redis-check-rdb and redis-check-aof: the judges of files that need no server.
//!
//! Called by persist/ and crash/. A missing checker is a failure with the install line.

use std::path::Path;
use std::process::Command;

fn run(program: &str, path: &Path) -> (bool, String) {
    let output = Command::new(program).arg(path).output().unwrap_or_else(|error| {
        panic!("{program}: {error}\n  install: apt-get install -y redis-tools redis-server")
    });
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

/// Panics unless redis-check-rdb finds the file sound; gives the number of keys it read.
pub fn check_rdb(path: &Path) -> u64 {
    let (fine, text) = run("redis-check-rdb", path);
    assert!(fine && text.contains("RDB looks OK"), "redis-check-rdb {}:\n{text}", path.display());
    let keys = text.lines().find_map(|line| line.strip_prefix("[info] ")?.strip_suffix(" keys read"));
    keys.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no count of keys:\n{text}"))
}

/// Panics unless redis-check-aof finds an AOF directory sound: by its manifest, and each of its files by itself.
pub fn check_aof(directory: &Path) {
    let entries =
        std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut manifests = 0;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let empty = path.metadata().is_ok_and(|data| data.len() == 0);
        // The checker calls an empty file an error; the manifest mode knows that a fresh one is none.
        if name.starts_with("temp-") || empty {
            continue;
        }
        let (fine, text) = run("redis-check-aof", &path);
        let wanted =
            if name.ends_with(".manifest") { "All AOF files and manifest are valid" } else { "is valid" };
        assert!(fine && text.contains(wanted), "redis-check-aof {}:\n{text}", path.display());
        manifests += u32::from(name.ends_with(".manifest"));
    }
    assert_eq!(manifests, 1, "{} has no manifest", directory.display());
}
