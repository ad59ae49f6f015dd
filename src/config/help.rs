//! `--help`, and the listing of all directives for the documentation, both made from the table.
//!
//! Called by `cmdline` (usage) and by the documentation test (listing). Pure functions of the table.

use super::schema::{AREAS, Directive, Effect, FILE_DIRECTIVES, IMMUTABLE, Kind, PROTECTED, Unit};
use std::fmt::Write;

const USAGE: &str = "\
Usage: shoal-server [/path/to/redis.conf] [options] [-]
       shoal-server - (read config from stdin)
       shoal-server -v or --version
       shoal-server -h or --help

Examples:
       shoal-server (run the server with default conf)
       echo 'maxmemory 128mb' | shoal-server -
       shoal-server /etc/redis/6379.conf
       shoal-server --port 7777 --threads 4
       shoal-server /etc/myredis.conf --loglevel verbose -
       shoal-server /etc/myredis.conf --save \"\" --loglevel verbose

Every directive of the configuration file is an option, with -- before its name:
";

/// The text of `--help`, without a final newline.
pub fn usage() -> String {
    let mut text = String::from(USAGE);
    for (title, rows) in AREAS {
        let active: Vec<&Directive> = rows.iter().filter(|row| row.effect == Effect::Active).collect();
        if active.is_empty() {
            continue;
        }
        let _ = write!(text, "\n{title}\n");
        for row in active {
            let _ = writeln!(text, "  --{:<36} {}{}", row.name, row.about, default_note(row));
        }
    }
    text.push_str("\nAll other directives of Redis are accepted; those without effect here are named in the log at start.");
    text
}

fn default_note(row: &Directive) -> String {
    if row.default.is_empty() { String::new() } else { format!(" (default {})", row.default) }
}

/// The table of all directives in Markdown.
pub fn listing() -> String {
    let mut text = String::new();
    for (title, rows) in AREAS {
        let _ = write!(
            text,
            "## {title}\n\n| directive | values | default | change | meaning |\n|---|---|---|---|---|\n"
        );
        for row in rows {
            let alias = row.alias.map_or_else(String::new, |alias| format!(" (`{alias}`)"));
            let default =
                if row.default.is_empty() { String::from("-") } else { format!("`{}`", row.default) };
            let effect = if row.effect == Effect::Accepted { " *(no effect here)*" } else { "" };
            let change = match row.flags {
                flags if flags & IMMUTABLE != 0 => "start",
                flags if flags & PROTECTED != 0 => "protected",
                _ => "any time",
            };
            let _ = writeln!(
                text,
                "| `{}`{alias} | {} | {default} | {change} | {}{effect} |",
                row.name,
                values(row),
                row.about
            );
        }
        text.push('\n');
    }
    text.push_str("## Only in the file\n\n| directive | meaning |\n|---|---|\n");
    for row in FILE_DIRECTIVES {
        let _ = writeln!(text, "| `{}` | {} |", row.usage, row.about);
    }
    text
}

fn values(row: &Directive) -> String {
    match row.kind {
        Kind::Bool => "yes, no".into(),
        Kind::Number { unit, min, max } => {
            let noun = match unit {
                Unit::Plain => "",
                Unit::Memory => " bytes",
                Unit::MemoryOrPercent => return "bytes or percent".into(),
                Unit::Octal => return format!("octal {min:o}..{max:o}"),
            };
            if max >= i128::from(i32::MAX) { format!("{min}..{noun}") } else { format!("{min}..{max}{noun}") }
        }
        Kind::Choice { words, .. } => words.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
        Kind::Text { .. } => "text".into(),
        Kind::Directory => "path".into(),
        Kind::SavePoints => "seconds changes ...".into(),
        Kind::OutputLimits => "class hard soft seconds ...".into(),
        Kind::OomValues => "three numbers".into(),
        Kind::NotifyEvents => "letters of Ag$lshzxeKEtmdn".into(),
        Kind::Addresses => "addresses".into(),
        Kind::PrimaryAddress => "host port".into(),
        Kind::Percentiles => "numbers 0..100".into(),
    }
}
