//! The geo commands: places kept as scores of sorted sets.
//!
//! Handlers of the rows in `command::rows::geo`; called by `shard::execute`, they call `command::zset` and `types::{geo, zset}`. Source: redis 7.0's
//! geo.c for replies, the order of checks, events and effects.

pub mod add;
mod query;
pub mod read;
pub mod search;

use crate::base::number::{LongDouble, format_long_double};
use crate::command::reply_error::ReplyError;
use crate::resp::Out;
use crate::types::geo::Place;

/// An error while words are read: most have texts that quote numbers or words.
enum Refusal {
    Error(ReplyError),
    Text(Vec<u8>),
}

impl From<ReplyError> for Refusal {
    fn from(error: ReplyError) -> Self {
        Self::Error(error)
    }
}

impl Refusal {
    /// A fixed text of this family only.
    fn fixed(text: &'static str) -> Self {
        Self::Error(ReplyError::Text(text))
    }

    /// What the handler returns.
    fn report(self, cx: &mut crate::command::Cx<'_>) -> ReplyError {
        match self {
            Self::Error(error) => error,
            Self::Text(text) => cx.fail(text),
        }
    }
}

/// Reads a longitude and a latitude.
fn parse_place(lon: &[u8], lat: &[u8]) -> Result<Place, Refusal> {
    use crate::base::number::parse_f64;
    let place = Place {
        lon: parse_f64(lon).ok_or(ReplyError::NotFloat)?,
        lat: parse_f64(lat).ok_or(ReplyError::NotFloat)?,
    };
    if place.is_valid() {
        return Ok(place);
    }
    let text = format!("ERR invalid longitude,latitude pair {:.6},{:.6}", place.lon, place.lat);
    Err(Refusal::Text(text.into_bytes()))
}

/// Metres in a unit.
fn parse_unit(word: &[u8]) -> Result<f64, ReplyError> {
    let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
    if is(b"m") {
        Ok(1.0)
    } else if is(b"km") {
        Ok(1000.0)
    } else if is(b"ft") {
        Ok(0.3048)
    } else if is(b"mi") {
        Ok(1609.34)
    } else {
        Err(ReplyError::Text("ERR unsupported unit provided. please use M, KM, FT, MI"))
    }
}

/// A distance: four digits behind the point, a bulk string in both protocols.
fn write_distance(out: &mut Out, distance: f64) {
    out.bulk(format!("{distance:.4}").as_bytes());
}

/// Longitude and latitude as redis prints them for people.
fn write_place(out: &mut Out, place: Place) {
    out.array(2);
    for degrees in [place.lon, place.lat] {
        out.double_text(format_long_double(LongDouble::from_f64(degrees)).as_bytes());
    }
}
