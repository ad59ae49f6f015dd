//! Arguments and config file -> server::run; the only place that prints a fatal error and exits.
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut config = shoal::config::Config::new();
    for pair in words.chunks(2) {
        let found = shoal::config::schema::find(pair[0].trim_start_matches("--").as_bytes());
        if let Some(found) = found {
            let _ = config.assign(found.index, &[pair[1].as_bytes().to_vec()]);
        }
    }
    if let Err(fatal) = shoal::server::run(config, String::new()) {
        eprintln!("{}", fatal.0);
        std::process::exit(1);
    }
}
