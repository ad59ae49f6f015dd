//! The hash value: a [`Pack`] while small (shown as `listpack`), then a [`Table`] of fields; once converted it never goes back.
//!
//! Called by the hash commands (through `keyspace`), digest and savers; calls `pack`, `hash_table`, `field`. A hash whose fields have, or had,
//! an expiry is [`Timed`] (`hash_ttl`): its pack holds field, value, expiry (0: none) …, that of others field, value ….
//! Invariant: no method shows a field whose time is over by the clock that [`Hash::see`] set last, although it may still take room;
//! a mark in the form is set by every method that really changed something; the keyspace reads and clears it to touch WATCHers.
//! Bounds: every call costs one segment or one small listpack; a big hash is freed by [`Collection::free_step`] segment by segment.
use crate::base::memory::good_size;
use crate::base::prng::Prng;
use crate::types::collection::Collection;
use crate::types::element::{Element, are_distinct};
use crate::types::encoding::listpack::{ListPack, SAFE_BYTES};
use crate::types::encoding::pack::{self, Pack};
use crate::types::encoding::seg_walk;
use crate::types::encoding::thin::{Case, Small, Thin};
use crate::types::field::{Field, NEVER};
use crate::types::hash_table::Table;
use crate::types::hash_ttl::{Timed, pack_expire};

/// hash-max-listpack-entries and hash-max-listpack-value.
#[derive(Debug, Clone, Copy)]
pub struct HashLimits {
    /// Most fields a listpack may hold.
    pub max_entries: usize,
    /// Longest field or value a listpack may hold, bytes.
    pub max_value: usize,
}

impl Default for HashLimits {
    fn default() -> Self {
        Self { max_entries: 512, max_value: 64 }
    }
}

// SAFETY: a transparent wrapper of a block.
unsafe impl Small for Pack {}

/// Where the fields are, whether with an expiry or not.
pub(super) enum Form<P, T> {
    /// A pack, and how many entries a field takes.
    Pack(P, usize),
    Table(T),
}

/// See the module's text.
#[derive(Default)]
pub struct Hash {
    pub(super) repr: Thin<Pack, Table, Timed>,
}

impl Clone for Hash {
    fn clone(&self) -> Self {
        self.copy_with(Table::duplicate)
    }
}

impl Hash {
    /// An empty hash (commands remove a key whose hash became empty).
    pub fn new() -> Self {
        Self::default()
    }

    fn copy_with(&self, table: impl Fn(&Table) -> Table) -> Self {
        let repr = match self.repr.get() {
            Case::Small(pack) => Case::Small(pack.clone()),
            Case::Large(own) => Case::Large(Box::new(table(own))),
            Case::Special(timed) => Case::Special(Box::new(timed.duplicate(table))),
        };
        Self { repr: Thin::new(repr) }
    }

    /// The hash as it is now, without copying a large one: later changes of either copy what they touch. It must stay in the same shard.
    pub fn pin(&self) -> Self {
        self.copy_with(Table::pin)
    }

    /// A hash of a validated listpack of pairs; None if the count is odd or a field comes twice.
    pub fn from_listpack(stored: &ListPack) -> Option<Self> {
        let fields: Vec<_> = stored.iter().step_by(2).map(Element::to_bytes).collect();
        let ok = stored.len() == fields.len() * 2 && are_distinct(&fields);
        ok.then(|| Self { repr: Thin::new(Case::Small(Pack::from_listpack(stored))) })
    }

    /// Redis' form of a small one without expiries (DUMP, RDB).
    pub fn to_listpack(&self) -> Option<ListPack> {
        if let Case::Small(pack) = self.repr.get() { Some(pack.to_listpack()) } else { None }
    }

    /// Whether it is a small one without expiries.
    pub fn is_packed(&self) -> bool {
        matches!(self.repr.get(), Case::Small(_))
    }

    #[inline]
    pub(super) fn form(&self) -> Form<&Pack, &Table> {
        match self.repr.get() {
            Case::Small(pack) => Form::Pack(pack, 2),
            Case::Large(table) => Form::Table(table),
            Case::Special(timed) => timed.form(),
        }
    }

    #[inline]
    pub(super) fn form_mut(&mut self) -> Form<&mut Pack, &mut Table> {
        match self.repr.get_mut() {
            Case::Small(pack) => Form::Pack(pack, 2),
            Case::Large(table) => Form::Table(table),
            Case::Special(timed) => timed.form_mut(),
        }
    }

