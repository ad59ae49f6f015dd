//! Channels and patterns: who subscribed on which core, and how a message reaches them.
//!
//! SUBSCRIBE and PSUBSCRIBE register on every core by a visit, so that a publisher finds all receivers where it runs:
//! one [`Message::Push`] per receiver, the bytes shared. Keyspace notifications publish through the same door.
//! Invariant: a receiver gets a channel's messages from one core in the order that core published them. Bounds: one entry per
//! subscription and core. Why on every core and not at a home core only: patterns have no home, and a notification must not cost a hop per event.

use std::collections::HashMap;

use bytes::Bytes;

use super::core::{Core, Message};
use super::visit::Visit;
use super::{Session, client_flag};
use crate::base::glob::glob_match;
use crate::command::row::Row;
use crate::command::{Event, notify};
use crate::resp::Out;

/// A receiver: core, connection, client id, protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Home core.
    pub core: usize,
    /// Connection slot.
    pub conn: u32,
    /// Client id.
    pub id: u64,
    /// 2 or 3.
    pub proto: u8,
}

/// Subscriptions as one core knows them (all cores know the same).
#[derive(Default)]
pub struct PubSub {
    /// Receivers by channel.
    pub channels: HashMap<Vec<u8>, Vec<Receiver>>,
    /// Patterns with their receivers, oldest first.
    pub patterns: Vec<(Vec<u8>, Vec<Receiver>)>,
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

/// A change of subscriptions, carried to every core.
pub struct Change {
    /// Channels or patterns.
    pub names: Vec<Vec<u8>>,
    /// Whether they are patterns.
    pub patterns: bool,
    /// Subscribe, or leave.
    pub join: bool,
    /// Who.
    pub receiver: Receiver,
}

impl Change {
    /// Applies the change on one core.
    pub fn apply(&self, pubsub: &mut PubSub) {
        for name in &self.names {
            if self.patterns {
                pubsub.change_pattern(name, self.receiver, self.join);
            } else {
                pubsub.change_channel(name, self.receiver, self.join);
            }
        }
    }
}

impl Visit for Change {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        self.apply(&mut core.pubsub);
    }

    fn finish(self: Box<Self>, _: &mut Core, _: &mut Session) {}
}

/// A subscriber has changed its protocol: what it is sent from now on is written in the new one.
pub struct Reproto {
    /// Client id.
    pub id: u64,
    /// 2 or 3.
    pub proto: u8,
}

impl Visit for Reproto {
    fn at(&mut self, core: &mut Core, _: &mut Session) {
        let channels = core.pubsub.channels.values_mut();
        let lists = channels.chain(core.pubsub.patterns.iter_mut().map(|(_, list)| list));
        for receiver in lists.flatten().filter(|receiver| receiver.id == self.id) {
            receiver.proto = self.proto;
        }
    }

    fn finish(self: Box<Self>, _: &mut Core, _: &mut Session) {}
}

impl PubSub {
    fn change_channel(&mut self, name: &[u8], receiver: Receiver, join: bool) {
        if join {
            let list = self.channels.entry(name.to_vec()).or_default();
            if !list.iter().any(|known| known.id == receiver.id) {
                list.push(receiver);
            }
        } else if let Some(list) = self.channels.get_mut(name) {
            list.retain(|known| known.id != receiver.id);
            if list.is_empty() {
                self.channels.remove(name);
            }
        }
    }

    fn change_pattern(&mut self, name: &[u8], receiver: Receiver, join: bool) {
        let at = self.patterns.iter().position(|(pattern, _)| pattern == name);
        match (at, join) {
            (Some(at), true) => {
                if !self.patterns[at].1.iter().any(|known| known.id == receiver.id) {
                    self.patterns[at].1.push(receiver);
                }
            }
            (None, true) => self.patterns.push((name.to_vec(), vec![receiver])),
            (Some(at), false) => {
                self.patterns[at].1.retain(|known| known.id != receiver.id);
                if self.patterns[at].1.is_empty() {
                    self.patterns.remove(at);
                }
            }
            (None, false) => {}
        }
    }
}

impl Core {
    /// Delivers `payload` to the receivers of `channel`; returns how many there are.
    pub fn publish(&mut self, channel: &[u8], payload: &[u8]) -> usize {
        let mut sent = 0;
        let mut pushes: Vec<(Receiver, Bytes)> = Vec::new();
        if let Some(list) = self.pubsub.channels.get(channel) {
            let mut made: [Option<Bytes>; 2] = [None, None];
            for receiver in list {
                let bytes = made[(receiver.proto == 3) as usize]
                    .get_or_insert_with(|| encode(receiver.proto, &[b"message", channel, payload]));
                pushes.push((*receiver, bytes.clone()));
                sent += 1;
            }
        }
        for (pattern, list) in &self.pubsub.patterns {
            if !glob_match(pattern, channel, false) {
                continue;
            }
            for receiver in list {
                pushes.push((*receiver, encode(receiver.proto, &[b"pmessage", pattern, channel, payload])));
                sent += 1;
            }
        }
        for (receiver, bytes) in pushes {
            if receiver.core == self.id() {
                self.push_bytes(receiver.conn, receiver.id, bytes);
            } else {
                self.mesh.send(receiver.core, Message::Push(Box::new((receiver.conn, receiver.id, bytes))));
            }
        }
        sent
    }

    /// Publishes keyspace events as notify-keyspace-events asks.
    pub fn publish_events(&mut self, events: &mut Vec<Event>) {
        let mask = self.settings.notify_keyspace_events;
        for event in events.drain(..) {
            if mask & notify::KEYSPACE != 0 {
                let mut channel = format!("__keyspace@{}__:", event.db).into_bytes();
                channel.extend_from_slice(&event.key);
                self.publish(&channel, event.name.as_bytes());
            }
            if mask & notify::KEYEVENT != 0 {
                let channel = format!("__keyevent@{}__:{}", event.db, event.name);
                self.publish(channel.as_bytes(), &event.key);
            }
        }
    }

    /// A connection has ended: no core knows its subscriptions any more.
    pub fn forget_subscriber(&mut self, session: &Session) {
        if session.client.flags & (client_flag::PUBSUB | client_flag::MONITOR) == 0 {
            return;
        }
        let id = session.id;
        let forget = move |core: &mut Core| {
            core.monitors.retain(|monitor| monitor.2 != id);
            core.pubsub.channels.retain(|_, list| {
                list.retain(|known| known.id != id);
                !list.is_empty()
            });
            core.pubsub.patterns.retain_mut(|(_, list)| {
                list.retain(|known| known.id != id);
                !list.is_empty()
            });
        };
        forget(self);
        let own = self.id();
        for other in (0..self.cores()).filter(|&other| other != own) {
            self.mesh.send(other, Message::Call(Box::new(forget)));
        }
    }
}

/// A push of bulk strings in the receiver's protocol.
fn encode(proto: u8, words: &[&[u8]]) -> Bytes {
    let mut out = Out::new();
    out.set_proto(proto);
    out.push(words.len());
    words.iter().for_each(|word| out.bulk(word));
    out.into_bytes()
}
