//! Names are found in any case, and only the served ones.
use crate::command::lookup::{Table, Unknown};
use crate::command::rows;
use crate::resp::OwnedCommand;

fn find(table: &Table, words: &[&str]) -> Result<&'static str, Unknown> {
    table.find(&OwnedCommand::from_words(words).args()).map(|command| command.row.full_name)
}

#[test]
fn every_row_is_found_by_its_name_in_any_case() {
    let table = Table::of(|_| true);
    for row in rows::all() {
        assert_eq!(find(&table, &[row.name]), Ok(row.full_name));
        assert_eq!(find(&table, &[&row.name.to_ascii_uppercase()]), Ok(row.full_name));
        assert_eq!(rows::find(row.full_name).map(|row| row.full_name), Some(row.full_name));
        for sub in row.subcommands {
            assert_eq!(find(&table, &[row.name, &sub.name.to_ascii_uppercase(), "x"]), Ok(sub.full_name));
            assert_eq!(find(&table, &[sub.name]).ok(), rows::find(sub.name).map(|row| row.full_name));
            assert_eq!(
                table.by_client_name(sub.full_name.as_bytes()).map(|c| c.row.full_name),
                Some(sub.full_name)
            );
            assert_eq!(rows::find(sub.full_name).map(|row| row.full_name), Some(sub.full_name));
        }
    }
}

#[test]
fn what_is_no_name_is_not_found() {
    let table = Table::of(|_| true);
    for name in [
        "",
        "g",
        "get ",
        "get\0",
        "\0",
        "ge",
        "gett",
        "config|get",
        "g\u{c5}t",
        "nosuchcommandwithaverylongname",
    ] {
        assert_eq!(find(&table, &[name]), Err(Unknown::Command), "{name:?}");
        assert_eq!(find(&table, &["config", name]), Err(Unknown::Subcommand), "{name:?}");
    }
    for at in 0..3 {
        for byte in (0..=255u8).filter(|byte| !byte.eq_ignore_ascii_case(&b"get"[at])) {
            let mut name = *b"get";
            name[at] = byte;
            let found = table.find(&OwnedCommand::from_words(&[&name[..]]).args());
            assert_eq!(found.is_ok(), name.eq_ignore_ascii_case(b"set"), "{name:?}");
        }
    }
    assert!(table.by_client_name(b"config|get|x").is_none() && table.by_client_name(b"get|x").is_none());
}

#[test]
fn only_what_is_served_is_found() {
    let table = Table::build(&["config|get", "ping"]);
    assert_eq!(find(&table, &["PING"]), Ok("ping"));
    assert_eq!(find(&table, &["config"]), Ok("config"));
    assert_eq!(find(&table, &["config", "get", "x"]), Ok("config|get"));
    assert_eq!(find(&table, &["config", "set", "x"]), Err(Unknown::Subcommand));
    assert_eq!(find(&table, &["cluster", "help"]), Err(Unknown::Command));
    assert_eq!(table.by_full_name("config|get").map(|c| c.row.name), Some("get"));
    let ids: Vec<u16> = table.commands().map(|command| command.id).collect();
    assert_eq!(ids, (0..table.len() as u16).collect::<Vec<_>>());
}

#[test]
fn rename_command_renames_and_disables() {
    let mut table = Table::of(|_| true);
    let long = "b840fc02d524045429941cc15f59e41cb7be6c52";
    table.rename("CONFIG", long).unwrap();
    table.rename("flushall", "").unwrap();
    assert_eq!(find(&table, &["config", "get"]), Err(Unknown::Command));
    assert_eq!(find(&table, &[&long.to_uppercase(), "get"]), Ok("config|get"));
    assert_eq!(find(&table, &["flushall"]), Err(Unknown::Command));
    assert!(table.by_full_name("config|get").is_some() && table.by_full_name("flushall").is_some());
    assert_eq!(table.rename("nosuch", "x").unwrap_err(), "No such command in rename-command");
    assert_eq!(table.rename("get", "set").unwrap_err(), "Target command name already exists");
}
