//! A number for every command and subcommand of the tables, served or not: the bits of a selector.
//!
//! Asked by `selector` (names and categories to bits), `describe` (bits back to names) and `check` (a row's bit, once per command of a
//! restricted user: one multiplication and about one probe). Made once, on first use. Invariant: a container's subcommands have the
//! numbers behind its own. Bounds: [`BITS`] commands. Why not the numbers of `command::lookup`: rules may name commands that are not served.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::command::row::{CATEGORY_NAMES, Row};
use crate::command::rows;

/// Commands a selector has room for.
pub const BITS: usize = 1024;
/// Slots of the address table; at most half of them are taken.
const PLACES: usize = 2 * BITS;
/// No command.
const NONE: u16 = u16::MAX;

/// One numbered command.
pub struct Numbered {
    /// Its row.
    pub row: &'static Row,
    /// Numbers of its subcommands.
    pub subcommands: std::ops::Range<u16>,
    /// Whether it is a subcommand.
    pub is_subcommand: bool,
    /// Whether redis 7.0 has it: only those count when rights are described by categories.
    pub is_stock: bool,
}

/// All commands by number, name and address.
pub struct Commands {
    list: Vec<Numbered>,
    by_name: HashMap<&'static str, u16>,
    by_address: Box<[(usize, u16)]>,
}

/// The one table.
pub fn commands() -> &'static Commands {
    static COMMANDS: OnceLock<Commands> = OnceLock::new();
    COMMANDS.get_or_init(Commands::number)
}

/// The category called `name` (without `@`, in any case) as its bit in `Row::acl`.
pub fn category(name: &[u8]) -> Option<u32> {
    CATEGORY_NAMES.iter().position(|known| name.eq_ignore_ascii_case(known.as_bytes())).map(|bit| 1 << bit)
}

/// Whether a command that came with `since` is in redis 7.0.
fn is_in_7_0(since: &str) -> bool {
    let mut parts = since.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    version <= (7, 0)
}

fn place_of(address: usize) -> usize {
    const SHIFT: u32 = usize::BITS - PLACES.trailing_zeros();
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> SHIFT
}

impl Commands {
    fn number() -> Commands {
        let mut list: Vec<Numbered> = Vec::new();
        for row in rows::all() {
            let first = list.len() as u16 + 1;
            let subcommands = first..first + row.subcommands.len() as u16;
            list.push(Numbered { row, subcommands, is_subcommand: false, is_stock: is_in_7_0(row.since) });
            for sub in row.subcommands {
                let is_stock = is_in_7_0(sub.since);
                list.push(Numbered { row: sub, subcommands: 0..0, is_subcommand: true, is_stock });
            }
        }
        assert!(list.len() < BITS, "more commands than a selector has bits");
        let mut by_address = vec![(0, NONE); PLACES].into_boxed_slice();
        for (number, command) in list.iter().enumerate() {
            let address = std::ptr::from_ref(command.row) as usize;
            let mut at = place_of(address);
            while by_address[at].1 != NONE {
                at = (at + 1) % PLACES;
            }
            by_address[at] = (address, number as u16);
        }
        let by_name =
            list.iter().enumerate().map(|(number, command)| (command.row.full_name, number as u16)).collect();
        Commands { list, by_name, by_address }
    }

    /// The number of a row of the tables; `None` for any other row.
    #[inline]
    pub fn number_of(&self, row: &'static Row) -> Option<u16> {
        let address = std::ptr::from_ref(row) as usize;
        let mut at = place_of(address);
        loop {
            match self.by_address[at] {
                (_, NONE) => return None,
                (known, number) if known == address => return Some(number),
                _ => at = (at + 1) % PLACES,
            }
        }
    }

    /// The number of the command called `name` (`get`, `CONFIG|GET`).
    pub fn named(&self, name: &[u8]) -> Option<u16> {
        let name = String::from_utf8(name.to_ascii_lowercase()).ok()?;
        self.by_name.get(name.as_str()).copied()
    }

    /// The command of this number.
    pub fn get(&self, number: u16) -> &Numbered {
        &self.list[number as usize]
    }

    /// All commands by number, each container before its subcommands.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Numbered)> {
        self.list.iter().enumerate().map(|(number, command)| (number as u16, command))
    }
}
