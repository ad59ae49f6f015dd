//! The set value: sorted integers ([`IntSet`]), a [`Pack`] while small, else a [`SegTable`] of members; a form once left is not gone back to.
//!
//! Called by the set commands (through `keyspace`), digest and savers; calls `intset`, `pack`, `seg_table`, `member`.
//! Invariant: `bytes` of a table counts segments, directory and members exactly; no member comes twice; an `Ints` holds every member
//! whose text is a number's canonical one as that number. `changed` is set by every method that really changed something.
//! Bounds: every call costs one segment or one small array; a big set is freed by [`Collection::free_step`] segment by segment.
//! Clients see `intset` or `hashtable`, as 7.0 names them; the pack behind a small `hashtable` is our own, for the memory.
use crate::base::memory::good_size;
use crate::base::prng::Prng;
use crate::base::siphash::key_hash;
use crate::types::collection::Collection;
use crate::types::element::Element;
use crate::types::encoding::intset::{self, IntSet};
use crate::types::encoding::listpack::SAFE_BYTES;
use crate::types::encoding::pack::{self, Pack};
use crate::types::encoding::seg_table::SegTable;
use crate::types::encoding::seg_walk;
use crate::types::member::Member;
use std::borrow::Cow;

/// set-max-intset-entries, and how far a pack goes (set-max-listpack-entries and -value).
#[derive(Debug, Clone, Copy)]
pub struct SetLimits {
    /// Most integers an intset may hold.
    pub max_ints: usize,
    /// Most members a pack may hold.
    pub max_pack: usize,
    /// Longest member a pack may hold, bytes.
    pub max_value: usize,
}

impl Default for SetLimits {
    fn default() -> Self {
        Self { max_ints: 512, max_pack: 128, max_value: 64 }
    }
}

/// The mark `changed` sits beside the pointer, so that a set is two words.
enum Repr {
    Ints(bool, IntSet),
    Pack(bool, Pack),
    Table(bool, Box<Table>),
}

#[derive(Default)]
struct Table {
    members: SegTable<Member>,
    len: usize,
    bytes: usize,
}

/// See the module's text.
pub struct Set(Repr);

const _: () = assert!(size_of::<Set>() == 16);

/// A member to look for in several sets: its number and its hash are computed once.
pub struct Probe<'a> {
    text: Cow<'a, [u8]>,
    number: Option<i64>,
    hash: Option<u64>,
}

impl<'a> Probe<'a> {
    /// Of a member's text or number.
    pub fn new(member: Element<'a>) -> Self {
        Self { text: member.to_bytes(), number: member.as_i64(), hash: None }
    }

    /// Its text.
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}

impl Table {
    fn contains(&self, hash: u64, member: &[u8]) -> bool {
        self.members.find(hash, |own| own == member).is_some()
    }

    fn add(&mut self, hash: u64, member: &[u8]) -> bool {
        if self.contains(hash, member) {
            return false;
        }
        self.bytes += Member::bytes_for(member);
        self.members.insert(hash, Member::new(member), None, &mut self.bytes);
        self.len += 1;
        true
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let Some(found) = self.members.find_mut(key_hash(member), |own| own == member) else { return false };
        let own = found.remove(&mut self.bytes);
        self.bytes -= own.heap_bytes();
        self.len -= 1;
        true
    }
}

impl Default for Set {
    fn default() -> Self {
        Self(Repr::Ints(false, IntSet::default()))
    }
}

impl Clone for Set {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Repr::Ints(_, ints) => Repr::Ints(false, ints.clone()),
            Repr::Pack(_, pack) => Repr::Pack(false, pack.clone()),
            Repr::Table(_, table) => {
                let mut copy = Box::<Table>::default();
                for member in table.members.iter() {
                    copy.add(key_hash(member), member);
                }
                Repr::Table(false, copy)
            }
        })
    }
}

impl Set {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The set as it is now, without copying a large one: later changes of either copy what they touch. It must stay in the same shard.
    pub fn pin(&self) -> Self {
        let Repr::Table(_, table) = &self.0 else { return self.clone() };
        let table = Table { members: table.members.pin(), len: table.len, bytes: table.bytes };
        Self(Repr::Table(false, Box::new(table)))
    }

