//! The stream value: entries in listpack nodes under a copy-on-write tree, and consumer groups.
//!
//! Called by the stream commands (through `keyspace`), digest and savers; calls `node`, `entries`, `group`, `counters`, `encoding::tree`. Invariants: nodes
//! ascend; `first_id` is the first live entry; the groups' bytes are exact (a node may be left with deleted entries only, as in redis). Bounds: a call that names an entry costs a node
//! and the path to it; a pin costs one count and then one node per write; freeing goes node by node. `changed` is set by what changes entries, as redis
//! tells WATCHers of those only. Why redis' own node format: `~` trims whole nodes, and DUMP and XINFO show them.
pub mod counters;
pub mod entries;
pub mod group;
pub mod id;
pub mod node;
pub mod pel;
pub mod radix;
#[cfg(test)]
mod tests;

pub use counters::Counters;
pub use entries::{Entries, Entry};
pub use group::{Consumer, Group};
pub use id::StreamId;
pub use node::Node;
pub use pel::Pending;

use crate::base::memory::good_size;
use crate::types::collection::Collection;
use crate::types::encoding::listpack::SAFE_BYTES;
use crate::types::encoding::tree::Tree;

/// stream-node-max-bytes and stream-node-max-entries; 0: no limit.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Bytes of a node.
    pub max_bytes: usize,
    /// Entries of a node, deleted ones included.
    pub max_entries: usize,
}

/// What to keep when trimming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// At most so many entries.
    Length(u64),
    /// Entries from this ID on.
    From(StreamId),
}

/// See the module's text.
#[derive(Default)]
pub struct Stream {
    nodes: Tree<Node>,
    last_id: StreamId,
    first_id: StreamId,
    max_deleted: StreamId,
    entries_added: u64,
    groups: Option<Box<Groups>>,
    changed: bool,
}

#[derive(Default)]
struct Groups {
    /// Ordered by name.
    list: Vec<Group>,
    /// Bytes of the groups, without this list.
    bytes: usize,
}

impl Groups {
    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.list.binary_search_by(|group| (*group.name).cmp(name))
    }

    fn list_bytes(&self) -> usize {
        let slots = self.list.capacity() * size_of::<Group>();
        good_size(size_of::<Self>()) + if slots == 0 { 0 } else { good_size(slots) }
    }
}

impl Clone for Stream {
    /// A copy that shares nothing: COPY may put it on another shard.
    fn clone(&self) -> Self {
        let mut nodes = Tree::default();
        self.nodes.iter().for_each(|node| nodes.push_back(node.clone()));
        let groups = self.groups.as_ref().map(|groups| {
            let list: Vec<_> = groups.list.iter().map(|group| group.deep_copy()).collect();
            let bytes = list.iter().map(|group| group.heap_bytes()).sum();
            Box::new(Groups { list, bytes })
        });
        Self { nodes, groups, changed: false, ..*self }
    }
}

impl Stream {
    /// What it knows about its past.
    pub fn counters(&self) -> Counters {
        Counters {
            length: self.nodes.len() as u64,
            last_id: self.last_id,
            first_id: self.first_id,
            max_deleted: self.max_deleted,
            entries_added: self.entries_added,
        }
    }

