//! Where a command's keys are, and what happens to them.
//!
//! `session::route` asks [`keys_of`] for the movable ones (the plain ranges it walks itself), ACL and COMMAND GETKEYS ask
//! [`keys_with_flags`]. Source: the row's key specs; where these are incomplete or their flags depend on options, the extraction
//! `row::Movable` names. Invariant: every index returned is below the number of words. Bounds: as many keys as words.
//! The order of attempts is redis': it decides what a malformed command's keys are.
//!
//! Why the specs are interpreted and not compiled into one function per command: they are published (COMMAND INFO), so both
//! always agree.
use smallvec::SmallVec;

use crate::base::number::parse_i64;
use crate::command::row::{Begin, Find, KeyFlags, KeySpec, Movable, Row, key_flag};
use crate::resp::Args;

/// One key of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAt {
    /// Index of the word.
    pub index: u32,
    /// What happens to it; empty where redis does not tell.
    pub flags: KeyFlags,
}

/// Keys with flags, in redis' order.
pub type KeyList = SmallVec<[KeyAt; 8]>;

/// The command's words are such that its keys cannot be told (or there are none where some are needed): it will fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKeys;

/// Indexes of the words that are keys.
pub fn keys_of(row: &Row, args: &Args<'_>) -> Result<SmallVec<[usize; 8]>, NoKeys> {
    Ok(keys_with_flags(row, args)?.iter().map(|key| key.index as usize).collect())
}

/// The keys and what the command does to them.
pub fn keys_with_flags(row: &Row, args: &Args<'_>) -> Result<KeyList, NoKeys> {
    let is_variable = row.keyspecs.iter().any(|spec| spec.flags.has(key_flag::VARIABLE_FLAGS));
    let mut keys = KeyList::new();
    if !is_variable && by_specs(row, args, &mut keys).is_ok() {
        return if keys.is_empty() { Err(NoKeys) } else { Ok(keys) };
    }
    keys.clear();
    match row.movable {
        Movable::No => {}
        Movable::Counted { store, count } => counted(args, store as usize, count as usize, &mut keys),
        Movable::Set => set(args, &mut keys),
        Movable::Bitfield => bitfield(args, &mut keys),
        Movable::Sort => sort(args, &mut keys),
        Movable::SortReadOnly => keys.push(key(1, key_flag::RO | key_flag::ACCESS)),
        Movable::Migrate => migrate(args, &mut keys),
        Movable::GeoRadius => georadius(args, &mut keys),
        Movable::XRead => xread(args, &mut keys),
    }
    keys.retain(|key| (key.index as usize) < args.len());
    if keys.is_empty() { Err(NoKeys) } else { Ok(keys) }
}

/// Indexes of the words that are routed and checked like keys but are none: sharded pub/sub channels.
pub fn channels_of(row: &Row, args: &Args<'_>) -> SmallVec<[usize; 8]> {
    let mut keys = KeyList::new();
    for spec in row.keyspecs.iter().filter(|spec| spec.flags.has(key_flag::NOT_KEY)) {
        if by_spec(spec, args, &mut keys).is_err() {
            return SmallVec::new();
        }
    }
    keys.iter().map(|key| key.index as usize).collect()
}

fn key(index: usize, flags: u16) -> KeyAt {
    KeyAt { index: index as u32, flags: KeyFlags(flags) }
}

/// All specs; one that does not apply spoils them all.
fn by_specs(row: &Row, args: &Args<'_>, keys: &mut KeyList) -> Result<(), NoKeys> {
    for spec in row.keyspecs.iter().filter(|spec| !spec.flags.has(key_flag::NOT_KEY)) {
        let before = keys.len();
        by_spec(spec, args, keys)?;
        if spec.flags.has(key_flag::INCOMPLETE) && keys.len() > before {
            return Err(NoKeys);
        }
    }
    Ok(())
}

fn by_spec(spec: &KeySpec, args: &Args<'_>, keys: &mut KeyList) -> Result<(), NoKeys> {
    let argc = args.len() as i64;
    let begin = match spec.begin {
        Begin::Index(at) => at as i64,
        Begin::Keyword { word, start } => match after_keyword(args, word.as_bytes(), start as i64) {
            Some(behind) => behind,
            None => return Ok(()),
        },
        Begin::Unknown => return Err(NoKeys),
    };
    let (first, last, step) = match spec.find {
        Find::Range { last, step, .. } if last >= 0 => (begin, begin + last as i64, step),
        Find::Range { last, step, limit: 0 } => (begin, argc + last as i64, step),
        Find::Range { last, step, limit } => {
            (begin, begin + (argc - begin) / limit as i64 + last as i64, step)
        }
        Find::Count { at, first, step } => {
            let at = usize::try_from(begin + at as i64).map_err(|_| NoKeys)?;
            let count = args.get_checked(at).and_then(parse_i64).filter(|&count| count >= 0).ok_or(NoKeys)?;
            let first = begin + first as i64;
            (first, first.saturating_add(count - 1), step)
        }
        Find::Unknown => return Err(NoKeys),
    };
    if last >= argc || last < first || first >= argc {
        return Err(NoKeys);
    }
    keys.extend((first..=last).step_by(step.max(1) as usize).map(|at| key(at as usize, spec.flags.0)));
    Ok(())
}

