//! Channels, patterns and shard channels: who listens where, and how a message reaches everybody.
//!
//! Every core knows every name with the number of its subscribers on each core ([`Audience`]), so that any core can say how many a message reaches;
//! the receivers themselves are known to their home core only. A message goes from its channel's *place* (the core of the channel's slot, as of
//! a key) to each core that has subscribers, once, and is encoded there once per protocol: its connections share the bytes.
//! ```text
//! PUBLISH --session travels--> place --one message per core--> deliver: Bytes shared by all connections (`session::push_queue`)
//! ```
//! From MULTI and scripts a message goes to the place first; keyspace events go out from the core that made them.
//!
//! Invariant: a channel's messages leave its place in one order, so all its subscribers see that order; a subscriber's own acknowledgements keep
//! their place among them (`session::connection::commit`). Bounds: one count per name and core, 16 bytes per subscription. Why counts on every core:
//! a notification or a PUBLISH nobody listens to must not cost a hop.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use smallvec::SmallVec;

use super::core::{Core, Message};
use super::visit::Visit;
use super::{Session, client_flag};
use crate::base::glob::glob_match;
use crate::base::slot::key_slot;
use crate::command::row::{Row, flag};
use crate::command::{Event, notify};
use crate::resp::{ATTACH_LEN, Args, Out};
use crate::shard::lending::CoreSet;

/// What one can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SUBSCRIBE.
    Channel,
    /// PSUBSCRIBE.
    Pattern,
    /// SSUBSCRIBE.
    Shard,
}

/// Names of one kind, with how often a core's clients subscribed to them, by core.
type Names = HashMap<Box<[u8]>, Audience>;

/// A receiver on its home core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Client id.
    pub id: u64,
    /// Connection slot.
    pub conn: u32,
    /// 2 or 3.
    pub proto: u8,
}

/// Who listens to a name.
#[derive(Default)]
pub struct Audience {
    /// Subscribers by core.
    counts: SmallVec<[u32; 4]>,
    /// Those of this core.
    local: Vec<Receiver>,
}

impl Audience {
    /// All subscribers.
    pub fn len(&self) -> usize {
        self.counts.iter().map(|&count| count as usize).sum()
    }

    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn cores(&self) -> CoreSet {
        let mut set = CoreSet::default();
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .for_each(|(core, _)| set.insert(core));
        set
    }

    fn count(&mut self, core: usize, join: bool) {
        if self.counts.len() <= core {
            self.counts.resize(core + 1, 0);
        }
        let count = &mut self.counts[core];
        *count = if join { *count + 1 } else { count.saturating_sub(1) };
    }
}

/// Subscriptions as one core knows them.
#[derive(Default)]
pub struct PubSub {
    /// By channel.
    pub channels: Names,
    /// By shard channel.
    pub shards: Names,
    /// By pattern, oldest first.
    pub patterns: Vec<(Box<[u8]>, Audience)>,
    /// Clients of this core with any subscription.
    pub clients: usize,
}

impl PubSub {
    /// Whether nobody listens to anything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }

    fn names(&mut self, kind: Kind) -> &mut Names {
        if kind == Kind::Shard { &mut self.shards } else { &mut self.channels }
    }

    /// A client of `core` joins or leaves a name.
    pub fn count(&mut self, kind: Kind, name: &[u8], core: usize, join: bool) {
        if kind != Kind::Pattern {
            let names = self.names(kind);
            match (names.get_mut(name), join) {
                (Some(audience), _) => {
                    audience.count(core, join);
                    if audience.is_empty() {
                        names.remove(name);
                    }
                }
                (None, true) => names.entry(name.into()).or_default().count(core, true),
                (None, false) => {}
            }
            return;
        }
        match (self.patterns.iter().position(|(pattern, _)| **pattern == *name), join) {
            (Some(at), _) => {
                self.patterns[at].1.count(core, join);
                if self.patterns[at].1.is_empty() {
                    self.patterns.remove(at);
                }
            }
            (None, true) => {
                let mut audience = Audience::default();
                audience.count(core, true);
                self.patterns.push((name.into(), audience));
            }
            (None, false) => {}
        }
    }

