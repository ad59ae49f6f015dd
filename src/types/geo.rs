//! Places on the earth as 52-bit geohashes in sorted set scores: encoding, distances, and which cells cover a search.
//!
//! Called by the geo commands; calls nothing. Invariant: every number is formed by the operations, in the order, that redis 7.0 uses, because replies
//! show them to the last digit and because the order of unsorted results follows the cells. Layout of a hash of `step` bits per coordinate:
//! ```text
//! lon[s-1] lat[s-1] … lon[1] lat[1] lon[0] lat[0]      scores have step 26, cells of a search 1 to 26
//! ```
//! Bounds: a search looks at nine cells. Coordinates: Web Mercator's, ±180 and ±85.05112878 degrees; the earth is a sphere.

/// Largest longitude, degrees.
pub const LON_MAX: f64 = 180.0;
/// Largest latitude, degrees.
pub const LAT_MAX: f64 = 85.05112878;
/// Bits per coordinate in a score.
const STEP_MAX: u32 = 26;
const EARTH_RADIUS_M: f64 = 6_372_797.560856;
const MERCATOR_MAX_M: f64 = 20_037_726.37;
const RADIANS: f64 = std::f64::consts::PI / 180.0;
/// The latitudes of the usual geohash text.
const TEXT_LAT_MAX: f64 = 90.0;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";

/// A place, degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// East.
    pub lon: f64,
    /// North.
    pub lat: f64,
}

/// What a search covers around its centre, metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// All within a distance.
    Circle(f64),
    /// Width and height.
    Box(f64, f64),
}

/// One cell of the grid of 2^step by 2^step; a coordinate can be 2^step at the very edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    lon: u32,
    lat: u32,
    step: u32,
}

/// The bounds of a cell, degrees.
struct Area {
    lon_min: f64,
    lon_max: f64,
    lat_min: f64,
    lat_max: f64,
}

/// Spreads 32 bits over the even places.
fn spread(bits: u32) -> u64 {
    let mut wide = u64::from(bits);
    wide = (wide | wide << 16) & 0x0000_ffff_0000_ffff;
    wide = (wide | wide << 8) & 0x00ff_00ff_00ff_00ff;
    wide = (wide | wide << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    wide = (wide | wide << 2) & 0x3333_3333_3333_3333;
    (wide | wide << 1) & 0x5555_5555_5555_5555
}

/// Gathers the bits of the even places.
fn gather(bits: u64) -> u32 {
    let mut wide = bits & 0x5555_5555_5555_5555;
    wide = (wide | wide >> 1) & 0x3333_3333_3333_3333;
    wide = (wide | wide >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    wide = (wide | wide >> 4) & 0x00ff_00ff_00ff_00ff;
    wide = (wide | wide >> 8) & 0x0000_ffff_0000_ffff;
    (wide | wide >> 16) as u32
}

impl Cell {
    fn of(place: Place, step: u32, lat_max: f64) -> Self {
        let scale = (1u64 << step) as f64;
        let lat = (place.lat - -lat_max) / (lat_max - -lat_max) * scale;
        let lon = (place.lon - -LON_MAX) / (LON_MAX - -LON_MAX) * scale;
        Self { lon: lon as u32, lat: lat as u32, step }
    }

    fn bits(self) -> u64 {
        spread(self.lat) | spread(self.lon) << 1
    }

    fn area(self) -> Area {
        let scale = (1u64 << self.step) as f64;
        let (lat_span, lon_span) = (LAT_MAX - -LAT_MAX, LON_MAX - -LON_MAX);
        let at = |index: u32, least: f64, span: f64| least + f64::from(index) / scale * span;
        Area {
            lat_min: at(self.lat, -LAT_MAX, lat_span),
            lat_max: at(self.lat.wrapping_add(1), -LAT_MAX, lat_span),
            lon_min: at(self.lon, -LON_MAX, lon_span),
            lon_max: at(self.lon.wrapping_add(1), -LON_MAX, lon_span),
        }
    }

    /// The cell so many to the east and to the north, around the world's edges.
    fn beside(self, east: i32, north: i32) -> Self {
        let mask = ((1u64 << self.step) - 1) as u32;
        let moved = |at: u32, by: i32| if by == 0 { at } else { at.wrapping_add_signed(by) & mask };
        Self { lon: moved(self.lon, east), lat: moved(self.lat, north), step: self.step }
    }

    /// Scores of the places in it: from, and up to but without.
    fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEP_MAX - self.step);
        ((self.bits() << shift) as f64, ((self.bits() + 1) << shift) as f64)
    }
}

