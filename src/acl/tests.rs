//! Rules, descriptions and files, without a server.

use super::selector::Selector;
use super::*;
use crate::base::prng::Prng;
use crate::command::row::CATEGORY_NAMES;
use crate::command::rows;
use crate::resp::OwnedCommand;

fn user(rules: &str) -> User {
    let mut user = User::new(b"tom", 1, false);
    let words: Vec<Vec<u8>> = rules.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    for rule in file::merge_parentheses(&words).unwrap() {
        user.apply(&rule, false).unwrap_or_else(|error| panic!("{rules}: {error:?}"));
    }
    user
}

fn judge(user: &User, line: &str) -> Result<(), Denied> {
    let words: Vec<&str> = line.split(' ').collect();
    let row = rows::all().find(|row| row.name == words[0]).unwrap();
    let row =
        words.get(1).and_then(|name| row.subcommands.iter().find(|sub| sub.name == *name)).unwrap_or(row);
    check(user, row, &OwnedCommand::from_words(&words).args())
}

#[test]
fn every_row_has_its_number() {
    let all = commands::commands();
    for row in rows::all().flat_map(|row| std::iter::once(row).chain(row.subcommands)) {
        let number = all.number_of(row).unwrap();
        assert!(std::ptr::eq(all.get(number).row, row));
        assert_eq!(all.named(row.full_name.as_bytes()), Some(number));
    }
}

#[test]
fn descriptions_give_the_same_rights_again() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("SEED={seed}");
    let mut prng = Prng::new(seed);
    let names: Vec<&str> = rows::all()
        .flat_map(|row| std::iter::once(row).chain(row.subcommands))
        .map(|row| row.full_name)
        .collect();
    for _ in 0..300 {
        let mut selector = Selector::new(false);
        for _ in 0..1 + prng.below(12) {
            let sign = if prng.chance(0.5) { "+" } else { "-" };
            let rule = match prng.below(10) {
                0 => format!("{sign}@all"),
                1..4 => format!("{sign}@{}", CATEGORY_NAMES[prng.below(21) as usize]),
                4 => format!("+{}|x", names[prng.below(names.len() as u64) as usize]),
                _ => format!("{sign}{}", names[prng.below(names.len() as u64) as usize]),
            };
            // Refused ones change nothing.
            let _ = selector.apply(rule.as_bytes());
        }
        let mut again = Selector::new(false);
        let rules = describe::command_rules(&selector);
        for rule in rules.split(|&byte| byte == b' ') {
            again.apply(rule).unwrap();
        }
        assert_eq!(again.allowed, selector.allowed, "{}", String::from_utf8_lossy(&rules));
        assert_eq!(again.future_commands, selector.future_commands);
        assert_eq!(describe::command_rules(&again), rules);
    }
}

#[test]
fn the_furthest_refusal_is_told() {
    let tom = user("+@all -get ~a* (+get ~b) (+set %R~*)");
    let denied = |reason, at| Err(Denied { reason, at });
    assert_eq!(judge(&tom, "set a 1"), Ok(()));
    assert_eq!(judge(&tom, "get b"), Ok(()));
    assert_eq!(judge(&tom, "get a"), denied(Reason::Key, 1));
    assert_eq!(judge(&tom, "set c 1"), denied(Reason::Key, 1));
    assert_eq!(judge(&tom, "mset a 1 c 2"), denied(Reason::Key, 3));
    assert_eq!(judge(&tom, "publish x y"), denied(Reason::Channel, 1));
    assert_eq!(judge(&user("+get ~*"), "set a 1"), denied(Reason::Command, 0));
    assert_eq!(judge(&user("off"), "auth x"), Ok(()));
}

#[test]
fn flags_of_keys_decide() {
    let reader = user("+@all %R~r %W~w ~b");
    for (line, may) in [
        ("get r", true),
        ("get w", false),
        ("set w 1", true),
        ("set r 1", false),
        ("set w 1 get", false),
        ("incr w", false),
        ("incr b", true),
        ("exists w", true),
        ("exists x", false),
        ("copy r w", true),
        ("copy w r", false),
        ("sort r store w", true),
        ("sort r store r", false),
        ("bitfield r get u8 0", true),
        ("bitfield r set u8 0 1", false),
    ] {
        assert_eq!(judge(&reader, line).is_ok(), may, "{line}");
    }
}

#[test]
fn passwords() {
    let mut tom = user("on >one >two");
    assert!(tom.accepts(b"one") && tom.accepts(b"two") && !tom.accepts(b"three") && !tom.accepts(b""));
    tom.apply(b"<one", false).unwrap();
    assert!(!tom.accepts(b"one"));
    assert_eq!(tom.apply(b"<one", false), Err(RuleError::NoSuchPassword));
    tom.apply(b"nopass", false).unwrap();
    assert!(tom.accepts(b"anything"));
    tom.apply(b">three", false).unwrap();
    assert!(!tom.accepts(b"anything"));
    tom.apply(b"off", false).unwrap();
    assert!(!tom.accepts(b"three"));
}

#[test]
fn a_file_is_taken_whole_or_not_at_all() {
    let text = b"user tom on >x ~a* -@all +get (~b +set)\nuser default on nopass ~* &* +@all\n";
    let users = file::parse_file("F", text, false).unwrap();
    let lines =
        users.lines().iter().map(|line| [b"user ", line.as_slice(), b"\n"].concat()).collect::<Vec<_>>();
    let again = file::parse_file("F", &lines.concat(), false).unwrap();
    assert_eq!(users.lines(), again.lines());
    assert_eq!(users.lines().len(), 2);
    let errors =
        file::parse_file("F", b"user tom +nosuch foo bar +other\n\nuser\nuser tom on\n", false).unwrap_err();
    assert_eq!(
        String::from_utf8(errors).unwrap(),
        "F:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. \
         F:1: Syntax error. \
         F:1: Error in applying operation '+other': Unknown command or category name in ACL. \
         F:3 should start with user keyword followed by the username. \
         WARNING: Duplicate user 'tom' found on line 4. \
         WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
    );
}

#[test]
fn equal_refusals_within_a_minute_are_one_entry() {
    let mut log = log::Log::default();
    let record = |object: &[u8], at_ms| Record {
        count: 1,
        reason: Reason::Key,
        context: Context::TopLevel,
        object: object.to_vec(),
        username: b"tom".to_vec(),
        at_ms,
        client: Vec::new(),
    };
    for (object, at_ms) in [(b"a", 0), (b"b", 1000), (b"a", 50_000), (b"a", 120_000)] {
        log.add(record(object, at_ms), 128);
    }
    let shown: Vec<(&[u8], u64)> = log.entries.iter().map(|entry| (&*entry.object, entry.count)).collect();
    assert_eq!(shown, [(&b"a"[..], 1), (b"a", 2), (b"b", 1)]);
    log.add(record(b"c", 120_000), 2);
    assert_eq!(log.entries.len(), 2);
}
