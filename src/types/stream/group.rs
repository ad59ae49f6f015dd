//! Consumer groups: a group's position and pending entries, its consumers with theirs.
//!
//! Used by `Stream`, the group commands and `rdb`; calls `pel`. Invariants: every record of the group's list names a consumer that is there, and that
//! consumer's list has the ID; no ID is in two consumers' lists; groups and consumers are ordered by name (as redis' radix trees list them).
//! Bounds: a name is found in log n; adding a consumer moves 4 bytes per consumer. Why numbers for consumers: a pending record is 40 bytes, not two pointers
//! and a name, and a copy of the group needs no fixing up.
use super::id::StreamId;
use super::pel::{IdTree, Pending};
use crate::base::memory::good_size;

/// A consumer of a group.
#[derive(Clone)]
pub struct Consumer {
    /// Its name.
    pub name: Box<[u8]>,
    /// When it was last named by a command, unix ms.
    pub seen_ms: i64,
    /// IDs pending for it.
    pub pending: IdTree<StreamId>,
}

/// A consumer group.
#[derive(Clone)]
pub struct Group {
    /// Its name.
    pub name: Box<[u8]>,
    /// The last ID delivered.
    pub last_id: StreamId,
    /// Entries read so far, deleted ones included; None where that cannot be known.
    pub entries_read: Option<i64>,
    pending: IdTree<Pending>,
    slots: Vec<Option<Box<Consumer>>>,
    /// Numbers of consumers, ordered by their names.
    order: Vec<u32>,
    /// Bytes of the consumers' structs, names and lists.
    consumer_bytes: usize,
}

fn text_bytes(text: &[u8]) -> usize {
    if text.is_empty() { 0 } else { good_size(text.len()) }
}

fn vec_bytes<T>(vec: &Vec<T>) -> usize {
    if vec.capacity() == 0 { 0 } else { good_size(vec.capacity() * size_of::<T>()) }
}

impl Consumer {
    fn fixed_bytes(&self) -> usize {
        good_size(size_of::<Self>()) + text_bytes(&self.name)
    }
}

impl Group {
    /// A group without consumers.
    pub fn new(name: &[u8], last_id: StreamId, entries_read: Option<i64>) -> Self {
        Self {
            name: name.into(),
            last_id,
            entries_read,
            pending: IdTree::default(),
            slots: Vec::new(),
            order: Vec::new(),
            consumer_bytes: 0,
        }
    }

