//! Tests against a live redis-server: the judge of everything "redis' rules" means in this room.
pub(crate) mod peer;

mod glob_peer;
mod number_peer;
