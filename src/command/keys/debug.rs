//! The DEBUG subcommands that look at keys: DIGEST, DIGEST-VALUE, OBJECT, POPULATE.
//!
//! Run with all shards in hand (`session::Flow::OnAllShards`), since any of them may name any key. The digest is redis' (debug.c), so that
//! equal data on either server has equal digests. Bounds: DIGEST and POPULATE cost what they cost.

use crate::base::number::parse_i64;
use crate::command::reply_error::ReplyError;
use crate::command::{Cx, notify};
use crate::keyspace::{Access, Entry, Expire, Key, StrIn, combine_digests, database_digest, value_digest};
use crate::types::list::List;

/// Whether `subcommand` with so many words in all is served here.
pub fn serves(subcommand: &[u8], words: usize) -> bool {
    match subcommand.to_ascii_lowercase().as_slice() {
        b"digest" => words == 2,
        b"digest-value" => true,
        b"object" => words == 3 || words == 4,
        b"populate" => (3..=5).contains(&words),
        _ => false,
    }
}

/// `DEBUG DIGEST | DIGEST-VALUE key … | OBJECT key | POPULATE count [prefix] [size]`
pub fn debug(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    match cx.arg(1).to_ascii_lowercase().as_slice() {
        b"digest" => digest(cx),
        b"digest-value" => digest_values(cx),
        b"object" => object(cx),
        _ => populate(cx),
    }
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let databases = cx.settings.databases;
    let mut shares = Vec::new();
    for space in cx.each_space() {
        for db in 0..databases {
            if space.len(db) > 0 {
                shares.push((db, space.len(db), database_digest(space, db)));
            }
        }
    }
    cx.out.simple(&hex(&combine_digests(&shares)));
    Ok(())
}

fn digest_values(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    cx.access = Access::at(cx.now_ms).quiet();
    cx.out.array(cx.argc() - 2);
    for index in 2..cx.argc() {
        let key = cx.key(index);
        let digest = cx.dbm(&key).peek(&key).map_or([0; 20], value_digest);
        cx.out.simple(&hex(&digest));
    }
    Ok(())
}

fn object(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (key, now_ms) = (cx.key(2), cx.now_ms);
    let Some(entry) = cx.dbm(&key).peek(&key) else { return Err(ReplyError::NoSuchKey) };
    let (encoding, lru, bytes) = (entry.encoding(), entry.lru(), entry.heap_bytes());
    let freshness = &cx.space(&key).common.freshness;
    let idle_s = if freshness.lfu { 0 } else { freshness.idle_ms(lru, now_ms) / 1000 };
    let list = entry_list_fields(cx, &key);
    let line = format!(
        "Value at:0x{:x} refcount:1 encoding:{encoding} serializedlength:{bytes} lru:{lru} lru_seconds_idle:{idle_s}{list}",
        key.hash & 0xffff_ffff_ffff
    );
    cx.out.simple(&line);
    Ok(())
}

/// What redis adds for a list: its nodes, which for us are the chunks.
fn entry_list_fields(cx: &mut Cx<'_>, key: &Key<'_>) -> String {
    let limit = cx.settings.list_max_listpack_size;
    let entry = cx.dbm(key).peek(key);
    let Some(list) = entry.and_then(Entry::get::<List>) else { return String::new() };
    let (nodes, len) = (list.nodes(), list.len());
    let average = len as f64 / nodes.max(1) as f64;
    let bytes = list.packed_bytes();
    format!(
        " ql_nodes:{nodes} ql_avg_node:{average:.2} ql_listpack_max:{limit} ql_compressed:0 ql_uncompressed_size:{bytes}"
    )
}

fn populate(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let number = |word: &[u8]| {
        parse_i64(word).and_then(|number| usize::try_from(number).ok()).ok_or(ReplyError::NotPositive)
    };
    let count = number(cx.arg(2))?;
    let prefix = if cx.argc() > 3 { cx.arg(3) } else { b"key" };
    let size = if cx.argc() > 4 { Some(number(cx.arg(4))?) } else { None };
    for index in 0..count {
        let mut name = prefix.to_vec();
        name.extend_from_slice(format!(":{index}").as_bytes());
        let key = cx.key_of(&name);
        if cx.dbm(&key).peek(&key).is_some() {
            continue;
        }
        let mut value = format!("value:{index}").into_bytes();
        if let Some(size) = size.filter(|&size| size > 0) {
            value.resize(size, 0);
        }
        cx.dbm(&key).set_string(&key, StrIn::Plain(&value), Expire::Clear);
        cx.notify(notify::NEW, "new", &name);
    }
    cx.out.ok();
    Ok(())
}
