//! Streams of a data set: entries with equal and with differing fields, deleted and trimmed ones, ids set by hand; groups with consumers and
//! pending entries of every state.

use super::{Maker, text};

/// A stream, perhaps emptied, perhaps with groups.
pub fn stream(maker: &mut Maker, key: &[u8]) {
    let count = if maker.prng.chance(10) { 0 } else { maker.count() };
    let mut ids = Vec::new();
    let (mut ms, mut sequence) = (maker.prng.pick(&[1, 1000, 1_700_000_000_000]), 1);
    for _ in 0..count {
        if maker.prng.chance(60) {
            ms += 1 + maker.prng.below(5000);
            sequence = maker.prng.below(3);
        } else {
            sequence += 1 + maker.prng.below(3);
        }
        let id = format!("{ms}-{sequence}").into_bytes();
        let mut args = vec![id.clone()];
        if maker.prng.chance(70) {
            args.extend([b"temperature".to_vec(), maker.integer(), b"place".to_vec(), maker.element()]);
        } else {
            for _ in 0..1 + maker.prng.below(4) {
                args.extend([maker.element(), maker.element()]);
            }
        }
        maker.on("XADD", key, args);
        ids.push(id);
    }
    let groups = if count == 0 { 1 + maker.prng.below(2) } else { maker.prng.below(4) };
    for number in 0..groups {
        group(maker, key, &format!("group{number}"), &ids);
    }
    if count > 3 {
        remove(maker, key, &ids);
    }
    if maker.prng.chance(15) {
        let id = format!("{}-7", ms + 1000).into_bytes();
        let options =
            [b"ENTRIESADDED".to_vec(), text(count as u64 + 10), b"MAXDELETEDID".to_vec(), b"0-5".to_vec()];
        maker.on("XSETID", key, [vec![id], options.to_vec()].concat());
    }
}

fn remove(maker: &mut Maker, key: &[u8], ids: &[Vec<u8>]) {
    match maker.prng.below(5) {
        0 => {
            let doomed = ids.iter().filter(|_| maker.prng.chance(20)).cloned().collect::<Vec<_>>();
            if !doomed.is_empty() {
                maker.on("XDEL", key, doomed);
            }
        }
        1 => maker.on("XDEL", key, ids.to_vec()),
        2 => maker.on("XTRIM", key, vec![b"MAXLEN".to_vec(), text(ids.len() as u64 / 2)]),
        _ => {}
    }
}

fn group(maker: &mut Maker, key: &[u8], name: &str, ids: &[Vec<u8>]) {
    let name = name.as_bytes().to_vec();
    let sub = |word: &str| word.as_bytes().to_vec();
    let start = if ids.is_empty() || maker.prng.chance(60) { b"0".to_vec() } else { maker.prng.pick(ids) };
    let mut create = vec![sub("XGROUP"), sub("CREATE"), key.to_vec(), name.clone(), start, sub("MKSTREAM")];
    if maker.prng.chance(30) {
        create.extend([sub("ENTRIESREAD"), text(maker.prng.below(5))]);
    }
    maker.push(create);
    for number in 0..maker.prng.below(4) {
        let consumer = format!("consumer{number}").into_bytes();
        maker.push(vec![sub("XGROUP"), sub("CREATECONSUMER"), key.to_vec(), name.clone(), consumer.clone()]);
        if ids.is_empty() || maker.prng.chance(30) {
            continue;
        }
        let mut read = vec![sub("XREADGROUP"), sub("GROUP"), name.clone(), consumer.clone()];
        read.extend([sub("COUNT"), text(1 + maker.prng.below(20))]);
        if maker.prng.chance(10) {
            read.push(sub("NOACK"));
        }
        read.extend([sub("STREAMS"), key.to_vec(), sub(">")]);
        maker.push(read);
        if maker.prng.chance(50) {
            let acknowledged = maker.prng.pick(ids);
            maker.push(vec![sub("XACK"), key.to_vec(), name.clone(), acknowledged]);
        }
        if maker.prng.chance(60) {
            let mut claim =
                vec![sub("XCLAIM"), key.to_vec(), name.clone(), consumer, text(0), maker.prng.pick(ids)];
            let at_ms = maker.now_ms - maker.prng.below(1_000_000);
            claim.extend([sub("TIME"), text(at_ms), sub("RETRYCOUNT"), text(maker.prng.below(300))]);
            claim.extend([sub("FORCE"), sub("JUSTID")]);
            maker.push(claim);
        }
    }
}
