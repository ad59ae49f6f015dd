//! Glob patterns of KEYS, SCAN, PSUBSCRIBE, CONFIG GET and ACL rules.
//!
//! Called wherever a client names many things at once; calls memchr. Invariant: the answer is that of redis 7.0.15
//! for every pattern and text, its oddities included: an empty text matches only an empty pattern; an unclosed `[`
//! class ends with the pattern; an escape inside a class ignores `nocase`; bytes are compared as signed in ranges.
//! Bounds: time at most pattern length times text length, no recursion (a pattern of many stars cannot use up the
//! stack). Why not a regex engine: these oddities, and nothing to compile per call.

/// What one pattern element did with one byte of text.
enum Step {
    /// It matched; the pattern goes on at this index.
    Next(usize),
    Mismatch,
}

#[inline(always)]
fn fold(byte: u8, nocase: bool) -> u8 {
    if nocase { byte.to_ascii_lowercase() } else { byte }
}

/// Whether `text` matches `pattern` (`*`, `?`, `[abc]`, `[^a-z]`, `\x`); `nocase` ignores ASCII case.
pub fn glob_match(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: behind the last star, with the star one byte longer. Earlier stars need not be
    // tried again: whatever they could reach, the last one can reach too.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            while p < pattern.len() && pattern[p] == b'*' {
                p += 1;
            }
            if p == pattern.len() {
                return true;
            }
            let Some(start) = candidate(pattern, p, text, t, nocase) else { return false };
            t = start;
            retry = Some((p, t));
            continue;
        }
        let step = if p < pattern.len() { match_one(pattern, p, text[t], nocase) } else { Step::Mismatch };
        match step {
            Step::Next(next) => {
                p = next;
                t += 1;
                if t == text.len() {
                    while p < pattern.len() && pattern[p] == b'*' {
                        p += 1;
                    }
                    if p == pattern.len() {
                        return true;
                    }
                    // The rest of the pattern wants more text; a longer star leaves even less.
                    return false;
                }
            }
            Step::Mismatch => {
                let Some((star_p, star_t)) = retry else { return false };
                let Some(start) = candidate(pattern, star_p, text, star_t + 1, nocase) else { return false };
                (p, t) = (star_p, start);
                retry = Some((star_p, start));
            }
        }
    }
    p == pattern.len()
}

/// The first index from `from` where the element at `p` can match: a plain letter is searched, others are tried.
#[inline]
fn candidate(pattern: &[u8], p: usize, text: &[u8], from: usize, nocase: bool) -> Option<usize> {
    let rest = text.get(from..)?;
    if rest.is_empty() {
        return None;
    }
    match pattern[p] {
        b'?' | b'[' | b'\\' => Some(from),
        byte if nocase && byte.is_ascii_alphabetic() => {
            memchr::memchr2(byte.to_ascii_lowercase(), byte.to_ascii_uppercase(), rest).map(|at| from + at)
        }
        byte => memchr::memchr(byte, rest).map(|at| from + at),
    }
}

/// Matches the element of `pattern` at `p` (not a star) against one byte.
#[inline]
fn match_one(pattern: &[u8], p: usize, byte: u8, nocase: bool) -> Step {
    match pattern[p] {
        b'?' => Step::Next(p + 1),
        b'[' => match_class(pattern, p + 1, byte, nocase),
        b'\\' if p + 1 < pattern.len() => match_literal(pattern, p + 1, byte, nocase),
        _ => match_literal(pattern, p, byte, nocase),
    }
}

#[inline]
fn match_literal(pattern: &[u8], p: usize, byte: u8, nocase: bool) -> Step {
    if fold(pattern[p], nocase) == fold(byte, nocase) { Step::Next(p + 1) } else { Step::Mismatch }
}

/// Matches a class whose first byte after `[` is at `p`.
fn match_class(pattern: &[u8], mut p: usize, byte: u8, nocase: bool) -> Step {
    let negated = pattern.get(p) == Some(&b'^');
    if negated {
        p += 1;
    }
    let mut found = false;
    loop {
        let rest = pattern.get(p..).unwrap_or_default();
        match rest {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                p += 2;
            }
            [b']', ..] => {
                p += 1;
                break;
            }
            [start, b'-', end, ..] => {
                // Redis orders the bounds before it folds them.
                let (mut low, mut high) = (*start as i8, *end as i8);
                if low > high {
                    std::mem::swap(&mut low, &mut high);
                }
                let fold_signed = |value: i8| fold(value as u8, nocase) as i8;
                found |= (fold_signed(low)..=fold_signed(high)).contains(&fold_signed(byte as i8));
                p += 3;
            }
            [single, ..] => {
                found |= fold(*single, nocase) == fold(byte, nocase);
                p += 1;
            }
        }
    }
    if found != negated { Step::Next(p.min(pattern.len())) } else { Step::Mismatch }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pattern: &str, text: &str) -> bool {
        glob_match(pattern.as_bytes(), text.as_bytes(), false)
    }

    #[test]
    fn patterns_as_documented() {
        for (pattern, text) in [
            ("h?llo", "hello"),
            ("h*llo", "heeeello"),
            ("h*llo", "hllo"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[a-b]llo", "hbllo"),
            ("h[b-a]llo", "hbllo"),
            ("*", "x"),
            ("**", "x"),
            ("a**b*", "ab"),
            ("\\*", "*"),
            ("a\\", "a\\"),
            ("[\\]]", "]"),
            ("[abc", "b"),
            ("*[0-9]", "key1"),
            ("a*b*c", "a--b--b-c"),
            ("", ""),
        ] {
            assert!(plain(pattern, text), "{pattern} should match {text}");
        }
        for (pattern, text) in [
            ("h?llo", "hllo"),
            ("h[^e]llo", "hello"),
            ("a", "ab"),
            ("ab", "a"),
            ("*a", "b"),
            ("*", ""),
            ("[^a]", "a"),
            ("[]", "a"),
            ("[a-]", "-"),
            ("?", ""),
            ("a*b*c", "a--b--b-"),
        ] {
            assert!(!plain(pattern, text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn case_is_ignored_on_request() {
        assert!(glob_match(b"HeL*O", b"hello", true));
        assert!(glob_match(b"*LO", b"hello", true));
        assert!(glob_match(b"[A-Z]x", b"qX", true));
        assert!(!glob_match(b"[\\A]", b"a", true));
        assert!(!glob_match(b"HELLO", b"hello", false));
    }

    #[test]
    fn many_stars_are_bounded() {
        let pattern = b"a*".repeat(20_000);
        let text = b"a".repeat(60_000);
        assert!(glob_match(&pattern, &text, false));
        let pattern = [b"a*".repeat(50), b"b".to_vec()].concat();
        let start = std::time::Instant::now();
        assert!(!glob_match(&pattern, &text, false));
        assert!(start.elapsed().as_secs() < 5);
    }
}
