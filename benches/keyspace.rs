//! Memory and time per key of the keyspace alone: `cargo bench --bench keyspace` (or with `--profile quick`).
//!
//! Memory: RSS growth per key for 16-byte keys with 64-byte values at 0.6, 1.05 and 1.5 M keys (the bar: 128 B as their
//! mean), each in a fresh process. Time: ns per operation at 1 M keys, random order, best of three passes.
use shoal::base::prng::Prng;
use shoal::keyspace::{Access, Expire, Key, Keyspace, StrIn};
use shoal::types::collection::Collection as _;
use shoal::types::hash::{Hash, HashLimits};
use std::time::Instant;

const NOW: u64 = 1_760_000_000_000;

/// CPU time of this thread, ns.
fn cpu_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid clock and a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

fn rss_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn name(index: u64) -> [u8; 16] {
    let mut text = *b"key:000000000000";
    let mut rest = index;
    for byte in text[4..].iter_mut().rev() {
        *byte = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text
}

fn set(space: &mut Keyspace, index: u64, value: &[u8]) -> bool {
    let name = name(index);
    space.db(0, Access::at(NOW)).set_string(&Key::new(&name), StrIn::Bytes(value), Expire::Clear)
}

fn get(space: &mut Keyspace, index: u64) -> usize {
    let name = name(index);
    space.db(0, Access::at(NOW)).read(&Key::new(&name)).and_then(|entry| entry.string_len()).unwrap_or(0)
}

/// One measurement in this process: fills with random keys, as redis-benchmark -r does, until `keys` are there.
fn memory(keys: u64) {
    let mut space = Keyspace::new(16, 1);
    let mut prng = Prng::new(7);
    let before = rss_bytes();
    while space.len(0) < keys {
        set(&mut space, prng.below(keys * 4), &[b'x'; 64]);
    }
    let rss = rss_bytes() - before;
    println!(
        "{keys} keys: RSS {:.1} B/key, counted {:.1} B/key",
        rss as f64 / keys as f64,
        space.bytes() as f64 / keys as f64
    );
}

fn timed(what: &str, count: u64, mut run: impl FnMut()) {
    let best = (0..3)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_nanos() as f64 / count as f64
        })
        .fold(f64::MAX, f64::min);
    println!("{what}: {best:.0} ns");
}

fn times() {
    const KEYS: u64 = 1_000_000;
    let mut space = Keyspace::new(16, 1);
    let mut prng = Prng::new(7);
    let start = Instant::now();
    (0..KEYS).for_each(|index| assert!(set(&mut space, index, &[b'x'; 64])));
    println!("insert (growing from empty): {:.0} ns", start.elapsed().as_nanos() as f64 / KEYS as f64);
    let order: Vec<u64> = (0..KEYS).map(|_| prng.below(KEYS)).collect();
    let mut sum = 0;
    timed("key hash and slot", KEYS, || {
        sum += order.iter().map(|&index| Key::new(&name(index)).hash as usize & 1).sum::<usize>();
    });
    timed("get, hit", KEYS, || sum += order.iter().map(|&index| get(&mut space, index)).sum::<usize>());
    let mut batched = |what: &str, entries: bool| {
        timed(what, KEYS, || {
            for batch in order.chunks(16) {
                let names: Vec<[u8; 16]> = batch.iter().map(|&index| name(index)).collect();
                let keys: Vec<Key<'_>> = names.iter().map(|name| Key::new(name)).collect();
                keys.iter().for_each(|key| space.dict(0).prefetch(key));
                if entries {
                    keys.iter().for_each(|key| space.dict(0).prefetch_entry(key));
                }
                for key in &keys {
                    let entry = space.db(0, Access::at(NOW)).read(key);
                    sum +=
                        entry.and_then(|entry| entry.string()).map_or(0, |text| text.to_bytes()[63] as usize);
                }
            }
        });
    };
    batched("get, hit, 16 prefetched (tags)", false);
    batched("get, hit, 16 prefetched (tags, entries)", true);
    timed("get, miss", KEYS, || {
        sum += order.iter().map(|&index| get(&mut space, index + KEYS)).sum::<usize>()
    });
    timed("set, same size", KEYS, || {
        order.iter().for_each(|&index| assert!(!set(&mut space, index, &[b'y'; 64])))
    });
    timed("set, other size", KEYS, || {
        order
            .iter()
            .for_each(|&index| assert!(!set(&mut space, index, &[b'y'; 64][..(index % 64) as usize])));
    });
    timed("random key", 100_000, || {
        (0..100_000).for_each(|_| sum += space.db(0, Access::at(NOW)).random_key().map_or(0, |k| k.len()))
    });
    timed("scan all, per key", KEYS, || {
        let mut cursor = 0;
        while shoal::keyspace::cursor_slot(cursor) < 16384 {
            cursor = space.db(0, Access::at(NOW)).scan(cursor, 16384, 10, |entry| sum += entry.key().len());
        }
    });
    let start = Instant::now();
    for index in 0..KEYS {
        assert!(space.db(0, Access::at(NOW)).remove(&Key::new(&name(index))));
    }
    println!("remove: {:.0} ns", start.elapsed().as_nanos() as f64 / KEYS as f64);
    assert_eq!(space.bytes(), 0);
    std::hint::black_box(sum);
}

/// The longest single steps with a large hash: growing, freeing.
fn longest_steps() {
    let mut hash = Hash::new();
    let limits = HashLimits::default();
    let before = rss_bytes();
    let mut worst = 0;
    for index in 0..1_000_000u64 {
        let start = cpu_ns();
        hash.set(&name(index), b"value-16-bytes-x", &limits);
        let took = cpu_ns() - start;
        worst = worst.max(took);
    }
    println!("hash of 1 M fields: {:.0} B/field RSS", (rss_bytes() - before) as f64 / 1e6);
    let (mut steps, mut free_worst) = (0, 0);
    loop {
        let start = cpu_ns();
        let done = hash.free_step();
        free_worst = free_worst.max(cpu_ns() - start);
        steps += 1;
        if done {
            break;
        }
    }
    println!("slowest HSET {} us; slowest free step {} us of {steps}", worst / 1000, free_worst / 1000);
}

fn main() {
    // As redis does by default (disable-thp yes): a huge page fault costs up to 5 ms. THP=1 shows it.
    if std::env::var_os("THP").is_none() {
        // SAFETY: plain numbers; affects this process only.
        unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    }
    let argument = std::env::args().nth(1).and_then(|text| text.parse::<u64>().ok());
    match argument {
        Some(0) => return longest_steps(),
        Some(keys) => return memory(keys),
        None => {}
    }
    let Ok(own) = std::env::current_exe() else { return };
    for keys in [600_000, 1_050_000, 1_500_000, 0] {
        let _ = std::process::Command::new(&own).arg(keys.to_string()).status();
    }
    times();
}
