//! The `bit` library: operations on 32-bit integers, with the interface of LuaJIT's.
//!
//! Opened by `sandbox`. Invariant: a number is taken modulo 2^32 and results are signed 32-bit numbers. Source: the documentation of LuaBitOp 1.0.2. Bounds: none.

use super::stack::{Body, Native, Raise, Stack};

const FUNCTIONS: &[(&str, Body)] = &[
    ("tobit", to_bit),
    ("bnot", not),
    ("band", and),
    ("bor", or),
    ("bxor", xor),
    ("lshift", shift_left),
    ("rshift", shift_right),
    ("arshift", shift_right_signed),
    ("rol", rotate_left),
    ("ror", rotate_right),
    ("bswap", swap),
    ("tohex", to_hex),
];

/// Pushes the library.
pub fn open(stack: &mut Stack<'_>) {
    stack.new_table(0, FUNCTIONS.len());
    for (name, body) in FUNCTIONS {
        stack.push_native(*body);
        stack.raw_set_field(-2, name);
    }
}

/// Argument `index` as 32 bits: rounded to even, modulo 2^32.
fn bits(stack: &Stack<'_>, index: i32) -> Result<u32, Raise> {
    let number = stack.coerced_number(index).ok_or(Raise::Type(index, c"number"))?;
    // Adding 1.5 * 2^52 leaves the rounded integer in the low bits of the mantissa.
    Ok((number + 6_755_399_441_055_744.0).to_bits() as u32)
}

fn give(stack: &mut Stack<'_>, value: u32) -> Native {
    stack.push_number(value as i32 as f64);
    Ok(1)
}

fn to_bit(stack: &mut Stack<'_>) -> Native {
    let value = bits(stack, 1)?;
    give(stack, value)
}

fn not(stack: &mut Stack<'_>) -> Native {
    let value = bits(stack, 1)?;
    give(stack, !value)
}

fn fold(stack: &mut Stack<'_>, join: fn(u32, u32) -> u32) -> Native {
    let mut value = bits(stack, 1)?;
    for index in 2..=stack.top() {
        value = join(value, bits(stack, index)?);
    }
    give(stack, value)
}

fn and(stack: &mut Stack<'_>) -> Native {
    fold(stack, |one, other| one & other)
}

fn or(stack: &mut Stack<'_>) -> Native {
    fold(stack, |one, other| one | other)
}

fn xor(stack: &mut Stack<'_>) -> Native {
    fold(stack, |one, other| one ^ other)
}

fn shift(stack: &mut Stack<'_>, by: fn(u32, u32) -> u32) -> Native {
    let (value, count) = (bits(stack, 1)?, bits(stack, 2)?);
    give(stack, by(value, count & 31))
}

fn shift_left(stack: &mut Stack<'_>) -> Native {
    shift(stack, |value, count| value << count)
}

fn shift_right(stack: &mut Stack<'_>) -> Native {
    shift(stack, |value, count| value >> count)
}

fn shift_right_signed(stack: &mut Stack<'_>) -> Native {
    shift(stack, |value, count| ((value as i32) >> count) as u32)
}

fn rotate_left(stack: &mut Stack<'_>) -> Native {
    shift(stack, u32::rotate_left)
}

fn rotate_right(stack: &mut Stack<'_>) -> Native {
    shift(stack, u32::rotate_right)
}

fn swap(stack: &mut Stack<'_>) -> Native {
    let value = bits(stack, 1)?;
    give(stack, value.swap_bytes())
}

/// `bit.tohex(value [, digits])`: a negative count asks for capitals.
fn to_hex(stack: &mut Stack<'_>) -> Native {
    let value = bits(stack, 1)?;
    let wanted = if stack.is_absent(2) && stack.top() < 2 { 8 } else { bits(stack, 2)? as i32 };
    let count = (wanted.unsigned_abs() as usize).min(8);
    let text = if wanted < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    stack.push_bytes(&text[8 - count..]);
    Ok(1)
}
