//! Values with a syntax of their own: save points, output limits, notification classes, addresses, percentiles.
//!
//! Called by `value` and `rewrite`; calls `base::number`. Pure functions between words and plain types, with Redis'
//! error texts. Bounds: linear in the words; at most [`MAX_ADDRESSES`] addresses.

use super::value::parse_memory;
use crate::base::number;

/// Most addresses of one `bind`.
pub const MAX_ADDRESSES: usize = 16;

/// One `save` point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last snapshot.
    pub seconds: i64,
    /// Changes since then.
    pub changes: i32,
}

/// The output limit of one class of clients; 0 is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes at which the client is closed at once.
    pub hard_bytes: usize,
    /// Bytes that may be exceeded for a while.
    pub soft_bytes: usize,
    /// That while, in seconds.
    pub soft_seconds: u32,
}

/// The class names of CONFIG GET, in the order of the limits.
const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// Letters of notify-keyspace-events with their bits, in the order in which Redis shows them.
const EVENT_LETTERS: [(u8, u32); 14] = [
    (b'g', 1 << 2),
    (b'$', 1 << 3),
    (b'l', 1 << 4),
    (b's', 1 << 5),
    (b'h', 1 << 6),
    (b'z', 1 << 7),
    (b'x', 1 << 8),
    (b'e', 1 << 9),
    (b't', 1 << 10),
    (b'd', 1 << 13),
    (b'n', 1 << 14),
    (b'K', 1),
    (b'E', 1 << 1),
    (b'm', 1 << 11),
];

/// What `A` stands for: all classes but `m` and `n`.
const ALL_EVENTS: u32 = 0b111_1111_1100 | 1 << 13;

/// strtoll with nothing left over: leading white space and a sign are allowed, an empty word is 0.
fn parse_loose(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    if text.is_empty() {
        return Some(0);
    }
    text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']).parse().ok()
}

fn is_blank(words: &[Vec<u8>]) -> bool {
    words.is_empty() || matches!(words, [only] if only.is_empty())
}

/// `save`: pairs of seconds and changes; nothing or "" is none.
pub fn parse_save_points(words: &[Vec<u8>]) -> Result<Vec<SavePoint>, String> {
    let error = || String::from("Invalid save parameters");
    if is_blank(words) {
        return Ok(Vec::new());
    }
    if !words.len().is_multiple_of(2) {
        return Err(error());
    }
    let pair = |pair: &[Vec<u8>]| {
        let seconds = parse_loose(&pair[0]).filter(|seconds| *seconds >= 1)?;
        let changes = parse_loose(&pair[1]).filter(|changes| *changes >= 0)?;
        Some(SavePoint { seconds, changes: changes as i32 })
    };
    words.chunks_exact(2).map(|words| pair(words).ok_or_else(error)).collect()
}

/// `seconds changes seconds changes ...`.
pub fn show_save_points(points: &[SavePoint]) -> String {
    let shown: Vec<String> =
        points.iter().map(|point| format!("{} {}", point.seconds, point.changes)).collect();
    shown.join(" ")
}

/// `client-output-buffer-limit`: the classes named replace those of `before`.
pub fn parse_output_limits(words: &[Vec<u8>], before: [OutputLimit; 3]) -> Result<[OutputLimit; 3], String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = before;
    for four in words.chunks_exact(4) {
        let class = match four[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let seconds = parse_loose(&four[3]).filter(|seconds| *seconds >= 0);
        let (Some(hard), Some(soft), Some(seconds)) =
            (parse_memory(&four[1]), parse_memory(&four[2]), seconds)
        else {
            return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".into());
        };
        limits[class] = OutputLimit {
            hard_bytes: hard as usize,
            soft_bytes: soft as usize,
            soft_seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        };
    }
    Ok(limits)
}

/// All three classes in bytes.
pub fn show_output_limits(limits: &[OutputLimit; 3]) -> String {
    let one = |(class, limit): (&&str, &OutputLimit)| {
        format!("{class} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
    };
    CLASSES.iter().zip(limits).map(one).collect::<Vec<_>>().join(" ")
}

/// `oom-score-adj-values`.
pub fn parse_oom_values(words: &[Vec<u8>]) -> Result<[i32; 3], String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let mut values = [0; 3];
    for (value, word) in values.iter_mut().zip(words) {
        match parse_loose(word) {
            Some(number) if (-2000..=2000).contains(&number) => *value = number as i32,
            _ => return Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into()),
        }
    }
    Ok(values)
}

/// `notify-keyspace-events`: letters to bits.
pub fn parse_notify_events(letters: &[u8]) -> Result<u32, String> {
    let mut bits = 0;
    for letter in letters {
        bits |= match EVENT_LETTERS.iter().find(|(known, _)| known == letter) {
            Some((_, bit)) => *bit,
            None if *letter == b'A' => ALL_EVENTS,
            None => return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into()),
        };
    }
    Ok(bits)
}

/// Bits to letters: `A` if all its classes are on (then `n` is not shown), else one letter each.
pub fn show_notify_events(bits: u32) -> String {
    let all = bits & ALL_EVENTS == ALL_EVENTS;
    let mut shown = String::from(if all { "A" } else { "" });
    for (letter, bit) in EVENT_LETTERS {
        let class = !matches!(letter, b'K' | b'E' | b'm');
        if bits & bit != 0 && !(all && class) {
            shown.push(letter as char);
        }
    }
    shown
}

/// `bind`: nothing or "" is none.
pub fn parse_addresses(words: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
    if words.len() > MAX_ADDRESSES {
        return Err("Too many bind addresses specified.".into());
    }
    Ok(if is_blank(words) { Vec::new() } else { words.to_vec() })
}

/// `replicaof`: `host port`, or `no one`.
pub fn parse_primary_address(words: &[Vec<u8>]) -> Result<Option<(Vec<u8>, u16)>, String> {
    let [host, port] = words else { return Err("wrong number of arguments".into()) };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(None);
    }
    let port = parse_loose(port).and_then(|port| u16::try_from(port).ok());
    match port {
        Some(port) => Ok(Some((host.clone(), port))),
        None => Err("Invalid master port".into()),
    }
}

/// `host port`, or nothing.
pub fn show_primary_address(address: Option<&(Vec<u8>, u16)>) -> Vec<u8> {
    let Some((host, port)) = address else { return Vec::new() };
    let mut shown = host.clone();
    shown.extend_from_slice(format!(" {port}").as_bytes());
    shown
}

/// `latency-tracking-info-percentiles`: nothing or "" is none.
pub fn parse_percentiles(words: &[Vec<u8>]) -> Result<Vec<f64>, String> {
    if is_blank(words) {
        return Ok(Vec::new());
    }
    let one = |word: &Vec<u8>| match number::parse_f64(word) {
        None => Err("Invalid latency-tracking-info-percentiles parameters".into()),
        Some(value) if (0.0..=100.0).contains(&value) => Ok(value),
        Some(_) => Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into()),
    };
    words.iter().map(one).collect()
}

/// Six decimals, trailing zeros left out.
pub fn show_percentiles(values: &[f64]) -> String {
    let one = |value: &f64| {
        let text = format!("{value:.6}");
        String::from(text.trim_end_matches('0').trim_end_matches('.'))
    };
    values.iter().map(one).collect::<Vec<_>>().join(" ")
}