    /// Live entries.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no entries (such a stream stays: it has a last ID, and perhaps groups).
    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 0
    }

    /// The last ID ever used.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The nodes, in order (DUMP, RDB, XINFO).
    pub fn nodes(&self) -> &Tree<Node> {
        &self.nodes
    }

    /// The stream as it is now, sharing its nodes: later writes copy what they touch. Stays in its shard.
    pub fn pin(&self) -> Self {
        let groups = self.groups.as_ref();
        let groups = groups.map(|own| Box::new(Groups { list: own.list.clone(), bytes: own.bytes }));
        Self { nodes: self.nodes.pin(), groups, changed: false, ..*self }
    }

    /// Adds an entry; the caller made sure that `id` is above [`Stream::last_id`]. Word `2i` is the name of field `i`, the next its value.
    pub fn append<'w>(
        &mut self,
        id: StreamId,
        pairs: usize,
        words: impl Fn(usize) -> &'w [u8],
        limits: &StreamLimits,
    ) {
        let text: usize = (0..2 * pairs).map(|index| words(index).len()).sum();
        let max_bytes = match limits.max_bytes {
            0 => SAFE_BYTES,
            bytes => bytes.min(SAFE_BYTES),
        };
        let tail = self.nodes.last();
        let fits = tail.as_ref().and_then(|at| self.nodes.leaf(at)).is_some_and(|node| {
            let room = limits.max_entries == 0 || node.live() + node.deleted() < limits.max_entries;
            room && node.pack_len().saturating_add(text) < max_bytes
        });
        match tail {
            Some(at) if fits => {
                self.nodes.edit(&at, |node| node.append(id, pairs, words));
            }
            tail => {
                if let Some(at) = tail {
                    self.nodes.edit(&at, Node::shrink);
                }
                self.nodes.push_back(Node::new(id, pairs, words));
            }
        }
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        if self.nodes.len() == 1 {
            self.first_id = id;
        }
        self.changed = true;
    }

    /// Live entries from `start` to `end`, both included, from the end back if `back`.
    pub fn range(&self, start: StreamId, end: StreamId, back: bool) -> Entries<'_> {
        Entries::new(&self.nodes, start, end, back)
    }

    /// The entry of this ID.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id, false).next()
    }

    /// The last live entry's ID (not the last ID used).
    pub fn last_live(&self) -> Option<StreamId> {
        self.range(StreamId::MIN, StreamId::MAX, true).next().map(|entry| entry.id)
    }

    fn delete_entry(&mut self, id: StreamId) -> bool {
        let Some(at) = self.nodes.seek(|probe| *probe.sep > id) else { return false };
        let Some(node) = self.nodes.leaf(&at) else { return false };
        // Not by `edit` at once: that would copy a pinned node for nothing.
        let mut walk = node.walk();
        let there = loop {
            match walk.next_live() {
                Some(place) if place.id < id => {}
                other => break other.is_some_and(|place| place.id == id),
            }
        };
        if there && node.live() == 1 {
            self.nodes.remove(&at);
            return true;
        }
        there && self.nodes.edit(&at, |node| node.delete(id)) == Some(true)
    }

    /// XDEL: how many of these entries were there.
    pub fn delete(&mut self, ids: &[StreamId]) -> usize {
        let (mut deleted, mut first_gone) = (0, false);
        for &id in ids {
            if self.delete_entry(id) {
                deleted += 1;
                first_gone |= id == self.first_id;
                self.max_deleted = self.max_deleted.max(id);
            }
        }
        if self.is_empty() || first_gone {
            self.find_first();
        }
        self.changed |= deleted > 0;
        deleted
    }

    fn find_first(&mut self) {
        let first = self.range(StreamId::MIN, StreamId::MAX, false).next();
        self.first_id = first.map_or(StreamId::MIN, |entry| entry.id);
    }

    /// Removes entries from the front; how many. `approx` removes whole nodes only, and stops before more than `limit` (0: none) were removed.
    pub fn trim(&mut self, keep: Keep, approx: bool, limit: u64) -> u64 {
        let mut removed = 0u64;
        while let Some(at) = self.nodes.first() {
            let length = self.nodes.len() as u64;
            if matches!(keep, Keep::Length(most) if length <= most) {
                break;
            }
            let Some(node) = self.nodes.leaf(&at) else { break };
            let live = node.live() as u64;
            if limit > 0 && removed + live > limit {
                break;
            }
            let whole = match keep {
                Keep::Length(most) => length - live >= most,
                Keep::From(id) => node.last_id() < id,
            };
            if whole {
                self.nodes.remove(&at);
                removed += live;
                continue;
            }
            if approx {
                break;
            }
            let (most, below) = match keep {
                Keep::Length(most) => ((length - most) as usize, StreamId::MAX),
                Keep::From(id) => (usize::MAX, id),
            };
            let cut = self.nodes.edit(&at, |node| node.trim_front(most, below)).unwrap_or(0);
            removed += cut as u64;
            break;
        }
        if removed > 0 {
            self.find_first();
            self.changed = true;
        }
        removed
    }

    /// XSETID's three figures; None leaves one as it is.
    pub fn set_position(&mut self, last_id: StreamId, added: Option<u64>, max_deleted: Option<StreamId>) {
        self.last_id = last_id;
        self.entries_added = added.unwrap_or(self.entries_added);
        self.max_deleted = max_deleted.unwrap_or(self.max_deleted);
    }

    /// Groups, ordered by name.
    pub fn groups(&self) -> &[Group] {
        self.groups.as_ref().map_or(&[], |groups| &groups.list)
    }

    /// Index of the group of this name in [`Stream::groups`].
    pub fn find_group(&self, name: &[u8]) -> Option<usize> {
        self.groups.as_ref()?.search(name).ok()
    }

    /// Adds a group; false if the name is taken.
    pub fn add_group(&mut self, group: Group) -> bool {
        let groups = self.groups.get_or_insert_default();
        let Err(at) = groups.search(&group.name) else { return false };
        groups.bytes += group.heap_bytes();
        groups.list.insert(at, group);
        true
    }

    /// Takes a group out; the caller drops it.
    pub fn remove_group(&mut self, name: &[u8]) -> Option<Group> {
        let groups = self.groups.as_mut()?;
        let group = groups.list.remove(groups.search(name).ok()?);
        groups.bytes -= group.heap_bytes();
        if groups.list.is_empty() {
            self.groups = None;
        }
        Some(group)
    }

    /// Changes the group at this index, with the entries in sight; its bytes are counted anew.
    pub fn with_group<R>(
        &mut self,
        index: usize,
        change: impl FnOnce(&mut Group, View<'_>) -> R,
    ) -> Option<R> {
        let view = View { nodes: &self.nodes, counters: self.counters() };
        let groups = self.groups.as_mut()?;
        let group = groups.list.get_mut(index)?;
        let before = group.heap_bytes();
        let result = change(group, view);
        groups.bytes = groups.bytes - before + group.heap_bytes();
        Some(result)
    }

    /// A stream of parts from outside; None if the nodes are not in order or the figures do not fit them.
    pub fn from_parts(nodes: Vec<Node>, counters: Counters) -> Option<Self> {
        let mut tree = Tree::default();
        let mut last = None;
        for node in nodes {
            if last.is_some_and(|last| last >= node.master()) {
                return None;
            }
            last = Some(node.master());
            tree.push_back(node);
        }
        let fits = tree.len() as u64 == counters.length;
        let mut stream = Self {
            nodes: tree,
            last_id: counters.last_id,
            first_id: StreamId::MIN,
            max_deleted: counters.max_deleted,
            entries_added: counters.entries_added,
            groups: None,
            changed: false,
        };
        stream.find_first();
        fits.then_some(stream)
    }
}

