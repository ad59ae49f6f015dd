//! Name -> command: the served part of `command::rows`, found in any case without allocating.
//!
//! Built once at boot by `server::registry`, then read only, by `session::admit` for every command (a hit on a short name is one
//! multiplication, one cache line and three compares) and by `command::describe`. A row is served if it has a handler or a
//! control command registers its full name; a container is served with any of its subcommands (HELP alone does not count).
//!
//! Open addressing over names folded to lower case:
//! ```text
//! slot (32 bytes):  words[3] the name, NUL padded | name's length, parent id (TOP: none) | command id (FREE: empty)
//! ```
//! Subcommands lie in the same array, told apart by their parent's id. Names longer than 24 bytes (only rename-command makes such)
//! are kept in a list beside it. Invariant: at most half of the slots are taken, so a probe ends. Ids are dense, so statistics are arrays.
//!
//! Why not a HashMap: it hashes byte-wise with a keyed function, needs a folded copy of the name first, and costs about ten
//! times as much on the one path every command takes.
use crate::command::reply_error::{unknown_command, unknown_subcommand};
use crate::command::row::Row;
use crate::command::rows;
use crate::resp::Args;

/// Longest name the slots hold, in bytes.
const SLOT_NAME_MAX: usize = 24;
/// Parent of top-level names.
const TOP: u16 = u16::MAX;
/// Command id of an empty slot.
const FREE: u16 = u16::MAX;

/// A command that was found.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Dense index, below [`Table::len`].
    pub id: u16,
    /// Its row.
    pub row: &'static Row,
}

/// Why a command was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Nothing of this name.
    Command,
    /// The container has no such subcommand.
    Subcommand,
}

impl Unknown {
    /// The error's bytes (they quote the client's): for `Out::error_bytes`.
    pub fn bytes(&self, args: &Args<'_>) -> Vec<u8> {
        match self {
            Unknown::Command => unknown_command(args),
            Unknown::Subcommand => unknown_subcommand(args),
        }
    }

    /// [`Unknown::bytes`] where a string is needed; bytes that are not UTF-8 are replaced.
    pub fn text(&self, args: &Args<'_>) -> String {
        String::from_utf8_lossy(&self.bytes(args)).into_owned()
    }
}

/// One command's entry by id.
#[derive(Debug)]
struct Entry {
    row: &'static Row,
    /// Its container's id or `TOP`.
    parent: u16,
    /// Whether subcommands of it are served.
    is_container: bool,
    /// What clients call it (its last part), folded; `None` when disabled.
    name: Option<Vec<u8>>,
}

/// A name's place, 32 bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
struct Slot {
    words: [u64; 3],
    /// Parent and length, as [`tag`] joins them.
    tag: u32,
    command: u16,
}

/// Parent and length of a name, compared as one.
#[inline]
const fn tag(parent: u16, len: usize) -> u32 {
    (parent as u32) << 16 | len as u32 & 0xffff
}

/// The served commands.
#[derive(Debug)]
pub struct Table {
    entries: Vec<Entry>,
    slots: Box<[Slot]>,
    shift: u32,
    /// (folded name, parent, id) of names that do not fit a slot.
    long: Vec<(Vec<u8>, u16, u16)>,
}

impl Table {
    /// The table of all rows that have a handler or whose full name is in `control`.
    pub fn build(control: &[&str]) -> Table {
        for name in control {
            debug_assert!(rows::find(name).is_some(), "control command {name} has no row");
        }
        Self::of(|row| row.handler.is_some() || control.contains(&row.full_name))
    }

