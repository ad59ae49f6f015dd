//! ACL SETUSER, DELUSER, LOAD, SAVE.
//!
//! A change is made to the newest snapshot under its lock (`acl::users`), then [`Adopt`] visits every core, which takes the newest there is and
//! disconnects whom it concerns: so two changes at once lose nothing and all cores end equal. The caller itself is closed after its reply.
//! Invariant: nobody keeps revoked rights on a core that was visited. Bounds: the number of connections, once per change.

use std::sync::Arc;

use super::super::super::core::Core;
use super::super::super::visit::Visit;
use super::super::super::{Flow, Session, gate};
use super::super::fail;
use crate::acl::{self, User};
use crate::command::reply_error::ReplyError;
use crate::observe::log;
use crate::resp::Args;

const NO_FILE: ReplyError = ReplyError::Text(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
);

/// Every core takes the newest users.
pub struct Adopt {
    /// The reply: OK, or a count.
    count: Option<i64>,
}

impl Visit for Adopt {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        core.adopt_users();
    }

    fn finish(self: Box<Self>, core: &mut Core, session: &mut Session) {
        match self.count {
            None => session.out.ok(),
            Some(count) => session.out.integer(count),
        }
        session.closing |= !gate::refresh(&core.users, &mut session.client);
    }
}

pub fn setuser(core: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let name = args.get(2);
    if acl::selector::has_spaces(name) {
        return Err(ReplyError::Text("ERR Usernames can't contain spaces or null characters"));
    }
    let rules: Vec<Vec<u8>> = args.skip(3).iter().map(<[u8]>::to_vec).collect();
    let rules = match acl::file::merge_parentheses(&rules) {
        Ok(rules) => rules,
        Err(at) => {
            let start = rules[at].as_slice();
            let text = [b"ERR Unmatched parenthesis in acl selector starting at '", start, b"'."].concat();
            return Err(fail(core, text));
        }
    };
    let all_channels = core.settings.acl_pubsub_default_all;
    let changed = acl::users::change(|users| {
        let mut user = match users.get(name) {
            Some(known) => User::clone(known),
            None => User::new(name, acl::users::next_serial(), all_channels),
        };
        for rule in &rules {
            if let Err(error) = user.apply(rule, all_channels) {
                return Err((rule, error));
            }
        }
        users.put(user);
        Ok(())
    });
    if let Err((rule, error)) = changed {
        let reason = format!("': {}", error.text());
        // As redis prints it: a C string ends at its first NUL.
        let shown = rule.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = [b"ERR Error in ACL SETUSER modifier '", shown, reason.as_bytes()].concat();
        return Err(fail(core, text));
    }
    Ok(Flow::Visit(Box::new(Adopt { count: None })))
}

pub fn deluser(_: &mut Core, _: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let names = args.skip(2);
    if names.iter().any(|name| name == acl::users::DEFAULT) {
        return Err(ReplyError::Text("ERR The 'default' user cannot be removed"));
    }
    let count = acl::users::change(|users| {
        let removed = names.iter().filter(|name| users.remove(name)).count();
        Ok::<_, ReplyError>(removed as i64)
    })?;
    Ok(Flow::Visit(Box::new(Adopt { count: Some(count) })))
}

pub fn load(core: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let settings = Arc::clone(&core.settings);
    if settings.aclfile.is_empty() {
        return Err(NO_FILE);
    }
    let loaded = acl::file::load_file(&settings.aclfile, settings.acl_pubsub_default_all);
    let replaced = loaded.and_then(|loaded| {
        acl::users::change(|users| {
            *users = loaded;
            Ok(())
        })
    });
    match replaced {
        Ok(()) => Ok(Flow::Visit(Box::new(Adopt { count: None }))),
        Err(reasons) => Err(fail(core, [b"ERR ", reasons.as_slice()].concat())),
    }
}

pub fn save(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let path = &core.settings.aclfile;
    if path.is_empty() {
        return Err(NO_FILE);
    }
    if let Err(error) = acl::file::save_file(path, &core.users) {
        log::warning(&format!("Saving ACL file '{path}' failed: {error}"));
        return Err(ReplyError::Text(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
        ));
    }
    session.out.ok();
    Ok(Flow::Done)
}
