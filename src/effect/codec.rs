//! The stock wire form of an effect: a RESP array of bulk strings, as a Redis master sends it to replicas.
//!
//! Called by `staging`; calls nobody. Source: the RESP specification; `SELECT` framing as in redis' replication.c.
//! Bounds: none of its own. Why not `resp::Out`: that one writes replies, shares big values with sockets and
//! knows protocol versions; the stream has one form only.

/// Appends `*n $len word …`.
pub fn append_command<'a>(into: &mut Vec<u8>, count: usize, words: impl Iterator<Item = &'a [u8]>) {
    append_header(into, b'*', count);
    for word in words {
        append_header(into, b'$', word.len());
        into.extend_from_slice(word);
        into.extend_from_slice(b"\r\n");
    }
}

/// Appends `SELECT db`.
pub fn append_select(into: &mut Vec<u8>, db: usize) {
    let mut digits = [0; 20];
    let text = decimal(db, &mut digits);
    append_command(into, 2, [&b"SELECT"[..], text].into_iter());
}

pub(super) fn append_header(into: &mut Vec<u8>, mark: u8, number: usize) {
    let mut digits = [0; 20];
    into.push(mark);
    into.extend_from_slice(decimal(number, &mut digits));
    into.extend_from_slice(b"\r\n");
}

fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_bulk_strings() {
        let mut bytes = Vec::new();
        append_command(&mut bytes, 3, [&b"SET"[..], b"k", b""].into_iter());
        append_select(&mut bytes, 10);
        assert_eq!(bytes, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n*2\r\n$6\r\nSELECT\r\n$2\r\n10\r\n");
    }
}
