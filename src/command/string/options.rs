//! The option words of SET and GETEX, and the expiry times of all string commands.
//!
//! Called by `set` and `get`. Invariant: a deadline is a wall time in ms, above 0. Options are judged while they are read, left to right, as redis
//! does: what contradicts an earlier word is a syntax error, a repeated word is not.

use crate::base::number::parse_i64;
use crate::command::Cx;
use crate::command::reply_error::{ReplyError, invalid_expire};

/// What the number of an expiry word means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// EX
    Seconds,
    /// PX
    Millis,
    /// EXAT
    UnixSeconds,
    /// PXAT
    UnixMillis,
}

impl Clock {
    fn of_word(word: &[u8]) -> Option<Clock> {
        match word.len() {
            2 if word.eq_ignore_ascii_case(b"ex") => Some(Clock::Seconds),
            2 if word.eq_ignore_ascii_case(b"px") => Some(Clock::Millis),
            4 if word.eq_ignore_ascii_case(b"exat") => Some(Clock::UnixSeconds),
            4 if word.eq_ignore_ascii_case(b"pxat") => Some(Clock::UnixMillis),
            _ => None,
        }
    }

    /// Whether the number is a point in time.
    pub(super) fn is_absolute(self) -> bool {
        matches!(self, Clock::UnixSeconds | Clock::UnixMillis)
    }
}

/// The options of a SET or GETEX.
#[derive(Clone, Copy, Default)]
pub(super) struct Options {
    /// NX: only if there is no key.
    pub nx: bool,
    /// XX: only if there is one.
    pub xx: bool,
    /// GET: reply the old value.
    pub get: bool,
    /// KEEPTTL
    pub keep_ttl: bool,
    /// PERSIST
    pub persist: bool,
    /// EX, PX, EXAT or PXAT, and the word with the number.
    pub expire: Option<(Clock, usize)>,
}

impl Options {
    /// Reads the words from `first` on; `is_set`: SET's options, else GETEX's.
    pub(super) fn parse(cx: &Cx<'_>, first: usize, is_set: bool) -> Result<Options, ReplyError> {
        let mut options = Options::default();
        let mut index = first;
        while index < cx.argc() {
            if !options.take_flag(cx.arg(index), is_set) {
                let clock = Clock::of_word(cx.arg(index)).ok_or(ReplyError::Syntax)?;
                let other = options.expire.is_some_and(|(before, _)| before != clock);
                if other || options.keep_ttl || options.persist || index + 1 >= cx.argc() {
                    return Err(ReplyError::Syntax);
                }
                options.expire = Some((clock, index + 1));
                index += 1;
            }
            index += 1;
        }
        Ok(options)
    }

    /// Takes a word that stands alone; false if it is none or contradicts an earlier one.
    fn take_flag(&mut self, word: &[u8], is_set: bool) -> bool {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        match word.len() {
            2 if is_set && !self.xx && is(b"nx") => self.nx = true,
            2 if is_set && !self.nx && is(b"xx") => self.xx = true,
            3 if is_set && is(b"get") => self.get = true,
            7 if is_set && self.expire.is_none() && is(b"keepttl") => self.keep_ttl = true,
            7 if !is_set && self.expire.is_none() && is(b"persist") => self.persist = true,
            _ => return false,
        }
        true
    }
}

/// The wall time in ms that word `index` means.
pub(super) fn deadline(cx: &mut Cx<'_>, clock: Clock, index: usize) -> Result<i64, ReplyError> {
    let given = parse_i64(cx.arg(index)).ok_or(ReplyError::NotInteger)?;
    let base = if clock.is_absolute() { 0 } else { cx.to_wall_ms(cx.now_ms) };
    let scale = if matches!(clock, Clock::Seconds | Clock::UnixSeconds) { 1000 } else { 1 };
    let wall_ms = given.checked_mul(scale).and_then(|ms| ms.checked_add(base));
    match wall_ms {
        Some(ms) if given > 0 => Ok(ms),
        _ => {
            let text = invalid_expire(cx.row);
            Err(cx.fail(text))
        }
    }
}