    /// The time fields are judged by: 0, with nothing over, for a hash that never had an expiry.
    #[inline]
    pub(super) fn now_ms(&self) -> u64 {
        if let Case::Special(timed) = self.repr.get() { timed.clock.get() } else { 0 }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        match self.form() {
            Form::Table(table) if self.has_due() => table.live_len(self.now_ms()),
            Form::Table(table) => table.len,
            Form::Pack(_, 3) if self.has_due() => self.iter().count(),
            Form::Pack(pack, width) => pack.len() / width,
        }
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `field`.
    pub fn get(&self, field: &[u8]) -> Option<Element<'_>> {
        match self.form() {
            Form::Pack(pack, width) => {
                let at = pack.find(field, width - 1)?;
                let is_live = width == 2 || pack_expire(pack, at) >= self.now_ms();
                pack.next(at).filter(|_| is_live).map(|value| pack.get(value))
            }
            Form::Table(table) => {
                let own = table.find(field).filter(|own| !own.is_over(self.now_ms()))?;
                Some(Element::Bytes(own.value))
            }
        }
    }

    /// Whether `field` is there.
    pub fn contains(&self, field: &[u8]) -> bool {
        self.get(field).is_some()
    }

    /// Sets a field, which loses its expiry; true if it is new. Converts when a limit is passed.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &HashLimits) -> bool {
        self.put(field, value, false, limits)
    }

    /// As [`Hash::set`], but an expiry stays (HINCRBY).
    pub fn update(&mut self, field: &[u8], value: &[u8], limits: &HashLimits) -> bool {
        self.put(field, value, true, limits)
    }

    fn put(&mut self, field: &[u8], value: &[u8], keep_ttl: bool, limits: &HashLimits) -> bool {
        self.convert_for(&[field, value], limits);
        let now_ms = self.now_ms();
        let (pack, width) = match self.form_mut() {
            Form::Table(table) => return table.set(field, value, keep_ttl, now_ms),
            Form::Pack(pack, width) => (pack, width),
        };
        if let Some(at) = pack.find(field, width - 1)
            && let Some(value_at) = pack.next(at)
        {
            let was_over = width == 3 && pack_expire(pack, at) < now_ms;
            if width == 3 && (!keep_ttl || was_over) {
                pack.splice(value_at, 2, &[Element::Bytes(value), Element::Int(0)]);
            } else {
                pack.replace(value_at, value);
            }
            return was_over;
        }
        pack.splice(pack.end(), 0, &[Element::Bytes(field), Element::Bytes(value), Element::Int(0)][..width]);
        if pack.len() / width > limits.max_entries {
            self.convert();
        }
        true
    }

    /// Converts to a table if one of `texts` is too long for a listpack (redis does so before HSET sets anything).
    pub fn convert_for(&mut self, texts: &[&[u8]], limits: &HashLimits) {
        let Form::Pack(pack, _) = self.form() else { return };
        let sum: usize = texts.iter().map(|text| text.len()).sum();
        let long = texts.iter().any(|text| text.len() > limits.max_value);
        if long || pack.end() + sum > SAFE_BYTES {
            self.convert();
        }
    }

    fn convert(&mut self) {
        let Form::Pack(pack, width) = self.form() else { return };
        let mut table = Table::default();
        let mut entries = pack.iter();
        while let (Some(field), Some(value)) = (entries.next(), entries.next()) {
            let expire = if width == 3 { entries.next().and_then(Element::as_i64) } else { None };
            let expire_ms = expire.and_then(|ms| u64::try_from(ms).ok()).filter(|&ms| ms > 0);
            table.insert(&field.to_bytes(), &value.to_bytes(), expire_ms.unwrap_or(NEVER));
        }
        table.changed = self.take_changed();
        match self.repr.get_mut() {
            Case::Special(timed) => timed.set_table(table),
            _ => self.repr = Thin::new(Case::Large(Box::new(table))),
        }
    }

    /// Removes a field; true if it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let now_ms = self.now_ms();
        let was_live = match self.form_mut() {
            Form::Pack(pack, width) => pack.find(field, width - 1).map(|at| {
                let is_live = width == 2 || pack_expire(pack, at) >= now_ms;
                pack.remove(at, width);
                is_live
            }),
            Form::Table(table) => table.remove(field, now_ms),
        };
        was_live == Some(true)
    }

    /// All pairs.
    pub fn iter(&self) -> Iter<'_> {
        let now_ms = self.now_ms();
        match self.form() {
            Form::Pack(pack, 2) => Iter::Pack(pack.iter()),
            Form::Pack(pack, _) => Iter::Timed(pack.iter(), now_ms),
            Form::Table(table) => Iter::Table(table.fields.iter(), now_ms),
        }
    }

    /// A uniformly chosen pair.
    pub fn random(&self, prng: &mut Prng) -> Option<(Element<'_>, Element<'_>)> {
        match self.form() {
            Form::Pack(pack, 2) => {
                let pairs = pack.len() as u64 / 2;
                if pairs == 0 {
                    return None;
                }
                let at = pack.seek(2 * prng.below(pairs) as usize)?;
                Some((pack.get(at), pack.get(pack.next(at)?)))
            }
            Form::Table(table) => {
                // Mostly the first draw; after many whose time is over, one of those that are left.
                let live = (0..256)
                    .find_map(|_| table.fields.random(prng).filter(|own| !own.is_over(self.now_ms())));
                let pair = live.map(|own| (Element::Bytes(own.field), Element::Bytes(own.value)));
                pair.or_else(|| self.iter().nth(prng.below(self.len().max(1) as u64) as usize))
            }
            Form::Pack(..) => match self.len() as u64 {
                0 => None,
                live => self.iter().nth(prng.below(live) as usize),
            },
        }
    }

    /// `count` distinct pairs (all of them if there are fewer), in no particular order.
    pub fn random_distinct(&self, count: usize, prng: &mut Prng) -> Vec<(Element<'_>, Element<'_>)> {
        let len = self.len();
        if count >= len {
            return self.iter().collect();
        }
        if let Form::Table(table) = self.form()
            && count <= len / 3
            && !self.has_due()
        {
            let mut seen = std::collections::HashSet::with_capacity(count);
            let mut picked = Vec::with_capacity(count);
            while picked.len() < count {
                let Some(own) = table.fields.random(prng) else { break };
                if seen.insert(own.field.as_ptr()) {
                    picked.push((Element::Bytes(own.field), Element::Bytes(own.value)));
                }
            }
            return picked;
        }
        // Selection sampling: one pass, each subset equally likely, order kept (as redis does for listpacks).
        let (mut left, mut seen) = (count, 0);
        let mut picked = Vec::with_capacity(count);
        for pair in self.iter() {
            if prng.below((len - seen) as u64) < left as u64 {
                picked.push(pair);
                left -= 1;
            }
            seen += 1;
        }
        picked
    }

    /// HSCAN: visits from `cursor` (0 = start) about `count` pairs, returns the next cursor (0 = done).
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) -> u64 {
        let now_ms = self.now_ms();
        let Form::Table(table) = self.form() else {
            self.iter().for_each(|(field, value)| visit(field, value));
            return 0;
        };
        let mut position = cursor << 16;
        let mut seen = 0;
        loop {
            let next = table.fields.scan(position, count.saturating_sub(seen), |own| {
                seen += 1;
                if !own.is_over(now_ms) {
                    visit(Element::Bytes(own.field), Element::Bytes(own.value));
                }
            });
            match next {
                None => return 0,
                Some(next) if seen >= count => return next >> 16,
                Some(next) => position = next,
            }
        }
    }

    /// Recounts a table's bytes (tests): must equal what is tracked.
    pub fn bytes_are_right(&self) -> bool {
        let Form::Table(table) = self.form() else { return true };
        let fields: usize = table.fields.iter().map(|own| own.heap_bytes()).sum();
        fields + table.fields.count_bytes() == table.bytes && table.fields.iter().count() == table.len
    }
}

