//! `Reader`: an RDB file, fed in blocks, split into items.
//!
//! Called by the loaders (file, replication link); calls `skip`, `length`, `crc64`. Invariants: items come in the order of the file, each once; the checksum is judged before
//! [`Item::End`] is given; after an error there are no more items. Bounds: the buffer holds at most what is unread of the last block and one entry. Why push: whoever has
//! the bytes (a DMA read, a socket) must not be called back into.
use super::skip::{Skipper, module_name};
use super::write::Recency;
use super::{FileError, opcode};
use crate::base::crc64::crc64;
use crate::rdb::decode::{Damage, Decoder};
use crate::rdb::length::{self, Stop};
use crate::rdb::{VERSION_READ, kind};
use std::borrow::Cow;
use std::ops::Range;

/// `REDIS` and four digits.
const HEADER: usize = 9;
/// Files before it end without a checksum.
const SUMMED_FROM: u32 = 5;
/// A buffer that an entry made larger than this is given back afterwards, bytes.
const KEPT_BUFFER: usize = 8 << 20;

/// What a file consists of.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A field about the file. Unknown ones are to be ignored.
    Aux {
        /// Its name.
        key: Cow<'a, [u8]>,
        /// Its value.
        value: Cow<'a, [u8]>,
    },
    /// The entries that follow are of this database (also told by each).
    Select(usize),
    /// How large the tables will be, says the file.
    Resize {
        /// Keys.
        keys: u64,
        /// Of these, keys that expire.
        expires: u64,
    },
    /// A library of functions.
    Function(Cow<'a, [u8]>),
    /// Data of a module's, which was skipped: worth a line in the log.
    ModuleAux {
        /// The module type.
        name: String,
    },
    /// A key and its value.
    Entry {
        /// Its database.
        db: usize,
        /// When it expires or has expired, unix ms.
        expire_wall_ms: Option<i64>,
        /// How it has been used.
        recency: Option<Recency>,
        /// Type byte, key, value: for [`super::open_record`].
        record: &'a [u8],
    },
    /// The file is whole. What follows it is in [`Reader::rest`].
    End,
}

/// An item as places in the buffer.
enum Found {
    Aux(Range<usize>),
    Select,
    Resize(u64, u64),
    Function(Range<usize>),
    ModuleAux(Range<usize>),
    Entry(Option<i64>, Option<Recency>, Range<usize>),
    End,
}

