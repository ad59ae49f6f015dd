//! The reader against a live redis-server: what is a protocol error, which one, and how inline words are split.
use super::read_all;
use crate::base::prng::Prng;
use crate::base::tests::peer::Peer;
use crate::resp::Out;

/// What redis would answer if it knew only PING; `None` if `stream` holds another command.
fn answer(stream: &[u8]) -> Option<Vec<u8>> {
    let (commands, error, _) = read_all([stream]);
    let mut out = Out::new();
    for command in commands {
        match command.as_slice() {
            [name] if name.eq_ignore_ascii_case(b"ping") => out.simple("PONG"),
            [name, text] if name.eq_ignore_ascii_case(b"ping") => out.bulk(text),
            _ => return None,
        }
    }
    if let Some(error) = error {
        error.write_reply(&mut out);
    }
    Some(out.to_vec())
}

fn check(peer: &Peer, stream: &[u8]) -> bool {
    let Some(expected) = answer(stream) else { return false };
    let got = peer.exchange(stream);
    let show = String::from_utf8_lossy;
    assert_eq!(show(&expected), show(&got), "{:?}", show(stream));
    assert_eq!(expected, got);
    true
}

#[test]
fn errors_equal_redis() {
    let peer = Peer::start("protocol");
    for stream in [
        &b"*a\r\n"[..],
        b"*\r\n",
        b"*01\r\n",
        b"*-1\r\n*1\r\n$4\r\nPING\r\n",
        b"*-5\r\nPING\r\n",
        b"*2147483647\r\n",
        b"*2147483648\r\n",
        b"*9999999999\r\n",
        b"*1048577\r\n",
        b"*1\r\n#4\r\nPING\r\n",
        b"*1\r\n\r\nPING\r\n",
        b"*1\r\n\xff\r\n",
        b"*1\r\n\0\r\n",
        b"*1\r\n$\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$04\r\nPING\r\n",
        b"*1\r\n$4 \r\nPING\r\n",
        b"*1\r\n$536870913\r\n",
        b"*1\r\n$536870912\r\n",
        b"*1\r\n$4\rxPINGab*1xy$4zzPINGab",
        b"*1\rx$4\rxPING??",
        b"*1\r\n$0\r\n\r\nPING\r\n",
        b"PING \"a\r\n",
        b"PING 'a\r\n",
        b"PING \"a\"b\r\n",
        b"PING 'a'b\r\nPING\r\n",
        b"PING \"\\x41\\n\\q\\\"\" \r\n",
        b"PING 'it\\'s \\n'\n\n\r\nPING\n",
        b"PING a\"b c\"\r\n",
        b"PING \x0ba\x0b\r\n",
        b"PING a\0b\r\n",
        b"\r\r\nPING\r\n",
        b"PING\r\r\n",
        b"PING",
    ] {
        check(&peer, stream);
    }
    let long = vec![b'1'; 64 * 1024];
    for start in [&b""[..], b"P", b"*", b"*1\r\n$", b"*1\r\n"] {
        check(&peer, &[start, &long].concat());
    }
}

#[test]
fn mutated_requests_equal_redis() {
    let peer = Peer::start("protocol-fuzz");
    let mut prng = Prng::new(50);
    let seeds: [&[u8]; 4] =
        [b"*1\r\n$4\r\nPING\r\n", b"*2\r\n$4\r\nPING\r\n$2\r\nhi\r\n", b"PING\r\n", b"PING \"a b\" \r\n"];
    let mut checked = 0;
    while checked < 8000 {
        let mut stream: Vec<u8> =
            (0..1 + prng.below(4)).flat_map(|_| seeds[prng.below(4) as usize].iter().copied()).collect();
        for _ in 0..1 + prng.below(3) {
            let at = prng.below(stream.len() as u64) as usize;
            let byte = b"\r\n\0*$01234-PG\"'\\x \t"[prng.below(19) as usize];
            match prng.below(3) {
                0 => stream[at] = byte,
                1 => stream.insert(at, byte),
                _ => drop(stream.remove(at)),
            }
        }
        checked += u32::from(check(&peer, &stream));
    }
}

#[test]
fn inline_words_equal_redis() {
    let peer = Peer::start("inline");
    let mut prng = Prng::new(51);
    for _ in 0..8000 {
        let len = prng.below(14);
        let tail: Vec<u8> = (0..len).map(|_| b"ab\"'\\ \tx4nr\x0b\xff"[prng.below(13) as usize]).collect();
        check(&peer, &[b"PING ".as_slice(), &tail, b"\r\n"].concat());
    }
}
