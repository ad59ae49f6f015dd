//! The sorted set value: one packed block while small (shown as `listpack`), then a table of members beside an order tree (shown as `skiplist`); once
//! converted it never goes back.
//!
//! Called by the sorted set and geo commands (through `keyspace`), digest and savers; calls `zset::{pack, big, range}`. Positions are *ranks*, counted from
//! the lowest (score, then text bytewise). Invariant: every method that really changed something sets a mark, kept in the block or beside the tree to spare a word; no score is NaN.
//! Bounds: O(log n) a member, whatever the size, plus what is returned; a big one is freed by [`Collection::free_step`] run by run.
mod big;
pub mod member;
pub mod pack;
pub mod range;
pub mod run;
#[cfg(test)]
mod tests;

use crate::base::memory::good_size;
use crate::base::prng::Prng;
use crate::types::collection::Collection;
use crate::types::element::{Element, are_distinct};
use crate::types::encoding::listpack::{ListPack, SAFE_BYTES};
use crate::types::encoding::thin::{Case, Never, Small, Thin};
use big::Big;
use pack::Pack;
use range::{LexRange, ScoreRange};

/// zset-max-listpack-entries and zset-max-listpack-value.
#[derive(Debug, Clone, Copy)]
pub struct ZSetLimits {
    /// Most members a listpack may hold.
    pub max_entries: usize,
    /// Longest member a listpack may hold, bytes.
    pub max_value: usize,
}

impl Default for ZSetLimits {
    fn default() -> Self {
        Self { max_entries: 128, max_value: 64 }
    }
}

/// When ZADD does something to a member.
#[derive(Debug, Clone, Copy, Default)]
pub struct AddRule {
    /// Only if it is not there.
    pub nx: bool,
    /// Only if it is there.
    pub xx: bool,
    /// If it is there, only if the score becomes greater.
    pub gt: bool,
    /// If it is there, only if the score becomes less.
    pub lt: bool,
    /// The score is added to the present one.
    pub incr: bool,
}

/// What ZADD did to a member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Added {
    /// The rule forbade it.
    Nothing,
    /// It is new, with this score.
    New(f64),
    /// It has another score now, this one.
    Moved(f64),
    /// It already had this score.
    Same(f64),
    /// The sum is no number; nothing was done.
    NotANumber,
}

// SAFETY: a transparent wrapper of a block.
unsafe impl Small for Pack {}

/// See the module's text.
#[derive(Default)]
pub struct ZSet {
    repr: Thin<Pack, Big, Never>,
}

/// The two forms, as references.
enum Form<P, B> {
    Pack(P),
    Big(B),
}

impl Clone for ZSet {
    fn clone(&self) -> Self {
        match self.form() {
            Form::Pack(pack) => Self { repr: Thin::new(Case::Small(pack.clone())) },
            Form::Big(big) => {
                let mut copy = Box::<Big>::default();
                big.walk(0, big.len(), false).for_each(|(member, score)| copy.insert(member, score));
                copy.take_changed();
                Self { repr: Thin::new(Case::Large(copy)) }
            }
        }
    }
}

impl ZSet {
    /// A sorted set of a listpack; None if it is not one of pairs.
    pub fn from_listpack(stored: &ListPack) -> Option<Self> {
        Some(Self { repr: Thin::new(Case::Small(Pack::from_listpack(stored)?)) })
    }

    #[inline]
    fn form(&self) -> Form<&Pack, &Big> {
        match self.repr.get() {
            Case::Small(pack) => Form::Pack(pack),
            Case::Large(big) => Form::Big(big),
            Case::Special(never) => match *never {},
        }
    }

    #[inline]
    fn form_mut(&mut self) -> Form<&mut Pack, &mut Big> {
        match self.repr.get_mut() {
            Case::Small(pack) => Form::Pack(pack),
            Case::Large(big) => Form::Big(big),
            Case::Special(never) => match *never {},
        }
    }

    /// A sorted set of distinct members, in any order (fastest in ascending order). Its encoding is that of redis for a result it
    /// stores: by the limits alone.
    pub fn from_members<'m>(
        members: impl ExactSizeIterator<Item = (&'m [u8], f64)> + Clone,
        limits: &ZSetLimits,
    ) -> Self {
        let longest = members.clone().map(|(member, _)| member.len()).max().unwrap_or(0);
        let sum: usize = members.clone().map(|(member, _)| member.len()).sum();
        let mut set = Self::default();
        if members.len() > limits.max_entries || longest > limits.max_value || sum > SAFE_BYTES / 2 {
            set.convert();
        }
        for (member, score) in members {
            match set.form_mut() {
                Form::Pack(pack) => pack.insert(member, score),
                Form::Big(big) => big.insert(member, score),
            }
        }
        set
    }

