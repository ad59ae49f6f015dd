//! The hash value: a listpack while small, then a [`SegTable`] of fields; once converted it never goes back.
//!
//! Called by the hash commands (through `keyspace`), digest and savers; calls `listpack`, `seg_table`, `field`.
//! Invariant: `bytes` of a table counts segments, directory and fields exactly; a listpack holds field, value, field, value ….
//! Bounds: every call costs one segment or one small listpack; a big hash is freed by [`Collection::free_step`] segment by segment.
//! `changed` is set by every method that really changed something; the keyspace reads and clears it to touch WATCHers.
use crate::base::memory::good_size;
use crate::base::prng::Prng;
use crate::base::siphash::key_hash;
use crate::types::collection::Collection;
use crate::types::element::Element;
use crate::types::encoding::listpack::{self, ListPack, SAFE_BYTES};
use crate::types::encoding::seg_table::SegTable;
use crate::types::encoding::seg_walk;
use crate::types::field::Field;

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

enum Repr {
    Pack(ListPack),
    Table(Box<Table>),
}

#[derive(Default)]
struct Table {
    fields: SegTable<Field>,
    len: usize,
    bytes: usize,
}

/// See the module's text.
pub struct Hash {
    repr: Repr,
    changed: bool,
}

impl Clone for Hash {
    fn clone(&self) -> Self {
        let table = match &self.repr {
            Repr::Pack(pack) => return Self { repr: Repr::Pack(pack.clone()), changed: false },
            Repr::Table(table) => table,
        };
        let mut copy = Box::<Table>::default();
        for own in table.fields.iter() {
            copy.set(own.field, own.value);
        }
        Self { repr: Repr::Table(copy), changed: false }
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let hash = key_hash(field);
        if let Some(mut found) = self.fields.find_mut(hash, |own| own.field == field) {
            let (before, after) = found.update(|own| {
                let before = own.heap_bytes();
                own.set_value(value);
                (before, own.heap_bytes())
            });
            self.bytes = self.bytes - before + after;
            return false;
        }
        let own = Field::new(field, value);
        self.bytes += own.heap_bytes();
        self.fields.insert(hash, own, None, &mut self.bytes);
        self.len += 1;
        true
    }

    fn remove(&mut self, field: &[u8]) -> bool {
        let Some(found) = self.fields.find_mut(key_hash(field), |own| own.field == field) else {
            return false;
        };
        let own = found.remove(&mut self.bytes);
        self.bytes -= own.heap_bytes();
        self.len -= 1;
        true
    }
}

impl Hash {
    /// An empty hash (commands remove a key whose hash became empty).
    pub fn new() -> Self {
        Self { repr: Repr::Pack(ListPack::new()), changed: false }
    }

    /// The hash as it is now, without copying a large one: later changes of either copy what they touch. It must stay in the same shard.
    pub fn pin(&self) -> Self {
        let Repr::Table(table) = &self.repr else { return self.clone() };
        let table = Table { fields: table.fields.pin(), len: table.len, bytes: table.bytes };
        Self { repr: Repr::Table(Box::new(table)), changed: false }
    }

    /// Bytes that no pin shares (tests).
    pub fn own_table_bytes(&self) -> usize {
        let Repr::Table(table) = &self.repr else { return 0 };
        table.fields.own_bytes(|own| good_size(8 + own.field.len() + own.value.len()))
    }

    /// A hash of a validated listpack of pairs; None if the count is odd or a field comes twice.
    pub fn from_pack(pack: ListPack) -> Option<Self> {
        let fields: Vec<Vec<u8>> =
            pack.iter().step_by(2).map(|field| field.to_bytes().into_owned()).collect();
        let distinct: std::collections::HashSet<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        let ok = pack.len() == fields.len() * 2 && distinct.len() == fields.len();
        ok.then_some(Self { repr: Repr::Pack(pack), changed: false })
    }

    /// The listpack, while it is one (DUMP, RDB).
    pub fn as_pack(&self) -> Option<&ListPack> {
        match &self.repr {
            Repr::Pack(pack) => Some(pack),
            Repr::Table(_) => None,
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Pack(pack) => pack.len() / 2,
            Repr::Table(table) => table.len,
        }
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `field`.
    pub fn get(&self, field: &[u8]) -> Option<Element<'_>> {
        match &self.repr {
            Repr::Pack(pack) => {
                let at = pack.find(pack.first(), field, 1)?;
                Some(pack.get(pack.next(at)?))
            }
            Repr::Table(table) => {
                let own = table.fields.find(key_hash(field), |own| own.field == field)?;
                Some(Element::Bytes(own.value))
            }
        }
    }

    /// Whether `field` is there.
    pub fn contains(&self, field: &[u8]) -> bool {
        self.get(field).is_some()
    }

