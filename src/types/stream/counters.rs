//! What a stream knows about its past, and what follows from it for a group's position: entries read and lag.
//!
//! Used by `Stream` and the group commands. Invariant: the figures are those of one moment. Source: redis 7.0's rules, as its replies show them: a
//! position's number is known at the ends of the stream, and inside only as long as no entry behind it was deleted one by one.
use super::group::Group;
use super::id::StreamId;

/// See the module's text.
#[derive(Debug, Clone, Copy)]
pub struct Counters {
    /// Live entries.
    pub length: u64,
    /// The last ID ever used.
    pub last_id: StreamId,
    /// The first live entry; zero if there is none.
    pub first_id: StreamId,
    /// The largest ID deleted by XDEL.
    pub max_deleted: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
}

impl Counters {
    /// Whether an entry at or after `start` may have been deleted out of the middle.
    pub fn has_tombstone_from(&self, start: StreamId) -> bool {
        self.length > 0
            && !self.max_deleted.is_zero()
            && self.first_id <= self.max_deleted
            && start <= self.max_deleted
    }

    /// How many entries were added up to `id`; None where that cannot be told.
    pub fn number_of(&self, id: StreamId) -> Option<i64> {
        let added = self.entries_added as i64;
        if added == 0 {
            return Some(0);
        }
        if (self.length == 0 && id <= self.last_id) || id == self.last_id {
            return Some(added);
        }
        if id > self.last_id {
            return None;
        }
        if self.max_deleted.is_zero() || self.max_deleted < self.first_id {
            let before_first = added.wrapping_sub(self.length as i64);
            if id < self.first_id {
                return Some(before_first);
            }
            if id == self.first_id {
                return Some(before_first.wrapping_add(1));
            }
        }
        None
    }

    /// Entries the group has not been given yet; None where that cannot be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let added = self.entries_added as i64;
        if added == 0 {
            return Some(0);
        }
        match group.entries_read {
            Some(read) if !self.has_tombstone_from(group.last_id) => Some(added.wrapping_sub(read)),
            _ => self.number_of(group.last_id).map(|read| added.wrapping_sub(read)),
        }
    }

    /// The group was given the entry `id`, beyond all it had.
    pub fn advance(&self, group: &mut Group, id: StreamId) {
        match group.entries_read {
            Some(read) if !self.has_tombstone_from(id) => group.entries_read = Some(read.wrapping_add(1)),
            _ if self.entries_added > 0 => group.entries_read = self.number_of(id),
            _ => {}
        }
        group.last_id = id;
    }
}
