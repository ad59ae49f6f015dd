//! Passwords: kept as SHA-256 in lower-case hexadecimal, as ACL LIST shows them.
//!
//! Used by `user`. Invariant: a comparison takes the same time wherever two hashes differ, and all of a user's are compared. Bounds: 64 bytes each.

use sha2::{Digest, Sha256};

/// A password's hash in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordHash([u8; 64]);

impl PasswordHash {
    /// The hash of a password.
    pub fn of(password: &[u8]) -> PasswordHash {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(Sha256::digest(password)) {
            pair[0] = DIGITS[(byte >> 4) as usize];
            pair[1] = DIGITS[(byte & 15) as usize];
        }
        PasswordHash(hex)
    }

    /// A hash as it was written; `None` unless it is 64 lower-case hexadecimal digits.
    pub fn parse(hex: &[u8]) -> Option<PasswordHash> {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        <[u8; 64]>::try_from(hex).ok().filter(|hex| hex.iter().all(is_digit)).map(PasswordHash)
    }

    /// Its digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are equal, in constant time.
    pub fn is_same(&self, other: &PasswordHash) -> bool {
        let differs = self.0.iter().zip(&other.0).fold(0, |differs, (one, other)| differs | (one ^ other));
        std::hint::black_box(differs) == 0
    }
}