/// A double as C on x86-64 turns it into an unsigned 64-bit integer, whatever its size.
fn to_bits(score: f64) -> u64 {
    const TOP: f64 = 9_223_372_036_854_775_808.0;
    let signed = |value: f64| {
        // Out of range there is one answer: the lowest number.
        if (-TOP..TOP).contains(&value) { value as i64 } else { i64::MIN }
    };
    if score >= TOP { signed(score - TOP) as u64 ^ 1 << 63 } else { signed(score) as u64 }
}

impl Place {
    /// Whether a geohash can hold it.
    pub fn is_valid(self) -> bool {
        (-LON_MAX..=LON_MAX).contains(&self.lon) && (-LAT_MAX..=LAT_MAX).contains(&self.lat)
    }

    /// Its score.
    pub fn score(self) -> u64 {
        Cell::of(self, STEP_MAX, LAT_MAX).bits()
    }

    /// The middle of the cell that a score names.
    pub fn of_score(score: f64) -> Self {
        let bits = to_bits(score);
        let area = Cell { lat: gather(bits), lon: gather(bits >> 1), step: STEP_MAX }.area();
        Self {
            lon: ((area.lon_min + area.lon_max) / 2.0).clamp(-LON_MAX, LON_MAX),
            lat: ((area.lat_min + area.lat_max) / 2.0).clamp(-LAT_MAX, LAT_MAX),
        }
    }

    /// The usual geohash text of eleven letters; the last is always `0`, as 52 bits fill ten.
    pub fn text(self) -> [u8; 11] {
        let bits = Cell::of(self, STEP_MAX, TEXT_LAT_MAX).bits();
        let mut text = [ALPHABET[0]; 11];
        for (index, letter) in text.iter_mut().take(10).enumerate() {
            *letter = ALPHABET[(bits >> (52 - (index + 1) * 5) & 31) as usize];
        }
        text
    }

    /// Great-circle distance, metres.
    pub fn distance(self, other: Self) -> f64 {
        let (lat, other_lat) = (self.lat * RADIANS, other.lat * RADIANS);
        let u = ((other_lat - lat) / 2.0).sin();
        let v = ((other.lon * RADIANS - self.lon * RADIANS) / 2.0).sin();
        2.0 * EARTH_RADIUS_M * (u * u + lat.cos() * other_lat.cos() * v * v).sqrt().asin()
    }

    /// The distance of `other` if it lies in `shape` around this place.
    pub fn distance_within(self, shape: Shape, other: Self) -> Option<f64> {
        let distance = || self.distance(other);
        // As redis compares: what is not a number is not too far.
        let beyond = |is: f64, most: f64| is > most;
        match shape {
            Shape::Circle(radius) => Some(distance()).filter(|&distance| !beyond(distance, radius)),
            Shape::Box(width, height) => {
                let across = other.distance(Self { lon: self.lon, lat: other.lat });
                let along = other.distance(Self { lon: other.lon, lat: self.lat });
                (!beyond(across, width / 2.0) && !beyond(along, height / 2.0)).then(distance)
            }
        }
    }
}

/// How fine the grid may be that nine cells still cover a radius.
fn estimate_step(radius_m: f64, lat: f64) -> u32 {
    if radius_m == 0.0 {
        return STEP_MAX;
    }
    let (mut reach, mut step) = (radius_m, 1i32);
    while reach < MERCATOR_MAX_M {
        reach *= 2.0;
        step += 1;
    }
    step -= 2;
    // Meridians come closer towards the poles.
    if lat.abs() > 66.0 {
        step -= 1;
        if lat.abs() > 80.0 {
            step -= 1;
        }
    }
    step.clamp(1, STEP_MAX as i32) as u32
}

/// The corners of the search: west, south, east, north, degrees.
fn bounding_box(centre: Place, shape: Shape) -> (f64, f64, f64, f64) {
    let (width, height) = match shape {
        Shape::Circle(radius) => (radius, radius),
        Shape::Box(width, height) => (width / 2.0, height / 2.0),
    };
    let lat_delta = height / EARTH_RADIUS_M / RADIANS;
    let edge = if centre.lat < 0.0 { centre.lat - lat_delta } else { centre.lat + lat_delta };
    let lon_delta = width / EARTH_RADIUS_M / (edge * RADIANS).cos() / RADIANS;
    (centre.lon - lon_delta, centre.lat - lat_delta, centre.lon + lon_delta, centre.lat + lat_delta)
}

