//! The `struct` library: C-like packing of numbers and strings.
//!
//! Opened by `sandbox`. Source: the documentation of Lua's struct library 0.2 and trials with redis 7.0.15. Formats:
//! ```text
//! > < = endianness   !n alignment   x padding   b B h H l L T in In integers   f d floats   s zero-terminated   cn n bytes (c0: counted by the value before)
//! ```
//! Invariant: no format or data makes it read outside its input. Bounds: integers of at most [`MAX_INTEGER`] bytes.

use super::reply::to_integer;
use super::stack::{Body, Native, Raise, Stack};

const FUNCTIONS: &[(&str, Body)] = &[("pack", pack), ("unpack", unpack), ("size", size)];
/// Longest integer, in bytes.
const MAX_INTEGER: usize = 32;
/// Alignment of `!` without a number.
const NATIVE_ALIGN: usize = 8;

/// Pushes the library.
pub fn open(stack: &mut Stack<'_>) {
    stack.new_table(0, FUNCTIONS.len());
    for (name, body) in FUNCTIONS {
        stack.push_native(*body);
        stack.raw_set_field(-2, name);
    }
}

/// A format being read.
struct Format {
    text: Vec<u8>,
    at: usize,
    is_big: bool,
    align: usize,
}

/// One element of a format.
#[derive(Clone, Copy)]
struct Element {
    option: u8,
    size: usize,
    /// Bytes to skip before it.
    padding: usize,
}

impl Format {
    fn of(stack: &mut Stack<'_>) -> Result<Format, Raise> {
        let text = stack.coerced(1).map(<[u8]>::to_vec).ok_or(Raise::Type(1, c"string"))?;
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
        Ok(Format { text, at: 0, is_big: false, align: 1 })
    }

    fn number(&mut self, stack: &mut Stack<'_>, default: usize) -> Result<usize, Raise> {
        let mut value: Option<usize> = None;
        while let Some(digit) = self.text.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            let next = value.unwrap_or(0) * 10 + (digit - b'0') as usize;
            if next > i32::MAX as usize {
                return stack.fail("integral size overflow");
            }
            value = Some(next);
            self.at += 1;
        }
        Ok(value.unwrap_or(default))
    }

    /// The next element, for data that has come to `position`.
    fn next(&mut self, stack: &mut Stack<'_>, position: usize) -> Result<Option<Element>, Raise> {
        let Some(&option) = self.text.get(self.at) else { return Ok(None) };
        self.at += 1;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(stack, 1)?,
            b'i' | b'I' => {
                let size = self.number(stack, 4)?;
                if size > MAX_INTEGER {
                    let text = format!("integral size {size} is larger than limit of {MAX_INTEGER}");
                    return stack.fail(text);
                }
                size
            }
            _ => 0,
        };
        let padding = match option {
            b'c' => 0,
            _ if size == 0 => 0,
            _ => {
                let align = size.min(self.align);
                align.wrapping_sub(position & (align - 1)) & (align - 1)
            }
        };
        Ok(Some(Element { option, size, padding }))
    }

    /// Obeys an element that is no data.
    fn control(&mut self, stack: &mut Stack<'_>, option: u8) -> Result<(), Raise> {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let align = self.number(stack, NATIVE_ALIGN)?;
                if !align.is_power_of_two() {
                    return stack.fail(format!("alignment {align} is not a power of 2"));
                }
                self.align = align;
            }
            _ => {
                let text =
                    [b"bad argument #1 to '?' (invalid format option '", &[option][..], b"')"].concat();
                let text = name_caller(stack, text);
                return stack.fail(text);
            }
        }
        Ok(())
    }
}

/// Puts the running function's name into a text made for any.
fn name_caller(stack: &mut Stack<'_>, text: Vec<u8>) -> Vec<u8> {
    match stack.caller_name() {
        Some(name) => {
            let at = memchr::memchr(b'?', &text).unwrap_or(0);
            [&text[..at], &name[..], &text[at + 1..]].concat()
        }
        None => text,
    }
}

