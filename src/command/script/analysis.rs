//! Which keys a script can touch: only those it declares, or any.
//!
//! `registry` asks once per script. Invariant: [`Reach::Declared`] is said only of a script whose every `redis.call` names keys by `KEYS`.

/// What a script can touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only the keys it declares.
    Declared,
    /// Any key.
    Anything,
}

/// Judges a script by its text.
pub fn reach_of(body: &[u8]) -> Reach {
    if memchr::memmem::find(body, b"redis").is_none() && memchr::memmem::find(body, b"_G").is_none() {
        Reach::Declared
    } else {
        Reach::Anything
    }
}
