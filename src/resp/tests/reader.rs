//! The reader against its own specification.
use super::{MAX_BULK, Words, encode, read_all};
use crate::base::prng::Prng;
use crate::resp::{Args, BIG_BULK, INLINE_MAX, OwnedCommand, Parsed, ProtocolError, Reader};

fn words(text: &str) -> Words {
    text.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

fn random_word(prng: &mut Prng) -> Vec<u8> {
    let len = match prng.below(20) {
        0 => BIG_BULK as u64 - 2 + prng.below(4),
        1 => prng.below(100_000),
        2 => 0,
        _ => prng.below(20),
    };
    let mut word = vec![0; len as usize];
    prng.fill(&mut word);
    word
}

#[test]
fn commands_cut_at_every_byte() {
    let commands = [
        words("SET key value"),
        words("PING"),
        words("GET 12345678901234567890"),
        vec![vec![], vec![13, 10]],
    ];
    let mut stream: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
    stream.extend_from_slice(b"*0\r\n*-1\r\n\r\n  \r\nset \"a b\" 'c'\r\nPING\n");
    let mut expected = commands.to_vec();
    expected.extend([vec![b"set".to_vec(), b"a b".to_vec(), b"c".to_vec()], words("PING")]);
    for first in 0..stream.len() {
        for second in (first..stream.len()).step_by(7) {
            let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
            let (found, error, reader) = read_all(chunks);
            assert_eq!((found, error), (expected.clone(), None), "cut at {first} and {second}");
            assert!(reader.is_empty());
            assert_eq!(reader.heap_len(), 0);
        }
    }
    let (found, ..) = read_all(stream.chunks(1));
    assert_eq!(found, expected);
}

#[test]
fn random_streams_in_random_chunks() {
    let mut prng = Prng::new(40);
    for _ in 0..60 {
        let commands: Vec<Words> = (0..prng.below(30) + 1)
            .map(|_| (0..prng.below(6) + 1).map(|_| random_word(&mut prng)).collect())
            .collect();
        let stream: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        let largest = [2, 100, 5000, 300_000][prng.below(4) as usize];
        let mut chunks = Vec::new();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at((1 + prng.below(largest)).min(rest.len() as u64) as usize);
            chunks.push(chunk);
            rest = behind;
        }
        let (found, error, reader) = read_all(chunks);
        assert!(found == commands && error.is_none() && reader.is_empty());
    }
}

/// A session that stops anywhere (to hop to another core) and goes on with what the reader kept.
#[test]
fn commands_not_executed_come_again() {
    let mut prng = Prng::new(41);
    for _ in 0..100 {
        let commands: Vec<Words> =
            (0..30).map(|_| (0..prng.below(4) + 1).map(|_| random_word(&mut prng)).collect()).collect();
        let stream: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
        let (mut reader, mut found) = (Reader::default(), Vec::new());
        let mut rest = &stream[..];
        loop {
            let len = if prng.chance(0.4) { 0 } else { prng.below(20_000) as usize };
            let (chunk, behind) = rest.split_at(len.min(rest.len()));
            rest = behind;
            let mut input = reader.open(chunk, MAX_BULK);
            while input.next(true) == Parsed::Command {
                let command: Words = input.args().iter().map(<[u8]>::to_vec).collect();
                assert_eq!(command, commands[found.len()]);
                if prng.chance(0.3) {
                    break;
                }
                found.push(command);
                input.advance();
            }
            input.close();
            if rest.is_empty() && reader.is_empty() {
                break;
            }
        }
        assert_eq!(found, commands);
    }
}

