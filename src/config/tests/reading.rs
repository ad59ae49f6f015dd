//! Files and command lines.

use super::super::cmdline::{self, Action};
use super::super::file::{self, FileError};
use super::super::settings::{EvictionPolicy, FsyncPolicy, Settings};
use super::super::store::Config;
use super::peer::directory;

fn load(text: &str) -> Result<Config, FileError> {
    let mut config = Config::new();
    file::load(&mut config, text.as_bytes()).map(|()| config)
}

fn show(config: &Config, name: &str) -> String {
    let found = config.get(&[name.as_bytes()]);
    String::from_utf8_lossy(&found.first().expect("known").1).into_owned()
}

fn parse(arguments: &[&str], stdin: &str) -> Result<Config, String> {
    let arguments: Vec<Vec<u8>> = arguments.iter().map(|word| word.as_bytes().to_vec()).collect();
    match cmdline::read(&arguments, &mut stdin.as_bytes()) {
        Ok(Action::Serve(config)) => Ok(*config),
        Ok(Action::Print(text)) => Err(text),
        Err(refusal) => Err(refusal.to_string()),
    }
}

#[test]
fn errors_name_line_and_reason_as_redis_does() {
    let cases = [
        ("foo bar", 1, "Bad directive or wrong number of arguments"),
        ("\n\nport", 3, "wrong number of arguments"),
        ("port 1 2", 1, "wrong number of arguments"),
        ("save 900", 1, "Invalid save parameters"),
        ("port \"6379", 1, "Unbalanced quotes in configuration line"),
        ("port \"6379\"x", 1, "Unbalanced quotes in configuration line"),
        ("port abc", 1, "argument couldn't be parsed into an integer"),
        ("port 99999", 1, "argument must be between 0 and 65535 inclusive"),
        ("unixsocketperm 999", 1, "argument couldn't be parsed as an octal number"),
        ("unixsocketperm 1777", 1, "argument must be between 0 and 777 inclusive"),
        ("include", 1, "Bad directive or wrong number of arguments"),
        ("rename-command get", 1, "Bad directive or wrong number of arguments"),
        ("user", 1, "Bad directive or wrong number of arguments"),
        ("sentinel monitor", 1, "sentinel directive while not in sentinel mode"),
        ("a.b", 1, "Module config specified without value"),
        ("dir /nope", 1, "No such file or directory"),
        ("replicaof 1", 1, "wrong number of arguments"),
        ("replicaof a 99999", 1, "Invalid master port"),
        ("maxclients 0", 1, "argument must be between 1 and 4294967295 inclusive"),
        ("appendfilename \"\"", 1, "appendfilename can't be empty"),
        ("appendfilename a/b", 1, "appendfilename can't be a path, just a filename"),
        ("appenddirname \"\"", 1, "appenddirname can't be empty"),
        ("appenddirname a/b", 1, "appenddirname can't be a path, just a dirname"),
        ("dbfilename a/b", 1, "dbfilename can't be a path, just a filename"),
        ("oom-score-adj-values", 1, "wrong number of arguments"),
        ("supervised x", 1, "argument(s) must be one of the following: upstart, systemd, auto, no"),
        ("enable-debug-command x", 1, "argument(s) must be one of the following: no, yes, local"),
        ("maxmemory-clients 50%%", 1, "argument must be a memory or percent value"),
        ("proc-title-template {x}", 1, "template format is invalid or contains unknown variables"),
    ];
    for (text, line, reason) in cases {
        let shown = text.lines().last().expect("a line");
        let expected = format!(
            "\n*** FATAL CONFIG FILE ERROR (Redis {}) ***\nReading the configuration file, at line {line}\n>>> '{shown}'\n{reason}",
            file::REDIS_VERSION
        );
        assert_eq!(load(text).map(|_| ()).map_err(|error| error.to_string()), Err(expected), "{text}");
    }
    let whole = load("cluster-enabled yes\nreplicaof a 1").expect_err("refused").to_string();
    assert!(whole.ends_with(") ***\nreplicaof directive not allowed in cluster mode"), "{whole}");
    let whole = load("logfile /nope/x").expect_err("refused").to_string();
    assert!(whole.ends_with(") ***\nCan't open the log file: No such file or directory"), "{whole}");
    let missing = load("include /tmp/nope").expect_err("refused").to_string();
    assert_eq!(missing, "Fatal error, can't open config file '/tmp/nope': No such file or directory");
}

#[test]
fn lines_are_read_as_redis_reads_them() {
    let config = load("PORT 7393 \r\n\t SLAVE-priority 5\n# x\nrequirepass \"a\\x41#\" # y\nhz 1000\n")
        .expect("valid");
    assert_eq!(show(&config, "port"), "7393");
    assert_eq!(show(&config, "replica-priority"), "5");
    assert_eq!(show(&config, "requirepass"), "aA#");
    assert_eq!(show(&config, "hz"), "500");
    let saves = [
        ("save", ""),
        ("save \"900 1 300 10\"", "900 1 300 10"),
        ("save 900 1\nsave \"\"\nsave 300 10", "300 10"),
        ("save 900 1\nsave 60 2", "900 1 60 2"),
        ("port 1", "3600 1 300 100 60 10000"),
    ];
    for (text, shown) in saves {
        assert_eq!(show(&load(text).expect("valid"), "save"), shown, "{text}");
    }
    let config =
        load("list-max-ziplist-entries 1\nlua-replicate-commands yes\ninclude /tmp/no*pe").expect("valid");
    assert!(config.accepted_without_effect().is_empty());
}

