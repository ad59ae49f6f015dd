//! Expiry of hash fields: when each goes, and taking out those whose time is over, in bounded steps.
//!
//! Called by the hash expiry commands and by `keyspace` (which files a hash under its earliest expiry and asks it to drain); calls `hash_table`.
//! A hash gets this part when a field of it is first given an expiry, and keeps it, as OBJECT ENCODING's `listpackex` shows.
//! Invariant: `earliest_ms` is a lower bound of all expiries in it ([`NEVER`]: none), exact after a drain that came to its end.
//! Bounds: [`Hash::drain`] opens as many segments as it is told. Why no index of fields by time: the segments' own bounds cost
//! nothing per field, and a pass over the segments of a million fields is half a millisecond of steps, only when something is due.
use super::hash::{Form, Hash};
use crate::base::memory::good_size;
use crate::types::collection::Collection;
use crate::types::element::Element;
use crate::types::encoding::pack::Pack;
use crate::types::encoding::thin::{Case, Thin};
use crate::types::field::NEVER;
use crate::types::hash_table::Table;
use std::cell::Cell;

enum Body {
    Pack(Pack),
    Table(Table),
}

/// A hash whose fields have, or had, an expiry.
pub struct Timed {
    body: Body,
    earliest_ms: u64,
    /// The time of the command that looks at it.
    pub(super) clock: Cell<u64>,
    /// Under which time the keyspace has filed it; [`NEVER`]: not.
    filed_ms: u64,
    /// Where a drain in steps stands, and the earliest expiry it passed.
    sweep: u64,
    passed_ms: u64,
}

/// The expiry of the field at `at` in a pack of field, value, expiry.
pub(super) fn pack_expire(pack: &Pack, at: usize) -> u64 {
    let expire = pack.next(at).and_then(|value| pack.next(value)).map(|at| pack.get(at));
    let ms = expire.and_then(Element::as_i64).and_then(|ms| u64::try_from(ms).ok());
    ms.filter(|&ms| ms > 0).unwrap_or(NEVER)
}

impl Timed {
    fn new(body: Body) -> Self {
        Self { body, earliest_ms: NEVER, clock: Cell::new(0), filed_ms: NEVER, sweep: 0, passed_ms: NEVER }
    }

    pub(super) fn duplicate(&self, table: impl FnOnce(&Table) -> Table) -> Self {
        let body = match &self.body {
            Body::Pack(pack) => Body::Pack(pack.clone()),
            Body::Table(own) => Body::Table(table(own)),
        };
        Self { earliest_ms: self.earliest_ms, clock: self.clock.clone(), ..Self::new(body) }
    }

    pub(super) fn form(&self) -> Form<&Pack, &Table> {
        match &self.body {
            Body::Pack(pack) => Form::Pack(pack, 3),
            Body::Table(table) => Form::Table(table),
        }
    }

    pub(super) fn form_mut(&mut self) -> Form<&mut Pack, &mut Table> {
        match &mut self.body {
            Body::Pack(pack) => Form::Pack(pack, 3),
            Body::Table(table) => Form::Table(table),
        }
    }

    pub(super) fn set_table(&mut self, table: Table) {
        self.body = Body::Table(table);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let body = match &self.body {
            Body::Pack(pack) => pack.heap_bytes(),
            Body::Table(table) => table.bytes,
        };
        good_size(size_of::<Self>()) + body
    }
}

impl Hash {
    /// Sets the time by which fields are judged from now on (0: none is over).
    #[inline]
    pub fn see(&self, now_ms: u64) {
        if let Case::Special(timed) = self.repr.get() {
            timed.clock.set(now_ms);
        }
    }

    /// Whether fields may have an expiry.
    pub fn is_timed(&self) -> bool {
        matches!(self.repr.get(), Case::Special(_))
    }

    /// A lower bound of the earliest expiry of a field; [`NEVER`] without any.
    pub fn earliest_ms(&self) -> u64 {
        if let Case::Special(timed) = self.repr.get() { timed.earliest_ms } else { NEVER }
    }

    /// Whether the time of a field may be over.
    pub(super) fn has_due(&self) -> bool {
        self.earliest_ms() < self.now_ms()
    }

    /// Under which time the keyspace has filed it; [`NEVER`]: not.
    pub fn filed_ms(&self) -> u64 {
        if let Case::Special(timed) = self.repr.get() { timed.filed_ms } else { NEVER }
    }

    /// Notes under which time it is filed.
    pub fn set_filed(&mut self, filed_ms: u64) {
        if let Case::Special(timed) = self.repr.get_mut() {
            timed.filed_ms = filed_ms;
        }
    }

