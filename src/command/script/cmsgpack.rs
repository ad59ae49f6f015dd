//! The `cmsgpack` library: MessagePack.
//!
//! Opened by `sandbox`. Source: the MessagePack specification, and trials with redis 7.0.15 for what it leaves open (which width a number gets, when a table is an
//! array). Invariant: no input makes it read outside its bytes. Bounds: packing stops at [`NESTING_MAX`] levels (deeper values become nil, as in redis);
//! unpacking at what the Lua stack allows.

use super::reply::to_integer;
use super::stack::{Body, Kind, Native, Raise, Stack};

const FUNCTIONS: &[(&str, Body)] =
    &[("pack", pack), ("unpack", unpack), ("unpack_one", unpack_one), ("unpack_limit", unpack_limit)];
const NESTING_MAX: usize = 16;
/// Deepest nesting that is unpacked.
const DEPTH_MAX: usize = 1000;

/// Pushes the library.
pub fn open(stack: &mut Stack<'_>) {
    stack.new_table(0, 8);
    for (name, body) in FUNCTIONS {
        stack.push_native(*body);
        stack.raw_set_field(-2, name);
    }
    for (name, text) in [
        ("_NAME", "cmsgpack"),
        ("_VERSION", "lua-cmsgpack 0.4.0"),
        ("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"),
        ("_DESCRIPTION", "MessagePack C implementation for Lua"),
    ] {
        stack.push_bytes(text);
        stack.raw_set_field(-2, name);
    }
}

/// `cmsgpack.pack(...)`
fn pack(stack: &mut Stack<'_>) -> Native {
    let count = stack.top();
    if count == 0 {
        return Err(Raise::Argument(0, c"MessagePack pack needs input."));
    }
    if !stack.reserve(3) {
        return Err(Raise::Argument(0, c"Too many arguments for MessagePack pack."));
    }
    let mut bytes = Vec::new();
    for index in 1..=count {
        stack.push_value(index);
        put(stack, &mut bytes, 0)?;
    }
    stack.push_bytes(bytes);
    Ok(1)
}

/// Packs the value on top and takes it.
fn put(stack: &mut Stack<'_>, bytes: &mut Vec<u8>, level: usize) -> Result<(), Raise> {
    match stack.kind(-1) {
        Kind::String => put_string(bytes, stack.bytes(-1).unwrap_or_default()),
        Kind::Boolean => bytes.push(if stack.truth(-1) { 0xc3 } else { 0xc2 }),
        Kind::Number => put_number(bytes, stack.number(-1).unwrap_or(0.0)),
        Kind::Table if level < NESTING_MAX => put_table(stack, bytes, level)?,
        _ => bytes.push(0xc0),
    }
    stack.pop(1);
    Ok(())
}

fn put_number(bytes: &mut Vec<u8>, value: f64) {
    let integer = value as i64;
    if value.floor() == value && integer as f64 == value && integer != i64::MAX {
        return put_integer(bytes, integer);
    }
    let short = value as f32;
    if short as f64 == value {
        bytes.push(0xca);
        bytes.extend(short.to_be_bytes());
    } else {
        bytes.push(0xcb);
        bytes.extend(value.to_be_bytes());
    }
}

