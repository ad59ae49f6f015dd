//! ACL GETUSER, LIST, USERS, WHOAMI, CAT, DRYRUN, GENPASS.
//!
//! All read this core's snapshot of the users, or the command tables. Invariant: descriptions give the same rights when they are applied again
//! (`acl::describe`). Bounds: the number of users and commands.

use super::super::super::core::Core;
use super::super::super::{Flow, Session, gate};
use super::super::{at_most, fail};
use crate::acl::commands::{category, commands};
use crate::acl::selector::Selector;
use crate::acl::{self, describe};
use crate::base::number::parse_i64;
use crate::base::prng::fill_from_kernel;
use crate::command::reply_error::{ReplyError, quoting, wrong_arity};
use crate::command::row::{CATEGORY_NAMES, Row};
use crate::resp::{Args, Out};

/// Bits of ACL GENPASS, at most and by default.
const GENPASS_BITS_MAX: i64 = 4096;
const GENPASS_BITS: i64 = 256;

pub fn getuser(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let out = &mut session.out;
    let Some(user) = core.users.get(args.get(2)) else {
        out.null();
        return Ok(Flow::Done);
    };
    out.map(6);
    out.bulk(b"flags");
    let flags = describe::flags(user);
    out.set(flags.len());
    flags.iter().for_each(|flag| out.bulk(flag.as_bytes()));
    out.bulk(b"passwords");
    out.array(user.passwords.len());
    user.passwords.iter().for_each(|hash| out.bulk(hash.as_bytes()));
    let (own, others) = (&user.selectors[0], &user.selectors[1..]);
    write_selector(own, out);
    out.bulk(b"selectors");
    out.array(others.len());
    for selector in others {
        out.map(3);
        write_selector(selector, out);
    }
    Ok(Flow::Done)
}

fn write_selector(selector: &Selector, out: &mut Out) {
    out.bulk(b"commands");
    out.bulk(&describe::command_rules(selector));
    out.bulk(b"keys");
    out.bulk(&describe::keys(selector));
    out.bulk(b"channels");
    out.bulk(&describe::channels(selector));
}

pub fn list(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let lines = core.users.lines();
    session.out.array(lines.len());
    lines.iter().for_each(|line| session.out.bulk(&[b"user ", line.as_slice()].concat()));
    Ok(Flow::Done)
}

pub fn users(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    session.out.array(core.users.iter().count());
    core.users.iter().for_each(|user| session.out.bulk(&user.name));
    Ok(Flow::Done)
}

pub fn whoami(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let user = gate::user_of(&core.users, &session.client);
    session.out.bulk(&user.name);
    Ok(Flow::Done)
}

pub fn cat(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 3)?;
    let Some(name) = args.get_checked(2) else {
        session.out.array(CATEGORY_NAMES.len());
        CATEGORY_NAMES.iter().for_each(|name| session.out.bulk(name.as_bytes()));
        return Ok(Flow::Done);
    };
    let Some(bit) = category(name) else {
        let text = quoting("ERR Unknown category '", name, "'");
        return Err(fail(core, text));
    };
    let served = core.shared.table.commands().map(|command| command.row);
    let members: Vec<&Row> = served.filter(|row| row.acl.0 & bit != 0).collect();
    session.out.array(members.len());
    members.iter().for_each(|row| session.out.bulk(row.full_name.as_bytes()));
    Ok(Flow::Done)
}

pub fn dryrun(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let Some(user) = core.users.get(args.get(2)).cloned() else {
        let text = quoting("ERR User '", args.get(2), "' not found");
        return Err(fail(core, text));
    };
    let words = args.skip(3);
    let Some(row) = find(core, &words) else {
        let text = quoting("ERR Command '", words.get(0), "' not found");
        return Err(fail(core, text));
    };
    if !row.arity_fits(words.len()) {
        return Err(fail(core, wrong_arity(row)));
    }
    match acl::check(&user, row, &words) {
        Ok(()) => session.out.ok(),
        Err(denied) => session.out.bulk(&denied.verbose(row, words.get(denied.at))),
    }
    Ok(Flow::Done)
}

/// The command, as it is served, else as the tables have it.
fn find(core: &Core, words: &Args<'_>) -> Option<&'static Row> {
    if let Ok(command) = core.shared.table.find(words) {
        return Some(command.row);
    }
    let container = commands().get(commands().named(words.get(0))?);
    match words.get_checked(1).filter(|_| !container.row.subcommands.is_empty()) {
        Some(sub) => {
            container.row.subcommands.iter().find(|row| sub.eq_ignore_ascii_case(row.name.as_bytes()))
        }
        None => Some(container.row),
    }
}

pub fn genpass(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    at_most(core, args, 3)?;
    let bits = match args.get_checked(2) {
        Some(word) => parse_i64(word).ok_or(ReplyError::NotInteger)?,
        None => GENPASS_BITS,
    };
    if !(1..=GENPASS_BITS_MAX).contains(&bits) {
        return Err(ReplyError::Text(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ));
    }
    let digits = (bits as usize).div_ceil(4);
    let mut random = [0; (GENPASS_BITS_MAX / 8) as usize];
    // The kernel gives at most 256 bytes at once without interruption.
    random.chunks_mut(256).for_each(fill_from_kernel);
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    session.out.bulk(&text.as_bytes()[..digits]);
    Ok(Flow::Done)
}