    /// A set of integers as DUMP and RDB bring them.
    pub fn from_ints(ints: IntSet) -> Self {
        Self(Repr::Ints(false, ints))
    }

    /// The integers, while it is an intset.
    pub fn as_ints(&self) -> Option<&IntSet> {
        if let Repr::Ints(_, ints) = &self.0 { Some(ints) } else { None }
    }

    /// Leaves the intset form: a set as SADD would have made it of texts.
    pub fn convert(&mut self, limits: &SetLimits) {
        let Repr::Ints(changed, ints) = &self.0 else { return };
        let changed = *changed;
        if ints.len() <= limits.max_pack {
            let mut pack = Pack::default();
            ints.iter().for_each(|number| pack.push(Element::Int(number)));
            self.0 = Repr::Pack(changed, pack);
        } else {
            self.as_table();
        }
    }

    fn as_table(&mut self) -> &mut Table {
        if !matches!(self.0, Repr::Table(..)) {
            let mut table = Box::<Table>::default();
            for member in self.iter() {
                let text = member.to_bytes();
                table.add(key_hash(&text), &text);
            }
            self.0 = Repr::Table(*self.changed_mut(), table);
        }
        match &mut self.0 {
            Repr::Table(_, table) => table,
            _ => unreachable!("made above"),
        }
    }

    fn changed_mut(&mut self) -> &mut bool {
        match &mut self.0 {
            Repr::Ints(changed, _) | Repr::Pack(changed, _) | Repr::Table(changed, _) => changed,
        }
    }

    /// Takes over the members of `other` (a part of its own: counts as a change).
    pub fn replace(&mut self, other: Self) {
        *self = other;
        *self.changed_mut() = true;
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Ints(_, ints) => ints.len(),
            Repr::Pack(_, pack) => pack.len(),
            Repr::Table(_, table) => table.len,
        }
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `member` is there.
    pub fn contains(&self, member: &[u8]) -> bool {
        self.has(&mut Probe::new(Element::Bytes(member)))
    }

    /// Whether the probed member is there.
    pub fn has(&self, probe: &mut Probe<'_>) -> bool {
        match &self.0 {
            Repr::Ints(_, ints) => probe.number.is_some_and(|number| ints.contains(number)),
            Repr::Pack(_, pack) => pack.find(&probe.text, 0).is_some(),
            Repr::Table(_, table) => {
                let hash = *probe.hash.get_or_insert_with(|| key_hash(&probe.text));
                table.contains(hash, &probe.text)
            }
        }
    }

    /// Adds a member; true if it is new. Converts when a limit is passed.
    pub fn add(&mut self, member: &[u8], limits: &SetLimits) -> bool {
        self.add_element(Element::Bytes(member), limits)
    }

    /// As [`Set::add`].
    pub fn add_element(&mut self, member: Element<'_>, limits: &SetLimits) -> bool {
        if let Repr::Ints(changed, ints) = &mut self.0 {
            if let Some(number) = member.as_i64() {
                if ints.len() == intset::MAX_LEN || !ints.insert(number) {
                    if ints.contains(number) {
                        return false;
                    }
                } else {
                    *changed = true;
                    if ints.len() > limits.max_ints {
                        self.convert(limits);
                    }
                    return true;
                }
            }
            self.convert(limits);
        }
        let text = member.to_bytes();
        if let Repr::Pack(changed, pack) = &mut self.0 {
            if pack.find(&text, 0).is_some() {
                return false;
            }
            let fits = text.len() <= limits.max_value && pack.end() + text.len() <= SAFE_BYTES;
            if fits && pack.len() < limits.max_pack {
                pack.push(member);
                *changed = true;
                return true;
            }
        }
        let added = self.as_table().add(key_hash(&text), &text);
        *self.changed_mut() |= added;
        added
    }

