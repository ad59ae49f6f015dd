//! `pipeline-order relaxed`: a pipeline split by core, its parts running at the same time.
//!
//! `session::run` pushes each single-shard command to the lane of its core while the input lasts; then [`start`] sends every lane to its core
//! at once, one hop each, and the session waits at home. A lane is a session of its own that runs the same loop; when all
//! are back, [`lane_home`] puts the replies in the order of the commands. Any other command is a barrier: it waits for the lanes.
//!
//! Invariant: replies leave in command order; commands of one core run in order; commands of different cores may overtake each other, which
//! is what the directive permits. Bounds: one lane per core and connection, at most one received chunk in flight.
//! Why not always: a client that pipelines `HSET job` before `LPUSH q job` may rely on their order (DESIGN §3).

use super::core::{Core, Message};
use super::run;
use super::{ReplyMode, Session, client_flag};
use crate::command::row::flag;
use crate::config::PipelineOrder;
use crate::resp::Input;

/// A lane's own state, in its session.
pub struct Lane {
    /// The core it runs on.
    core: usize,
    /// Where each reply ends in the lane's output.
    pub ends: Vec<usize>,
}

/// The lanes of a session.
#[derive(Default)]
pub struct Split {
    /// The core of each command, in order.
    order: Vec<u8>,
    /// By core; `None` until first used, and while under way.
    lanes: Vec<Option<Box<Session>>>,
    /// Lanes under way.
    outstanding: usize,
}

impl Split {
    /// Whether commands wait in lanes.
    pub fn is_pending(&self) -> bool {
        !self.order.is_empty()
    }
}

/// The core whose lane the command at hand should join, if it may.
pub fn target(core: &Core, session: &Session, input: &Input<'_>) -> Option<usize> {
    if core.cores() == 1 || core.settings.pipeline_order != PipelineOrder::Relaxed || session.lane.is_some() {
        return None;
    }
    let client = &session.client;
    let plain = session.home == core.id()
        && session.multi.is_none()
        && client.acl_tag == core.acl_tag
        && client.reply == ReplyMode::On
        && client.flags & (client_flag::PUBSUB | client_flag::TRACK_CACHING) == 0
        && !session.admitted
        && !core.paused.is_on(core.now_ms);
    let args = input.args();
    let command = core.shared.table.find(&args).ok().filter(|_| plain)?;
    let row = command.row;
    let simple = row.handler.is_some()
        && !row.flags.has(flag::BLOCKING)
        && row.first_key > 0
        && row.arity_fits(args.len());
    if !simple || core.shared.controls[command.id as usize].is_some() {
        return None;
    }
    let target = super::route::cores_of(core, row, &args).single()?;
    let pending = session.split.as_ref().is_some_and(|split| split.is_pending());
    let hosted = core.guest.as_ref().is_some_and(|guest| guest.core == target) || core.is_offered(target);
    if !pending && hosted {
        // In place, without a lane.
        return None;
    }
    (pending || (target != core.id() && input.has_more())).then_some(target)
}

/// Adds a command's bytes to the lane of `target`.
pub fn push(core: &Core, session: &mut Session, target: usize, raw: &[u8]) {
    let (id, home, conn) = (session.id, session.home, session.conn);
    let proto = session.out.proto();
    let split = session.split.get_or_insert_with(Box::default);
    if split.lanes.is_empty() {
        split.lanes.resize_with(core.cores(), || None);
    }
    let lane = split.lanes[target].get_or_insert_with(|| {
        let mut lane = Box::new(Session::new(id, home, conn, session.peer.clone()));
        lane.lane = Some(Box::new(Lane { core: target, ends: Vec::new() }));
        lane
    });
    if lane.reader.is_empty() {
        lane.out.set_proto(proto);
        lane.client.db = session.client.db;
        lane.client.flags = session.client.flags;
        lane.client.authenticated = true;
        lane.client.user.clone_from(&session.client.user);
        lane.client.acl_tag = session.client.acl_tag;
        lane.client.name.clone_from(&session.client.name);
        lane.homeward = false;
    }
    lane.reader.hold(raw);
    split.order.push(target as u8);
}

/// Sends all lanes to their cores; the session waits in its connection.
pub fn start(core: &mut Core, mut session: Box<Session>) {
    let Some(split) = session.split.as_mut() else { return };
    let mut own = None;
    for target in 0..split.lanes.len() {
        let filled = split.lanes[target].as_ref().is_some_and(|lane| !lane.reader.is_empty());
        let Some(lane) = split.lanes[target].take_if(|_| filled) else { continue };
        split.outstanding += 1;
        if target == core.id() {
            own = Some(lane);
        } else {
            core.stats.hops_out += 1;
            core.mesh.send(target, Message::Session(lane));
        }
    }
    if let Some(conn) = core.connections.get_mut(session.conn) {
        conn.gathering = Some(session);
    }
    // The others must not wait for this core's share.
    core.publish_and_flush();
    if let Some(lane) = own {
        run::run(core, lane, &[]);
    }
}

/// A lane is back; after the last one the replies are joined and the session goes on.
pub fn lane_home(core: &mut Core, mut lane: Box<Session>) {
    let index = lane.conn;
    let Some(conn) = core.connections.get_mut(index) else { return };
    let Some(session) = conn.gathering.as_mut() else { return };
    session.wrote |= std::mem::take(&mut lane.wrote);
    let Some(split) = session.split.as_mut() else { return };
    let place = lane.lane.as_ref().map_or(0, |lane| lane.core);
    split.lanes[place] = Some(lane);
    split.outstanding -= 1;
    if split.outstanding > 0 {
        return;
    }
    let Some(mut session) = conn.gathering.take() else { return };
    join(&mut session);
    if conn.dead {
        return core.park(session);
    }
    let inbound = conn.inbound.take_piece();
    run::run(core, session, &inbound);
}

/// Appends the lanes' replies in command order.
fn join(session: &mut Session) {
    let Some(split) = session.split.as_mut() else { return };
    let outputs: Vec<Option<std::borrow::Cow<'_, [u8]>>> = split
        .lanes
        .iter()
        .map(|lane| {
            let out = &lane.as_ref()?.out;
            Some(match (out.segment(0), out.segment(1)) {
                (Some(only), None) => only.into(),
                _ => out.to_vec().into(),
            })
        })
        .collect();
    let mut at = vec![(0usize, 0usize); split.lanes.len()];
    let mut order = split.order.iter().copied().peekable();
    while let Some(core) = order.next() {
        let core = core as usize;
        let mut count = 1;
        while order.next_if_eq(&(core as u8)).is_some() {
            count += 1;
        }
        let (next, begin) = at[core];
        let ends = split.lanes[core].as_ref().and_then(|lane| lane.lane.as_ref()).map(|lane| &lane.ends);
        let end = ends.and_then(|ends| ends.get(next + count - 1)).copied().unwrap_or(begin);
        at[core] = (next + count, end);
        if let Some(output) = &outputs[core] {
            session.out.raw_slice(&output[begin..end]);
        }
    }
    drop(outputs);
    split.order.clear();
    for lane in split.lanes.iter_mut().flatten() {
        lane.out.clear();
        if let Some(lane) = lane.lane.as_mut() {
            lane.ends.clear();
        }
    }
}