fn put_integer(bytes: &mut Vec<u8>, value: i64) {
    match value {
        0..=127 => bytes.push(value as u8),
        128..=0xff => bytes.extend([0xcc, value as u8]),
        0x100..=0xffff => put_sized(bytes, 0xcd, &(value as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => put_sized(bytes, 0xce, &(value as u32).to_be_bytes()),
        0x1_0000_0000.. => put_sized(bytes, 0xcf, &(value as u64).to_be_bytes()),
        -32..=-1 => bytes.push(value as u8),
        -128..=-33 => bytes.extend([0xd0, value as u8]),
        -32768..=-129 => put_sized(bytes, 0xd1, &(value as i16).to_be_bytes()),
        -2_147_483_648..=-32769 => put_sized(bytes, 0xd2, &(value as i32).to_be_bytes()),
        _ => put_sized(bytes, 0xd3, &value.to_be_bytes()),
    }
}

fn put_sized(bytes: &mut Vec<u8>, marker: u8, rest: &[u8]) {
    bytes.push(marker);
    bytes.extend_from_slice(rest);
}

fn put_string(bytes: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        len @ 0..=31 => bytes.push(0xa0 | len as u8),
        len @ 32..=0xff => bytes.extend([0xd9, len as u8]),
        len @ 0x100..=0xffff => put_sized(bytes, 0xda, &(len as u16).to_be_bytes()),
        len => put_sized(bytes, 0xdb, &(len as u32).to_be_bytes()),
    }
    bytes.extend_from_slice(text);
}

fn put_head(bytes: &mut Vec<u8>, len: usize, fixed: u8, wide: u8) {
    match len {
        0..=15 => bytes.push(fixed | len as u8),
        16..=0xffff => put_sized(bytes, wide, &(len as u16).to_be_bytes()),
        _ => put_sized(bytes, wide + 1, &(len as u32).to_be_bytes()),
    }
}

/// How many items the table on top has if its keys are 1..n.
fn array_len(stack: &mut Stack<'_>) -> Option<usize> {
    let (mut count, mut highest) = (0usize, 0.0f64);
    stack.push_nil();
    while stack.next(-2) {
        stack.pop(1);
        match stack.number(-1) {
            Some(key) if key > 0.0 && key.floor() == key => {
                count += 1;
                highest = highest.max(key);
            }
            _ => {
                stack.pop(1);
                return None;
            }
        }
    }
    (highest == count as f64).then_some(count)
}

fn put_table(stack: &mut Stack<'_>, bytes: &mut Vec<u8>, level: usize) -> Result<(), Raise> {
    if !stack.reserve(6) {
        return stack.fail("stack overflow (in function mp_encode_lua_table)");
    }
    if let Some(len) = array_len(stack) {
        put_head(bytes, len, 0x90, 0xdc);
        for item in 1..=len {
            stack.raw_get_item(-1, item);
            put(stack, bytes, level + 1)?;
        }
        return Ok(());
    }
    let mut pairs = 0;
    stack.push_nil();
    while stack.next(-2) {
        stack.pop(1);
        pairs += 1;
    }
    put_head(bytes, pairs, 0x80, 0xde);
    stack.push_nil();
    while stack.next(-2) {
        stack.push_value(-2);
        put(stack, bytes, level + 1)?;
        put(stack, bytes, level + 1)?;
    }
    Ok(())
}

/// What is wrong with packed data.
enum Damage {
    Short,
    Format,
    Deep,
}

/// Packed bytes being read.
struct Packed<'a> {
    rest: &'a [u8],
}

