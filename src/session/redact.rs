//! Words that neither MONITOR nor SLOWLOG may show: passwords.
//!
//! Asked by `session::account` for every command it shows. Rules as observed in redis 7.0: AUTH hides all its words, HELLO and MIGRATE those behind
//! AUTH and AUTH2, ACL SETUSER all behind SETUSER, CONFIG SET the values of sensitive directives. Bounds: linear in the words.

use crate::config::Config;
use crate::resp::Args;

/// What is shown instead.
pub const REDACTED: &[u8] = b"(redacted)";

/// The words of a command as they may be shown.
pub fn shown<'a>(args: &Args<'a>) -> Vec<&'a [u8]> {
    let mut words: Vec<&[u8]> = args.iter().collect();
    let is = |at: usize, name: &str| {
        args.get_checked(at).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    let count = words.len();
    if is(0, "auth") {
        hide(&mut words, 1, count);
    } else if is(0, "acl") && is(1, "setuser") {
        hide(&mut words, 2, count);
    } else if is(0, "config") && is(1, "set") {
        for at in (2..count).step_by(2).filter(|&at| Config::is_sensitive(args.get(at))) {
            hide(&mut words, at + 1, at + 2);
        }
    } else if is(0, "hello") {
        hide_behind(&mut words, 2, &|at| if is(at, "auth") { 2 } else { 0 });
    } else if is(0, "migrate") {
        hide_behind(&mut words, 6, &|at| match (is(at, "auth"), is(at, "auth2")) {
            (true, _) => 1,
            (_, true) => 2,
            _ => 0,
        });
    }
    words
}

fn hide(words: &mut [&[u8]], from: usize, to: usize) {
    let to = to.min(words.len());
    words.iter_mut().take(to).skip(from).for_each(|word| *word = REDACTED);
}

/// Hides as many words behind each option as `count` says.
fn hide_behind(words: &mut [&[u8]], from: usize, count: &dyn Fn(usize) -> usize) {
    let mut at = from;
    while at < words.len() {
        let secrets = count(at);
        hide(words, at + 1, at + 1 + secrets);
        at += 1 + secrets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedCommand;

    fn show(line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        let command = OwnedCommand::from_words(&words);
        let shown: Vec<String> =
            shown(&command.args()).iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        shown.join(" ").replace("(redacted)", "*")
    }

    #[test]
    fn passwords_do_not_show() {
        assert_eq!(show("AUTH a b"), "AUTH * *");
        assert_eq!(show("hello 3 auth default x setname y"), "hello 3 auth * * setname y");
        assert_eq!(show("HELLO 3 AUTH"), "HELLO 3 AUTH");
        assert_eq!(show("config set requirepass x maxmemory 1"), "config set requirepass * maxmemory 1");
        assert_eq!(show("MIGRATE h 1 k 0 9 AUTH x"), "MIGRATE h 1 k 0 9 AUTH *");
        assert_eq!(show("MIGRATE h 1 k 0 9 AUTH2 u p COPY"), "MIGRATE h 1 k 0 9 AUTH2 * * COPY");
        assert_eq!(show("acl setuser u >p"), "acl setuser * *");
        assert_eq!(show("SET auth x"), "SET auth x");
    }
}