/// The entries, while a group is being changed.
#[derive(Clone, Copy)]
pub struct View<'a> {
    nodes: &'a Tree<Node>,
    /// The stream's figures.
    pub counters: Counters,
}

impl<'a> View<'a> {
    /// As [`Stream::range`].
    pub fn range(&self, start: StreamId, end: StreamId) -> Entries<'a> {
        Entries::new(self.nodes, start, end, false)
    }

    /// As [`Stream::get`].
    pub fn get(&self, id: StreamId) -> Option<Entry<'a>> {
        self.range(id, id).next()
    }
}

impl Collection for Stream {
    fn heap_bytes(&self) -> usize {
        self.nodes.heap_bytes() + self.groups.as_ref().map_or(0, |groups| groups.list_bytes() + groups.bytes)
    }

    fn own_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn is_heavy(&self) -> bool {
        self.nodes.leaves() > 64
            || self.groups().iter().any(|group| group.is_heavy())
            || self.groups().len() > 64
    }

    fn free_step(&mut self) -> bool {
        for _ in 0..32 {
            if self.nodes.free_step() {
                break;
            }
        }
        if !self.nodes.is_empty() {
            return false;
        }
        let Some(groups) = &mut self.groups else { return true };
        for _ in 0..32 {
            let Some(group) = groups.list.last_mut() else { return true };
            if !group.free_step() {
                return false;
            }
            groups.list.pop();
        }
        groups.list.is_empty()
    }

    fn encoding(&self) -> &'static str {
        "stream"
    }
}