fn is_integer(option: u8) -> bool {
    matches!(option, b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I')
}

fn argument(stack: &Stack<'_>, index: i32) -> Result<f64, Raise> {
    stack.coerced_number(index).ok_or(Raise::Type(index, c"number"))
}

/// `struct.pack(format, ...)`
fn pack(stack: &mut Stack<'_>) -> Native {
    let mut format = Format::of(stack)?;
    // A missing argument reads as nil.
    stack.push_nil();
    let mut data = Vec::new();
    let (mut total, mut index) = (0, 2);
    while let Some(element) = format.next(stack, total)? {
        data.resize(data.len() + element.padding, 0);
        total += element.padding;
        let mut size = element.size;
        match element.option {
            option if is_integer(option) => {
                let value = argument(stack, index)?;
                index += 1;
                put_integer(&mut data, value, size, format.is_big);
            }
            b'x' => data.push(0),
            b'f' => {
                let value = argument(stack, index)? as f32;
                index += 1;
                data.extend(if format.is_big { value.to_be_bytes() } else { value.to_le_bytes() });
            }
            b'd' => {
                let value = argument(stack, index)?;
                index += 1;
                data.extend(if format.is_big { value.to_be_bytes() } else { value.to_le_bytes() });
            }
            b'c' | b's' => {
                let text = stack.coerced(index).ok_or(Raise::Type(index, c"string"))?;
                index += 1;
                size = if size == 0 { text.len() } else { size };
                let part = text.get(..size).ok_or(Raise::Argument(index, c"string too short"))?;
                data.extend_from_slice(part);
                if element.option == b's' {
                    data.push(0);
                    size += 1;
                }
            }
            option => format.control(stack, option)?,
        }
        total += size;
    }
    stack.push_bytes(data);
    Ok(1)
}

fn put_integer(data: &mut Vec<u8>, value: f64, size: usize, is_big: bool) {
    let bits = if value < 0.0 { to_integer(value) as u64 } else { value as u64 };
    let start = data.len();
    data.extend((0..size).map(|at| if at < 8 { (bits >> (8 * at)) as u8 } else { 0 }));
    if is_big {
        data[start..].reverse();
    }
}

fn get_integer(bytes: &[u8], is_big: bool, is_signed: bool) -> f64 {
    let fold = |sum: u64, &byte: &u8| sum << 8 | byte as u64;
    let bits = if is_big { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) };
    if !is_signed {
        return bits as f64;
    }
    let unused = 64 - 8 * bytes.len().clamp(1, 8) as u32;
    ((bits << unused) as i64 >> unused) as f64
}

/// `struct.unpack(format, data [, position])`
fn unpack(stack: &mut Stack<'_>) -> Native {
    let mut format = Format::of(stack)?;
    let data = stack.coerced(2).map(<[u8]>::to_vec).ok_or(Raise::Type(2, c"string"))?;
    let position = if stack.is_absent(3) { 1.0 } else { argument(stack, 3)? };
    let Some(mut position) = usize::try_from(to_integer(position)).ok().and_then(|at| at.checked_sub(1))
    else {
        return Err(Raise::Argument(3, c"offset must be 1 or greater"));
    };
    let short = Raise::Argument(2, c"data string too short");
    let mut count = 0;
    while let Some(element) = format.next(stack, position)? {
        position = position.checked_add(element.padding).ok_or(short)?;
        let mut size = element.size;
        let end = position.checked_add(size).filter(|&end| end <= data.len()).ok_or(short)?;
        if !stack.reserve(2) {
            return stack.fail("stack overflow (too many results)");
        }
        let bytes = &data[position..end];
        match element.option {
            option if is_integer(option) => {
                stack.push_number(get_integer(bytes, format.is_big, option.is_ascii_lowercase()));
                count += 1;
            }
            b'x' => {}
            b'f' => {
                let raw = bytes.try_into().unwrap_or_default();
                let value = if format.is_big { f32::from_be_bytes(raw) } else { f32::from_le_bytes(raw) };
                stack.push_number(value as f64);
                count += 1;
            }
            b'd' => {
                let raw = bytes.try_into().unwrap_or_default();
                stack.push_number(if format.is_big {
                    f64::from_be_bytes(raw)
                } else {
                    f64::from_le_bytes(raw)
                });
                count += 1;
            }
            b'c' => {
                if size == 0 {
                    let Some(wanted) = stack.coerced_number(-1).filter(|_| count > 0) else {
                        return stack.fail("format 'c0' needs a previous size");
                    };
                    size = usize::try_from(to_integer(wanted)).map_err(|_| short)?;
                    stack.pop(1);
                    count -= 1;
                }
                let end = position.checked_add(size).filter(|&end| end <= data.len()).ok_or(short)?;
                stack.push_bytes(&data[position..end]);
                count += 1;
            }
            b's' => {
                let Some(len) = memchr::memchr(0, &data[position..]) else {
                    return stack.fail("unfinished string in data");
                };
                stack.push_bytes(&data[position..position + len]);
                size = len + 1;
                count += 1;
            }
            option => format.control(stack, option)?,
        }
        position += size;
    }
    stack.push_number((position + 1) as f64);
    Ok(count + 1)
}

/// `struct.size(format)`
fn size(stack: &mut Stack<'_>) -> Native {
    let mut format = Format::of(stack)?;
    let mut position: usize = 0;
    while let Some(element) = format.next(stack, position)? {
        position = position.saturating_add(element.padding);
        match element.option {
            b's' => return Err(Raise::Argument(1, c"option 's' has no fixed size")),
            b'c' if element.size == 0 => return Err(Raise::Argument(1, c"option 'c0' has no fixed size")),
            option if option.is_ascii_alphanumeric() => {}
            option => format.control(stack, option)?,
        }
        position = position.saturating_add(element.size);
    }
    stack.push_number(position as f64);
    Ok(1)
}