    /// The receivers of a name on this core.
    fn local(&mut self, kind: Kind, name: &[u8]) -> Option<&mut Vec<Receiver>> {
        let audience = match kind {
            Kind::Pattern => {
                self.patterns.iter_mut().find(|(pattern, _)| **pattern == *name).map(|it| &mut it.1)
            }
            _ => self.names(kind).get_mut(name),
        };
        audience.map(|audience| &mut audience.local)
    }

    /// A client at home here is a receiver from now on.
    pub fn join(&mut self, kind: Kind, name: &[u8], receiver: Receiver) {
        if let Some(list) = self.local(kind, name) {
            list.push(receiver);
        }
    }

    /// A client at home here is none any more; before it is discounted.
    pub fn leave(&mut self, kind: Kind, name: &[u8], id: u64) {
        let Some(list) = self.local(kind, name) else { return };
        if let Some(at) = list.iter().position(|known| known.id == id) {
            list.swap_remove(at);
            if list.len() * 4 < list.capacity() {
                list.shrink_to(list.len() * 2);
            }
        }
    }

    /// A receiver's messages are written in another protocol from now on.
    pub fn set_proto(&mut self, names: &Subscriptions, id: u64, proto: u8) {
        for (kind, name) in names.iter() {
            let list = self.local(kind, name).into_iter().flatten();
            list.filter(|receiver| receiver.id == id).for_each(|receiver| receiver.proto = proto);
        }
    }

    /// How many a message reaches, and on which cores they are.
    fn audience(&self, sharded: bool, channel: &[u8]) -> (usize, CoreSet) {
        let own = if sharded { self.shards.get(channel) } else { self.channels.get(channel) };
        let patterns = if sharded { &[][..] } else { &self.patterns[..] };
        let matching = patterns.iter().filter(|(pattern, _)| glob_match(pattern, channel, false));
        own.into_iter()
            .chain(matching.map(|(_, audience)| audience))
            .fold((0, CoreSet::default()), |(count, cores), audience| {
                (count + audience.len(), CoreSet(cores.0 | audience.cores().0))
            })
    }
}

/// A client's own subscriptions, in its session.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions {
    /// Channels.
    pub channels: BTreeSet<Box<[u8]>>,
    /// Patterns.
    pub patterns: BTreeSet<Box<[u8]>>,
    /// Shard channels.
    pub shards: BTreeSet<Box<[u8]>>,
}

impl Subscriptions {
    /// All names, and whether each is a pattern.
    pub fn all(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let plain = self.channels.iter().chain(&self.shards).map(|name| (&**name, false));
        plain.chain(self.patterns.iter().map(|name| (&**name, true)))
    }

    /// Those of one kind.
    pub fn of(&mut self, kind: Kind) -> &mut BTreeSet<Box<[u8]>> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }

    /// All names.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let channels = self.channels.iter().map(|name| (Kind::Channel, &**name));
        let patterns = self.patterns.iter().map(|name| (Kind::Pattern, &**name));
        channels.chain(patterns).chain(self.shards.iter().map(|name| (Kind::Shard, &**name)))
    }

    /// Memory of the names, in bytes.
    pub fn heap_len(&self) -> usize {
        self.iter().map(|(_, name)| name.len() + size_of::<Box<[u8]>>()).sum()
    }
}

/// Whether `row` may run on a RESP2 connection that has subscribed.
pub fn allowed(row: &Row) -> bool {
    matches!(
        row.name,
        "subscribe"
            | "unsubscribe"
            | "psubscribe"
            | "punsubscribe"
            | "ssubscribe"
            | "sunsubscribe"
            | "ping"
            | "quit"
            | "reset"
    )
}

/// A subscriber has changed its protocol: what it is sent from now on is written in the new one.
pub struct Reproto;

