//! What GEORADIUS, GEORADIUSBYMEMBER, GEOSEARCH and their variants ask for, read from their words.
//!
//! Called by `search`. Invariant: words are judged in redis' order, the set being known already: an unknown member fails where its name stands.

use super::{Refusal, parse_place, parse_unit};
use crate::base::number::{parse_f64, parse_i64};
use crate::command::reply_error::{ReplyError, quoting};
use crate::resp::Args;
use crate::types::geo::{Place, Shape};
use crate::types::zset::ZSet;

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// GEORADIUS.
    Radius,
    /// GEORADIUS_RO.
    RadiusRo,
    /// GEORADIUSBYMEMBER.
    Member,
    /// GEORADIUSBYMEMBER_RO.
    MemberRo,
    /// GEOSEARCH.
    Search,
    /// GEOSEARCHSTORE.
    SearchStore,
}

/// In which order results come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they lie in the cells.
    AsFound,
    /// Nearest first.
    Nearest,
    /// Farthest first.
    Farthest,
}

/// A whole search.
pub struct Query {
    /// Where from.
    pub centre: Place,
    /// How far, metres.
    pub shape: Shape,
    /// Metres in the unit that was named.
    pub metres: f64,
    /// See [`Order`].
    pub order: Order,
    /// Most results; 0 is all.
    pub count: usize,
    /// The first `count` found will do.
    pub any: bool,
    /// Results with their distance.
    pub with_dist: bool,
    /// Results with their score.
    pub with_hash: bool,
    /// Results with their place.
    pub with_coord: bool,
    /// The word of the key to store to.
    pub store: Option<usize>,
    /// Distances are stored instead of scores.
    pub store_dist: bool,
    from_member: bool,
    from_place: bool,
    by_radius: bool,
    by_box: bool,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    /// Whether STORE and STOREDIST take a key.
    fn may_store(self) -> bool {
        matches!(self, Self::Radius | Self::Member)
    }

    /// The word of the key that is searched.
    pub fn source(self) -> usize {
        if self == Self::SearchStore { 2 } else { 1 }
    }

    /// The event of its store.
    pub fn event(self) -> &'static str {
        if self.is_search() { "geosearchstore" } else { "georadiusstore" }
    }
}

fn number(word: &[u8], what: &'static str) -> Result<f64, Refusal> {
    parse_f64(word).ok_or(Refusal::fixed(what))
}

/// The place of `member`.
fn place_of(set: &ZSet, member: &[u8]) -> Result<Place, Refusal> {
    let score = set.score(member);
    score.map(Place::of_score).ok_or(Refusal::fixed("ERR could not decode requested zset member"))
}

impl Query {
    fn new(form: Form) -> Self {
        Self {
            centre: Place { lon: 0.0, lat: 0.0 },
            shape: Shape::Circle(0.0),
            metres: 1.0,
            order: Order::AsFound,
            count: 0,
            any: false,
            with_dist: false,
            with_hash: false,
            with_coord: false,
            store: (form == Form::SearchStore).then_some(1),
            store_dist: false,
            from_member: false,
            from_place: false,
            by_radius: false,
            by_box: false,
        }
    }

    /// Reads the words of `form`; `set` is what lies at the source key.
    pub fn parse(args: &Args<'_>, form: Form, set: Option<&ZSet>) -> Result<Self, Refusal> {
        let mut query = Self::new(form);
        let options = match form {
            Form::Radius | Form::RadiusRo => {
                query.centre = parse_place(args.get(2), args.get(3))?;
                query.set_radius(args.get(4), args.get(5))?;
                6
            }
            Form::Member | Form::MemberRo => {
                // Without a set the radius is not even looked at.
                if let Some(set) = set {
                    query.centre = place_of(set, args.get(2))?;
                    query.set_radius(args.get(3), args.get(4))?;
                }
                5
            }
            Form::Search => 2,
            Form::SearchStore => 3,
        };
        let mut index = options;
        while index < args.len() {
            index += match query.plain_option(args, index, form)? {
                0 => query.search_option(args, index, form, set)?,
                used => used,
            };
        }
        query.check(args.get(0), form)?;
        Ok(query)
    }

