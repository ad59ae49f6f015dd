//! Files that redis 2.x to 7.4 and Valkey wrote, or tests of theirs contain.
use crate::loading::load;
use serde_json::Value as Json;
use std::path::PathBuf;

fn directory() -> PathBuf {
    std::env::var_os("RDB_FIXTURES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb"), PathBuf::from)
}

#[test]
fn each_gives_its_digest_or_is_refused() {
    let directory = directory();
    let index = std::fs::read(directory.join("index.json")).unwrap();
    let index: Vec<Json> = serde_json::from_slice(&index).unwrap();
    let mut read = 0;
    for entry in &index {
        let name = entry["file"].as_str().unwrap();
        // The large ones are not in the repository.
        let Ok(file) = std::fs::read(directory.join(name)) else { continue };
        for block in [1, 7, 4096, usize::MAX] {
            let loaded = load(&file, block);
            match entry["digest"].as_str() {
                Some(digest) => {
                    let loaded = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(loaded.digest(), digest, "{name}");
                    let keys: Vec<u64> =
                        entry["keys"].as_array().unwrap().iter().map(|keys| keys.as_u64().unwrap()).collect();
                    assert_eq!(loaded.keys(), keys, "{name}");
                    assert_eq!(file[5..9], *entry["rdb_version"].as_str().unwrap().as_bytes());
                }
                None => {
                    let error = loaded.err().unwrap_or_else(|| panic!("{name} loads"));
                    println!("{name}: {error}");
                }
            }
        }
        read += 1;
    }
    assert!(read >= 7, "{read} of {}", index.len());
}

#[test]
fn what_follows_a_preamble_stays_readable() {
    let file = std::fs::read(directory().join("rdb-preamble.aof")).unwrap();
    for block in [1, 16, 1000] {
        let loaded = load(&file, block).unwrap();
        assert_eq!(loaded.keys(), [2]);
        assert!(loaded.rest.starts_with(b"*"), "{}", loaded.rest.escape_ascii());
        assert!(file.ends_with(&loaded.rest));
    }
}
