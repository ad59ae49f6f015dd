//! The command tables, one file per documentation group. Written once by tests/tools/generate_rows.py from a live
//! redis-server, kept by hand since: to implement a command, fill in its row's `handler`.
//!
//! Read by `command::lookup` and `command::describe`. Pure data.
pub mod bitmap;
pub mod cluster;
pub mod connection;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod help;
pub mod hyperloglog;
pub mod list;
pub mod pubsub;
pub mod scripting;
pub mod server;
pub mod set;
pub mod sorted_set;
pub mod stream;
pub mod string;
pub mod transactions;

use crate::command::row::Row;

/// Every table.
pub static TABLES: [&[Row]; 16] = [
    string::ROWS,
    bitmap::ROWS,
    generic::ROWS,
    hash::ROWS,
    connection::ROWS,
    server::ROWS,
    transactions::ROWS,
    list::ROWS,
    set::ROWS,
    sorted_set::ROWS,
    stream::ROWS,
    hyperloglog::ROWS,
    geo::ROWS,
    pubsub::ROWS,
    scripting::ROWS,
    cluster::ROWS,
];

/// All top-level rows, served or not.
pub fn all() -> impl Iterator<Item = &'static Row> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The row of this full name (`get`, `config|get`), served or not.
pub fn find(full_name: &str) -> Option<&'static Row> {
    let (name, _) = full_name.split_once('|').unwrap_or((full_name, ""));
    let row = all().find(|row| row.name == name)?;
    std::iter::once(row).chain(row.subcommands).find(|row| row.full_name == full_name)
}
