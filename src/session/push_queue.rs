//! What waits for one connection outside its request order: messages, invalidations, MONITOR lines; shared bytes, never copied.
//!
//! `session::connection` adds, `session::deliver` sends from where the bytes lie: up to [`MAX_AT_ONCE`] of them in one vectored send. Replies that
//! must keep their place among the messages (acknowledgements of SUBSCRIBE) are put here too, by [`PushQueue::push_ordered`].
//!
//! Invariant: the items being sent are the first ones and are not touched until the send has completed. Bounds: client-output-buffer-limit
//! pubsub; an empty queue keeps room for [`KEPT_ITEMS`]. Why not bytes joined into the reply buffer: that copies every message once per subscriber.

use std::collections::VecDeque;

use bytes::Bytes;

/// Items of one send.
pub const MAX_AT_ONCE: usize = 64;
/// Room for so many items stays with a queue that has been emptied.
const KEPT_ITEMS: usize = 8;

/// See the module's text.
#[derive(Default)]
pub struct PushQueue {
    items: VecDeque<Bytes>,
    /// Bytes of all items, sent parts of the first included.
    bytes: usize,
    /// Bytes of the first item that are sent already.
    sent: u32,
    /// Items before replies may overtake again.
    ordered: u32,
    /// Bytes of the send in flight; 0 if none is.
    in_flight: u32,
    /// The last send of the connection was of this queue, and did not empty it.
    had_turn: bool,
}

impl PushQueue {
    /// Adds a message.
    #[inline]
    pub fn push(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        self.items.push_back(bytes);
    }

    /// Adds bytes that later replies must not overtake.
    pub fn push_ordered(&mut self, bytes: Bytes) {
        self.push(bytes);
        self.ordered = self.items.len() as u32;
    }

    /// Bytes that wait, those in flight included.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes - self.sent as usize
    }

    /// Items that wait.
    pub fn count(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a send of this queue is in flight.
    #[inline]
    pub fn is_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// Whether the next send is this queue's; `replies_wait`: there are replies, too. They take turns unless the order matters.
    #[inline]
    pub fn is_next(&self, replies_wait: bool) -> bool {
        let keeps = self.ordered > 0 || self.sent > 0 || !self.had_turn;
        !self.items.is_empty() && (keeps || !replies_wait)
    }

    /// Asks the cache for the first item.
    #[inline]
    pub fn prefetch(&self) {
        if let Some(first) = self.items.front() {
            crate::base::cache::prefetch_value(first);
        }
    }

    /// Notes that replies are sent.
    #[inline]
    pub fn yield_turn(&mut self) {
        self.had_turn = false;
    }

    /// The slices of the next send, at most `limit` bytes and [`MAX_AT_ONCE`] slices; they are in flight from now on.
    pub fn start(&mut self, limit: usize, mut add: impl FnMut(&[u8])) -> usize {
        let (mut room, mut skip) = (limit, self.sent as usize);
        for item in self.items.iter().take(MAX_AT_ONCE) {
            let rest = &item[skip..];
            let slice = &rest[..rest.len().min(room)];
            skip = 0;
            room -= slice.len();
            add(slice);
            if room == 0 {
                break;
            }
        }
        self.in_flight = (limit - room) as u32;
        self.had_turn = true;
        limit - room
    }

    /// `count` bytes of the send in flight have left.
    pub fn finish(&mut self, count: usize) {
        self.in_flight = 0;
        let mut left = count + self.sent as usize;
        while let Some(first) = self.items.front()
            && left >= first.len()
        {
            left -= first.len();
            self.bytes -= first.len();
            self.items.pop_front();
            self.ordered = self.ordered.saturating_sub(1);
        }
        self.sent = left as u32;
        if self.items.is_empty() {
            (self.sent, self.had_turn) = (0, false);
            if self.items.capacity() > KEPT_ITEMS {
                self.items = VecDeque::new();
            }
        }
    }

    /// Memory of the queue's own, without the shared bytes.
    pub fn heap_len(&self) -> usize {
        self.items.capacity() * size_of::<Bytes>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut PushQueue, limit: usize, leaves: usize) -> Vec<u8> {
        let mut sent = Vec::new();
        queue.start(limit, |slice| sent.extend_from_slice(slice));
        sent.truncate(leaves);
        queue.finish(sent.len());
        sent
    }

    #[test]
    fn short_sends_go_on_where_they_stopped() {
        let mut queue = PushQueue::default();
        for word in ["alpha", "be", "gamma"] {
            queue.push(Bytes::from_static(word.as_bytes()));
        }
        assert_eq!(queue.len(), 12);
        assert_eq!(drain(&mut queue, 6, 100), b"alphab");
        assert_eq!((queue.len(), queue.count()), (6, 2));
        assert_eq!(drain(&mut queue, 100, 3), b"ega");
        assert_eq!(drain(&mut queue, 100, 100), b"mma");
        assert!(queue.is_empty() && queue.is_empty());
    }

    #[test]
    fn replies_take_turns_but_do_not_overtake_ordered_bytes() {
        let mut queue = PushQueue::default();
        assert!(!queue.is_next(true));
        queue.push(Bytes::from_static(b"a"));
        queue.push(Bytes::from_static(b"b"));
        assert!(queue.is_next(true), "messages first");
        drain(&mut queue, 1, 1);
        assert!(!queue.is_next(true), "then replies");
        assert!(queue.is_next(false));
        queue.push_ordered(Bytes::from_static(b"ack"));
        assert!(queue.is_next(true), "the acknowledgement stays before later replies");
        drain(&mut queue, 1, 1);
        assert!(queue.is_next(true));
        queue.push(Bytes::from_static(b"c"));
        drain(&mut queue, 3, 3);
        assert!(!queue.is_next(true));
        queue.yield_turn();
        assert!(queue.is_next(true));
    }
}