    /// Makes room for expiries.
    pub fn make_timed(&mut self, now_ms: u64) {
        if self.is_timed() {
            return;
        }
        let changed = self.take_changed();
        let body = match self.repr.get_mut() {
            Case::Special(_) => return,
            Case::Large(table) => Body::Table(Table { changed, ..std::mem::take(table) }),
            Case::Small(pack) => {
                let mut timed = Pack::default();
                let mut entries = pack.iter();
                while let (Some(field), Some(value)) = (entries.next(), entries.next()) {
                    timed.splice(timed.end(), 0, &[field, value, Element::Int(0)]);
                }
                if !changed {
                    timed.take_changed();
                }
                Body::Pack(timed)
            }
        };
        self.repr = Thin::new(Case::Special(Box::new(Timed::new(body))));
        self.see(now_ms);
    }

    /// When `field` goes ([`NEVER`]: not by itself); None if it is not there.
    pub fn expire_ms(&self, field: &[u8]) -> Option<u64> {
        let expire_ms = match self.form() {
            Form::Pack(pack, width) => {
                let at = pack.find(field, width - 1)?;
                if width == 2 { NEVER } else { pack_expire(pack, at) }
            }
            Form::Table(table) => table.find(field)?.expire_ms,
        };
        (expire_ms >= self.now_ms()).then_some(expire_ms)
    }

    /// Sets or ([`NEVER`]) clears the expiry of a field that is there, in a hash made ready by [`Hash::make_timed`].
    pub fn set_expire(&mut self, field: &[u8], expire_ms: u64) {
        let done = match self.form_mut() {
            Form::Table(table) => table.set_expire(field, expire_ms),
            Form::Pack(pack, 3) => {
                let at = pack.find(field, 2);
                let at = at.and_then(|at| pack.next(at)).and_then(|value| pack.next(value));
                let number =
                    if expire_ms == NEVER { 0 } else { i64::try_from(expire_ms).unwrap_or(i64::MAX) };
                if let Some(at) = at {
                    pack.splice(at, 1, &[Element::Int(number)]);
                }
                at.is_some()
            }
            Form::Pack(..) => false,
        };
        if let Case::Special(timed) = self.repr.get_mut()
            && done
        {
            timed.earliest_ms = timed.earliest_ms.min(expire_ms);
            timed.passed_ms = timed.passed_ms.min(expire_ms);
        }
    }

    /// Every field with its value and expiry ([`NEVER`]: none), those whose time is over left out (savers).
    pub fn each_timed<'a>(&'a self, mut visit: impl FnMut(Element<'a>, Element<'a>, u64)) {
        let now_ms = self.now_ms();
        match self.form() {
            Form::Table(table) => {
                for own in table.fields.iter().filter(|own| !own.is_over(now_ms)) {
                    visit(Element::Bytes(own.field), Element::Bytes(own.value), own.expire_ms);
                }
            }
            Form::Pack(pack, width) => {
                let mut at = pack.first();
                while let Some(field) = at {
                    let Some(value) = pack.next(field) else { return };
                    let expire_ms = if width == 2 { NEVER } else { pack_expire(pack, field) };
                    if expire_ms >= now_ms {
                        visit(pack.get(field), pack.get(value), expire_ms);
                    }
                    at = if width == 2 {
                        pack.next(value)
                    } else {
                        pack.next(value).and_then(|at| pack.next(at))
                    };
                }
            }
        }
    }

    /// Takes out fields whose time is over, opening at most `budget` segments; true when none is left.
    pub fn drain(&mut self, now_ms: u64, budget: usize, mut gone: impl FnMut(&[u8])) -> bool {
        self.see(now_ms);
        let Case::Special(timed) = self.repr.get_mut() else { return true };
        if timed.earliest_ms >= now_ms {
            return true;
        }
        let Timed { body, sweep, passed_ms, earliest_ms, .. } = timed;
        match body {
            Body::Pack(pack) => {
                let mut at = pack.first();
                let mut low = NEVER;
                while let Some(field) = at {
                    let expire_ms = pack_expire(pack, field);
                    if expire_ms < now_ms {
                        gone(&pack.get(field).to_bytes());
                        at = pack.remove(field, 3);
                    } else {
                        low = low.min(expire_ms);
                        at = pack.next(field).and_then(|at| pack.next(at)).and_then(|at| pack.next(at));
                    }
                }
                *earliest_ms = low;
            }
            Body::Table(table) => {
                for _ in 0..budget {
                    let (mut count, mut bytes) = (0, 0);
                    let step = table.fields.drain_due(
                        *sweep,
                        now_ms,
                        |own| own.expire_ms,
                        |own| {
                            (count, bytes) = (count + 1, bytes + own.heap_bytes());
                            gone(own.view().field);
                        },
                        &mut table.bytes,
                    );
                    table.len -= count;
                    table.bytes -= bytes;
                    table.changed |= count > 0;
                    *passed_ms = (*passed_ms).min(step.min_expire);
                    if let Some(next) = step.next {
                        *sweep = next;
                        continue;
                    }
                    (*earliest_ms, *passed_ms, *sweep) = (*passed_ms, NEVER, 0);
                    break;
                }
            }
        }
        *earliest_ms >= now_ms
    }
}
