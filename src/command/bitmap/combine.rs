//! BITOP.
//!
//! Called through its row. Sources may lie on several shards, so they are folded one by one into the result. Invariant: the result is as long as the
//! longest source, shorter ones count as followed by zeros; an empty result deletes the destination. Bounds: one pass over each source, the loops
//! vectorise; the result is stored as it is, not copied, from [`SHARE_LEN`] bytes.

use bytes::Bytes;

use crate::base::number::DigitBuffer;
use crate::command::reply_error::ReplyError;
use crate::command::string::{store_value, text_of};
use crate::command::{Cx, notify};
use crate::keyspace::{Expire, StrIn};

/// Results of at least this many bytes are handed over instead of copied; the first SETBIT then pays the copy.
const SHARE_LEN: usize = 16 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
}

impl Operation {
    fn parse(word: &[u8]) -> Option<Operation> {
        let names: [(&[u8], Operation); 4] = [
            (b"and", Operation::And),
            (b"or", Operation::Or),
            (b"xor", Operation::Xor),
            (b"not", Operation::Not),
        ];
        names.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, operation)| operation)
    }

    /// Combines a further source into the result.
    fn fold(self, result: &mut Vec<u8>, source: &[u8]) {
        let shared = result.len().min(source.len());
        if self == Operation::And {
            result[shared..].fill(0);
            result.resize(result.len().max(source.len()), 0);
        } else {
            result.extend_from_slice(&source[shared..]);
        }
        let pairs = result.iter_mut().zip(&source[..shared]);
        match self {
            Operation::And => pairs.for_each(|(byte, other)| *byte &= other),
            Operation::Or => pairs.for_each(|(byte, other)| *byte |= other),
            Operation::Xor => pairs.for_each(|(byte, other)| *byte ^= other),
            Operation::Not => {}
        }
    }
}

/// `BITOP AND|OR|XOR|NOT destkey key [key …]`
pub fn bitop(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let operation = Operation::parse(cx.arg(1)).ok_or(ReplyError::Syntax)?;
    if operation == Operation::Not && cx.argc() != 4 {
        return Err(ReplyError::Text("ERR BITOP NOT must be called with a single source key."));
    }
    let mut result = Vec::new();
    for index in 3..cx.argc() {
        let key = cx.key(index);
        let mut digits = DigitBuffer::new();
        let source = match cx.lookup_read(&key) {
            Some(entry) => text_of(entry.string().ok_or(ReplyError::WrongType)?, &mut digits),
            None => {
                cx.notify_miss(key.bytes);
                b""
            }
        };
        match operation {
            Operation::Not => result.extend(source.iter().map(|byte| !byte)),
            _ if index == 3 => result.extend_from_slice(source),
            _ => operation.fold(&mut result, source),
        }
    }
    let len = result.len();
    save(cx, result);
    cx.out.integer(len as i64);
    Ok(())
}

fn save(cx: &mut Cx<'_>, result: Vec<u8>) {
    let key = cx.key(2);
    if result.is_empty() {
        if cx.dbm(&key).remove(&key) {
            cx.propagate();
            cx.notify(notify::GENERIC, "del", key.bytes);
        }
        return;
    }
    if result.len() < SHARE_LEN {
        store_value(cx, &key, StrIn::Raw(&result), Expire::Clear);
    } else {
        store_value(cx, &key, StrIn::Shared(Bytes::from(result)), Expire::Clear);
    }
    cx.propagate();
    cx.notify(notify::STRING, "set", key.bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_sources_count_as_zeros() {
        let fold = |operation: Operation, sources: [&[u8]; 3]| {
            let mut result = sources[0].to_vec();
            sources[1..].iter().for_each(|source| operation.fold(&mut result, source));
            result
        };
        assert_eq!(fold(Operation::And, [&[0xff, 0x0f], &[0x3f], &[0xf1, 1, 1]]), [0x31, 0, 0]);
        assert_eq!(fold(Operation::Or, [&[1], &[2, 4], &[]]), [3, 4]);
        assert_eq!(fold(Operation::Xor, [&[1, 1], &[3], &[0, 1, 9]]), [2, 0, 9]);
    }
}
