//! CONFIG GET, SET, REWRITE, RESETSTAT.
//!
//! The rules are `crate::config`'s; here is what follows from a change. SET computes the new configuration from the newest one under a
//! lock, then visits every core, which takes the newest there is: so two SETs at once lose nothing and all cores end equal.
//! Invariant: a core's `Config` is replaced whole. Bounds: none. Why a lock: CONFIG is rare and on no command's path.

use std::sync::{Arc, Mutex, PoisonError};

use crate::acl;
use crate::command::reply_error::ReplyError;
use crate::config::rewrite::rewrite_file;
use crate::config::schema::DIRECTIVES;
use crate::config::{Config, SetBy, SetError, Settings};
use crate::observe::log;
use crate::resp::Args;
use crate::runtime::process::raise_limit;
use crate::session::commands::fail;
use crate::session::core::Core;
use crate::session::visit::{Visit, shard_of};
use crate::session::{Control, Flow, Session, client_flag};

/// The commands of this file.
pub const CONTROLS: &[(&str, Control)] =
    &[("config|get", get), ("config|set", set), ("config|rewrite", rewrite), ("config|resetstat", resetstat)];

/// The newest configuration; `None` until the first CONFIG SET.
static NEWEST: Mutex<Option<Arc<Config>>> = Mutex::new(None);

/// Files the process needs beside its clients' sockets.
const RESERVED_FILES: u64 = 32;

fn get(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    let patterns: Vec<&[u8]> = args.skip(2).iter().collect();
    let found = core.config.get(&patterns);
    session.out.map(found.len());
    for (name, value) in found {
        session.out.bulk(&name);
        session.out.bulk(&value);
    }
    Ok(Flow::Done)
}

/// Every core takes the newest configuration.
struct Adopt;

impl Visit for Adopt {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        let newest = NEWEST.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(config) = newest {
            core.configure(config);
            core.adopt_users();
            let max = core.settings.slowlog_max_len;
            core.slowlog.entries.truncate(max);
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.ok();
    }
}

fn set(core: &mut Core, session: &mut Session, args: &Args<'_>) -> Result<Flow, ReplyError> {
    if args.len() % 2 == 1 {
        return Err(ReplyError::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> =
        (2..args.len()).step_by(2).map(|at| (args.get(at), args.get(at + 1))).collect();
    let by = SetBy { local: session.client.flags & client_flag::LOCAL != 0, loading: core.loading.is_on };
    let mut newest = NEWEST.lock().unwrap_or_else(PoisonError::into_inner);
    let mut config = Config::clone(newest.as_deref().unwrap_or(&core.config));
    let changed = match config.set(&pairs, by) {
        Ok(changed) => changed,
        Err(error) => return Err(fail(core, error.to_string())),
    };
    let settings = Settings::from(&config);
    for index in changed {
        if let Err(error) = carry_out(DIRECTIVES[index].name, &settings) {
            return Err(fail(core, error.to_string()));
        }
    }
    *newest = Some(Arc::new(config));
    Ok(Flow::Visit(Box::new(Adopt)))
}

/// What a change does beside changing the settings.
fn carry_out(name: &str, settings: &Settings) -> Result<(), SetError> {
    match name {
        "requirepass" => {
            let set = |users: &mut acl::Users| -> Result<(), SetError> {
                users.set_default_password(&settings.requirepass);
                Ok(())
            };
            acl::users::change(set)?;
        }
        "loglevel" => log::set_level(&settings.loglevel),
        "maxclients" => {
            let wanted = settings.maxclients as u64 + RESERVED_FILES;
            let got = raise_limit(libc::RLIMIT_NOFILE, wanted);
            if got < wanted {
                let possible = got.saturating_sub(RESERVED_FILES);
                let text = format!(
                    "The operating system is not able to handle the specified number of clients, try with {possible}"
                );
                return Err(SetError::failed(name, text));
            }
        }
        "port" => return Err(SetError::failed(name, "Unable to listen on this port. Check server logs.")),
        "bind" => return Err(SetError::failed(name, "Failed to bind to specified addresses.")),
        "maxmemory" => {
            let used = crate::base::memory::used();
            if settings.maxmemory > 0 && settings.maxmemory < used {
                log::warning(&format!(
                    "WARNING: the new maxmemory value set via CONFIG SET ({}) is smaller than the current memory usage ({used}). This will result in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy.",
                    settings.maxmemory
                ));
            }
        }
        _ => {}
    }
    Ok(())
}

fn rewrite(core: &mut Core, session: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    let users = core.users.lines();
    if let Err(error) = rewrite_file(&core.config, Some(&users)) {
        log::warning(&format!("CONFIG REWRITE failed: {error}"));
        return Err(fail(core, error.to_string()));
    }
    log::notice("CONFIG REWRITE executed with success.");
    session.out.ok();
    Ok(Flow::Done)
}

/// Counters from zero on every core.
struct ResetStat;

impl Visit for ResetStat {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        core.stats.reset();
        if let Some(shard) = shard_of(core, session) {
            shard.space.common.stats = Default::default();
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, session: &mut Session) {
        session.out.ok();
    }

    fn needs_shard(&self) -> bool {
        true
    }
}

fn resetstat(_: &mut Core, _: &mut Session, _: &Args<'_>) -> Result<Flow, ReplyError> {
    Ok(Flow::Visit(Box::new(ResetStat)))
}
