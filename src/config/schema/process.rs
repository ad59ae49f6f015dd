//! Rows of the directive table: the process, its log, and who may do what. Read by `schema`; pure data.
use super::*;
use crate::config::check;

const PROTECTED_ACTION: &[(&str, u8)] = &[("no", 0), ("yes", 1), ("local", 2)];
const SHUTDOWN: &[(&str, u8)] = &[("default", 0), ("save", 2), ("nosave", 1), ("now", 4), ("force", 8)];

const fn on_signal(name: &'static str, about: &'static str) -> Directive {
    Directive::new(name, Kind::Choice { words: SHUTDOWN, several: true }, "default", about).flags(MULTI_ARG)
}

pub(super) static ROWS: &[Directive] = &[
    yes_no("daemonize", false, "run in the background").flags(IMMUTABLE),
    choice(
        "supervised",
        &[("upstart", 3), ("systemd", 2), ("auto", 1), ("no", 0)],
        "no",
        "tell a supervisor when the server is ready",
    )
    .flags(IMMUTABLE),
    optional_text("pidfile", "file that holds the process id").flags(IMMUTABLE),
    Directive::new("dir", Kind::Directory, "", "working directory; every relative path starts here")
        .flags(PROTECTED | DENY_LOADING),
    choice(
        "loglevel",
        &[("debug", 0), ("verbose", 1), ("notice", 2), ("warning", 3), ("nothing", 4)],
        "notice",
        "how much is logged",
    ),
    text("logfile", "", "log file; empty is standard output").flags(IMMUTABLE),
    yes_no("syslog-enabled", false, "log to syslog as well").flags(IMMUTABLE).accepted(),
    text("syslog-ident", "redis", "identity in syslog").flags(IMMUTABLE).accepted(),
    choice(
        "syslog-facility",
        &[
            ("user", 8),
            ("local0", 128),
            ("local1", 136),
            ("local2", 144),
            ("local3", 152),
            ("local4", 160),
            ("local5", 168),
            ("local6", 176),
            ("local7", 184),
        ],
        "local0",
        "facility in syslog",
    )
    .flags(IMMUTABLE)
    .accepted(),
    yes_no("crash-log-enabled", true, "write a crash report before dying of a panic"),
    yes_no("crash-memcheck-enabled", true, "test memory after a crash").accepted(),
    yes_no("use-exit-on-panic", false, "exit instead of abort on a panic").flags(HIDDEN).accepted(),
    number("watchdog-period", 0, I32, "0", "milliseconds of the software watchdog").flags(HIDDEN).accepted(),
    yes_no("always-show-logo", false, "show the logo in the log").flags(IMMUTABLE).accepted(),
    yes_no("set-proc-title", true, "set the process title").flags(IMMUTABLE).accepted(),
    checked_text(
        "proc-title-template",
        "{title} {listen-addr} {server-mode}",
        false,
        check::proc_title_template,
        "what the process title says",
    )
    .accepted(),
    yes_no("disable-thp", true, "no transparent huge pages for this process").flags(IMMUTABLE).accepted(),
    choice(
        "oom-score-adj",
        &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)],
        "no",
        "set oom_score_adj of the process",
    )
    .accepted(),
    Directive::new(
        "oom-score-adj-values",
        Kind::OomValues,
        "0 200 800",
        "oom_score_adj of primary, replica, child",
    )
    .flags(MULTI_ARG)
    .accepted(),
    on_signal("shutdown-on-sigint", "how SIGINT shuts down"),
    on_signal("shutdown-on-sigterm", "how SIGTERM shuts down"),
    number("shutdown-timeout", 0, I32, "10", "seconds to wait for replicas at shutdown"),
    text("ignore-warnings", "", "start-up warnings not to act upon").accepted(),
    text("locale-collate", "", "collation of SORT ALPHA").accepted(),
    optional_text("server_cpulist", "cores of the server's threads").flags(IMMUTABLE).accepted(),
    optional_text("bio_cpulist", "cores of background threads").flags(IMMUTABLE).accepted(),
    optional_text("aof_rewrite_cpulist", "cores of the AOF rewrite").flags(IMMUTABLE).accepted(),
    optional_text("bgsave_cpulist", "cores of the snapshot").flags(IMMUTABLE).accepted(),
    optional_text("requirepass", "password of the default user").flags(SENSITIVE),
    text("aclfile", "", "file of ACL users").flags(IMMUTABLE),
    choice(
        "acl-pubsub-default",
        &[("allchannels", 1), ("resetchannels", 0)],
        "resetchannels",
        "channels a new ACL user may use",
    ),
    number("acllog-max-len", 0, I64, "128", "entries of ACL LOG"),
    choice("enable-protected-configs", PROTECTED_ACTION, "no", "who may CONFIG SET protected directives")
        .flags(IMMUTABLE),
    choice("enable-debug-command", PROTECTED_ACTION, "no", "who may use DEBUG").flags(IMMUTABLE),
    choice("enable-module-command", PROTECTED_ACTION, "no", "who may use MODULE").flags(IMMUTABLE).accepted(),
];