    /// Sets a field; true if it is new. Converts when a limit is passed.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: &HashLimits) -> bool {
        self.changed = true;
        self.convert_for(&[field, value], limits);
        let pack = match &mut self.repr {
            Repr::Table(table) => return table.set(field, value),
            Repr::Pack(pack) => pack,
        };
        if let Some(at) = pack.find(pack.first(), field, 1).and_then(|at| pack.next(at)) {
            pack.replace(at, value);
            return false;
        }
        let end = pack.as_bytes().len() - 1;
        pack.splice(end, 0, &[Element::Bytes(field), Element::Bytes(value)]);
        if pack.len() / 2 > limits.max_entries {
            self.convert();
        }
        true
    }

    /// Converts to a table if one of `texts` is too long for a listpack (redis does so before HSET sets anything).
    pub fn convert_for(&mut self, texts: &[&[u8]], limits: &HashLimits) {
        let Repr::Pack(pack) = &self.repr else { return };
        let sum: usize = texts.iter().map(|text| text.len()).sum();
        let long = texts.iter().any(|text| text.len() > limits.max_value);
        if long || pack.as_bytes().len() + sum > SAFE_BYTES {
            self.convert();
        }
    }

    fn convert(&mut self) {
        let mut table = Box::<Table>::default();
        for (field, value) in self.iter() {
            table.set(&field.to_bytes(), &value.to_bytes());
        }
        self.repr = Repr::Table(table);
    }

    /// Removes a field; true if it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        let removed = match &mut self.repr {
            Repr::Pack(pack) => match pack.find(pack.first(), field, 1) {
                Some(at) => {
                    pack.remove(at, 2);
                    true
                }
                None => false,
            },
            Repr::Table(table) => table.remove(field),
        };
        self.changed |= removed;
        removed
    }

    /// All pairs.
    pub fn iter(&self) -> Iter<'_> {
        match &self.repr {
            Repr::Pack(pack) => Iter::Pack(pack.iter()),
            Repr::Table(table) => Iter::Table(table.fields.iter()),
        }
    }

    /// A uniformly chosen pair.
    pub fn random(&self, prng: &mut Prng) -> Option<(Element<'_>, Element<'_>)> {
        match &self.repr {
            Repr::Pack(pack) => {
                let pairs = pack.len() as u64 / 2;
                if pairs == 0 {
                    return None;
                }
                let at = pack.seek(2 * prng.below(pairs) as i64)?;
                Some((pack.get(at), pack.get(pack.next(at)?)))
            }
            Repr::Table(table) => {
                let own = table.fields.random(prng)?;
                Some((Element::Bytes(own.field), Element::Bytes(own.value)))
            }
        }
    }

    /// `count` distinct pairs (all of them if there are fewer), in no particular order.
    pub fn random_distinct(&self, count: usize, prng: &mut Prng) -> Vec<(Element<'_>, Element<'_>)> {
        let len = self.len();
        if count >= len {
            return self.iter().collect();
        }
        if let Repr::Table(table) = &self.repr
            && count <= len / 3
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
        let table = match &self.repr {
            Repr::Pack(_) => {
                self.iter().for_each(|(field, value)| visit(field, value));
                return 0;
            }
            Repr::Table(table) => table,
        };
        let mut position = cursor << 16;
        let mut seen = 0;
        loop {
            let next = table.fields.scan(position, count.saturating_sub(seen), |own| {
                seen += 1;
                visit(Element::Bytes(own.field), Element::Bytes(own.value));
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
        let Repr::Table(table) = &self.repr else { return true };
        let fields: usize =
            table.fields.iter().map(|own| good_size(8 + own.field.len() + own.value.len())).sum();
        fields + table.fields.count_bytes() == table.bytes && table.fields.iter().count() == table.len
    }
}

impl Collection for Hash {
    fn encoding(&self) -> &'static str {
        match self.repr {
            Repr::Pack(_) => "listpack",
            Repr::Table(_) => "hashtable",
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.repr {
            Repr::Pack(pack) => pack.heap_bytes(),
            Repr::Table(table) => good_size(size_of::<Table>()) + table.bytes,
        }
    }

    fn is_heavy(&self) -> bool {
        matches!(&self.repr, Repr::Table(table) if table.len > 64)
    }

    fn free_step(&mut self) -> bool {
        let Repr::Table(table) = &mut self.repr else { return true };
        let mut freed = 0;
        table.fields.free_segment(&mut table.bytes, |own| {
            freed += own.heap_bytes();
        });
        table.bytes -= freed;
        table.fields.is_empty()
    }

    fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn own_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// See [`Hash::iter`].
pub enum Iter<'a> {
    /// Over a listpack.
    Pack(listpack::Iter<'a>),
    /// Over a table.
    Table(seg_walk::Iter<'a, Field>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, Element<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Pack(pack) => Some((pack.next()?, pack.next()?)),
            Self::Table(table) => {
                table.next().map(|own| (Element::Bytes(own.field), Element::Bytes(own.value)))
            }
        }
    }
}
