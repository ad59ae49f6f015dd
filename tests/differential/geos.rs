//! Traffic of the geo commands.
//!
//! Called by `families`. Places lie in a few clusters, some at the edges of the world, some twice; searches are of all sizes, so that every step of the grid is met.

use crate::families::{Row, line, one, with};
use crate::traffic::{Args, Step, Traffic};

/// A key that mostly holds places.
fn key(t: &mut Traffic) -> Vec<u8> {
    match t.prng.below(40) {
        0 => t.any_key(),
        1 => format!("z{}", t.prng.below(6)).into_bytes(),
        _ => format!("geo{}", t.prng.below(3)).into_bytes(),
    }
}

fn member(t: &mut Traffic) -> Vec<u8> {
    if t.prng.chance(3) { t.value() } else { format!("p{}", t.prng.below(60)).into_bytes() }
}

/// Longitude and latitude.
fn place(t: &mut Traffic) -> Args {
    let (lon, lat) = match t.prng.below(12) {
        0 => t.prng.pick(&[
            ("180", "85.05112878"),
            ("-180", "-85.05112878"),
            ("0", "0"),
            ("179.9999", "0"),
            ("-179.9999", "70"),
            ("0", "85"),
            ("181", "0"),
            ("10", "86"),
        ]),
        1 | 2 => ("13.361389", "38.115556"),
        _ => ("", ""),
    };
    if !lon.is_empty() {
        return vec![lon.into(), lat.into()];
    }
    let (spread_lon, spread_lat) = t.prng.pick(&[(180, 85), (20, 20), (2, 2)]);
    let degrees = |t: &mut Traffic, spread: i64| {
        let micro = t.prng.range(-spread * 1_000_000, spread * 1_000_000);
        format!("{}", micro as f64 / 1e6).into_bytes()
    };
    vec![degrees(t, spread_lon), degrees(t, spread_lat)]
}

fn unit(t: &mut Traffic) -> Vec<u8> {
    t.prng.pick(&["m", "km", "km", "KM", "ft", "mi"]).into()
}

fn size(t: &mut Traffic) -> Vec<u8> {
    t.prng
        .pick(&["0", "1", "100", "2500.5", "5000", "20000", "300", "1000000", "40000000", "0.5", "1e3"])
        .into()
}

fn geoadd(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"GEOADD".to_vec(), key(t)];
    if t.prng.chance(25) {
        args.push(t.prng.pick(&["NX", "XX", "CH", "ch"]).into());
    }
    let many = if t.prng.chance(4) { 140 } else { 1 + t.prng.below(5) };
    for index in 0..many {
        args.extend(place(t));
        args.push(if many > 100 { format!("many{index}").into_bytes() } else { member(t) });
    }
    one(args)
}

fn members(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), key(t)];
    for _ in 0..t.prng.below(5) {
        args.push(member(t));
    }
    one(args)
}

fn geodist(t: &mut Traffic) -> Vec<Step> {
    let mut args = vec![b"GEODIST".to_vec(), key(t), member(t), member(t)];
    if t.prng.chance(60) {
        args.push(unit(t));
    }
    one(args)
}

fn options(t: &mut Traffic, extras: bool) -> Args {
    let mut args = Vec::new();
    for option in ["WITHCOORD", "WITHDIST", "withhash"] {
        if extras && t.prng.chance(40) {
            args.push(option.into());
        }
    }
    if t.prng.chance(40) {
        args.extend([b"COUNT".to_vec(), t.small(0, 12)]);
        if t.prng.chance(30) {
            args.push(b"ANY".to_vec());
        }
    }
    if t.prng.chance(40) {
        args.push(t.prng.pick(&["ASC", "DESC", "asc"]).into());
    }
    args
}

fn radius(t: &mut Traffic, name: &str) -> Vec<Step> {
    let mut args = vec![name.into(), key(t)];
    if name.contains("MEMBER") {
        args.push(member(t))
    } else {
        args.extend(place(t))
    }
    args.extend([size(t), unit(t)]);
    let store = !name.ends_with("RO") && t.prng.chance(30);
    args.extend(options(t, !store));
    if store {
        args.extend([t.prng.pick(&["STORE", "STOREDIST"]).into(), b"geo9".to_vec()]);
    }
    one(args)
}

fn geosearch(t: &mut Traffic, store: bool) -> Vec<Step> {
    let mut args = if store { vec![b"geo9".to_vec(), key(t)] } else { vec![key(t)] };
    if t.prng.chance(50) {
        args.extend([b"FROMMEMBER".to_vec(), member(t)]);
    } else {
        args.push(b"FROMLONLAT".to_vec());
        args.extend(place(t));
    }
    if t.prng.chance(50) {
        args.extend([b"BYRADIUS".to_vec(), size(t), unit(t)]);
    } else {
        args.extend([b"bybox".to_vec(), size(t), size(t), unit(t)]);
    }
    args.extend(options(t, !store));
    if store && t.prng.chance(30) {
        args.push(b"STOREDIST".to_vec());
    }
    with(if store { "GEOSEARCHSTORE" } else { "GEOSEARCH" }, args)
}

/// The rows.
pub const GEO: &[Row] = &[
    ("geoadd", 16, geoadd),
    ("geodist", 4, geodist),
    ("geohash", 4, |t| members(t, "GEOHASH")),
    ("geopos", 4, |t| members(t, "GEOPOS")),
    ("georadius", 5, |t| radius(t, "GEORADIUS")),
    ("georadius_ro", 4, |t| radius(t, "GEORADIUS_RO")),
    ("georadiusbymember", 5, |t| radius(t, "GEORADIUSBYMEMBER")),
    ("georadiusbymember_ro", 4, |t| radius(t, "GEORADIUSBYMEMBER_RO")),
    ("geosearch", 12, |t| geosearch(t, false)),
    ("geosearchstore", 5, |t| geosearch(t, true)),
    ("zrange", 2, |t| line!("ZRANGE", key(t), "0", "-1", "WITHSCORES")),
    ("zrange", 2, |_| line!("ZRANGE", "geo9", "0", "-1", "WITHSCORES")),
    ("zrem", 2, |t| line!("ZREM", key(t), member(t))),
];
