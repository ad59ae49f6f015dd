//! Arguments and config file -> server::run; the only place that prints a fatal error and exits.
fn main() {}
