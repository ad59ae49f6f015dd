//! Every single-byte change and every truncation of a file with all types: an error or a value that can be used, never a panic, in bounded memory.
use crate::loading::{Loaded, NOW_MS, load};
use crate::types::sample;
use shoal::keyspace::{Access, Key};
use shoal::rdb::encode::Style;
use shoal::rdb::{VERSION_READ, dump, verify};

/// The most a file of a kilobyte may make this process grow, kilobytes.
const GROWTH_KB: i64 = 256 << 10;

fn peak_kb() -> i64 {
    // SAFETY: a zeroed rusage is one, and getrusage only writes to it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage.ru_maxrss
    }
}

/// What a damaged file gave can be told and written again.
fn use_all(loaded: &mut Loaded) {
    loaded.digest();
    for number in 0..40 {
        let name = format!("k{number}");
        let db = loaded.space.db(0, Access::at(NOW_MS));
        let Some(entry) = db.read(&Key::new(name.as_bytes())) else { continue };
        for compress in [false, true] {
            let payload = dump(entry.value(), Style { compress, wall_offset_ms: 0 });
            assert!(verify(&payload, VERSION_READ).is_some());
        }
    }
}

#[test]
fn every_changed_byte_gives_an_error_or_a_value() {
    let file = sample(u8::MAX);
    assert_eq!(load(&file, 1).unwrap().keys(), [crate::types::cases().len() as u64]);
    let before = peak_kb();
    let (mut sound, mut refused) = (0, 0);
    for at in 0..file.len() {
        let flips = (0..8).map(|bit| file[at] ^ 1 << bit);
        for byte in flips.chain([0, 0x3f, 0x7f, 0x80, 0x81, 0xc3, 0xff]) {
            let mut damaged = file.clone();
            damaged[at] = byte;
            match load(&damaged, 4096) {
                Ok(mut loaded) => {
                    use_all(&mut loaded);
                    sound += 1;
                }
                Err(error) => {
                    assert!(error.offset <= file.len() as u64, "{error:?}");
                    refused += 1;
                }
            }
        }
    }
    println!("{sound} loaded, {refused} refused");
    assert!(sound > 1000 && refused > 1000);
    assert!(peak_kb() - before < GROWTH_KB, "grew by {} KB", peak_kb() - before);
}

#[test]
fn every_truncation_is_refused() {
    let file = sample(u8::MAX);
    for len in 0..file.len() {
        for block in [3, usize::MAX] {
            let error = load(&file[..len], block).err().unwrap_or_else(|| panic!("{len} bytes load"));
            assert_eq!(error.offset, len as u64, "{error}");
        }
    }
}
