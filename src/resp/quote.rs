//! Bytes as a quoted, printable text: the form of MONITOR, of CONFIG REWRITE and of redis-cli.
//!
//! Called by `session::account` and `config::rewrite`. Source: redis' sdscatrepr. Bounds: four bytes of output per byte of input, and the quotes.

/// Appends `"…"` with everything unprintable escaped.
pub fn append_quoted(into: &mut Vec<u8>, bytes: &[u8]) {
    into.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => into.extend_from_slice(&[b'\\', byte]),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            0x07 => into.extend_from_slice(b"\\a"),
            0x08 => into.extend_from_slice(b"\\b"),
            0x20..=0x7e => into.push(byte),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                into.extend_from_slice(&[b'\\', b'x', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
            }
        }
    }
    into.push(b'"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn escapes_as_redis_does() {
        let mut text = Vec::new();
        super::append_quoted(&mut text, b"a\"\\\n\x00\xff ");
        assert_eq!(text, br#""a\"\\\n\x00\xff ""#);
    }
}
