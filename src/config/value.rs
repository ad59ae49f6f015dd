//! The value of a directive: from words, to the text of CONFIG GET, to the lines of CONFIG REWRITE.
//!
//! Called by `store`, `settings` and `rewrite`; calls `compound` for the kinds with their own syntax. Invariant: a
//! [`Value`] always satisfies the row it belongs to (range, choice, check). Errors are Redis' texts, without prefix.
//! Bounds: linear in the words. Why numbers are `i128`: one type holds the signed and the unsigned 64-bit ranges.

use super::compound::{self, OutputLimit, SavePoint};
use super::schema::{Directive, Kind, Unit};
use crate::base::number;

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// yes or no.
    Bool(bool),
    /// A number; percents are negative.
    Number(i128),
    /// The bits of a choice.
    Choice(u8),
    /// Text; `None` is "not set".
    Text(Option<Vec<u8>>),
    /// Points of `save`.
    SavePoints(Vec<SavePoint>),
    /// Limits of normal, replica and pubsub clients.
    OutputLimits([OutputLimit; 3]),
    /// oom_score_adj of primary, replica and child.
    OomValues([i32; 3]),
    /// Bits of notify-keyspace-events, as in Redis.
    NotifyEvents(u32),
    /// Addresses to listen on.
    Addresses(Vec<Vec<u8>>),
    /// The primary's host and port.
    PrimaryAddress(Option<(Vec<u8>, u16)>),
    /// Percentiles.
    Percentiles(Vec<f64>),
}

/// Parses a size: digits and one of `b k kb m mb g gb`; `k m g` are powers of 1000, `kb mb gb` of 1024.
///
/// `None` if malformed. No digits mean 0 and too large a number means the largest, as in Redis.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let factor: u64 = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let mut number = 0u64;
    for digit in &text[..digits] {
        number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    }
    Some(number.wrapping_mul(factor))
}

/// A size as Redis writes it into a file: the largest of gb, mb, kb that divides it.
pub fn format_memory(bytes: i128) -> String {
    for (unit, size) in [("gb", 1i128 << 30), ("mb", 1 << 20), ("kb", 1 << 10)] {
        if bytes != 0 && bytes % size == 0 {
            return format!("{}{unit}", bytes / size);
        }
    }
    bytes.to_string()
}

fn parse_number(unit: Unit, text: &[u8]) -> Result<i128, &'static str> {
    match unit {
        Unit::Plain => {
            let number = number::parse_i64(text).map(i128::from);
            number.ok_or("argument couldn't be parsed into an integer")
        }
        Unit::Memory => parse_memory(text).map(i128::from).ok_or("argument must be a memory value"),
        Unit::MemoryOrPercent => {
            let percent = || {
                let number = number::parse_i64(text.strip_suffix(b"%")?)?;
                (number >= 0).then_some(-i128::from(number))
            };
            let number = parse_memory(text).map(i128::from).or_else(percent);
            number.ok_or("argument must be a memory or percent value")
        }
        Unit::Octal => {
            let text = std::str::from_utf8(text).unwrap_or("x");
            let number = if text.is_empty() { Ok(0) } else { i64::from_str_radix(text, 8) };
            number.map(i128::from).map_err(|_| "argument couldn't be parsed as an octal number")
        }
    }
}

fn check_range(unit: Unit, number: i128, min: i128, max: i128) -> Result<(), String> {
    if (min..=max).contains(&number) {
        return Ok(());
    }
    Err(match unit {
        Unit::MemoryOrPercent if number < 0 => {
            format!("percentage argument must be less or equal to {}", -min)
        }
        Unit::Octal => format!("argument must be between {min:o} and {max:o} inclusive"),
        _ => format!("argument must be between {min} and {max} inclusive"),
    })
}

/// Values that Redis accepts and silently corrects.
fn correct(name: &str, number: i128) -> i128 {
    match name {
        "hz" => number.clamp(1, 500),
        "repl-backlog-size" => number.max(16 * 1024),
        _ => number,
    }
}

/// Words of 7.2 that the error texts of 7.0 do not list.
const NEWER_WORDS: [&str; 1] = ["nothing"];

fn parse_choice(words: &[(&'static str, u8)], given: &[Vec<u8>]) -> Result<u8, String> {
    let mut bits = 0;
    let mut known = !given.is_empty();
    for word in given {
        match words.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word)) {
            Some((_, value)) => bits |= value,
            None => known = false,
        }
    }
    if known {
        return Ok(bits);
    }
    let listed = words.iter().map(|(name, _)| *name).filter(|name| !NEWER_WORDS.contains(name));
    let names: Vec<&str> = listed.collect();
    Err(format!("argument(s) must be one of the following: {}", names.join(", ")))
}

impl Value {
    /// The default of a directive.
    ///
    /// Errors: the table holds a default that its own kind refuses (a test looks at every row).
    pub fn default_of(directive: &Directive) -> Result<Value, String> {
        let words: Vec<Vec<u8>> = match directive.kind {
            Kind::Text { .. } | Kind::Directory | Kind::NotifyEvents => vec![directive.default.into()],
            _ => directive.default.split(' ').map(Into::into).collect(),
        };
        Value::parse(directive, &words, None)
    }

