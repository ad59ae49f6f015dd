//! Loads a file as the server does, without cores: the reader, then each record's value into one keyspace.
use shoal::keyspace::{Access, Expire, Key, Keyspace, combine_digests, database_digest};
use shoal::rdb::decode::{Decoder, EMPTY};
use shoal::rdb::file::{FileError, Item, Reader, Record, open_record};
use shoal::rdb::load::{Limits, load_value};
use shoal::types::hash::HashLimits;
use shoal::types::list::ListLimits;
use shoal::types::set::SetLimits;
use shoal::types::zset::ZSetLimits;

/// Databases of the keyspace.
pub const DATABASES: usize = 16;
/// The internal clock's reading; the wall clock's is [`OFFSET_MS`] more.
pub const NOW_MS: u64 = 1_000_000;
/// 2026.
pub const OFFSET_MS: i64 = 1_790_000_000_000;

/// Redis' defaults.
pub fn limits() -> Limits {
    Limits {
        hash: HashLimits { max_entries: 128, max_value: 64 },
        list: ListLimits::of(-2),
        set: SetLimits::default(),
        zset: ZSetLimits { max_entries: 128, max_value: 64 },
        wall_offset_ms: OFFSET_MS,
    }
}

/// A file's content.
pub struct Loaded {
    pub space: Keyspace,
    pub functions: Vec<Vec<u8>>,
    /// Keys without elements.
    pub skipped: u64,
    /// Bytes behind the file's end.
    pub rest: Vec<u8>,
}

impl Loaded {
    /// DEBUG DIGEST.
    pub fn digest(&self) -> String {
        let shares: Vec<_> =
            (0..DATABASES).map(|db| (db, self.space.len(db), database_digest(&self.space, db))).collect();
        combine_digests(&shares).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// DBSIZE of each database up to the last that is not empty.
    pub fn keys(&self) -> Vec<u64> {
        let mut keys: Vec<_> = (0..DATABASES).map(|db| self.space.len(db)).collect();
        while keys.len() > 1 && keys.last() == Some(&0) {
            keys.pop();
        }
        keys
    }
}

/// The file's content, fed in blocks of `block` bytes.
pub fn load(file: &[u8], block: usize) -> Result<Loaded, FileError> {
    let mut reader = Reader::new();
    let space = Keyspace::new(DATABASES, 1);
    let mut loaded = Loaded { space, functions: Vec::new(), skipped: 0, rest: Vec::new() };
    let limits = limits();
    for bytes in file.chunks(block) {
        reader.feed(bytes);
        loop {
            let offset = reader.offset();
            match reader.next()? {
                None => break,
                Some(Item::Function(code)) => loaded.functions.push(code.into_owned()),
                Some(Item::Entry { db, expire_wall_ms, record, .. }) => {
                    if db >= DATABASES {
                        return Err(FileError::too_many_databases(offset, DATABASES));
                    }
                    store(&mut loaded, offset, db, expire_wall_ms, record, &limits)?;
                }
                Some(_) => {}
            }
        }
    }
    loaded.rest = reader.rest().to_vec();
    if reader.is_at_end() { Ok(loaded) } else { Err(reader.cut_short()) }
}

fn store(
    loaded: &mut Loaded,
    offset: u64,
    db: usize,
    expire_wall_ms: Option<i64>,
    record: &[u8],
    limits: &Limits,
) -> Result<(), FileError> {
    let Record { kind, key, value: mut bytes } =
        open_record(record).map_err(|damage| FileError::of_value(offset, b"", damage))?;
    let value = match load_value(kind, &mut Decoder::new(&mut bytes), limits) {
        Err(EMPTY) => {
            loaded.skipped += 1;
            return Ok(());
        }
        value => value.map_err(|damage| FileError::of_value(offset, &key, damage))?,
    };
    assert!(bytes.is_empty(), "the value was skipped and decoded to different ends");
    let key = Key::new(&key);
    let mut db_of_key = loaded.space.db(db, Access::at(NOW_MS));
    if db_of_key.reborrow().exists(&key) {
        return Err(FileError::duplicate_key(offset, key.bytes, db));
    }
    let expire = expire_wall_ms.map(|ms| ms.saturating_sub(OFFSET_MS).max(0) as u64);
    if expire.is_some_and(|at| at <= NOW_MS) {
        return Ok(());
    }
    let expire = expire.map_or(Expire::Clear, Expire::At);
    value.store(|value| db_of_key.set_value(&key, value, expire));
    Ok(())
}
