//! Tests of the command tables, some against a live redis-server.
mod lookup;
mod peer;
