//! Files made by [`super::write`] and byte by byte, read in blocks of every size.
#![allow(clippy::unwrap_used, reason = "a test may panic")]
use super::write::{begin, end, entry_head, function, resize_db, select_db};
use super::*;
use crate::base::crc64::crc64;
use crate::rdb::{VERSION, kind};

/// An item that outlives its reader, as text.
fn told(item: &Item<'_>) -> String {
    match item {
        Item::Entry { db, expire_wall_ms, recency, record } => {
            let Record { kind, key, value } = open_record(record).unwrap();
            let (key, value) = (key.escape_ascii(), value.escape_ascii());
            format!("{db} {kind} {key} {value} {expire_wall_ms:?} {recency:?}")
        }
        Item::Aux { key, value } => format!("aux {} {}", key.escape_ascii(), value.escape_ascii()),
        Item::Function(code) => format!("function {}", code.escape_ascii()),
        other => format!("{other:?}"),
    }
}

/// The items of a file fed in blocks of `block` bytes, and how it ended.
fn read(file: &[u8], block: usize) -> (Vec<String>, Result<Vec<u8>, FileError>) {
    let (mut reader, mut items) = (Reader::new(), Vec::new());
    for bytes in file.chunks(block) {
        reader.feed(bytes);
        loop {
            match reader.next() {
                Ok(Some(item)) => items.push(told(&item)),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(reader.next().unwrap_err(), error, "an error stays");
                    return (items, Err(error));
                }
            }
        }
    }
    let end = if reader.is_at_end() { Ok(reader.rest().to_vec()) } else { Err(reader.cut_short()) };
    (items, end)
}

/// As [`read`], the same at every block size.
fn read_all_ways(file: &[u8]) -> (Vec<String>, Result<Vec<u8>, FileError>) {
    let whole = read(file, file.len().max(1));
    for block in [1, 2, 3, 7, 16, 61, 4096] {
        assert_eq!(read(file, block), whole, "in blocks of {block}");
    }
    whole
}

fn with_sum(mut file: Vec<u8>) -> Vec<u8> {
    let sum = crc64(0, &file);
    file.extend_from_slice(&sum.to_le_bytes());
    file
}

fn sample() -> Vec<u8> {
    let mut file = Vec::new();
    begin(&mut file, VERSION, &[("redis-ver", "7.0.15"), ("redis-bits", "64")]);
    function(&mut file, b"#!lua name=x\nredis.register_function('f', function() end)");
    select_db(&mut file, 0);
    resize_db(&mut file, 300, 2);
    entry_head(&mut file, kind::STRING, b"k", Some(1_700_000_000_000), Some(Recency::IdleS(70)));
    file.extend_from_slice(b"\x01v");
    select_db(&mut file, 9);
    entry_head(&mut file, kind::LIST, b"-17", None, Some(Recency::Freq(200)));
    file.extend_from_slice(b"\x02\xc1\x00\x01\x01b");
    entry_head(&mut file, kind::STRING, &[b'x'; 70], None, None);
    file.extend_from_slice(b"\xc3\x04\x0a\x00a\xe0\x00"); // never expanded here
    end(&mut file);
    file
}

#[test]
fn what_is_written_is_read() {
    let mut file = with_sum(sample());
    file.extend_from_slice(b"*1\r\n");
    let (items, end) = read_all_ways(&file);
    let long = "x".repeat(70);
    assert_eq!(
        items,
        [
            "aux redis-ver 7.0.15",
            "aux redis-bits 64",
            "function #!lua name=x\\nredis.register_function(\\'f\\', function() end)",
            "Select(0)",
            "Resize { keys: 300, expires: 2 }",
            "0 0 k \\x01v Some(1700000000000) Some(IdleS(70))",
            "Select(9)",
            "9 1 -17 \\x02\\xc1\\x00\\x01\\x01b None Some(Freq(200))",
            &format!("9 0 {long} \\xc3\\x04\\na\\xe0\\x00 None None").replace("\\na", "\\n\\x00a"),
            "End"
        ]
    );
    assert_eq!(end.unwrap(), b"*1\r\n");
}

