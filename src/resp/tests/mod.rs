//! Tests of the room: every cut, every limit, and a live redis-server as the judge.
mod out;
mod reader;
mod reader_peer;
mod reply;

use super::{Parsed, ProtocolError, Reader};

/// proto-max-bulk-len by default.
const MAX_BULK: usize = 512 << 20;

/// Words of a command.
type Words = Vec<Vec<u8>>;

/// Feeds `chunks` one by one; returns the commands found and the error that ended them.
fn read_all<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Words>, Option<ProtocolError>, Reader) {
    let mut reader = Reader::default();
    let mut commands = Vec::new();
    for chunk in chunks {
        let mut input = reader.open(chunk, MAX_BULK);
        let error = loop {
            match input.next(true) {
                Parsed::Command => {
                    commands.push(input.args().iter().map(<[u8]>::to_vec).collect());
                    input.advance();
                }
                Parsed::Incomplete => break None,
                Parsed::Error(error) => break Some(error),
            }
        };
        input.close();
        if error.is_some() {
            return (commands, error, reader);
        }
    }
    (commands, None, reader)
}

/// A command in multibulk form.
fn encode(words: &[Vec<u8>]) -> Vec<u8> {
    let mut out = super::Out::new();
    out.array(words.len());
    words.iter().for_each(|word| out.bulk(word));
    out.to_vec()
}