    /// Makes a value of `words`; `before` is the present value, which `client-output-buffer-limit` completes.
    ///
    /// Errors: Redis' text.
    pub fn parse(directive: &Directive, words: &[Vec<u8>], before: Option<&Value>) -> Result<Value, String> {
        let first = words.first().map_or(&[][..], Vec::as_slice);
        Ok(match directive.kind {
            Kind::Bool if first.eq_ignore_ascii_case(b"yes") => Value::Bool(true),
            Kind::Bool if first.eq_ignore_ascii_case(b"no") => Value::Bool(false),
            Kind::Bool => return Err("argument must be 'yes' or 'no'".into()),
            Kind::Number { unit, min, max } => {
                let number = parse_number(unit, first)?;
                check_range(unit, number, min, max)?;
                Value::Number(correct(directive.name, number))
            }
            Kind::Choice { words: known, several } => {
                let bits = parse_choice(known, words)?;
                if several && bits & 3 == 3 {
                    return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
                }
                Value::Choice(bits)
            }
            Kind::Text { unset_when_empty, check } => {
                if let Some(check) = check {
                    check(first)?;
                }
                Value::Text((!(unset_when_empty && first.is_empty())).then(|| first.to_vec()))
            }
            Kind::Directory => Value::Text(Some(first.to_vec())),
            Kind::SavePoints => Value::SavePoints(compound::parse_save_points(words)?),
            Kind::OutputLimits => {
                let before = match before {
                    Some(Value::OutputLimits(limits)) => *limits,
                    _ => [OutputLimit::default(); 3],
                };
                Value::OutputLimits(compound::parse_output_limits(words, before)?)
            }
            Kind::OomValues => Value::OomValues(compound::parse_oom_values(words)?),
            Kind::NotifyEvents => Value::NotifyEvents(compound::parse_notify_events(first)?),
            Kind::Addresses => Value::Addresses(compound::parse_addresses(words)?),
            Kind::PrimaryAddress => Value::PrimaryAddress(compound::parse_primary_address(words)?),
            Kind::Percentiles => Value::Percentiles(compound::parse_percentiles(words)?),
        })
    }

    /// The text of CONFIG GET.
    pub fn show(&self, directive: &Directive) -> Vec<u8> {
        match self {
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
            Value::Number(number) => show_number(directive, *number, false).into_bytes(),
            Value::Choice(bits) => show_choice(directive, *bits).into_bytes(),
            Value::Text(_) if matches!(directive.kind, Kind::Directory) => working_directory(),
            Value::Text(text) => text.clone().unwrap_or_default(),
            Value::SavePoints(points) => compound::show_save_points(points).into_bytes(),
            Value::OutputLimits(limits) => compound::show_output_limits(limits).into_bytes(),
            Value::OomValues([a, b, c]) => format!("{a} {b} {c}").into_bytes(),
            Value::NotifyEvents(bits) => compound::show_notify_events(*bits).into_bytes(),
            Value::Addresses(addresses) => addresses.join(&b' '),
            Value::PrimaryAddress(address) => compound::show_primary_address(address.as_ref()),
            Value::Percentiles(values) => compound::show_percentiles(values).into_bytes(),
        }
    }
}

/// The process' working directory, empty if it is gone.
pub fn working_directory() -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    std::env::current_dir().map_or_else(|_| Vec::new(), |path| path.into_os_string().into_vec())
}

/// A number as CONFIG GET shows it or, `for_file`, as CONFIG REWRITE writes it.
pub fn show_number(directive: &Directive, number: i128, for_file: bool) -> String {
    let Kind::Number { unit, .. } = directive.kind else { return number.to_string() };
    match unit {
        Unit::MemoryOrPercent if number < 0 => format!("{}%", -number),
        Unit::Memory | Unit::MemoryOrPercent if for_file => format_memory(number),
        Unit::Octal => format!("{number:o}"),
        _ => number.to_string(),
    }
}

/// The words of a choice.
pub fn show_choice(directive: &Directive, bits: u8) -> String {
    let Kind::Choice { words, several } = directive.kind else { return String::new() };
    if let Some((name, _)) = words.iter().find(|(_, value)| *value == bits) {
        return (*name).into();
    }
    let contained = words.iter().filter(|(_, value)| several && *value != 0 && bits & value == *value);
    contained.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let cases: [(&str, Option<u64>); 9] = [
            ("1kB", Some(1024)),
            ("1k", Some(1000)),
            ("2mb", Some(2 << 20)),
            ("3g", Some(3_000_000_000)),
            ("", Some(0)),
            ("gb", Some(0)),
            ("99999999999999999999", Some(u64::MAX)),
            ("1.5gb", None),
            ("-1", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_memory(text.as_bytes()), bytes, "{text}");
        }
        assert_eq!(format_memory(1 << 30), "1gb");
        assert_eq!(format_memory(1000), "1000");
        assert_eq!(format_memory(0), "0");
    }
}
