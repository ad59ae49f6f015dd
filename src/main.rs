//! Arguments and config file -> server::run; the only place that prints a fatal error and exits.
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut pairs = Vec::new();
    let mut i = 0;
    while i + 1 < words.len() { pairs.push((words[i].trim_start_matches("--").to_string(), words[i + 1].clone())); i += 2; }
    if let Err(fatal) = shoal::server::run(shoal::config::Config(pairs), String::new()) { eprintln!("{}", fatal.0); std::process::exit(1); }
}