#[test]
fn files_include_files() {
    let directory = directory();
    let at = |name: &str| directory.join(name);
    std::fs::write(at("a.conf"), "hz 3\nport 1\n").expect("written");
    std::fs::write(at("b.conf"), "hz 4\n").expect("written");
    std::fs::write(at("loop.conf"), format!("include {}\n", at("loop.conf").display())).expect("written");
    let config = load(&format!("include {}/?.conf\nport 2", directory.display())).expect("valid");
    assert_eq!((show(&config, "hz"), show(&config, "port")), ("4".into(), "2".into()));
    assert!(load(&format!("include {}", at("loop.conf").display())).is_err());
    std::fs::write(at("bad.conf"), "\nfoo\n").expect("written");
    let error = load(&format!("include {}", at("bad.conf").display())).expect_err("refused").to_string();
    assert!(error.contains("at line 2\n>>> 'foo'"), "{error}");
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn production_files_start_with_paths_overridden() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/");
    let directory = directory();
    let dir = directory.display().to_string();
    for name in ["production-master.conf", "production-replica.conf"] {
        let path = format!("{fixtures}{name}");
        let options =
            ["--bind", "127.0.0.1", "--port", "7001", "--dir", &dir, "--logfile", "", "--aclfile", ""];
        let config = parse(&[&[path.as_str()][..], &options].concat(), "").expect(name);
        let settings = Settings::from(&config);
        assert_eq!(settings.port, 7001);
        assert_eq!(settings.bind, ["127.0.0.1"]);
        assert_eq!(settings.dir, dir);
        assert_eq!(settings.maxmemory, 8 << 30);
        assert_eq!(settings.maxmemory_policy, Some(EvictionPolicy::AllKeysLru));
        assert_eq!(settings.appendfsync, FsyncPolicy::EverySecond);
        assert_eq!(settings.masterauth, b"VeryStrongMasterPassword!2024");
        assert_eq!(settings.repl_backlog_size, 256 << 20);
        assert_eq!(settings.client_output_buffer_limits[1].hard_bytes, 512 << 20);
        let config_renamed = ("CONFIG".to_string(), "CONFIG_SECRET_TOKEN_a8f5f167".to_string());
        assert!(settings.renames.contains(&config_renamed));
        assert!(settings.renames.contains(&("FLUSHALL".into(), String::new())));
        let idle = config.accepted_without_effect();
        assert!(idle.contains(&"activerehashing"), "{idle:?}");
        if name.contains("replica") {
            assert_eq!(settings.replicaof, Some(("10.0.1.10".into(), 6379)));
            assert_eq!(show(&config, "save"), "900 1 300 10 60 10000");
        } else {
            assert_eq!(show(&config, "save"), "");
        }
    }
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn command_lines_follow_redis_rules() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--save"], "save", ""),
        (&["--save", "--appendonly", "no"], "save", ""),
        (&["--save", "", "--hz", "5"], "hz", "5"),
        (&["--save", "900", "1", "300", "5"], "save", "900 1 300 5"),
        (&["--save", "900 1", "--save", "60 2"], "save", "900 1 60 2"),
        (&["--hz 5", "--port", "7"], "hz", "5"),
        (&["--bind", "127.0.0.1", "::1"], "bind", "127.0.0.1 ::1"),
        (&["--requirepass", "--abc"], "requirepass", "--abc"),
        (&["--requirepass", "a b#"], "requirepass", "a b#"),
        (&["-", "--hz", "5"], "hz", "5"),
        (&["--hz", "5", "-"], "timeout", "44"),
        (&["--slaveof", "h", "1"], "replicaof", "h 1"),
        (&["--threads", "2"], "threads", "2"),
        (
            &["--client-output-buffer-limit", "normal", "1", "2", "3"],
            "client-output-buffer-limit",
            "normal 1 2 3 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
    ];
    for (arguments, name, shown) in cases {
        let config = parse(arguments, "hz 33\ntimeout 44\n").expect("valid");
        assert_eq!(show(&config, name), *shown, "{arguments:?}");
    }
    let errors: &[(&[&str], &str)] = &[
        (&["--foo"], "at line 2\n>>> 'foo'\nBad directive or wrong number of arguments"),
        (&["--hz", "--foo"], ">>> 'hz \"--foo\"'\nargument couldn't be parsed into an integer"),
        (&["--hz", "--port", "7"], ">>> 'hz \"--port\" \"7\"'\nwrong number of arguments"),
        (&["-x"], ">>> '\"-x\"'\nBad directive or wrong number of arguments"),
        (&["/nope.conf"], "Fatal error, can't open config file '/nope.conf': No such file or directory"),
        (&["--test-memory", "1"], "does not test memory"),
    ];
    for (arguments, text) in errors {
        let error = parse(arguments, "").map(|_| ()).expect_err("refused");
        assert!(error.contains(text), "{arguments:?}: {error}");
    }
    assert!(parse(&["--version"], "").is_err_and(|text| text.starts_with("shoal server v=")));
    assert!(parse(&["-h"], "").is_err_and(|text| text.contains("--maxmemory ")));
}

#[test]
fn every_number_fits_its_field() {
    use super::super::schema::{DIRECTIVES, Kind, Unit};
    for (index, directive) in DIRECTIVES.iter().enumerate() {
        let Kind::Number { unit, min, max } = directive.kind else { continue };
        for bound in [min, max] {
            let text = match unit {
                Unit::Octal => format!("{bound:o}"),
                Unit::MemoryOrPercent if bound < 0 => format!("{}%", -bound),
                _ => bound.to_string(),
            };
            let mut config = Config::new();
            config.assign(index, &[text.into_bytes()]).expect(directive.name);
            let _ = Settings::from(&config);
        }
    }
}
