//! stand-in
use std::collections::HashMap;
use crate::command::row::Row;
use crate::resp::Args;
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Command { pub id: u16, pub row: &'static Row }
#[derive(Debug)]
pub struct Unknown;
impl Unknown { pub fn text(&self, a: &Args<'_>) -> String { format!("ERR unknown command '{}'", String::from_utf8_lossy(a.get(0))) } }
pub struct Table { map: HashMap<Vec<u8>, Command>, len: usize }
impl Table {
    pub fn build(controls: &[&str]) -> Table {
        let mut map = HashMap::new(); let mut len = 0u16;
        for row in crate::command::rows::all() { if row.handler.is_some() || controls.contains(&row.full_name) { map.insert(row.name.as_bytes().to_vec(), Command { id: len, row }); len += 1; } }
        Table { map, len: len as usize }
    }
    pub fn len(&self) -> usize { self.len }
    pub fn rename(&mut self, _: &str, _: &str) -> Result<(), String> { Ok(()) }
    pub fn by_full_name(&self, name: &str) -> Option<Command> { self.map.get(name.as_bytes()).copied() }
    pub fn find(&self, args: &Args<'_>) -> Result<Command, Unknown> { self.map.get(&args.get(0).to_ascii_lowercase()).copied().ok_or(Unknown) }
}
