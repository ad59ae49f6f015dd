//! Every single-byte change and every truncation of a file with all types: an error or a value that can be used, never a panic, in bounded memory.
use crate::loading::limits;
use crate::loading::{Loaded, NOW_MS, OFFSET_MS, load};
use crate::support::prng::{Prng, seeds};
use crate::types::cases;
use crate::types::sample;
use shoal::keyspace::{Access, Key};
use shoal::keyspace::{Expire, Keyspace, value_digest};
use shoal::rdb::encode::Style;
use shoal::rdb::{VERSION_READ, dump, restore, seal, verify};

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
            let payload = dump(entry.value(), Style { compress, wall_offset_ms: OFFSET_MS });
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

/// One to four changes.
fn mutate(body: &mut Vec<u8>, prng: &mut Prng) {
    for _ in 0..1 + prng.below(4) {
        let at = prng.index(body.len());
        match prng.below(7) {
            0 => body.truncate(at.max(1)),
            1 => drop(body.splice(at..at, (0..prng.below(9)).map(|_| 0xff))),
            2 => body[at] = prng.pick(b"\0\x7f\x80\x81\xc0\xc3\xf0\xfe\xff"),
            3 => {
                let piece = body[at..(at + 5).min(body.len())].to_vec();
                let to = prng.index(body.len());
                drop(body.splice(to..to, piece));
            }
            4 => drop(body.drain(at..(at + 1 + prng.index(3)).min(body.len()))),
            _ => body[at] ^= 1 << prng.below(8),
        }
        if body.is_empty() {
            body.push(0);
        }
    }
}

#[test]
fn mutated_payloads_of_every_type_give_errors_or_values() {
    for seed in seeds(51, 2) {
        println!("SEED={seed}");
        let mut prng = Prng::new(seed);
        let before = peak_kb();
        for (kind, value, _) in cases() {
            let (mut taken, mut refused) = (0, 0);
            for _ in 0..1500 {
                let mut payload = [&[kind][..], &value].concat();
                mutate(&mut payload, &mut prng);
                seal(&mut payload, 1 + prng.below(12) as u16);
                // As RESTORE does it.
                let body = verify(&payload, VERSION_READ).unwrap();
                let Ok(value) = restore(body, &limits()) else {
                    refused += 1;
                    continue;
                };
                taken += 1;
                let (mut space, key) = (Keyspace::new(1, 1), Key::new(b"key"));
                value.store(|value| space.db(0, Access::at(NOW_MS)).set_value(&key, value, Expire::Clear));
                let entry = space.db(0, Access::at(NOW_MS)).read(&key).unwrap();
                let again = dump(entry.value(), Style { compress: true, wall_offset_ms: OFFSET_MS });
                // What was taken is sound: it is taken again, and is the same.
                let again = restore(verify(&again, VERSION_READ).unwrap(), &limits());
                let again = again
                    .unwrap_or_else(|damage| panic!("type {kind}: {damage:?}, {}", payload.escape_ascii()));
                let digest = value_digest(entry);
                again.store(|value| space.db(0, Access::at(NOW_MS)).set_value(&key, value, Expire::Clear));
                let entry = space.db(0, Access::at(NOW_MS)).read(&key).unwrap();
                assert_eq!(value_digest(entry), digest, "type {kind}: {}", payload.escape_ascii());
            }
            println!("type {kind}: {taken} taken, {refused} refused");
        }
        assert!(peak_kb() - before < GROWTH_KB, "grew by {} KB", peak_kb() - before);
    }
}
