//! Users from text and back: the ACL file, `user` lines of the configuration, the words of ACL SETUSER.
//!
//! Called by `server::boot` and by ACL LOAD, SAVE and SETUSER. Invariant: a file with any error changes nothing, and all its errors are told at
//! once, in redis' words. The file is replaced whole (temporary file, fsync, rename). Bounds: linear in the file.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use super::rule_error::RuleError;
use super::selector::has_spaces;
use super::user::User;
use super::users::{DEFAULT, Users, next_serial};
use crate::config::{FileError, UserLine, system_text, words};

/// Joins words that belong to one parenthesis. Errors: the index of the word that opens one never closed.
pub fn merge_parentheses(words: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, usize> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    for (index, word) in words.iter().enumerate() {
        let closes = word.last() == Some(&b')');
        if word.first() == Some(&b'(') && !closes {
            // As redis 7.0: one that opens inside another drops what that had.
            open = Some((index, word.clone()));
            continue;
        }
        match open.as_mut() {
            Some((_, selector)) => {
                selector.push(b' ');
                selector.extend_from_slice(word);
                if closes && let Some((_, selector)) = open.take() {
                    merged.push(selector);
                }
            }
            None => merged.push(word.clone()),
        }
    }
    match open {
        Some((index, _)) => Err(index),
        None => Ok(merged),
    }
}

/// The users of an ACL file's text. Errors: all of them, as ACL LOAD replies.
pub fn parse_file(path: &str, text: &[u8], all_channels: bool) -> Result<Users, Vec<u8>> {
    let mut users = Users::default();
    let mut default = None;
    let mut errors: Vec<u8> = Vec::new();
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = words::trim(line);
        if line.is_empty() {
            continue;
        }
        let number = index + 1;
        let words: Vec<Vec<u8>> = line.split(|&byte| byte == b' ').map(<[u8]>::to_vec).collect();
        if words[0] != b"user" || words.len() < 2 {
            let text = format!("{path}:{number} should start with user keyword followed by the username. ");
            errors.extend_from_slice(text.as_bytes());
            continue;
        }
        let name = &words[1];
        if has_spaces(name) {
            errors.extend_from_slice(format!("{path}:{number}: username '").as_bytes());
            errors.extend_from_slice(name);
            errors.extend_from_slice(b"' contains invalid characters. ");
            continue;
        }
        if seen.contains(name) {
            errors.extend_from_slice(b"WARNING: Duplicate user '");
            errors.extend_from_slice(name);
            errors.extend_from_slice(format!("' found on line {number}. ").as_bytes());
            continue;
        }
        seen.push(name.clone());
        let mut user = User::new(name, next_serial(), all_channels);
        apply_line(&mut user, &words[2..], &format!("{path}:{number}"), all_channels, &mut errors);
        match user.name == DEFAULT {
            true => default = Some(user),
            false => users.put(user),
        }
    }
    if !errors.is_empty() {
        let last =
            b"WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
        errors.extend_from_slice(last);
        return Err(errors);
    }
    if let Some(default) = default {
        users.put(default);
    }
    Ok(users)
}

/// The rules of one line; every unknown command is an error of its own, of the others only the first is told.
fn apply_line(user: &mut User, rules: &[Vec<u8>], at: &str, all_channels: bool, errors: &mut Vec<u8>) {
    let Ok(rules) = merge_parentheses(rules) else {
        errors.extend_from_slice(format!("{at}: Unmatched parenthesis in selector definition.").as_bytes());
        return;
    };
    let mut is_broken = false;
    for rule in rules {
        match user.apply(words::trim(&rule), all_channels) {
            Ok(()) => {}
            Err(error @ RuleError::Unknown) => {
                errors.extend_from_slice(format!("{at}: Error in applying operation '").as_bytes());
                errors.extend_from_slice(&rule);
                errors.extend_from_slice(format!("': {}. ", error.text()).as_bytes());
            }
            Err(error) if !is_broken => {
                is_broken = true;
                errors.extend_from_slice(format!("{at}: {}. ", error.text()).as_bytes());
            }
            Err(_) => {}
        }
    }
}

