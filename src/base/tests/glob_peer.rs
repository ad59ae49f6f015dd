//! Glob patterns, compared with redis through the patterns of a sorted set's scan.
use super::peer::Peer;
use crate::base::glob::glob_match;
use crate::base::prng::Prng;

#[test]
fn patterns_equal_redis() {
    let mut peer = Peer::start("glob");
    let mut prng = Prng::new(30);
    let script = b"local r = redis.call('SSCAN', KEYS[1], 0, 'MATCH', ARGV[1]) return #r[2]";
    for _ in 0..20 {
        let cases: Vec<(Vec<u8>, Vec<u8>)> = (0..2000)
            .map(|_| {
                let mut word = |alphabet: &[u8], max: u64| -> Vec<u8> {
                    (0..prng.below(max))
                        .map(|_| alphabet[prng.below(alphabet.len() as u64) as usize])
                        .collect()
                };
                (word(b"abcAB**?[]^-\\\xe0\xff\0", 9), word(b"aabbcAB-]\\^\xe0\xf0", 7))
            })
            .filter(|(pattern, _)| pattern != b"*")
            .collect();
        let commands: Vec<_> = cases
            .iter()
            .flat_map(|(pattern, text)| {
                let words = |parts: &[&[u8]]| parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>();
                [
                    words(&[b"DEL", b"s"]),
                    words(&[b"SADD", b"s", text]),
                    words(&[b"EVAL", script, b"1", b"s", pattern]),
                ]
            })
            .collect();
        for ((pattern, text), reply) in cases.iter().zip(peer.run(&commands).chunks(3)) {
            let expected = reply[2] == b":1";
            let ours = glob_match(pattern, text, false);
            assert_eq!(
                ours,
                expected,
                "pattern {:?} text {:?}",
                String::from_utf8_lossy(pattern),
                String::from_utf8_lossy(text)
            );
        }
    }
}
