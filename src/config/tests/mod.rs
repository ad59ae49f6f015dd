//! Tests of the configuration: files, command line, and CONFIG against a real redis-server (`live`).

mod live;
mod peer;
mod reading;