    /// A sorted set as a file brings it, in any order (fastest in ascending order); None if a member comes twice. Encoded as by [`Self::from_members`].
    pub fn from_stored<M: AsRef<[u8]>>(members: &[(M, f64)], limits: &ZSetLimits) -> Option<Self> {
        let lens = || members.iter().map(|(member, _)| member.as_ref().len());
        let is_large = members.len() > limits.max_entries
            || lens().max().unwrap_or(0) > limits.max_value
            || lens().sum::<usize>() > SAFE_BYTES / 2;
        let pairs = members.iter().map(|(member, score)| (member.as_ref(), *score));
        let case = if is_large {
            Case::Large(Box::new(Big::from_stored(pairs)?))
        } else {
            let texts: Vec<&[u8]> = pairs.clone().map(|(member, _)| member).collect();
            if !are_distinct(&texts) {
                return None;
            }
            Case::Small(Pack::from_pairs(pairs))
        };
        Some(Self { repr: Thin::new(case) })
    }

    /// A sorted set of distinct members that come one by one, as redis adds to a result whose size it does not know: what comes while
    /// the set is small is kept as a small set keeps it (-0 as 0).
    pub fn from_growing<'m>(members: impl Iterator<Item = (&'m [u8], f64)>, limits: &ZSetLimits) -> Self {
        let mut set = Self::default();
        members.for_each(|(member, score)| set.insert(member, score, limits));
        set
    }

    /// Redis' form of a small one (DUMP, RDB); None for a large one.
    pub fn to_listpack(&self) -> Option<ListPack> {
        match self.form() {
            Form::Pack(pack) => Some(pack.to_listpack()),
            Form::Big(_) => None,
        }
    }

    /// Whether it is a small one.
    pub fn is_packed(&self) -> bool {
        matches!(self.form(), Form::Pack(_))
    }

    /// The set as it is now, for reading in order only ([`ZSet::walk`], [`ZSet::len`]): of a large one in constant time, later writes copy what they
    /// touch. The pin must stay in the shard.
    pub fn pin(&self) -> Self {
        match self.form() {
            Form::Pack(pack) => Self { repr: Thin::new(Case::Small(pack.clone())) },
            Form::Big(big) => Self { repr: Thin::new(Case::Large(Box::new(big.pin()))) },
        }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match self.form() {
            Form::Pack(pack) => pack.len(),
            Form::Big(big) => big.len(),
        }
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of `member`.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self.form() {
            Form::Pack(pack) => pack.score(member),
            Form::Big(big) => big.score(member),
        }
    }

    /// How many members come before `member`, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self.form() {
            Form::Pack(pack) => pack.rank(member),
            Form::Big(big) => big.rank(member),
        }
    }

    /// ZADD of one member; converts when a limit is passed.
    pub fn add(&mut self, member: &[u8], score: f64, rule: AddRule, limits: &ZSetLimits) -> Added {
        let Some(old) = self.score(member) else {
            if rule.xx {
                return Added::Nothing;
            }
            self.insert(member, score, limits);
            return Added::New(score);
        };
        if rule.nx {
            return Added::Nothing;
        }
        let score = if rule.incr { old + score } else { score };
        if score.is_nan() {
            return Added::NotANumber;
        }
        if (rule.lt && score >= old) || (rule.gt && score <= old) {
            return Added::Nothing;
        }
        if score == old {
            return Added::Same(score);
        }
        match self.form_mut() {
            Form::Pack(pack) => pack.change(member, score),
            Form::Big(big) => big.change(member, old, score),
        }
        Added::Moved(score)
    }

    fn insert(&mut self, member: &[u8], score: f64, limits: &ZSetLimits) {
        if let Form::Pack(pack) = self.form() {
            let full = pack.len() + 1 > limits.max_entries;
            let unsafe_size = pack.byte_len() + member.len() > SAFE_BYTES;
            if full || member.len() > limits.max_value || unsafe_size {
                self.convert();
            }
        }
        match self.form_mut() {
            Form::Pack(pack) => pack.insert(member, score),
            Form::Big(big) => big.insert(member, score),
        }
    }

    /// Takes the large form from now on, whatever the limits.
    pub fn enlarge(&mut self) {
        self.convert();
    }

    fn convert(&mut self) {
        let Form::Pack(pack) = self.form_mut() else { return };
        let mut big = Box::<Big>::default();
        pack.pairs().for_each(|(member, score)| big.insert(member, score));
        if !pack.take_changed() {
            big.take_changed();
        }
        self.repr = Thin::new(Case::Large(big));
    }

    /// Removes a member; true if it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.form_mut() {
            Form::Pack(pack) => pack.remove(member),
            Form::Big(big) => big.remove(member),
        }
    }

    /// Removes the members of ranks `from..to` (at most `len`).
    pub fn remove_span(&mut self, from: usize, to: usize) {
        let to = to.min(self.len());
        if from >= to {
            return;
        }
        match self.form_mut() {
            Form::Pack(pack) => pack.remove_span(from, to),
            Form::Big(big) => big.remove_span(from, to),
        }
    }

    /// The ranks (from, to) of the members with scores in `range`; equal if there are none.
    pub fn score_span(&self, range: &ScoreRange) -> (usize, usize) {
        if range.is_empty() {
            return (0, 0);
        }
        match self.form() {
            Form::Pack(pack) => pack.score_span(range),
            Form::Big(big) => big.score_span(range),
        }
    }

    /// The ranks (from, to) of the members with texts in `range`, meaningful if all scores are equal; `reverse` says from which end redis would look.
    pub fn lex_span(&self, range: &LexRange<'_>, reverse: bool) -> (usize, usize) {
        if range.is_empty() {
            return (0, 0);
        }
        match self.form() {
            Form::Pack(pack) => pack.lex_span(range, reverse),
            Form::Big(big) => big.lex_span(range),
        }
    }

    /// All members in order.
    pub fn iter(&self) -> Iter<'_> {
        self.walk(0, self.len(), false)
    }

    /// The members of ranks `from..to` in order, or from the last to the first.
    pub fn walk(&self, from: usize, to: usize, reverse: bool) -> Iter<'_> {
        match self.form() {
            Form::Big(big) => Iter::Big(big.walk(from, to, reverse)),
            Form::Pack(pack) if reverse => {
                let pairs: Vec<_> = pack.pairs().take(to).skip(from).collect();
                Iter::Reverse(pairs.into_iter().rev())
            }
            Form::Pack(pack) => Iter::Pack(pack.pairs(), from, to.saturating_sub(from)),
        }
    }

    /// A uniformly chosen member.
    pub fn random(&self, prng: &mut Prng) -> Option<(Element<'_>, f64)> {
        match self.form() {
            Form::Pack(pack) => pack.pairs().nth(prng.below(self.len() as u64) as usize),
            Form::Big(big) => big.random(prng),
        }
        .map(|(member, score)| (Element::Bytes(member), score))
    }

    /// `count` distinct members (all of them if there are fewer), in no particular order.
    pub fn random_distinct(&self, count: usize, prng: &mut Prng) -> Vec<(Element<'_>, f64)> {
        let len = self.len();
        if count >= len {
            return self.iter().collect();
        }
        if let Form::Big(big) = self.form()
            && count <= len / 3
        {
            let mut seen = std::collections::HashSet::with_capacity(count);
            let mut picked = Vec::with_capacity(count);
            while picked.len() < count {
                let Some((member, score)) = big.random(prng) else { break };
                if seen.insert(member.as_ptr()) {
                    picked.push((Element::Bytes(member), score));
                }
            }
            return picked;
        }
        // Selection sampling: one pass, each subset equally likely, order kept (as redis does for listpacks).
        let (mut left, mut rest) = (count, len);
        let mut picked = Vec::with_capacity(count);
        for pair in self.iter() {
            if prng.below(rest as u64) < left as u64 {
                picked.push(pair);
                left -= 1;
            }
            rest -= 1;
        }
        picked
    }

    /// ZSCAN: visits from `cursor` (0 = start) about `count` members, returns the next cursor (0 = done).
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(Element<'a>, f64)) -> u64 {
        let big = match self.form() {
            Form::Pack(_) => {
                self.iter().for_each(|(member, score)| visit(member, score));
                return 0;
            }
            Form::Big(big) => big,
        };
        let mut position = cursor << 16;
        let mut seen = 0;
        loop {
            let next = big.scan(position, count.saturating_sub(seen), |member, score| {
                seen += 1;
                visit(Element::Bytes(member), score);
            });
            match next {
                None => return 0,
                Some(next) if seen >= count => return next >> 16,
                Some(next) => position = next,
            }
        }
    }

    /// Recounts everything (tests): bytes, order and both sides of a large set.
    pub fn is_consistent(&self) -> bool {
        match self.form() {
            Form::Pack(pack) => pack.is_consistent(),
            Form::Big(big) => big.is_consistent(),
        }
    }
}

