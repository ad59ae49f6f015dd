//! The reply decoder.
use crate::resp::{Out, Reply, ReplyReader};

fn sample() -> (Vec<u8>, Vec<Reply>) {
    let mut out = Out::new();
    out.set_proto(3);
    out.ok();
    out.error_text("ERR no");
    out.map(1);
    out.bulk(b"k");
    out.array(2);
    out.integer(5);
    out.null();
    out.set(1);
    out.double(1.5);
    out.push(1);
    out.boolean(true);
    out.attribute(1);
    out.simple("ttl");
    out.integer(3);
    out.big_number("12345678901234567890");
    out.verbatim("txt", b"a\r\nb");
    out.array(0);
    out.raw_slice(b"$-1\r\n*-1\r\n!5\r\nERR x\r\n");
    let simple = |text: &str| Reply::Simple(text.as_bytes().to_vec());
    let expected = vec![
        simple("OK"),
        Reply::Error(b"ERR no".to_vec()),
        Reply::Map(vec![(Reply::Bulk(b"k".to_vec()), Reply::Array(vec![Reply::Integer(5), Reply::Null]))]),
        Reply::Set(vec![Reply::Double(b"1.5".to_vec())]),
        Reply::Push(vec![Reply::Boolean(true)]),
        Reply::Attribute(
            vec![(simple("ttl"), Reply::Integer(3))],
            Box::new(Reply::BigNumber(b"12345678901234567890".to_vec())),
        ),
        Reply::Verbatim(b"txt".to_vec(), b"a\r\nb".to_vec()),
        Reply::Array(vec![]),
        Reply::Null,
        Reply::Null,
        Reply::Error(b"ERR x".to_vec()),
    ];
    (out.to_vec(), expected)
}

#[test]
fn decodes_every_type_cut_anywhere() {
    let (stream, expected) = sample();
    for size in 1..stream.len() + 1 {
        let (mut reader, mut found) = (ReplyReader::new(), Vec::new());
        for chunk in stream.chunks(size) {
            reader.feed(chunk);
            while let Some(reply) = reader.next_reply().unwrap() {
                found.push(reply);
            }
        }
        assert_eq!(found, expected);
        assert!(reader.pending().is_empty());
    }
}

#[test]
fn values_are_reached() {
    let (_, replies) = sample();
    assert_eq!(replies[0].as_bytes(), Some(&b"OK"[..]));
    assert!(replies[1].is_error());
    assert_eq!(replies[3].as_items().and_then(|items| items[0].as_double()), Some(1.5));
    assert_eq!(Reply::Integer(4).as_integer(), Some(4));
    assert_eq!(Reply::Null.as_bytes(), None);
}

#[test]
fn nonsense_is_an_error() {
    for stream in ["x\r\n", "$a\r\n", "*1\n", "*-2\r\n", "\r\n", "$99999999999999\r\n"] {
        let mut reader = ReplyReader::new();
        reader.feed(stream.as_bytes());
        assert!(reader.next_reply().is_err(), "{stream:?}");
    }
    let mut reader = ReplyReader::new();
    reader.feed("*1\r\n".repeat(1000).as_bytes());
    assert!(reader.next_raw().is_err());
}