/// Why there is no item.
enum Halt {
    More,
    Bad(FileError),
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::More => Self::More,
            // The place is filled in by whoever knows it.
            Stop::Bad(Damage(reason)) => Self::Bad(FileError { offset: u64::MAX, text: reason.to_string() }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Items,
    Trailer,
    Ended,
    Failed,
}

/// See the module's text.
#[derive(Debug)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Where the next item, or the entry's attribute, begins.
    at: usize,
    /// Offset in the file of the buffer's first byte.
    base: u64,
    sum: u64,
    /// The buffer's bytes that are in the sum.
    summed: usize,
    is_summing: bool,
    has_sum: bool,
    stage: Stage,
    failure: Option<FileError>,
    version: u32,
    db: usize,
    expire_wall_ms: Option<i64>,
    recency: Option<Recency>,
    /// Of the record at `at`, if not all of it was there.
    skipper: Option<Skipper>,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// At the beginning of a file.
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            at: 0,
            base: 0,
            sum: 0,
            summed: 0,
            is_summing: true,
            has_sum: false,
            stage: Stage::Header,
            failure: None,
            version: 0,
            db: 0,
            expire_wall_ms: None,
            recency: None,
            skipper: None,
        }
    }

    /// `rdbchecksum no`: the checksum is neither made nor judged.
    pub fn without_checksum(mut self) -> Self {
        self.is_summing = false;
        self
    }

    /// Takes the next bytes of the file. Call [`Self::next`] until it gives `None` before feeding more: else the buffer grows.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.at > 0 {
            if self.stage != Stage::Ended {
                self.sum_to(self.at);
            }
            self.buffer.drain(..self.at);
            self.summed = self.summed.saturating_sub(self.at);
            self.base += self.at as u64;
            self.at = 0;
            if self.buffer.capacity() > KEPT_BUFFER && self.buffer.len() + bytes.len() < KEPT_BUFFER / 2 {
                self.buffer.shrink_to(KEPT_BUFFER / 2);
            }
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next item; `None`: more bytes are needed, or the file has ended.
    ///
    /// # Errors
    /// The file is damaged or not one of ours, from there on always the same.
    #[expect(clippy::should_implement_trait, reason = "its items borrow the reader")]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, FileError> {
        let start = self.base + self.at as u64;
        match self.advance() {
            Ok(found) => self.item(found).map(Some).map_err(|Damage(text)| FileError::corrupt(start, text)),
            Err(Halt::More) => {
                if matches!(self.stage, Stage::Header | Stage::Items) {
                    self.sum_to(self.buffer.len());
                }
                Ok(None)
            }
            Err(Halt::Bad(mut error)) => {
                if error.offset == u64::MAX {
                    error = FileError::corrupt(self.base + self.at as u64, error.text);
                }
                self.stage = Stage::Failed;
                self.failure = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Whether [`Item::End`] was given.
    pub fn is_at_end(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// The error of a file whose bytes end before its [`Item::End`].
    pub fn cut_short(&self) -> FileError {
        let text = "Short read or OOM loading DB. Unrecoverable error, aborting now.".to_string();
        FileError { offset: self.base + self.buffer.len() as u64, text }
    }

    /// The bytes fed behind the file's end.
    pub fn rest(&self) -> &[u8] {
        if self.is_at_end() { &self.buffer[self.at..] } else { &[] }
    }

    /// Bytes of the file in items given.
    pub fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The file's version, 0 before its header was read.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// At the end: whether there is a checksum. Redis logs `RDB file was saved with checksum disabled: no check performed.` where there could be one and is not.
    pub fn has_checksum(&self) -> bool {
        self.has_sum
    }

    fn sum_to(&mut self, to: usize) {
        if self.is_summing && self.summed < to {
            self.sum = crc64(self.sum, &self.buffer[self.summed..to]);
        }
        self.summed = self.summed.max(to);
    }

    fn fail<T>(&self, text: impl std::fmt::Display) -> Result<T, Halt> {
        Err(Halt::Bad(FileError::corrupt(self.offset(), text)))
    }

    fn advance(&mut self) -> Result<Found, Halt> {
        loop {
            match self.stage {
                Stage::Header => self.header()?,
                Stage::Items => {
                    if let Some(found) = self.next_item()? {
                        return Ok(found);
                    }
                }
                Stage::Trailer => {
                    self.trailer()?;
                    self.stage = Stage::Ended;
                    return Ok(Found::End);
                }
                Stage::Ended => return Err(Halt::More),
                Stage::Failed => return Err(self.failure.clone().map_or(Halt::More, Halt::Bad)),
            }
        }
    }

    fn header(&mut self) -> Result<(), Halt> {
        let header: [u8; HEADER] = length::array(&self.buffer)?;
        let wrong = |text: String| Err(Halt::Bad(FileError { offset: 0, text }));
        let Some(digits) = header.strip_prefix(b"REDIS") else {
            return wrong("Wrong signature trying to load DB from file".to_string());
        };
        // As atoi: what follows the digits does not count.
        let digits = digits.iter().take_while(|digit| digit.is_ascii_digit());
        self.version = digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        if !(1..=u32::from(VERSION_READ)).contains(&self.version) {
            return wrong(format!("Can't handle RDB format version {}", self.version));
        }
        self.at = HEADER;
        self.stage = Stage::Items;
        Ok(())
    }

    /// An item; None after an attribute, or at the end of the items.
    fn next_item(&mut self) -> Result<Option<Found>, Halt> {
        let start = self.at;
        let rest = &self.buffer[start..];
        let &first = rest.first().ok_or(Halt::More)?;
        let content = &rest[1..];
        let (used, found) = match first {
            opcode::EXPIRETIME_MS => {
                let ms = i64::from_le_bytes(length::array(content)?);
                self.expire_wall_ms = Some(ms).filter(|&ms| ms != -1);
                (8, None)
            }
            opcode::EXPIRETIME => {
                let seconds = i32::from_le_bytes(length::array(content)?);
                self.expire_wall_ms = Some(i64::from(seconds) * 1000);
                (4, None)
            }
            opcode::FREQ => {
                let [counter] = length::array(content)?;
                self.recency = Some(Recency::Freq(counter));
                (1, None)
            }
            opcode::IDLE => {
                let (seconds, used) = length::length(content)?;
                self.recency = Some(Recency::IdleS(seconds));
                (used, None)
            }
            opcode::EOF => {
                self.stage = Stage::Trailer;
                (0, None)
            }
            opcode::SELECTDB => {
                let (db, used) = length::length(content)?;
                self.db = usize::try_from(db).unwrap_or(usize::MAX);
                (used, Some(Found::Select))
            }
            opcode::RESIZEDB => {
                let (keys, used) = length::length(content)?;
                let (expires, more) = length::length(&content[used..])?;
                (used + more, Some(Found::Resize(keys, expires)))
            }
            opcode::SLOT_INFO => {
                let mut used = 0;
                for _ in 0..3 {
                    used += length::length(&content[used..])?.1;
                }
                (used, None)
            }
            opcode::AUX => {
                let key = length::string_span(content)?;
                let used = key + length::string_span(&content[key..])?;
                (used, Some(Found::Aux(start + 1..start + 1 + used)))
            }
            opcode::FUNCTION2 => {
                let used = length::string_span(content)?;
                (used, Some(Found::Function(start + 1..start + 1 + used)))
            }
            opcode::FUNCTION_PRE_GA => return self.fail("Pre-release function format not supported."),
            _ => return self.record(first).map(Some),
        };
        self.at = start + 1 + used;
        Ok(found)
    }

    /// An entry, or a module's data.
    fn record(&mut self, first: u8) -> Result<Found, Halt> {
        let mut skipper = match self.skipper.take().or_else(|| Skipper::new(first)) {
            Some(skipper) => skipper,
            None => return self.foreign(first),
        };
        if let Err(stop) = skipper.run(&self.buffer[self.at..]) {
            self.skipper = Some(skipper);
            return Err(stop.into());
        }
        let range = self.at..self.at + skipper.passed;
        self.at = range.end;
        if first == opcode::MODULE_AUX {
            return Ok(Found::ModuleAux(range));
        }
        Ok(Found::Entry(self.expire_wall_ms.take(), self.recency.take(), range))
    }

    /// A type that is not known: a module's, or none.
    fn foreign(&self, kind: u8) -> Result<Found, Halt> {
        if !matches!(kind, kind::MODULE_PRE_GA | kind::MODULE_2) {
            return self.fail(format_args!("Unknown RDB encoding type {kind}"));
        }
        let content = &self.buffer[self.at + 1..];
        let key = length::string_span(content)?;
        let (id, _) = length::length(&content[key..])?;
        let name = module_name(id);
        self.fail(format_args!(
            "The RDB file contains module data I can't load: no matching module type '{name}'"
        ))
    }

    fn trailer(&mut self) -> Result<(), Halt> {
        self.sum_to(self.at);
        if self.version < SUMMED_FROM {
            return Ok(());
        }
        let given = u64::from_le_bytes(length::array(&self.buffer[self.at..])?);
        self.has_sum = given != 0;
        if self.has_sum && self.is_summing && given != self.sum {
            let text =
                format!("Wrong RDB checksum expected: ({:x}) but got ({given:x}). Aborting now.", self.sum);
            return Err(Halt::Bad(FileError { offset: self.offset(), text }));
        }
        self.at += 8;
        Ok(())
    }

    fn item(&self, found: Found) -> Result<Item<'_>, Damage> {
        Ok(match found {
            Found::Aux(range) => {
                let mut rest = &self.buffer[range];
                let mut from = Decoder::new(&mut rest);
                Item::Aux { key: from.string()?, value: from.string()? }
            }
            Found::Select => Item::Select(self.db),
            Found::Resize(keys, expires) => Item::Resize { keys, expires },
            Found::Function(range) => Item::Function(Decoder::new(&mut &self.buffer[range]).string()?),
            Found::ModuleAux(range) => {
                let id = Decoder::new(&mut &self.buffer[range][1..]).length()?;
                Item::ModuleAux { name: module_name(id) }
            }
            Found::Entry(expire_wall_ms, recency, range) => {
                Item::Entry { db: self.db, expire_wall_ms, recency, record: &self.buffer[range] }
            }
            Found::End => Item::End,
        })
    }
}