    /// The table of the rows that `is_served` accepts.
    pub(crate) fn of(is_served: impl Fn(&Row) -> bool) -> Table {
        let mut entries = Vec::new();
        let mut add = |row: &'static Row, parent: u16, is_container: bool| {
            entries.push(Entry { row, parent, is_container, name: Some(row.name.as_bytes().to_vec()) });
            (entries.len() - 1) as u16
        };
        for row in rows::all() {
            let is_container = row.subcommands.iter().any(|sub| sub.name != "help" && is_served(sub));
            if !is_container && !is_served(row) {
                continue;
            }
            let parent = add(row, TOP, is_container);
            for sub in row.subcommands.iter().filter(|sub| is_container && is_served(sub)) {
                add(sub, parent, false);
            }
        }
        let mut table = Table { entries, slots: Box::default(), shift: 0, long: Vec::new() };
        table.index();
        table
    }

    /// Number of commands, subcommands included; ids are below it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is served.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Obeys `rename-command from to`; an empty `to` disables the command. Known commands that are not served are accepted.
    ///
    /// Errors: redis' text of the directive's failure.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), String> {
        let Some(id) = self.get(from.as_bytes(), TOP) else {
            let is_known = rows::all().any(|row| row.name.eq_ignore_ascii_case(from));
            return if is_known { Ok(()) } else { Err("No such command in rename-command".to_owned()) };
        };
        self.entries[id as usize].name = None;
        self.index();
        if to.is_empty() {
            return Ok(());
        }
        if self.get(to.as_bytes(), TOP).is_some() {
            return Err("Target command name already exists".to_owned());
        }
        self.entries[id as usize].name = Some(to.to_ascii_lowercase().into_bytes());
        self.index();
        Ok(())
    }

    /// The command `args` begin with; the subcommand where there are any.
    #[inline]
    pub fn find(&self, args: &Args<'_>) -> Result<Command, Unknown> {
        let Some(id) = self.get(args.get(0), TOP) else { return Err(Unknown::Command) };
        let entry = &self.entries[id as usize];
        if !entry.is_container || args.len() == 1 {
            return Ok(Command { id, row: entry.row });
        }
        match self.get(args.get(1), id) {
            Some(id) => Ok(self.command(id)),
            None => Err(Unknown::Subcommand),
        }
    }

    /// The command a client calls `name` or `container|name`, in any case.
    pub fn by_client_name(&self, name: &[u8]) -> Option<Command> {
        let mut parts = name.split(|&byte| byte == b'|');
        let id = self.get(parts.next()?, TOP)?;
        let id = match parts.next() {
            Some(sub) => self.get(sub, id)?,
            None => id,
        };
        parts.next().is_none().then(|| self.command(id))
    }

    /// The command of this full name in the tables, however it was renamed.
    pub fn by_full_name(&self, name: &str) -> Option<Command> {
        self.commands().find(|command| command.row.full_name.eq_ignore_ascii_case(name))
    }

    /// The command of this id; panics if there is none.
    #[inline]
    pub fn command(&self, id: u16) -> Command {
        Command { id, row: self.entries[id as usize].row }
    }

    /// All commands, each container before its subcommands.
    pub fn commands(&self) -> impl Iterator<Item = Command> + '_ {
        (0..self.len() as u16).map(|id| self.command(id))
    }

    /// The top-level commands that clients can call.
    pub fn top_level(&self) -> impl Iterator<Item = Command> + '_ {
        self.commands().filter(|command| {
            let entry = &self.entries[command.id as usize];
            entry.parent == TOP && entry.name.is_some()
        })
    }

    /// The served subcommands of a container.
    pub fn subcommands(&self, container: Command) -> impl Iterator<Item = Command> + Clone + '_ {
        let after = (container.id + 1..self.len() as u16).map(|id| self.command(id));
        after.take_while(move |sub| self.entries[sub.id as usize].parent == container.id)
    }

    #[inline]
    fn get(&self, name: &[u8], parent: u16) -> Option<u16> {
        if name.len() > SLOT_NAME_MAX {
            return self.get_long(name, parent);
        }
        let words = fold(name);
        let [first, second, third] = words;
        let tag = tag(parent, name.len());
        let mut at = self.place(&words, parent);
        loop {
            let slot = &self.slots[at];
            // Word by word: as arrays they would go through memory.
            if slot.words[0] == first
                && slot.tag == tag
                && slot.words[1] == second
                && slot.words[2] == third
                && slot.command != FREE
            {
                return Some(slot.command);
            }
            if slot.command == FREE {
                return None;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[cold]
    fn get_long(&self, name: &[u8], parent: u16) -> Option<u16> {
        let found = self.long.iter().find(|(known, of, _)| *of == parent && known.eq_ignore_ascii_case(name));
        found.map(|&(_, _, id)| id)
    }

    #[inline]
    fn place(&self, words: &[u64; 3], parent: u16) -> usize {
        let mixed = words[0] ^ words[1].rotate_left(29) ^ words[2].rotate_left(47) ^ !parent as u64;
        (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// Lays the slots out from the entries' names.
    fn index(&mut self) {
        let count = (self.entries.len() * 2).next_power_of_two().max(64);
        self.shift = 64 - count.trailing_zeros();
        self.slots =
            vec![Slot { words: [0; 3], tag: tag(TOP, usize::from(u16::MAX)), command: FREE }; count].into();
        self.long.clear();
        for id in 0..self.entries.len() {
            let Entry { parent, name: Some(name), .. } = &self.entries[id] else { continue };
            if name.len() > SLOT_NAME_MAX {
                self.long.push((name.clone(), *parent, id as u16));
                continue;
            }
            let words = fold(name);
            let mut at = self.place(&words, *parent);
            while self.slots[at].command != FREE {
                at = (at + 1) & (count - 1);
            }
            self.slots[at] = Slot { words, tag: tag(*parent, name.len()), command: id as u16 };
        }
    }
}

/// A name of at most 24 bytes in lower case, NUL padded.
#[inline(always)]
fn fold(name: &[u8]) -> [u64; 3] {
    if name.len() <= 8 {
        return [lower(load(name)), 0, 0];
    }
    let (first, rest) = name.split_at(8);
    let (second, third) = rest.split_at(rest.len().min(8));
    [lower(load(first)), lower(load(second)), lower(load(third))]
}

/// Up to 8 bytes, little endian; overlapping loads instead of a loop.
#[inline(always)]
fn load(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let Ok(eight) = <[u8; 8]>::try_from(bytes) {
        return u64::from_le_bytes(eight);
    }
    if len >= 4 {
        let low = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as u64;
        let high =
            u32::from_le_bytes([bytes[len - 4], bytes[len - 3], bytes[len - 2], bytes[len - 1]]) as u64;
        return low | high << ((len - 4) * 8);
    }
    if len == 0 {
        return 0;
    }
    bytes[0] as u64 | (bytes[len / 2] as u64) << (len / 2 * 8) | (bytes[len - 1] as u64) << ((len - 1) * 8)
}

/// Every ASCII capital among the eight bytes in lower case.
#[inline]
const fn lower(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low_bits = word & (0x7f * ONES);
    let from_a = low_bits + (0x80 - b'A' as u64) * ONES;
    let above_z = low_bits + (0x7f - b'Z' as u64) * ONES;
    let capitals = (from_a ^ above_z) & !word & (0x80 * ONES);
    word | capitals >> 2
}
