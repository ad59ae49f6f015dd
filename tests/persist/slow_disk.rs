//! A snapshot that the disk takes slowly while every value is overwritten: the file is still a cut, and the copies of what changed do not lie in memory.
//!
//! Called by main, with the crate feature `test-switches` only (`SHOAL_TEST_SLOW_DISK`, milliseconds for each piece that is written). One writer goes round
//! and round over all keys, each time with the next number: in a cut the keys before some place have one number, those behind it the number before. Bounds:
//! `SLOW_MIB` (48, 100 of large values) of data; large values are those that the snapshot shares instead of copying them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::client::{Client, encode};
use crate::support::directory::Directory;
use crate::support::prng::{Prng, env_number};
use crate::support::server::{Plan, Server};

/// Bytes overwritten at once.
const BATCH_BYTES: usize = 640_000;

/// Writes the next number to every key in order until told to stop; how often it wrote all.
fn go_round(
    client: &mut Client,
    (keys, length): (u64, usize),
    rounds: impl Fn(u64) -> bool,
    written: &AtomicU64,
) {
    let filler = Prng::new(9).bytes(length);
    let at_once = BATCH_BYTES / length;
    let mut round = 0;
    loop {
        for first in (0..keys).step_by(at_once) {
            if !rounds(round) {
                return;
            }
            let batch = first..keys.min(first + at_once as u64);
            let mut wire = Vec::new();
            for key in batch.clone() {
                let value = [format!("{:010}", round + 1).as_bytes(), &filler].concat();
                wire.extend(encode(&[b"SET".as_slice(), format!("key:{key}").as_bytes(), &value]));
            }
            client.send_raw(&wire).expect("sent");
            for _ in batch.clone() {
                assert_eq!(client.read().expect("a reply").value.text(), "OK");
            }
            written.fetch_add(batch.end - batch.start, Ordering::Relaxed);
        }
        round += 1;
    }
}

/// Its nameless file is there.
fn spills(server: &Server) -> bool {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).into_iter().flatten().flatten();
    let mut links = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.any(|link| {
        let name = link.to_string_lossy();
        name.contains(".spill") && name.ends_with("(deleted)")
    })
}

/// The numbers of all keys of a file, as redis-server reads them.
fn numbers(directory: &Directory, keys: u64) -> Vec<u64> {
    let copy = Directory::copy_of("slow-copy", directory.path());
    let redis = Plan::redis().data(copy.path()).start();
    let mut client = redis.connect();
    let number = |key| client.run(&format!("GETRANGE key:{key} 0 9")).text().parse().unwrap_or(0);
    (0..keys).map(number).collect()
}

fn run(threads: u32, length: usize, mib: u64, room_mib: u64) {
    let keys = (env_number("SLOW_MIB", mib) << 20) / length as u64;
    let directory = Directory::new("slow");
    let mut server = Plan::shoal(threads)
        .args(&["--rdbcompression", "no"])
        .env("SHOAL_TEST_SLOW_DISK", "12")
        .data(directory.path())
        .start();
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    go_round(&mut server.connect(), (keys, length), |round| round < 2, &written);
    let before_kib = server.resident_kib();
    let (mut most_kib, mut spilled, started) = (0, false, Instant::now());
    let during = std::thread::scope(|scope| {
        let (server, stop, written) = (&server, &stop, &written);
        let mut writer = server.connect();
        scope
            .spawn(move || go_round(&mut writer, (keys, length), |_| !stop.load(Ordering::Relaxed), written));
        let mut watcher = server.connect();
        let at = written.load(Ordering::Relaxed);
        let reply = watcher.run("BGSAVE").text();
        while reply == "Background saving started"
            && started.elapsed() < Duration::from_secs(60)
            && watcher.run("INFO persistence").text().contains("rdb_bgsave_in_progress:1")
        {
            most_kib = most_kib.max(server.resident_kib());
            spilled |= spills(server);
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        assert_eq!(reply, "Background saving started");
        written.load(Ordering::Relaxed) - at
    });
    server.assert_healthy();
    assert_eq!(server.info("rdb_bgsave_in_progress"), "0");
    assert_eq!(server.info("rdb_last_bgsave_status"), "ok");
    println!(
        "threads {threads}, values of {length}: {:?}, {} keys of {keys} overwritten meanwhile, resident {} MiB before, {} at most, spilled: {spilled}",
        started.elapsed(),
        during,
        before_kib >> 10,
        most_kib >> 10
    );
    let numbers = numbers(&directory, keys);
    let first = numbers[0];
    let place = numbers.iter().position(|number| *number != first).unwrap_or(numbers.len());
    let cut = numbers[place..].iter().all(|number| number + 1 == first || first == 1 && *number == 2);
    assert!(cut, "no cut: {numbers:?}");
    assert!(most_kib <= before_kib + (room_mib << 10), "{most_kib} KiB are resident, {before_kib} before");
    assert!(spilled, "nothing was spilled: the test tests nothing");
}

#[test]
fn a_slow_disk_costs_no_memory_and_the_file_is_a_cut_on_one_core() {
    run(1, 4000, 150, 112);
}

#[test]
fn a_slow_disk_costs_no_memory_and_the_file_is_a_cut_over_two_cores() {
    run(2, 4000, 150, 112);
}

#[test]
fn a_slow_disk_costs_no_memory_where_large_values_are_overwritten() {
    // Freed blocks are kept for a while by the allocator; 300 MB of values take no more.
    run(2, 40_000, 150, 112);
}