impl Collection for ZSet {
    fn heap_bytes(&self) -> usize {
        match self.form() {
            Form::Pack(pack) => pack.heap_bytes(),
            Form::Big(big) => good_size(size_of::<Big>()) + big.heap_bytes(),
        }
    }

    fn own_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn take_changed(&mut self) -> bool {
        match self.form_mut() {
            Form::Pack(pack) => pack.take_changed(),
            Form::Big(big) => big.take_changed(),
        }
    }

    fn is_heavy(&self) -> bool {
        matches!(self.form(), Form::Big(big) if big.len() > 64)
    }

    fn free_step(&mut self) -> bool {
        match self.form_mut() {
            Form::Pack(_) => true,
            Form::Big(big) => big.free_step(),
        }
    }

    fn encoding(&self) -> &'static str {
        match self.form() {
            Form::Pack(_) => "listpack",
            Form::Big(_) => "skiplist",
        }
    }
}

/// See [`ZSet::walk`].
pub enum Iter<'a> {
    /// Over a small one: pairs, how many to skip, how many to give.
    Pack(pack::Pairs<'a>, usize, usize),
    /// Over a small one from its end.
    Reverse(std::iter::Rev<std::vec::IntoIter<(&'a [u8], f64)>>),
    /// Over an order tree.
    Big(big::Walk<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let pair = match self {
            Self::Pack(pairs, skip, left) => {
                *left = left.checked_sub(1)?;
                pairs.nth(std::mem::take(skip))
            }
            Self::Reverse(pairs) => pairs.next(),
            Self::Big(walk) => walk.next(),
        };
        pair.map(|(member, score)| (Element::Bytes(member), score))
    }
}
