//! Where a command of an append-only file ends: `*n`, then n times `$len`, the bytes and `\r\n`.
//!
//! Called by `scan` for every command; calls nobody. Source: what redis' loader takes. Invariant: a found command is complete. Bounds: none of its own. Why not `resp::Reader`: it copies or attaches
//! arguments, has a client's limits and takes inline commands, which a file must not hold.

/// A command's extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Bytes.
    pub len: usize,
    /// Place of its name.
    name: (usize, usize),
    /// Words.
    words: u64,
}

/// The bytes are no command.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault;

impl Command {
    /// The command `bytes` begin with; `None` if it is not complete.
    ///
    /// # Errors
    /// If it can become none.
    pub fn find(bytes: &[u8]) -> Result<Option<Command>, Fault> {
        let Some((words, mut at)) = number(bytes, 0, b'*')? else { return Ok(None) };
        if words == 0 {
            return Err(Fault);
        }
        let mut name = (0, 0);
        for word in 0..words {
            let Some((len, body)) = number(bytes, at, b'$')? else { return Ok(None) };
            let end = usize::try_from(len).ok().and_then(|len| body.checked_add(len)).ok_or(Fault)?;
            match bytes.get(end..) {
                None | Some([] | [b'\r']) => return Ok(None),
                Some([b'\r', b'\n', ..]) => {}
                Some(_) => return Err(Fault),
            }
            if word == 0 {
                name = (body, end);
            }
            at = end + 2;
        }
        Ok(Some(Command { len: at, name, words }))
    }

    /// Whether it is `name` alone; `bytes` are those it was found in.
    pub fn is(&self, bytes: &[u8], name: &[u8]) -> bool {
        self.words == 1 && bytes[self.name.0..self.name.1].eq_ignore_ascii_case(name)
    }
}

/// The number behind `mark` at `at`, and where the next line begins; `None` if the line is not complete.
fn number(bytes: &[u8], at: usize, mark: u8) -> Result<Option<(u64, usize)>, Fault> {
    let Some(&first) = bytes.get(at) else { return Ok(None) };
    if first != mark {
        return Err(Fault);
    }
    let mut value: u64 = 0;
    for (index, &byte) in bytes[at + 1..].iter().enumerate() {
        match byte {
            b'0'..=b'9' if index < 18 => value = value * 10 + u64::from(byte - b'0'),
            b'\r' if index > 0 => {
                return match bytes.get(at + index + 2) {
                    None => Ok(None),
                    Some(b'\n') => Ok(Some((value, at + index + 3))),
                    Some(_) => Err(Fault),
                };
            }
            b'\n' if index > 0 => return Ok(Some((value, at + index + 2))),
            _ => return Err(Fault),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_complete_incomplete_or_wrong() {
        let whole = b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";
        for cut in 0..whole.len() {
            assert_eq!(Command::find(&whole[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(Command::find(whole).map(|found| found.map(|found| found.len)), Ok(Some(whole.len())));
        for wrong in [
            &b"PING\r\n"[..],
            b"*0\r\n",
            b"*x\r\n",
            b"*-1\r\n",
            b"*1\r\n:3\r\n",
            b"*1\r\n$3\r\nabcd\r\n",
            b"*1\r\n$1234567890123456789\r\n",
        ] {
            assert_eq!(Command::find(wrong), Err(Fault), "{}", String::from_utf8_lossy(wrong));
        }
        let multi = b"*1\r\n$5\r\nmulti\r\n";
        assert!(Command::find(multi).is_ok_and(|found| found.is_some_and(|found| found.is(multi, b"MULTI"))));
    }
}