    fn set_radius(&mut self, radius: &[u8], unit: &[u8]) -> Result<(), Refusal> {
        let radius = number(radius, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(Refusal::fixed("ERR radius cannot be negative"));
        }
        self.metres = parse_unit(unit)?;
        self.shape = Shape::Circle(radius * self.metres);
        Ok(())
    }

    /// Options of all forms; how many words it took, 0 if it is none of them.
    fn plain_option(&mut self, args: &Args<'_>, index: usize, form: Form) -> Result<usize, Refusal> {
        let word = args.get(index);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        let beside = args.get_checked(index + 1);
        if is(b"withdist") {
            self.with_dist = true;
        } else if is(b"withhash") {
            self.with_hash = true;
        } else if is(b"withcoord") {
            self.with_coord = true;
        } else if is(b"any") {
            self.any = true;
        } else if is(b"asc") {
            self.order = Order::Nearest;
        } else if is(b"desc") {
            self.order = Order::Farthest;
        } else if let Some(count) = beside.filter(|_| is(b"count")) {
            let count = parse_i64(count).ok_or(ReplyError::NotInteger)?;
            if count <= 0 {
                return Err(Refusal::fixed("ERR COUNT must be > 0"));
            }
            self.count = count as usize;
            return Ok(2);
        } else if beside.is_some() && form.may_store() && (is(b"store") || is(b"storedist")) {
            self.store = Some(index + 1);
            self.store_dist = is(b"storedist");
            return Ok(2);
        } else if form == Form::SearchStore && is(b"storedist") {
            self.store_dist = true;
        } else {
            return Ok(0);
        }
        Ok(1)
    }

    /// Options of GEOSEARCH; how many words it took.
    fn search_option(
        &mut self,
        args: &Args<'_>,
        index: usize,
        form: Form,
        set: Option<&ZSet>,
    ) -> Result<usize, Refusal> {
        let word = args.get(index);
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        let has = |words: usize| form.is_search() && index + words < args.len();
        if has(1) && !self.from_place && is(b"frommember") {
            if let Some(set) = set {
                self.centre = place_of(set, args.get(index + 1))?;
            }
            self.from_member = true;
            return Ok(2);
        }
        if has(2) && !self.from_member && is(b"fromlonlat") {
            self.centre = parse_place(args.get(index + 1), args.get(index + 2))?;
            self.from_place = true;
            return Ok(3);
        }
        if has(2) && !self.by_box && is(b"byradius") {
            self.set_radius(args.get(index + 1), args.get(index + 2))?;
            self.by_radius = true;
            return Ok(3);
        }
        if has(3) && !self.by_radius && is(b"bybox") {
            let width = number(args.get(index + 1), "ERR need numeric width")?;
            let height = number(args.get(index + 2), "ERR need numeric height")?;
            if height < 0.0 || width < 0.0 {
                return Err(Refusal::fixed("ERR height or width cannot be negative"));
            }
            self.metres = parse_unit(args.get(index + 3))?;
            self.shape = Shape::Box(width * self.metres, height * self.metres);
            self.by_box = true;
            return Ok(4);
        }
        Err(ReplyError::Syntax.into())
    }

    /// What no option alone can tell.
    fn check(&mut self, name: &[u8], form: Form) -> Result<(), Refusal> {
        if self.store.is_some() && (self.with_dist || self.with_hash || self.with_coord) {
            return Err(Refusal::fixed(if form == Form::SearchStore {
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            } else {
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            }));
        }
        if form.is_search() && !self.from_member && !self.from_place {
            let text = "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ";
            return Err(Refusal::Text(quoting(text, name, "")));
        }
        if form.is_search() && !self.by_radius && !self.by_box {
            let text = "ERR exactly one of BYRADIUS and BYBOX can be specified for ";
            return Err(Refusal::Text(quoting(text, name, "")));
        }
        if self.any && self.count == 0 {
            return Err(Refusal::fixed("ERR the ANY argument requires COUNT argument"));
        }
        // The first few are the nearest ones, unless any will do.
        if self.count > 0 && self.order == Order::AsFound && !self.any {
            self.order = Order::Nearest;
        }
        Ok(())
    }
}
