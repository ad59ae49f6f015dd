//! ACL: users made, changed and deleted, shown, loaded and saved; ACL LOG.
//!
//! The rules are `crate::acl`'s; here are the words of the command. [`change`] makes a new snapshot of all users and takes it to every core, [`show`] reads
//! this core's. Invariant: a command that fails changes nothing. Bounds: none.

mod change;
mod log;
mod show;

pub use change::Adopt;

use super::super::Control;

/// The commands of this room.
pub const CONTROLS: &[(&str, Control)] = &[
    ("acl|setuser", change::setuser),
    ("acl|deluser", change::deluser),
    ("acl|load", change::load),
    ("acl|save", change::save),
    ("acl|getuser", show::getuser),
    ("acl|list", show::list),
    ("acl|users", show::users),
    ("acl|whoami", show::whoami),
    ("acl|cat", show::cat),
    ("acl|dryrun", show::dryrun),
    ("acl|genpass", show::genpass),
    ("acl|log", log::show),
];
