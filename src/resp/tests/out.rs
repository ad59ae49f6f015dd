//! The writer: bytes of every reply type in both protocols, marks, attachments.
use crate::base::prng::Prng;
use crate::resp::{ATTACH_LEN, Mark, Out};
use bytes::Bytes;

fn both(write: impl Fn(&mut Out)) -> (String, String) {
    let [resp2, resp3] = [2, 3].map(|proto| {
        let mut out = Out::new();
        out.set_proto(proto);
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    });
    (resp2, resp3)
}

fn check(write: impl Fn(&mut Out), resp2: &str, resp3: &str) {
    assert_eq!(both(write), (resp2.to_owned(), resp3.to_owned()));
}

#[test]
fn every_type_in_both_protocols() {
    check(Out::ok, "+OK\r\n", "+OK\r\n");
    check(|out| out.simple("QUEUED"), "+QUEUED\r\n", "+QUEUED\r\n");
    check(|out| out.error_text("ERR a\r\nb\r\n"), "-ERR a  b\r\n", "-ERR a  b\r\n");
    check(|out| out.integer(-12), ":-12\r\n", ":-12\r\n");
    check(|out| out.integer(7), ":7\r\n", ":7\r\n");
    check(|out| out.integer(i64::MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n");
    check(|out| out.bulk(b""), "$0\r\n\r\n", "$0\r\n\r\n");
    check(|out| out.bulk(b"0123456789"), "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n");
    check(|out| out.bulk_i64(1234), "$4\r\n1234\r\n", "$4\r\n1234\r\n");
    check(Out::null, "$-1\r\n", "_\r\n");
    check(Out::null_array, "*-1\r\n", "_\r\n");
    check(|out| out.double(0.1), "$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n");
    check(|out| out.double(3.0), "$1\r\n3\r\n", ",3\r\n");
    check(|out| out.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    check(|out| out.boolean(true), ":1\r\n", "#t\r\n");
    check(|out| out.boolean(false), ":0\r\n", "#f\r\n");
    check(|out| out.big_number("123"), "$3\r\n123\r\n", "(123\r\n");
    check(|out| out.verbatim("txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    check(|out| out.array(1000), "*1000\r\n", "*1000\r\n");
    check(|out| out.map(6), "*12\r\n", "%6\r\n");
    check(|out| out.set(99), "*99\r\n", "~99\r\n");
    check(|out| out.push(3), "*3\r\n", ">3\r\n");
    let mut out = Out::new();
    out.set_proto(3);
    out.attribute(1);
    assert_eq!(out.to_vec(), b"|1\r\n");
}

#[test]
fn headers_of_all_lengths() {
    for len in (0..1200).chain([9_999, 10_000, 99_999, 100_000]) {
        let value = vec![b'x'; len];
        let mut out = Out::new();
        out.bulk(&value);
        let expected = [format!("${len}\r\n").as_bytes(), &value, b"\r\n"].concat();
        assert_eq!(out.to_vec(), expected);
    }
}

/// Random writing, marking, rewinding and inserting, against a plain byte vector.
#[test]
fn behaves_like_a_vector() {
    let mut prng = Prng::new(60);
    let big = Bytes::from(vec![b'B'; ATTACH_LEN]);
    for _ in 0..3000 {
        let mut out = Out::new();
        let mut model: Vec<u8> = Vec::new();
        let mut marks: Vec<(Mark, usize)> = Vec::new();
        for _ in 0..prng.below(25) {
            match prng.below(7) {
                0 => {
                    out.blob(big.clone());
                    model.extend([format!("${}\r\n", big.len()).as_bytes(), &big, b"\r\n"].concat());
                }
                1 => {
                    out.raw(big.clone());
                    model.extend_from_slice(&big);
                }
                2 => {
                    out.blob(Bytes::from_static(b"small"));
                    model.extend_from_slice(b"$5\r\nsmall\r\n");
                }
                3 => {
                    out.integer(123);
                    model.extend_from_slice(b":123\r\n");
                }
                4 => marks.push((out.mark(), model.len())),
                5 => {
                    if let Some((mark, len)) = marks.pop() {
                        out.rewind(mark);
                        model.truncate(len);
                        assert!(out.is_at(mark));
                    }
                }
                _ => {
                    if let Some((mark, len)) = marks.pop() {
                        let count = prng.below(20_000) as usize;
                        out.insert_array(mark, count);
                        model.splice(len..len, format!("*{count}\r\n").bytes());
                    }
                }
            }
            assert_eq!(out.len(), model.len());
        }
        assert!(out.segments().all(|segment| !segment.is_empty()));
        assert!(out.to_vec() == model);
        let mut joined = Out::new();
        joined.ok();
        joined.append(&out);
        assert!(joined.to_vec() == [b"+OK\r\n", &model[..]].concat());
        assert!(out.take().into_bytes() == model && out.is_empty());
    }
}

#[test]
fn attached_values_are_not_copied_and_memory_is_given_back() {
    let value = Bytes::from(vec![1u8; 1 << 20]);
    let mut out = Out::new();
    out.set_proto(3);
    out.array(1);
    out.blob(value.clone());
    assert_eq!(out.segment(1).map(<[u8]>::as_ptr), Some(value.as_ptr()));
    assert_eq!(out.segments().count(), 3);
    assert!(out.heap_len() > value.len());
    out.clear();
    assert!(out.is_empty() && out.segment(0).is_none() && out.proto() == 3);
    out.release();
    assert_eq!(out.heap_len(), 0);
    out.give_buffer(Vec::with_capacity(100));
    out.ok();
    assert_eq!(out.to_vec(), b"+OK\r\n");
    out.drop_unsent();
    assert!(out.take_buffer().capacity() >= 100);
    out.bulk(&vec![0; 1 << 20]);
    out.clear();
    assert_eq!(out.heap_len(), 0);
}
