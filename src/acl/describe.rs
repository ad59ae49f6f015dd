//! Rights back to rules: ACL LIST, ACL GETUSER, ACL SAVE, CONFIG REWRITE.
//!
//! Commands are kept as bits, not as the rules that set them. Redis 7.0 describes them by the categories that fit best, then single commands for the
//! difference; so do we, word for word. Only commands of redis 7.0 decide which category fits, so that ours change no description;
//! single commands come in the order of the tables (in redis: of a randomly seeded hash table). Invariant: the rules give the same bits again.

use super::commands::commands;
use super::selector::{Bits, KeyPattern, Selector, permission};
use super::user::{Sanitize, User};
use crate::command::row::CATEGORY_NAMES;

/// Flags as ACL GETUSER lists them.
pub fn flags(user: &User) -> Vec<&'static str> {
    let mut flags = vec![if user.enabled { "on" } else { "off" }];
    if user.nopass {
        flags.push("nopass");
    }
    match user.sanitize {
        Sanitize::Unset => {}
        Sanitize::Always => flags.push("sanitize-payload"),
        Sanitize::Skip => flags.push("skip-sanitize-payload"),
    }
    flags
}

/// All rules of a user, without its name: what ACL LIST shows behind it.
pub fn user_rules(user: &User) -> Vec<u8> {
    let mut text = flags(user).join(" ").into_bytes();
    for password in &user.passwords {
        text.extend_from_slice(b" #");
        text.extend_from_slice(password.as_bytes());
    }
    for (index, selector) in user.selectors.iter().enumerate() {
        let rules = selector_rules(selector);
        let (open, close): (&[u8], &[u8]) = if index == 0 { (b" ", b"") } else { (b" (", b")") };
        text.extend_from_slice(open);
        text.extend_from_slice(&rules);
        text.extend_from_slice(close);
    }
    text
}

fn selector_rules(selector: &Selector) -> Vec<u8> {
    let mut text = keys(selector);
    if !text.is_empty() {
        text.push(b' ');
    }
    if !selector.all_channels {
        text.extend_from_slice(b"resetchannels ");
    }
    let channels = channels(selector);
    if !channels.is_empty() {
        text.extend_from_slice(&channels);
        text.push(b' ');
    }
    text.extend_from_slice(&command_rules(selector));
    text
}

/// Key patterns as rules, separated by spaces.
pub fn keys(selector: &Selector) -> Vec<u8> {
    if selector.all_keys {
        return b"~*".to_vec();
    }
    let one = |known: &KeyPattern| {
        let sign: &[u8] = match known.permission {
            permission::READ => b"%R~",
            permission::WRITE => b"%W~",
            _ => b"~",
        };
        [sign, &known.pattern].concat()
    };
    selector.keys.iter().map(one).collect::<Vec<_>>().join(&b' ')
}

/// Channel patterns as rules, separated by spaces.
pub fn channels(selector: &Selector) -> Vec<u8> {
    if selector.all_channels {
        return b"&*".to_vec();
    }
    let one = |known: &Vec<u8>| [b"&", known.as_slice()].concat();
    selector.channels.iter().map(one).collect::<Vec<_>>().join(&b' ')
}

/// The commands as rules: `+@all` or `-@all`, the categories that fit, single commands.
pub fn command_rules(selector: &Selector) -> Vec<u8> {
    let adds = !selector.future_commands;
    let (sign, other) = if adds { ('+', '-') } else { ('-', '+') };
    let mut rules = vec![format!("{other}@all").into_bytes()];
    let mut described = Bits::filled(!adds);
    let mut left = selector.allowed.clone();
    let mut applied = [false; CATEGORY_NAMES.len()];
    while let Some(best) = best_category(&left, &applied, adds) {
        described.put_category(1 << best, adds);
        left.put_category(1 << best, !adds);
        applied[best] = true;
        rules.push(format!("{sign}@{}", CATEGORY_NAMES[best]).into_bytes());
    }
    let all = commands();
    for (number, command) in all.iter().filter(|(_, command)| !command.is_subcommand) {
        describe_command(selector, &mut described, number, &mut rules);
        for sub in command.subcommands.clone() {
            describe_command(selector, &mut described, sub, &mut rules);
        }
        let first_args = selector.first_args.get(&number).filter(|_| !selector.allowed.has(number));
        for argument in first_args.into_iter().flatten() {
            rules.push([b"+", command.row.full_name.as_bytes(), b"|", argument].concat());
        }
    }
    rules.join(&b' ')
}

/// Adds the rule that a command still needs.
fn describe_command(selector: &Selector, described: &mut Bits, number: u16, rules: &mut Vec<Vec<u8>>) {
    let wanted = selector.allowed.has(number);
    if wanted != described.has(number) {
        let sign = if wanted { '+' } else { '-' };
        rules.push(format!("{sign}{}", commands().get(number).row.full_name).into_bytes());
        described.put_with_subcommands(number, wanted);
    }
}

/// The category with the fewest commands that differ, if it has more that agree; of equals the one that describes more.
fn best_category(left: &Bits, applied: &[bool; CATEGORY_NAMES.len()], adds: bool) -> Option<usize> {
    let mut best: Option<(usize, usize, usize)> = None;
    for (category, _) in applied.iter().enumerate().filter(|(_, applied)| !**applied) {
        let members = commands()
            .iter()
            .filter(|(_, command)| command.is_stock && command.row.acl.0 >> category & 1 == 1);
        let (mut same, mut different) = (0, 0);
        for (number, _) in members {
            match left.has(number) == adds {
                true => same += 1,
                false => different += 1,
            }
        }
        let is_better =
            best.is_none_or(|(_, least, most)| different < least || (different == least && same > most));
        if same > different && is_better {
            best = Some((category, different, same));
        }
    }
    best.map(|(category, ..)| category)
}