    /// Bytes the allocator holds for it, without its own struct.
    pub(super) fn heap_bytes(&self) -> usize {
        text_bytes(&self.name)
            + self.pending.heap_bytes()
            + vec_bytes(&self.slots)
            + vec_bytes(&self.order)
            + self.consumer_bytes
    }

    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.order.binary_search_by(|&number| self.name_of(number).cmp(name))
    }

    /// The number of the consumer of this name.
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.search(name).ok().map(|at| self.order[at])
    }

    /// The consumer of this number.
    pub fn consumer(&self, number: u32) -> Option<&Consumer> {
        self.slots.get(number as usize)?.as_deref()
    }

    /// Name of a consumer.
    pub fn name_of(&self, number: u32) -> &[u8] {
        self.consumer(number).map_or(&[], |consumer| &consumer.name)
    }

    /// Consumers ordered by name.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        let nobody = |number: &u32| -> &Consumer {
            let Some(consumer) = self.consumer(*number) else { unreachable!("order names those in slots") };
            consumer
        };
        self.order.iter().map(nobody)
    }

    /// Consumer `index` in the order of names.
    pub fn consumer_at(&self, index: usize) -> Option<&Consumer> {
        self.consumer(*self.order.get(index)?)
    }

    /// Adds a consumer; None if the name is taken.
    pub fn add_consumer(&mut self, name: &[u8], seen_ms: i64) -> Option<u32> {
        let at = self.search(name).err()?;
        let consumer = Box::new(Consumer { name: name.into(), seen_ms, pending: IdTree::default() });
        self.consumer_bytes += consumer.fixed_bytes();
        let free = if self.slots.len() == self.order.len() {
            None
        } else {
            self.slots.iter().position(Option::is_none)
        };
        let number = free.unwrap_or(self.slots.len());
        match free {
            Some(free) => self.slots[free] = Some(consumer),
            None => self.slots.push(Some(consumer)),
        }
        self.order.insert(at, number as u32);
        Some(number as u32)
    }

    /// The consumer was named by a command now.
    pub fn saw(&mut self, number: u32, now_ms: i64) {
        if let Some(Some(consumer)) = self.slots.get_mut(number as usize) {
            consumer.seen_ms = now_ms;
        }
    }

    /// Removes a consumer and its pending entries; their number, None if there is no such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let at = self.search(name).ok()?;
        let number = self.order.remove(at);
        let consumer = self.slots.get_mut(number as usize)?.take()?;
        for &id in consumer.pending.iter() {
            self.pending.remove(id);
        }
        self.consumer_bytes -= consumer.fixed_bytes() + consumer.pending.heap_bytes();
        Some(consumer.pending.len())
    }

    /// All pending entries.
    pub fn pending(&self) -> &IdTree<Pending> {
        &self.pending
    }

    fn consumer_list<R>(&mut self, number: u32, change: impl FnOnce(&mut IdTree<StreamId>) -> R) {
        if let Some(Some(consumer)) = self.slots.get_mut(number as usize) {
            self.consumer_bytes -= consumer.pending.heap_bytes();
            change(&mut consumer.pending);
            self.consumer_bytes += consumer.pending.heap_bytes();
        }
    }

    /// Makes the entry pending for `pending.consumer` with these figures, whoever had it before.
    pub fn assign(&mut self, pending: Pending) {
        let (id, to) = (pending.id, pending.consumer);
        let before = self.pending.edit(id, |own| std::mem::replace(own, pending.clone()).consumer);
        match before {
            Some(from) if from == to => return,
            Some(from) => self.consumer_list(from, |list| list.remove(id)),
            None => {
                self.pending.insert(pending);
            }
        }
        self.consumer_list(to, |list| list.insert(id));
    }

    /// Sets when and how often a pending entry was delivered.
    pub fn retime(&mut self, id: StreamId, delivery_ms: i64, delivery_count: u64) {
        self.pending.edit(id, |own| (own.delivery_ms, own.delivery_count) = (delivery_ms, delivery_count));
    }

    /// The entry is no longer pending; false if it was not.
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(record) = self.pending.remove(id) else { return false };
        self.consumer_list(record.consumer, |list| list.remove(id));
        true
    }

    /// Whether freeing it at once could take long.
    pub(super) fn is_heavy(&self) -> bool {
        self.pending.len() + self.order.len() > 128
    }

    /// Frees a bounded part; true when nothing is left but the struct.
    pub(super) fn free_step(&mut self) -> bool {
        if !self.pending.free_step() {
            return false;
        }
        for _ in 0..32 {
            let Some(last) = self.slots.last_mut() else { return true };
            if let Some(consumer) = last
                && !consumer.pending.free_step()
            {
                return false;
            }
            self.slots.pop();
        }
        false
    }

    /// A copy that shares nothing, to go to another shard.
    pub(super) fn deep_copy(&self) -> Self {
        let mut copy = self.clone();
        copy.pending = self.pending.deep_copy();
        for (own, slot) in self.slots.iter().zip(&mut copy.slots) {
            if let (Some(own), Some(slot)) = (own, slot) {
                slot.pending = own.pending.deep_copy();
            }
        }
        copy.consumer_bytes = copy.count_consumer_bytes();
        copy
    }

    fn count_consumer_bytes(&self) -> usize {
        self.consumers().map(|consumer| consumer.fixed_bytes() + consumer.pending.heap_bytes()).sum()
    }

    /// Checks the invariants (tests, and values from outside).
    pub fn is_sound(&self) -> bool {
        let listed: usize = self.consumers().map(|consumer| consumer.pending.len()).sum();
        let owned = |record: &Pending| {
            self.consumer(record.consumer).is_some_and(|own| own.pending.get(record.id).is_some())
        };
        listed == self.pending.len()
            && self.pending.iter().all(owned)
            && self.consumer_bytes == self.count_consumer_bytes()
            && self.order.is_sorted_by(|one, other| self.name_of(*one) < self.name_of(*other))
    }
}