    /// Removes a member; true if it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let (changed, removed) = match &mut self.0 {
            Repr::Ints(changed, ints) => {
                (changed, Element::Bytes(member).as_i64().is_some_and(|number| ints.remove(number)))
            }
            Repr::Pack(changed, pack) => {
                let found = pack.find(member, 0);
                if let Some(at) = found {
                    pack.remove(at, 1);
                }
                (changed, found.is_some())
            }
            Repr::Table(changed, table) => (changed, table.remove(member)),
        };
        *changed |= removed;
        removed
    }

    /// All members.
    pub fn iter(&self) -> Iter<'_> {
        match &self.0 {
            Repr::Ints(_, ints) => Iter::Ints(ints.iter()),
            Repr::Pack(_, pack) => Iter::Pack(pack.iter()),
            Repr::Table(_, table) => Iter::Table(table.members.iter()),
        }
    }

    /// A uniformly chosen member; None if there is none.
    pub fn random(&self, prng: &mut Prng) -> Option<Element<'_>> {
        if self.is_empty() {
            return None;
        }
        match &self.0 {
            Repr::Ints(_, ints) => ints.get(prng.below(ints.len() as u64) as usize).map(Element::Int),
            Repr::Pack(_, pack) => pack.seek(prng.below(pack.len() as u64) as usize).map(|at| pack.get(at)),
            Repr::Table(_, table) => table.members.random(prng).map(Element::Bytes),
        }
    }

    /// `count` distinct members (all of them if there are fewer), each subset equally likely, in no particular order.
    pub fn random_distinct(&self, count: usize, prng: &mut Prng) -> Vec<Element<'_>> {
        let len = self.len();
        if count >= len {
            return self.iter().collect();
        }
        let mut picked = Vec::with_capacity(count);
        if let Repr::Table(_, table) = &self.0
            && count <= len / 3
        {
            let mut seen = std::collections::HashSet::with_capacity(count);
            while picked.len() < count {
                let Some(own) = table.members.random(prng) else { break };
                if seen.insert(own.as_ptr()) {
                    picked.push(Element::Bytes(own));
                }
            }
            return picked;
        }
        // Selection sampling: one pass.
        let mut left = count;
        for (seen, member) in self.iter().enumerate() {
            if prng.below((len - seen) as u64) < left as u64 {
                picked.push(member);
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        picked
    }

    /// SSCAN: visits from `cursor` (0 = start) about `count` members, returns the next cursor (0 = done).
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(Element<'a>)) -> u64 {
        let Repr::Table(_, table) = &self.0 else {
            self.iter().for_each(visit);
            return 0;
        };
        let (mut position, mut seen) = (cursor << 16, 0);
        loop {
            let next = table.members.scan(position, count.saturating_sub(seen), |own| {
                seen += 1;
                visit(Element::Bytes(own));
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
        let Repr::Table(_, table) = &self.0 else { return true };
        let members: usize = table.members.iter().map(Member::bytes_for).sum();
        members + table.members.count_bytes() == table.bytes && table.members.iter().count() == table.len
    }
}

impl Collection for Set {
    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Ints(_, ints) => ints.heap_bytes(),
            Repr::Pack(_, pack) => pack.heap_bytes(),
            Repr::Table(_, table) => good_size(size_of::<Table>()) + table.bytes,
        }
    }

    fn own_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn take_changed(&mut self) -> bool {
        std::mem::take(self.changed_mut())
    }

    fn is_heavy(&self) -> bool {
        matches!(&self.0, Repr::Table(_, table) if table.len > 64)
    }

    fn free_step(&mut self) -> bool {
        let Repr::Table(_, table) = &mut self.0 else { return true };
        let mut freed = 0;
        table.members.free_segment(&mut table.bytes, |own| freed += own.heap_bytes());
        table.bytes -= freed;
        table.members.is_empty()
    }

    fn encoding(&self) -> &'static str {
        match self.0 {
            Repr::Ints(..) => "intset",
            _ => "hashtable",
        }
    }
}

/// See [`Set::iter`].
pub enum Iter<'a> {
    /// Over integers.
    Ints(intset::Iter<'a>),
    /// Over a pack.
    Pack(pack::Iter<'a>),
    /// Over a table.
    Table(seg_walk::Iter<'a, Member>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Self::Ints(ints) => ints.next().map(Element::Int),
            Self::Pack(pack) => pack.next(),
            Self::Table(table) => table.next().map(Element::Bytes),
        }
    }
}