/// The index behind `word`, searched forwards from `start` or, if that is negative, from so far before the end backwards to
/// word 2 (word 1 is never looked at that way).
fn after_keyword(args: &Args<'_>, word: &[u8], start: i64) -> Option<i64> {
    let argc = args.len() as i64;
    let is_it = |&at: &i64| args.get(at as usize).eq_ignore_ascii_case(word);
    let found = if start > 0 {
        // The last word has nothing behind it, so it is not looked at.
        (start..argc - 1).find(is_it)
    } else {
        (2..=argc + start).rev().find(is_it)
    };
    found.map(|at| at + 1)
}

/// `count` keys behind argument `count_at`, and the destination if `store` is not 0.
fn counted(args: &Args<'_>, store: usize, count_at: usize, keys: &mut KeyList) {
    let Some(word) = args.get_checked(count_at) else { return };
    let first = count_at + 1;
    let count = leading_number(word);
    if count < 1 || count > args.len().saturating_sub(first) as i64 {
        return;
    }
    keys.extend((first..first + count as usize).map(|at| key(at, 0)));
    if store > 0 {
        keys.push(key(store, 0));
    }
}

/// The number a word begins with, as C's atoi reads it; 0 if it does not begin with one.
fn leading_number(word: &[u8]) -> i64 {
    let rest = word.trim_ascii_start();
    let (sign, digits) = match rest.first() {
        Some(b'-') => (-1, &rest[1..]),
        Some(b'+') => (1, &rest[1..]),
        _ => (1, rest),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0i64, |sum, byte| sum.saturating_mul(10).saturating_add((byte - b'0') as i64));
    // atoi answers with an int: the low half of strtol's long.
    (sign * number) as i32 as i64
}

fn set(args: &Args<'_>, keys: &mut KeyList) {
    let reads = args.iter().skip(3).any(|word| word.eq_ignore_ascii_case(b"get"));
    let flags = if reads {
        key_flag::RW | key_flag::ACCESS | key_flag::UPDATE
    } else {
        key_flag::OW | key_flag::UPDATE
    };
    keys.push(key(1, flags));
}

fn bitfield(args: &Args<'_>, keys: &mut KeyList) {
    let mut writes = false;
    let mut at = 2;
    while let Some(word) = args.get_checked(at) {
        let behind = args.len() - at - 1;
        if word.eq_ignore_ascii_case(b"get") && behind >= 2 {
            at += 3;
        } else if word.eq_ignore_ascii_case(b"overflow") && behind >= 1 {
            at += 2;
        } else {
            writes = true;
            break;
        }
    }
    let flags = if writes {
        key_flag::RW | key_flag::ACCESS | key_flag::UPDATE
    } else {
        key_flag::RO | key_flag::ACCESS
    };
    keys.push(key(1, flags));
}

fn sort(args: &Args<'_>, keys: &mut KeyList) {
    keys.push(key(1, key_flag::RO | key_flag::ACCESS));
    let mut destination = None;
    let mut at = 2;
    while let Some(word) = args.get_checked(at) {
        if word.eq_ignore_ascii_case(b"limit") {
            at += 2;
        } else if word.eq_ignore_ascii_case(b"get") || word.eq_ignore_ascii_case(b"by") {
            at += 1;
        } else if word.eq_ignore_ascii_case(b"store") && at + 1 < args.len() {
            destination = Some(at + 1);
        }
        at += 1;
    }
    keys.extend(destination.map(|at| key(at, key_flag::OW | key_flag::UPDATE)));
}

fn migrate(args: &Args<'_>, keys: &mut KeyList) {
    let flags = key_flag::RW | key_flag::ACCESS | key_flag::DELETE;
    let mut at = 6;
    while let Some(word) = args.get_checked(at) {
        if word.eq_ignore_ascii_case(b"keys") {
            if args.get(3).is_empty() {
                keys.extend((at + 1..args.len()).map(|at| key(at, flags)));
            }
            return;
        }
        at += match () {
            _ if word.eq_ignore_ascii_case(b"auth") => 2,
            _ if word.eq_ignore_ascii_case(b"auth2") => 3,
            _ => 1,
        };
    }
    keys.push(key(3, flags));
}

fn georadius(args: &Args<'_>, keys: &mut KeyList) {
    keys.push(key(1, 0));
    let mut destination = None;
    let mut at = 5;
    while let Some(word) = args.get_checked(at) {
        let is_store = word.eq_ignore_ascii_case(b"store") || word.eq_ignore_ascii_case(b"storedist");
        if is_store && at + 1 < args.len() {
            at += 1;
            destination = Some(at);
        }
        at += 1;
    }
    keys.extend(destination.map(|at| key(at, 0)));
}

fn xread(args: &Args<'_>, keys: &mut KeyList) {
    let mut at = 1;
    while let Some(word) = args.get_checked(at) {
        if word.eq_ignore_ascii_case(b"block") || word.eq_ignore_ascii_case(b"count") {
            at += 2;
        } else if word.eq_ignore_ascii_case(b"group") {
            at += 3;
        } else if word.eq_ignore_ascii_case(b"noack") {
            at += 1;
        } else {
            break;
        }
    }
    if !args.get_checked(at).is_some_and(|word| word.eq_ignore_ascii_case(b"streams")) {
        return;
    }
    let behind = args.len() - at - 1;
    if behind.is_multiple_of(2) {
        keys.extend((at + 1..at + 1 + behind / 2).map(|at| key(at, 0)));
    }
}
