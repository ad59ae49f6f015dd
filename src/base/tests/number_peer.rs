//! Long doubles, integers and scores, compared with redis to the byte.
use super::peer::Peer;
use crate::base::number::{format_double, format_long_double, parse_f64, parse_i64, parse_long_double};
use crate::base::prng::Prng;

fn words(parts: &[&[u8]]) -> Vec<Vec<u8>> {
    parts.iter().map(|part| part.to_vec()).collect()
}

/// A number as people and programs write it, sometimes malformed.
fn random_number(prng: &mut Prng) -> Vec<u8> {
    let sign = if prng.chance(0.3) { "-" } else { "" };
    let whole = prng.next_u64() >> prng.below(64);
    let fraction = prng.next_u64() >> prng.below(64);
    let exponent = prng.below(60) as i64 - 30;
    match prng.below(12) {
        0 => format!("{sign}{whole}"),
        1..=3 => {
            format!("{sign}{}.{:0width$}", whole % 100_000, fraction % 1000, width = prng.below(8) as usize)
        }
        4 => format!("{sign}{whole}.{fraction}"),
        5 => format!("{sign}{}e{exponent}", whole % 1000),
        6 => format!("{sign}{whole}.{fraction}e{exponent}"),
        7 => format!("{sign}0.{:0width$}", fraction, width = prng.below(30) as usize),
        8 => format!("{sign}0x{whole:x}.{fraction:x}p{exponent}"),
        9 => format!("{sign}{whole}{fraction}{whole}.{fraction}{whole}e{}", exponent * 150),
        10 => format!("{sign}{:?}", f64::from_bits(prng.next_u64())),
        _ => {
            let alphabet = b"0123456789.eE+-x inf";
            let len = prng.below(7);
            return (0..len).map(|_| alphabet[prng.below(20) as usize]).collect();
        }
    }
    .into_bytes()
}

/// The reply INCRBYFLOAT should give.
fn incr_by_float(value: &[u8], increment: &[u8]) -> Vec<u8> {
    let not_float = b"-ERR value is not a valid float".to_vec();
    let (Some(value), Some(increment)) = (parse_long_double(value), parse_long_double(increment)) else {
        return not_float;
    };
    let sum = value.add(increment);
    if !sum.is_finite() {
        return b"-ERR increment would produce NaN or Infinity".to_vec();
    }
    format_long_double(sum).into_bytes()
}

#[test]
fn long_doubles_equal_redis() {
    let mut peer = Peer::start("long-double");
    let mut prng = Prng::new(20);
    for _ in 0..60 {
        let pairs: Vec<_> = (0..1000).map(|_| (random_number(&mut prng), random_number(&mut prng))).collect();
        let commands: Vec<_> = pairs
            .iter()
            .flat_map(|(value, increment)| {
                [words(&[b"SET", b"k", value]), words(&[b"INCRBYFLOAT", b"k", increment])]
            })
            .collect();
        let replies = peer.run(&commands);
        for ((value, increment), reply) in pairs.iter().zip(replies.chunks(2)) {
            let ours = incr_by_float(value, increment);
            let show = String::from_utf8_lossy;
            assert_eq!(show(&ours), show(&reply[1]), "{} + {}", show(value), show(increment));
        }
    }
}

#[test]
fn sums_that_go_on_equal_redis() {
    let mut peer = Peer::start("long-double-chain");
    let mut prng = Prng::new(21);
    let mut value = b"0".to_vec();
    let increments: Vec<_> = (0..20_000)
        .map(|_| format!("{:.*}", prng.below(9) as usize, prng.unit_f64() * 100.0 - 50.0).into_bytes())
        .collect();
    let commands: Vec<_> = increments.iter().map(|step| words(&[b"INCRBYFLOAT", b"k", step])).collect();
    for (step, reply) in increments.iter().zip(peer.run(&commands)) {
        value = incr_by_float(&value, step);
        assert_eq!(value, reply);
    }
}

#[test]
fn scores_equal_redis() {
    let mut peer = Peer::start("scores");
    let mut prng = Prng::new(22);
    let texts: Vec<_> = (0..20_000).map(|_| random_number(&mut prng)).collect();
    let commands: Vec<_> = texts
        .iter()
        .flat_map(|text| {
            [words(&[b"ZADD", b"z", text, b"m"]), words(&[b"ZSCORE", b"z", b"m"]), words(&[b"DEL", b"z"])]
        })
        .collect();
    for (text, reply) in texts.iter().zip(peer.run(&commands).chunks(3)) {
        // A small sorted set keeps integral scores as integers, which have no -0.
        let ours = parse_f64(text).map(|score| format_double(score + 0.0));
        let theirs = String::from_utf8_lossy(&reply[1]);
        assert_eq!(ours.as_deref().unwrap_or("$-1"), theirs, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn integers_equal_redis() {
    let mut peer = Peer::start("integers");
    let mut prng = Prng::new(23);
    let texts: Vec<Vec<u8>> = (0..20_000)
        .map(|_| match prng.below(3) {
            0 => random_number(&mut prng),
            1 => ((prng.next_u64() as i64) >> prng.below(64)).to_string().into_bytes(),
            _ => (0..prng.below(22)).map(|_| b"0123456789-"[prng.below(11) as usize]).collect(),
        })
        .collect();
    let commands: Vec<_> = texts
        .iter()
        .flat_map(|text| [words(&[b"SET", b"k", text]), words(&[b"INCRBY", b"k", b"0"])])
        .collect();
    for (text, reply) in texts.iter().zip(peer.run(&commands).chunks(2)) {
        let ours = match parse_i64(text) {
            Some(value) => format!(":{value}"),
            None => "-ERR value is not an integer or out of range".into(),
        };
        assert_eq!(ours.as_bytes(), reply[1], "{}", String::from_utf8_lossy(text));
    }
}