impl Collection for Hash {
    fn encoding(&self) -> &'static str {
        match self.form() {
            Form::Pack(_, 2) => "listpack",
            Form::Pack(..) => "listpackex",
            Form::Table(_) => "hashtable",
        }
    }

    fn heap_bytes(&self) -> usize {
        match self.repr.get() {
            Case::Small(pack) => pack.heap_bytes(),
            Case::Large(table) => good_size(size_of::<Table>()) + table.bytes,
            Case::Special(timed) => timed.heap_bytes(),
        }
    }

    fn is_heavy(&self) -> bool {
        matches!(self.form(), Form::Table(table) if table.len > 64)
    }

    fn free_step(&mut self) -> bool {
        let Form::Table(table) = self.form_mut() else { return true };
        let mut freed = 0;
        table.fields.free_segment(&mut table.bytes, |own| {
            freed += own.heap_bytes();
        });
        table.bytes -= freed;
        table.fields.is_empty()
    }

    fn take_changed(&mut self) -> bool {
        match self.form_mut() {
            Form::Pack(pack, _) => pack.take_changed(),
            Form::Table(table) => std::mem::take(&mut table.changed),
        }
    }

    fn own_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// See [`Hash::iter`].
pub enum Iter<'a> {
    /// Over a pack of pairs.
    Pack(pack::Iter<'a>),
    /// Over a pack of field, value, expiry; and the time.
    Timed(pack::Iter<'a>, u64),
    /// Over a table; and the time.
    Table(seg_walk::Iter<'a, Field>, u64),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, Element<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Pack(pack) => Some((pack.next()?, pack.next()?)),
            Self::Timed(pack, now_ms) => loop {
                let (field, value, expire) = (pack.next()?, pack.next()?, pack.next()?);
                if !matches!(expire, Element::Int(ms) if ms > 0 && (ms as u64) < *now_ms) {
                    return Some((field, value));
                }
            },
            Self::Table(table, now_ms) => {
                let own = table.find(|own| !own.is_over(*now_ms))?;
                Some((Element::Bytes(own.field), Element::Bytes(own.value)))
            }
        }
    }
}