#[test]
fn big_words_are_received_in_place_and_shared() {
    let value = vec![b'v'; 3 * BIG_BULK];
    let stream = encode(&[b"SET".to_vec(), b"k".to_vec(), value.clone(), b"KEEPTTL".to_vec()]);
    let head = stream.len() - value.len() - 15;
    let mut reader = Reader::default();
    let mut input = reader.open(&stream[..head + 5], MAX_BULK);
    assert_eq!(input.next(true), Parsed::Incomplete);
    assert!(input.args().is_empty());
    input.close();
    let room = reader.big_room().unwrap();
    assert_eq!(room.len(), value.len() - 5);
    room.iter_mut().for_each(|byte| {
        byte.write(b'v');
    });
    // SAFETY: all of the room was written.
    unsafe { reader.big_filled(value.len() - 5) };
    assert!(reader.big_room().is_none());
    let mut input = reader.open(&stream[head + value.len()..], MAX_BULK);
    assert_eq!(input.next(true), Parsed::Command);
    let args = input.args();
    assert_eq!(args.iter().collect::<Vec<_>>(), [&b"SET"[..], b"k", &value[..], b"KEEPTTL"]);
    let (first, second) = (args.bytes(2), args.bytes(2));
    assert_eq!(first.as_ptr(), second.as_ptr());
    assert_eq!(args.shared(2).map(|bytes| bytes.as_ptr()), Some(first.as_ptr()));
    assert!(args.shared(1).is_none());
    let owned = OwnedCommand::from_args(&args);
    assert_eq!(owned.args().bytes(2).as_ptr(), first.as_ptr());
    assert!(owned.heap_len() >= value.len());
    input.advance();
    input.close();
    assert!(reader.is_empty());
    drop(reader);
    assert!(owned.args().iter().eq([&b"SET"[..], b"k", &value[..], b"KEEPTTL"]));
}

#[test]
fn args_and_owned_commands() {
    let owned = OwnedCommand::from_words(&["a", "", "ccc"]);
    let args = owned.args();
    assert_eq!((args.len(), args.total_len(), args.is_empty()), (3, 4, false));
    assert_eq!(args.get(2), b"ccc");
    assert_eq!(args.get_checked(3), None);
    assert_eq!(args.skip(1).iter().rev().collect::<Vec<_>>(), [&b"ccc"[..], b""]);
    assert!(args.skip(9).is_empty() && Args::EMPTY.is_empty());
    assert_eq!(args.bytes(0), "a");
    let again = OwnedCommand::from_args(&args.skip(1));
    assert!(again.args().iter().eq([&b""[..], b"ccc"]));
}

#[test]
fn limits_before_authentication() {
    let check = |stream: &[u8], authenticated| {
        let mut reader = Reader::default();
        reader.open(stream, 1 << 20).next(authenticated)
    };
    let error = |error| Parsed::Error(error);
    assert_eq!(check(b"*11\r\n", false), error(ProtocolError::UnauthenticatedMultibulk));
    assert_eq!(check(b"*11\r\n", true), Parsed::Incomplete);
    assert_eq!(check(b"*10\r\n", false), Parsed::Incomplete);
    assert_eq!(check(b"*1\r\n$16385\r\n", false), error(ProtocolError::UnauthenticatedBulk));
    assert_eq!(check(b"*1\r\n$16384\r\n", false), Parsed::Incomplete);
    assert_eq!(check(b"*1\r\n$1048577\r\n", true), error(ProtocolError::InvalidBulkLength));
    assert_eq!(check(b"*1\r\n$1048576\r\n", true), Parsed::Incomplete);
}

#[test]
fn lines_that_never_end() {
    let long = |start: &[u8]| [start, &vec![b'1'; INLINE_MAX]].concat();
    let last = |stream: &[u8], chunk: usize| read_all(stream.chunks(chunk)).1;
    for chunk in [100, 4096, 1 << 20] {
        assert_eq!(last(&long(b"1"), chunk), Some(ProtocolError::TooBigInline));
        assert_eq!(last(&long(b"*"), chunk), Some(ProtocolError::TooBigCountString));
        assert_eq!(last(&long(b"*1\r\n$"), chunk), Some(ProtocolError::TooBigBulkCountString));
        assert_eq!(last(&long(b"")[1..], chunk), None);
        assert_eq!(last(&[b"a\0b\n".to_vec(), long(b"")].concat(), chunk), Some(ProtocolError::TooBigInline));
    }
}

/// A million one-byte chunks must not cost a million times the length.
#[test]
fn time_is_linear_in_the_bytes() {
    let start = std::time::Instant::now();
    let stream = encode(&[b"SET".to_vec(), b"k".to_vec(), vec![b'x'; 30_000]]);
    for _ in 0..30 {
        let (found, ..) = read_all(stream.chunks(1));
        assert_eq!(found.len(), 1);
    }
    let many: Words = (0..100_000).map(|index: u32| index.to_string().into_bytes()).collect();
    let (found, ..) = read_all(encode(&many).chunks(1));
    assert_eq!(found, [many]);
    let line = [b"ECHO ".to_vec(), vec![b'y'; 60_000], b"\n".to_vec()].concat();
    let (found, ..) = read_all(line.chunks(1));
    assert_eq!(found[0][1].len(), 60_000);
    assert!(start.elapsed().as_secs() < 10);
}