/// Reads an ACL file. Errors: as ACL LOAD replies, without its code.
pub fn load_file(path: &str, all_channels: bool) -> Result<Users, Vec<u8>> {
    match fs::read(path) {
        Ok(text) => parse_file(path, &text, all_channels),
        Err(error) => {
            let reason = system_text(&error);
            Err(format!("Error loading ACLs, opening file '{path}': {reason}").into_bytes())
        }
    }
}

/// Writes all users to an ACL file.
///
/// Errors: the system's; the old file is then untouched.
pub fn save_file(path: &str, users: &Users) -> std::io::Result<()> {
    let mut text = Vec::new();
    for line in users.lines() {
        text.extend_from_slice(b"user ");
        text.extend_from_slice(&line);
        text.push(b'\n');
    }
    let temporary = format!("{path}.tmp-{}", std::process::id());
    let written = (|| {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
        return written;
    }
    let parent = std::path::Path::new(path).parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(std::path::Path::new(".")))?.sync_all()
}

/// The users at the start, from `user` lines or the ACL file, and requirepass.
///
/// Errors: the whole text to die with.
pub fn initial(
    lines: &[UserLine],
    path: &str,
    requirepass: &[u8],
    all_channels: bool,
) -> Result<Users, String> {
    for (index, line) in lines.iter().enumerate() {
        check_line(&lines[..index], line, all_channels)?;
    }
    if !path.is_empty() {
        if !lines.is_empty() {
            return Err("Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare users directly in your redis.conf, but not both.".into());
        }
        return load_file(path, all_channels).map_err(|reason| {
            format!("Aborting Redis startup because of ACL errors: {}", String::from_utf8_lossy(&reason))
        });
    }
    let mut users = Users::default();
    users.set_default_password(requirepass);
    for line in lines {
        let Some((name, rules)) = line.words.split_first() else { continue };
        let mut user = match users.get(name) {
            Some(known) => User::clone(known),
            None => User::new(name, next_serial(), all_channels),
        };
        if name == DEFAULT {
            let reset = user.apply(b"reset", all_channels);
            debug_assert!(reset.is_ok());
        }
        for rule in merge_parentheses(rules).unwrap_or_default() {
            if let Err(error) = user.apply(&rule, all_channels) {
                let (rule, name) = (String::from_utf8_lossy(&rule), String::from_utf8_lossy(name));
                let reason = error.text();
                return Err(format!(
                    "Error loading ACL rule '{rule}' for the user named '{name}': {reason}\nCritical error while loading ACLs. Exiting."
                ));
            }
        }
        users.put(user);
    }
    Ok(users)
}

/// What redis refuses of a `user` line while it reads the configuration: all but unknown commands, which modules might bring. The word it
/// names is as far from the line's first as the bad rule is from the first rule; of a parenthesis never closed it says what errno last held.
fn check_line(before: &[UserLine], line: &UserLine, all_channels: bool) -> Result<(), String> {
    let Some((name, rules)) = line.words.split_first() else { return Ok(()) };
    let fail = |at: usize, error: RuleError| {
        let word =
            if at == 0 { &b"user"[..] } else { line.words.get(at - 1).map_or(&b""[..], Vec::as_slice) };
        let reason =
            format!("Error in user declaration '{}': {}", String::from_utf8_lossy(word), error.text());
        Err(FileError::at(&line.place, reason).to_string())
    };
    if before.iter().any(|known| known.words.first() == Some(name)) {
        return fail(1, RuleError::Duplicate);
    }
    let rules = match merge_parentheses(rules) {
        Ok(rules) => rules,
        Err(at) => return fail(at, RuleError::Unknown),
    };
    let mut user = User::new(name, 0, all_channels);
    for (at, rule) in rules.iter().enumerate() {
        match user.apply(rule, all_channels) {
            Ok(()) | Err(RuleError::Unknown) => {}
            Err(error) => return fail(at, error),
        }
    }
    if has_spaces(name) {
        return Err("Spaces not allowed in ACL usernames\nCritical error while loading ACLs. Exiting.".into());
    }
    Ok(())
}