#[test]
fn a_checksum_is_judged_where_there_is_one() {
    let right = with_sum(sample());
    let mut wrong = right.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let error = read_all_ways(&wrong).1.unwrap_err();
    let sum = crc64(0, &sample());
    let given = sum ^ 1 << 56;
    assert_eq!(
        error.text,
        format!("Wrong RDB checksum expected: ({sum:x}) but got ({given:x}). Aborting now.")
    );
    let zero = [sample(), vec![0; 8]].concat();
    assert_eq!(read_all_ways(&zero).1, Ok(vec![]));
    let mut reader = Reader::new().without_checksum();
    reader.feed(&wrong);
    while reader.next().unwrap().is_some() {}
    assert!(reader.is_at_end() && reader.has_checksum());
    // Version 4 ends with its end.
    assert_eq!(read_all_ways(b"REDIS0004\0\x01a\x01b\xff").1, Ok(vec![]));
}

#[test]
fn every_cut_is_a_short_read() {
    let file = with_sum(sample());
    for cut in 0..file.len() {
        let error = read(&file[..cut], 16).1.unwrap_err();
        assert_eq!(error.text, "Short read or OOM loading DB. Unrecoverable error, aborting now.");
        assert_eq!(error.offset, cut as u64);
    }
}

fn error_of(items: &[u8]) -> String {
    read_all_ways(&[b"REDIS0011", items].concat()).1.unwrap_err().text
}

#[test]
fn refusals_in_redis_words() {
    let refused = |file: &[u8]| read_all_ways(file).1.unwrap_err().text;
    assert_eq!(refused(b"REDOS0011\xff"), "Wrong signature trying to load DB from file");
    assert_eq!(refused(b"REDIS0013\xff"), "Can't handle RDB format version 13");
    assert_eq!(refused(b"REDIS0000\xff"), "Can't handle RDB format version 0");
    assert_eq!(refused(b"REDIS00x1\xff"), "Can't handle RDB format version 0");
    let at = "Internal error in RDB reading offset";
    assert_eq!(error_of(b"\xfe\x02\x63\x01a"), format!("{at} 11 -> Unknown RDB encoding type 99"));
    assert_eq!(error_of(b"\xf6\x01a"), format!("{at} 9 -> Pre-release function format not supported."));
    assert_eq!(error_of(b"\0\x01a\xc7"), format!("{at} 9 -> Unknown RDB string encoding type"));
    assert_eq!(error_of(b"\0\x01a\x85"), format!("{at} 9 -> Unknown length encoding in rdbLoadLen()"));
    assert_eq!(error_of(b"\xfe\xc0"), format!("{at} 9 -> a string where a length belongs"));
    let short = "Short read or OOM loading DB. Unrecoverable error, aborting now.";
    assert_eq!(error_of(b"\0\x01a\x81\xff\xff\xff\xff\xff\xff\xff\xff"), short);
    // A module's type: a key, then an ID whose upper 54 bits are nine characters of six.
    let id = [&[0x81][..], &module_id(b"mymodtype").to_be_bytes()].concat();
    let text = "The RDB file contains module data I can't load: no matching module type 'mymodtype'";
    assert_eq!(error_of(&[&b"\x07\x01k"[..], &id].concat()), format!("{at} 9 -> {text}"));
}

fn module_id(name: &[u8; 9]) -> u64 {
    let characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |byte: &u8| characters.iter().position(|other| other == byte).unwrap() as u64;
    name.iter().fold(0, |id, byte| id << 6 | digit(byte)) << 10 | 1
}

#[test]
fn opcodes_that_we_do_not_write() {
    let id = module_id(b"mymodtype").to_be_bytes();
    // F7 id, when opcode 2, when 1 | 2 uint | 1 sint | 3 float | 4 double | 5 string | 0 end
    let module =
        [&b"\xf7\x81"[..], &id, b"\x02\x01\x02\x05\x01\x07\x03ffff\x04dddddddd\x05\x02hi\x00"].concat();
    let items = [
        module,
        b"\xf4\x05\x01\x00".to_vec(),
        b"\xfd\x10\0\0\0\xf8\x09\0\x01k\x01v".to_vec(),
        b"\xfc\xff\xff\xff\xff\xff\xff\xff\xff\0\x01l\x01v".to_vec(),
        b"\xfa\xc0\x05\x03val\xff".to_vec(),
    ]
    .concat();
    let (items, end) = read_all_ways(&[b"REDIS0011", items.as_slice(), &[0; 8]].concat());
    assert_eq!(
        items,
        [
            "ModuleAux { name: \"mymodtype\" }",
            "0 0 k \\x01v Some(16000) Some(IdleS(9))",
            "0 0 l \\x01v None None",
            "aux 5 val",
            "End"
        ]
    );
    assert_eq!(end, Ok(vec![]));
}