/// The ranges of scores (from, up to but without) to look through, in redis' order: the centre's cell, then its neighbours as far as they can hold anything.
pub fn search_ranges(centre: Place, shape: Shape) -> Vec<(f64, f64)> {
    let radius = match shape {
        Shape::Circle(radius) => radius,
        Shape::Box(width, height) => (width / 2.0 * (width / 2.0) + height / 2.0 * (height / 2.0)).sqrt(),
    };
    let (west, south, east, north) = bounding_box(centre, shape);
    let mut cell = Cell::of(centre, estimate_step(radius, centre.lat), LAT_MAX);
    let falls_short = cell.beside(0, 1).area().lat_max < north
        || cell.beside(0, -1).area().lat_min > south
        || cell.beside(1, 0).area().lon_max < east
        || cell.beside(-1, 0).area().lon_min > west;
    if falls_short && cell.step > 1 {
        cell = Cell::of(centre, cell.step - 1, LAT_MAX);
    }
    let area = cell.area();
    let fine = cell.step >= 2;
    let useless = |to_east: i32, to_north: i32| {
        fine && ((to_north < 0 && area.lat_min < south)
            || (to_north > 0 && area.lat_max > north)
            || (to_east < 0 && area.lon_min < west)
            || (to_east > 0 && area.lon_max > east))
    };
    // North, south, east, west, then the corners.
    const AROUND: [(i32, i32); 9] =
        [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
    let mut ranges = Vec::with_capacity(9);
    let mut last = None;
    for (to_east, to_north) in AROUND {
        let beside = cell.beside(to_east, to_north);
        // In a coarse grid neighbours coincide; redis passes over one equal to that looked at just before, but not to the centre's.
        if useless(to_east, to_north) || last == Some(beside) {
            continue;
        }
        ranges.push(beside.scores());
        last = ((to_east, to_north) != (0, 0)).then_some(beside);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_example() {
        let palermo = Place { lon: 13.361389, lat: 38.115556 };
        let catania = Place { lon: 15.087269, lat: 37.502669 };
        assert_eq!((palermo.score(), catania.score()), (3_479_099_956_230_698, 3_479_447_370_796_909));
        let (palermo, catania) =
            (Place::of_score(palermo.score() as f64), Place::of_score(catania.score() as f64));
        assert_eq!(format!("{:.4}", palermo.distance(catania)), "166274.1516");
        assert_eq!((&palermo.text(), &catania.text()), (b"sqc8b49rny0", b"sqdtr74hyu0"));
    }

    #[test]
    fn cells_of_a_search_cover_it() {
        let mut prng = crate::base::prng::Prng::new(3);
        for _ in 0..20_000 {
            let centre = Place { lon: prng.unit_f64() * 340.0 - 170.0, lat: prng.unit_f64() * 120.0 - 60.0 };
            let radius = 10f64.powf(1.0 + prng.unit_f64() * 4.7);
            let shape =
                if prng.chance(0.5) { Shape::Circle(radius) } else { Shape::Box(radius, radius / 3.0) };
            let other = Place {
                lon: centre.lon + (prng.unit_f64() - 0.5) * radius / 50_000.0,
                lat: centre.lat + (prng.unit_f64() - 0.5) * radius / 50_000.0,
            };
            if !other.is_valid() {
                continue;
            }
            let score = other.score() as f64;
            if centre.distance_within(shape, Place::of_score(score)).is_some() {
                let ranges = search_ranges(centre, shape);
                assert!(
                    ranges.iter().any(|(from, to)| (*from..*to).contains(&score)),
                    "{centre:?} {shape:?} {other:?}"
                );
            }
        }
    }

    #[test]
    fn odd_scores_are_read_as_c_reads_them() {
        assert_eq!(to_bits(-1.0), u64::MAX);
        assert_eq!(to_bits(f64::INFINITY), 0);
        assert_eq!(to_bits(-f64::INFINITY), 1 << 63);
        assert_eq!(to_bits(9_223_372_036_854_775_808.0), 1 << 63);
    }
}