impl Visit for Reproto {
    fn at(&mut self, core: &mut Core, session: &mut Session) {
        if session.home != core.id() {
            return;
        }
        let (id, proto) = (session.id, session.out.proto());
        if let Some(names) = session.client.subscriptions.as_deref() {
            core.pubsub.set_proto(names, id, proto);
        }
        core.commit(session);
    }

    fn finish(self: Box<Self>, _: &mut Core, _: &mut Session) {}

    fn ends_at_home(&self) -> bool {
        true
    }
}

/// A message on its way between cores.
pub struct Publication {
    /// Of SPUBLISH.
    sharded: bool,
    /// Its channel's place has it still to spread.
    to_spread: bool,
    channel: Bytes,
    payload: Bytes,
}

/// The core a PUBLISH or SPUBLISH runs on, and whose log it goes to, if `row` is one.
#[inline]
pub fn place_of_command(core: &Core, row: &Row, args: &Args<'_>) -> Option<usize> {
    let publishes = row.flags.has(flag::PUBSUB) && row.flags.has(flag::MAY_REPLICATE);
    args.get_checked(1).filter(|_| publishes).map(|channel| core.place_of(channel))
}

impl Core {
    /// The core all messages of a channel go through.
    pub fn place_of(&self, channel: &[u8]) -> usize {
        self.map.core_of(key_slot(channel))
    }

    /// Publishes a message from wherever this is; `shared` is the payload if it has a buffer of its own. Returns how many it reaches.
    pub fn publish(
        &mut self,
        sharded: bool,
        channel: &[u8],
        payload: &[u8],
        shared: Option<&Bytes>,
    ) -> usize {
        let (count, _) = self.pubsub.audience(sharded, channel);
        let place = self.place_of(channel);
        if count > 0 && place == self.id() {
            self.spread(sharded, channel, payload, shared);
        } else if count > 0 {
            let payload = shared.cloned().unwrap_or_else(|| Bytes::copy_from_slice(payload));
            let channel = Bytes::copy_from_slice(channel);
            self.mesh.send(
                place,
                Message::Publish(Box::new(Publication { sharded, to_spread: true, channel, payload })),
            );
        }
        count
    }

    /// Sends a message to every core with subscribers, this one included.
    fn spread(&mut self, sharded: bool, channel: &[u8], payload: &[u8], shared: Option<&Bytes>) {
        let (_, cores) = self.pubsub.audience(sharded, channel);
        let own = self.id();
        if cores.0 & !(1 << own) != 0 {
            let payload = shared.cloned().unwrap_or_else(|| Bytes::copy_from_slice(payload));
            let channel = Bytes::copy_from_slice(channel);
            for core in (0..self.cores()).filter(|&core| core != own && cores.0 & (1 << core) != 0) {
                let (channel, payload) = (channel.clone(), payload.clone());
                let publication = Publication { sharded, to_spread: false, channel, payload };
                self.mesh.send(core, Message::Publish(Box::new(publication)));
            }
        }
        if cores.0 & (1 << own) != 0 {
            self.deliver(sharded, channel, payload, shared);
        }
    }

    /// A message from another core.
    pub fn published(&mut self, publication: &Publication) {
        let Publication { sharded, to_spread, channel, payload } = publication;
        let shared = Some(payload).filter(|payload| payload.len() >= ATTACH_LEN);
        match to_spread {
            true => self.spread(*sharded, channel, payload, shared),
            false => self.deliver(*sharded, channel, payload, shared),
        }
    }

