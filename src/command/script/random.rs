//! `math.random` and `math.randomseed` as redis has them: a 48-bit linear congruential generator, the same on every machine.
//!
//! Invariant: equal seeds give redis' numbers. The generator is one per thread and is not reset between scripts (redis 7 does not either). Bounds: none.

use std::cell::Cell;

use super::reply::to_integer;
use super::stack::{Native, Raise, Stack};

const MULTIPLIER: u64 = 0x5_deec_e66d;
const MASK: u64 = (1 << 48) - 1;
/// What a draw is divided by.
const RANGE: u64 = i32::MAX as u64;

thread_local! {
    static CURRENT: Cell<u64> = const { Cell::new(0x1234_abcd_330e) };
}

/// 31 random bits.
fn draw() -> u64 {
    let next = CURRENT.get().wrapping_mul(MULTIPLIER).wrapping_add(0xb) & MASK;
    CURRENT.set(next);
    next >> 17
}

fn integer(stack: &Stack<'_>, index: i32) -> Result<f64, Raise> {
    let number = stack.coerced_number(index).ok_or(Raise::Type(index, c"number"))?;
    Ok(to_integer(number) as i32 as f64)
}

/// `math.random([low,] [high])`
pub fn random(stack: &mut Stack<'_>) -> Native {
    let unit = (draw() % RANGE) as f64 / RANGE as f64;
    let value = match stack.top() {
        0 => unit,
        1 => {
            let high = integer(stack, 1)?;
            if high < 1.0 {
                return Err(Raise::Argument(1, c"interval is empty"));
            }
            (unit * high).floor() + 1.0
        }
        2 => {
            let (low, high) = (integer(stack, 1)?, integer(stack, 2)?);
            if low > high {
                return Err(Raise::Argument(2, c"interval is empty"));
            }
            (unit * (high - low + 1.0)).floor() + low
        }
        _ => return stack.fail("wrong number of arguments"),
    };
    stack.push_number(value);
    Ok(1)
}

/// `math.randomseed(seed)`
pub fn seed(stack: &mut Stack<'_>) -> Native {
    let seed = integer(stack, 1)? as i32 as u32 as u64;
    CURRENT.set(seed << 16 | 0x330e);
    Ok(0)
}
