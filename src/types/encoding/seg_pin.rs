//! Pins of a `SegTable`: a second table that shares the first one's blocks, made in constant time; whoever changes one of the two copies
//! the way to the segment it changes, nothing else.
//!
//! Used by hashes and sets (a snapshot pins a large value and reads the pin at leisure); called by `seg_table` and `seg_walk` before they
//! change anything. A node counts its holders (tables and parent nodes), a segment too; what has more than one is never changed in place.
//! Invariant: a block below a shared node may have one holder only and is shared all the same: it is parted from the root down.
//! Bounds: the first write after a pin copies the root (at most 1024 links, one touch of each child), then one more node per
//! 2^10, and one segment with its at most 140 items; later writes only what they are the first to touch.
//! All holders live in one shard, which one thread owns at a time (as for `shared::Shared`): hence plain counters.
use super::seg_table::{Link, Node, Place, SegTable};
use super::segment::{Item, Seg};

impl Link {
    /// One holder more.
    fn hold<T: Item>(self) {
        match self.open::<T>() {
            Place::Empty => {}
            Place::Segment(segment) => {
                let Some(more) = segment.others().checked_add(1) else { unreachable!("65 thousand pins") };
                segment.set_others(more);
            }
            // SAFETY: a live node; counters are changed by the thread that owns the shard only.
            Place::Node(node) => unsafe { (*node).others += 1 },
        }
    }
}

impl<T: Item> SegTable<T> {
    /// The table as it is now, for as long as it is kept. Costs nothing but what is changed meanwhile. It must stay in the same shard.
    pub fn pin(&self) -> Self {
        self.root.hold::<T>();
        self.with_root()
    }

    /// The segment that covers `hash`, and whether someone else can see it.
    #[inline]
    pub(super) fn locate_held(&self, hash: u64) -> Option<(Seg<T>, bool)> {
        let (mut link, mut others) = (self.root, 0);
        loop {
            match link.open() {
                Place::Empty => return None,
                Place::Segment(segment) => return Some((segment, others | u32::from(segment.others()) != 0)),
                Place::Node(node) => {
                    // SAFETY: node links are live nodes of this table.
                    let node = unsafe { &*node };
                    others |= node.others;
                    link = node.links[node.index(hash)];
                }
            }
        }
    }

    /// The segment that covers `hash`, for changing.
    #[inline]
    pub(super) fn locate_own(&mut self, hash: u64) -> Option<Seg<T>> {
        match self.locate_held(hash)? {
            (segment, false) => Some(segment),
            (_, true) => self.part(hash),
        }
    }

    /// Copies what others hold too on the way to the segment of `hash`, the segment included; the bytes counted for this table
    /// stay right, since copies are of the same size.
    #[cold]
    pub(super) fn part(&mut self, hash: u64) -> Option<Seg<T>> {
        let mut place = &raw mut self.root;
        let mut parent: Option<*mut Node> = None;
        loop {
            // SAFETY: `place` is the root or a link of a live node that only this table holds (parted one step before).
            match (unsafe { *place }).open::<T>() {
                Place::Empty => return None,
                Place::Segment(segment) => {
                    if segment.others() == 0 {
                        return Some(segment);
                    }
                    let copy = segment.duplicate();
                    segment.set_others(segment.others() - 1);
                    let link = Link::to_segment(copy);
                    match parent {
                        None => self.root = link,
                        // SAFETY: the live node one step above, held by this table alone.
                        Some(node) => unsafe { &mut *node }.set_range(hash, segment.depth(), link),
                    }
                    return Some(copy);
                }
                Place::Node(raw) => {
                    // SAFETY: a live node; its links are only read unless this table alone holds it.
                    let node = unsafe { &mut *raw };
                    if node.others > 0 {
                        let copy = Box::new(node.duplicate());
                        let mut last = Link::NULL;
                        for &link in &copy.links {
                            if link != last {
                                link.hold::<T>();
                                last = link;
                            }
                        }
                        node.others -= 1;
                        // SAFETY: as above: the one place of this node.
                        unsafe { *place = Link::to_node(copy) };
                        continue;
                    }
                    let index = node.index(hash);
                    place = &raw mut node.links[index];
                    parent = Some(raw);
                }
            }
        }
    }
}