impl<'a> Packed<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Damage> {
        let part = self.rest.get(..len).ok_or(Damage::Short)?;
        self.rest = &self.rest[len..];
        Ok(part)
    }

    fn unsigned(&mut self, len: usize) -> Result<u64, Damage> {
        Ok(self.take(len)?.iter().fold(0, |sum, &byte| sum << 8 | byte as u64))
    }

    fn signed(&mut self, len: usize) -> Result<i64, Damage> {
        let unused = 64 - 8 * len as u32;
        Ok(((self.unsigned(len)? << unused) as i64) >> unused)
    }

    /// Pushes the next value.
    fn value(&mut self, stack: &mut Stack<'_>, depth: usize) -> Result<(), Damage> {
        if depth > DEPTH_MAX || !stack.reserve(4) {
            return Err(Damage::Deep);
        }
        let marker = self.take(1)?[0];
        match marker {
            0x00..=0x7f => stack.push_number(marker as f64),
            0xe0..=0xff => stack.push_number(marker as i8 as f64),
            0xc0 => stack.push_nil(),
            0xc2 | 0xc3 => stack.push_bool(marker == 0xc3),
            0xcc..=0xcf => stack.push_number(self.unsigned(1 << (marker - 0xcc))? as f64),
            0xd0..=0xd3 => stack.push_number(self.signed(1 << (marker - 0xd0))? as f64),
            0xca => stack.push_number(f32::from_bits(self.unsigned(4)? as u32) as f64),
            0xcb => stack.push_number(f64::from_bits(self.unsigned(8)?)),
            0xa0..=0xbf => stack.push_bytes(self.take((marker & 31) as usize)?),
            0xd9 | 0xc4 => {
                let len = self.unsigned(1)?;
                stack.push_bytes(self.take(len as usize)?);
            }
            0xda | 0xc5 => {
                let len = self.unsigned(2)?;
                stack.push_bytes(self.take(len as usize)?);
            }
            0xdb | 0xc6 => {
                let len = self.unsigned(4)?;
                stack.push_bytes(self.take(len as usize)?);
            }
            0x90..=0x9f => self.array(stack, (marker & 15) as u64, depth)?,
            0xdc | 0xdd => {
                let len = self.unsigned(if marker == 0xdc { 2 } else { 4 })?;
                self.array(stack, len, depth)?;
            }
            0x80..=0x8f => self.map(stack, (marker & 15) as u64, depth)?,
            0xde | 0xdf => {
                let len = self.unsigned(if marker == 0xde { 2 } else { 4 })?;
                self.map(stack, len, depth)?;
            }
            _ => return Err(Damage::Format),
        }
        Ok(())
    }

    fn array(&mut self, stack: &mut Stack<'_>, len: u64, depth: usize) -> Result<(), Damage> {
        stack.new_table(0, 0);
        for item in 1..=len {
            self.value(stack, depth + 1)?;
            stack.raw_set_item(-2, item as usize);
        }
        Ok(())
    }

    fn map(&mut self, stack: &mut Stack<'_>, len: u64, depth: usize) -> Result<(), Damage> {
        stack.new_table(0, 0);
        for _ in 0..len {
            self.value(stack, depth + 1)?;
            self.value(stack, depth + 1)?;
            if stack.is_absent(-2) || stack.number(-2).is_some_and(f64::is_nan) {
                return Err(Damage::Format);
            }
            stack.raw_set(-3);
        }
        Ok(())
    }
}

/// `cmsgpack.unpack(data)`
fn unpack(stack: &mut Stack<'_>) -> Native {
    unpack_some(stack, 0, 0)
}

/// `cmsgpack.unpack_one(data [, offset])`
fn unpack_one(stack: &mut Stack<'_>) -> Native {
    let offset = optional(stack, 2)?;
    stack.set_top(1);
    unpack_some(stack, 1, offset)
}

/// `cmsgpack.unpack_limit(data, limit [, offset])`
fn unpack_limit(stack: &mut Stack<'_>) -> Native {
    let limit = stack.coerced_number(2).ok_or(Raise::Type(2, c"number"))?;
    let offset = optional(stack, 3)?;
    stack.set_top(1);
    unpack_some(stack, to_integer(limit), offset)
}

fn optional(stack: &Stack<'_>, index: i32) -> Result<i64, Raise> {
    if stack.is_absent(index) {
        return Ok(0);
    }
    stack.coerced_number(index).map(to_integer).ok_or(Raise::Type(index, c"number"))
}

/// Unpacks at most `limit` values from `offset` on; all, without telling where it ended, if both are 0.
fn unpack_some(stack: &mut Stack<'_>, limit: i64, offset: i64) -> Native {
    let data = stack.coerced(1).map(<[u8]>::to_vec).ok_or(Raise::Type(1, c"string"))?;
    let is_all = limit == 0 && offset == 0;
    if limit < 0 || offset < 0 {
        return stack
            .fail(format!("Invalid request to unpack with offset of {offset} and limit of {}.", data.len()));
    }
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    if start > data.len() {
        return stack.fail(format!("Start offset {offset} greater than input length {}.", data.len()));
    }
    let mut packed = Packed { rest: &data[start..] };
    let mut count = 0;
    while !packed.rest.is_empty() && (is_all || (count as i64) < limit) {
        match packed.value(stack, 0) {
            Ok(()) => count += 1,
            Err(Damage::Short) => return stack.fail("Missing bytes in input."),
            Err(Damage::Format) => return stack.fail("Bad data format in input."),
            Err(Damage::Deep) => return stack.fail("stack overflow (too many results)"),
        }
    }
    if is_all {
        return Ok(count);
    }
    let next = if packed.rest.is_empty() { -1.0 } else { (data.len() - packed.rest.len()) as f64 };
    stack.push_number(next);
    stack.insert(2);
    Ok(count + 1)
}