    /// Queues a message for the receivers of this core.
    fn deliver(&mut self, sharded: bool, channel: &[u8], payload: &[u8], shared: Option<&Bytes>) {
        let pubsub = std::mem::take(&mut self.pubsub);
        let own = if sharded { pubsub.shards.get(channel) } else { pubsub.channels.get(channel) };
        if let Some(audience) = own {
            let kind: &[u8] = if sharded { b"smessage" } else { b"message" };
            self.push_to_all(&audience.local, &[kind, channel], payload, shared);
        }
        let patterns = if sharded { &[][..] } else { &pubsub.patterns[..] };
        for (pattern, audience) in patterns.iter().filter(|(_, audience)| !audience.local.is_empty()) {
            if glob_match(pattern, channel, false) {
                self.push_to_all(&audience.local, &[b"pmessage", pattern, channel], payload, shared);
            }
        }
        self.pubsub = pubsub;
    }

    fn push_to_all(
        &mut self,
        receivers: &[Receiver],
        words: &[&[u8]],
        payload: &[u8],
        shared: Option<&Bytes>,
    ) {
        let mut made: [Option<Encoded>; 2] = [None, None];
        for (at, receiver) in receivers.iter().enumerate() {
            if let Some(ahead) = receivers.get(at + 4) {
                self.connections.prefetch(ahead.conn);
            }
            let encoded = made[(receiver.proto == 3) as usize]
                .get_or_insert_with(|| encode(receiver.proto, words, payload, shared));
            self.push_all(receiver.conn, receiver.id, encoded);
        }
    }

    /// Publishes keyspace events as notify-keyspace-events asks.
    pub fn publish_events(&mut self, events: &mut Vec<Event>) {
        let mask = self.settings.notify_keyspace_events;
        if self.pubsub.is_empty() {
            events.clear();
        }
        self.has_events_out |= self.cores() > 1 && !events.is_empty();
        for event in events.drain(..) {
            if mask & notify::KEYSPACE != 0 {
                let mut channel = format!("__keyspace@{}__:", event.db).into_bytes();
                channel.extend_from_slice(&event.key);
                self.spread(false, &channel, event.name.as_bytes(), None);
            }
            if mask & notify::KEYEVENT != 0 {
                let channel = format!("__keyevent@{}__:{}", event.db, event.name);
                self.spread(false, channel.as_bytes(), &event.key, None);
            }
        }
    }

    /// This core forgets client `id` of core `home`, its subscriptions among them.
    pub fn discount(&mut self, id: u64, home: usize, names: Option<&Subscriptions>) {
        self.monitors.retain(|monitor| monitor.2 != id);
        let Some(names) = names else { return };
        let is_home = home == self.id();
        for (kind, name) in names.iter() {
            if is_home {
                self.pubsub.leave(kind, name, id);
            }
            self.pubsub.count(kind, name, home, false);
        }
        self.pubsub.clients -= is_home as usize;
    }

    /// A connection has ended: no core knows its subscriptions any more.
    pub fn forget_subscriber(&mut self, session: &mut Session) {
        if session.client.flags & (client_flag::PUBSUB | client_flag::MONITOR) == 0 {
            return;
        }
        let (id, own) = (session.id, self.id());
        let names = session.client.subscriptions.take();
        self.discount(id, own, names.as_deref());
        let names = std::sync::Arc::new(names);
        for core in (0..self.cores()).filter(|&core| core != own) {
            let names = std::sync::Arc::clone(&names);
            let forget = move |core: &mut Core| core.discount(id, own, names.as_deref());
            self.mesh.send(core, Message::Call(Box::new(forget)));
        }
    }
}

/// A message as it leaves: one buffer, or a large payload between two short ones.
pub type Encoded = SmallVec<[Bytes; 3]>;

/// A push of bulk strings, `words` and then `payload`, in the receiver's protocol.
fn encode(proto: u8, words: &[&[u8]], payload: &[u8], shared: Option<&Bytes>) -> Encoded {
    let mut out = Out::new();
    out.set_proto(proto);
    out.push(words.len() + 1);
    words.iter().for_each(|word| out.bulk(word));
    match shared.filter(|payload| payload.len() >= ATTACH_LEN) {
        Some(payload) => out.blob(payload.clone()),
        None => out.bulk(payload),
    }
    out.into_pieces()
}
