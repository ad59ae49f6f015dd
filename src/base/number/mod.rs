//! Numbers as text, by redis' rules: what counts as an integer or a float, and how floats are printed.
//!
//! Called by commands, parsers and the RDB code; the files below call each other only downwards. Invariant: accepted
//! texts, values and printed bytes are those of redis 7.0.15 on x86-64, where `long double` has a 64-bit mantissa.
pub mod bignum;
pub mod float;
pub mod hex;
pub mod integer;
pub mod long_double;
pub mod rounding;

pub use float::{format_double, parse_f64, write_double};
pub use integer::{DigitBuffer, decimal_len, parse_i64, parse_u64, write_i64, write_u64};
pub use long_double::{LongDouble, format_long_double, parse_long_double};
