//! A disk that keeps only what was synced.
//!
//! Every write since a file's last sync is, sector by sector, kept or lost at a crash; the file's length and each truncation likewise; creations, renames and deletions
//! since a directory's last sync are kept or lost one by one. A failed sync drops pages as the kernel does: lost or kept, but never to be written again.
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::prng::Prng;
use crate::persist::aof::scan::SECTOR;
use crate::persist::storage::{FileId, Op, Outcome};

type Inode = usize;

enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Default)]
struct Content {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What a crash leaves for sure.
    kept: Vec<u8>,
    /// What happened since.
    pending: Vec<Change>,
}

/// Chances of an operation's failure, in thousandths.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub short_write: u64,
    pub write: u64,
    pub sync: u64,
    pub open: u64,
    pub rename: u64,
    pub sync_dir: u64,
    pub truncate: u64,
}

enum Name {
    Set(String, Inode),
    Gone(String),
}

#[derive(Default)]
pub struct Disk {
    contents: Vec<Content>,
    seen: BTreeMap<String, Inode>,
    kept: BTreeMap<String, Inode>,
    /// By directory.
    pending: HashMap<String, Vec<Name>>,
    open: HashMap<FileId, Inode>,
    pub faults: Faults,
    /// A sync has failed since this was last cleared.
    pub sync_failed: bool,
}

fn directory(path: &str) -> String {
    path.rsplit_once('/').map_or(".", |(directory, _)| directory).to_owned()
}

fn put(into: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if into.len() < at + bytes.len() {
        into.resize(at + bytes.len(), 0);
    }
    into[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Keeps or loses each pending change.
fn settle(content: &mut Content, random: &mut Prng) {
    let whole = content.seen.len();
    let generosity = random.below(4);
    // A sector is on disk as it was at one moment: once a write to it is lost, so are all later ones.
    let mut lost = HashSet::new();
    for change in content.pending.drain(..) {
        match change {
            Change::Truncate(len) if random.below(2) == 0 => content.kept.truncate(len),
            Change::Truncate(_) => {}
            Change::Write { mut at, bytes } => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let len = (SECTOR as usize - at % SECTOR as usize).min(rest.len());
                    let sector = at / SECTOR as usize;
                    if lost.contains(&sector) || random.below(4) >= generosity {
                        lost.insert(sector);
                    } else {
                        put(&mut content.kept, at, &rest[..len]);
                    }
                    at += len;
                    rest = &rest[len..];
                }
            }
        }
    }
    // The length may have been written before the bytes.
    if content.kept.len() < whole && random.below(3) == 0 {
        let len = content.kept.len() + random.below((whole - content.kept.len() + 1) as u64) as usize;
        content.kept.resize(len, 0);
    }
}

impl Disk {
    fn hit(&self, chance: u64, random: &mut Prng) -> bool {
        chance > 0 && random.below(1000) < chance
    }

    fn name(&mut self, path: String, inode: Option<Inode>) {
        let names = self.pending.entry(directory(&path)).or_default();
        match inode {
            Some(inode) => {
                names.push(Name::Set(path.clone(), inode));
                self.seen.insert(path, inode);
            }
            None => {
                names.push(Name::Gone(path.clone()));
                self.seen.remove(&path);
            }
        }
    }

    pub fn run(&mut self, op: &Op, random: &mut Prng) -> Outcome {
        match op {
            Op::Write { file, at, payload, skip, sync } => {
                let mut bytes = Vec::new();
                payload.each(*skip, |slice| bytes.extend_from_slice(slice));
                self.write(*file, *at as usize, bytes, *sync, random)
            }
            _ => Outcome::Done(self.run_other(op, random)),
        }
    }

    fn run_other(&mut self, op: &Op, random: &mut Prng) -> Result<(), i32> {
        match op {
            Op::Write { .. } => {}
            Op::Open { file, path, truncate } => {
                if self.hit(self.faults.open, random) {
                    return Err(libc::ENOSPC);
                }
                let inode = match self.seen.get(path) {
                    Some(&inode) => inode,
                    None => {
                        self.contents.push(Content::default());
                        let inode = self.contents.len() - 1;
                        self.name(path.clone(), Some(inode));
                        inode
                    }
                };
                if *truncate {
                    self.contents[inode].seen.clear();
                    self.contents[inode].pending.push(Change::Truncate(0));
                }
                self.open.insert(*file, inode);
            }
            Op::Sync { file } => return self.sync(*file, random),
            Op::Truncate { file, len } => {
                if self.hit(self.faults.truncate, random) {
                    return Err(libc::EIO);
                }
                let content = &mut self.contents[self.open[file]];
                content.seen.truncate(*len as usize);
                content.pending.push(Change::Truncate(*len as usize));
            }
            Op::Close { file } => drop(self.open.remove(file)),
            Op::Rename { from, to } => {
                if self.hit(self.faults.rename, random) {
                    return Err(libc::EIO);
                }
                let Some(&inode) = self.seen.get(from) else { return Err(libc::ENOENT) };
                self.name(to.clone(), Some(inode));
                self.name(from.clone(), None);
            }
            Op::Unlink { path } => {
                if self.seen.contains_key(path) {
                    self.name(path.clone(), None);
                }
            }
            Op::MakeDir { .. } => {}
            Op::SyncDir { path } => {
                if self.hit(self.faults.sync_dir, random) {
                    return Err(libc::EIO);
                }
                self.pending.remove(path);
                self.kept.retain(|name, _| directory(name) != *path);
                let names = self.seen.iter().filter(|(name, _)| directory(name) == *path);
                self.kept.extend(names.map(|(name, &inode)| (name.clone(), inode)));
            }
        }
        Ok(())
    }

    fn write(
        &mut self,
        file: FileId,
        at: usize,
        mut bytes: Vec<u8>,
        sync: bool,
        random: &mut Prng,
    ) -> Outcome {
        if self.hit(self.faults.write, random) {
            return Outcome::Written(Err(libc::ENOSPC), Ok(()));
        }
        let is_short = self.hit(self.faults.short_write, random);
        if is_short {
            bytes.truncate(random.below(bytes.len() as u64) as usize);
        }
        let content = &mut self.contents[self.open[&file]];
        put(&mut content.seen, at, &bytes);
        let len = bytes.len() as u64;
        content.pending.push(Change::Write { at, bytes });
        let synced = if sync && !is_short { self.sync(file, random) } else { Ok(()) };
        Outcome::Written(Ok(len), synced)
    }

    fn sync(&mut self, file: FileId, random: &mut Prng) -> Result<(), i32> {
        let fails = self.hit(self.faults.sync, random);
        let content = &mut self.contents[self.open[&file]];
        if fails {
            settle(content, random);
            self.sync_failed = true;
            return Err(libc::EIO);
        }
        // What an earlier failed sync has dropped stays as it is on disk.
        for change in content.pending.drain(..) {
            match change {
                Change::Truncate(len) => content.kept.truncate(len),
                Change::Write { at, bytes } => put(&mut content.kept, at, &bytes),
            }
        }
        Ok(())
    }

    /// A file that is whole and synced, at once (what the snapshot engine leaves).
    pub fn place(&mut self, path: &str, bytes: Vec<u8>) {
        self.contents.push(Content { seen: bytes.clone(), kept: bytes, pending: Vec::new() });
        let inode = self.contents.len() - 1;
        self.seen.insert(path.to_owned(), inode);
        self.kept.insert(path.to_owned(), inode);
    }

    /// Power is lost.
    pub fn crash(&mut self, random: &mut Prng) {
        let mut directories: Vec<String> = self.pending.keys().cloned().collect();
        directories.sort();
        for directory in directories {
            for name in self.pending.remove(&directory).into_iter().flatten() {
                if random.below(2) == 0 {
                    continue;
                }
                match name {
                    Name::Set(path, inode) => drop(self.kept.insert(path, inode)),
                    Name::Gone(path) => drop(self.kept.remove(&path)),
                }
            }
        }
        for content in &mut self.contents {
            settle(content, random);
            content.seen = content.kept.clone();
        }
        self.seen = self.kept.clone();
        self.open.clear();
    }

    pub fn read(&self, path: &str) -> Option<&[u8]> {
        self.seen.get(path).map(|&inode| &self.contents[inode].seen[..])
    }

    /// Names and sizes in a directory.
    pub fn list(&self, path: &str) -> Vec<(String, u64)> {
        let there = self.seen.iter().filter(|(name, _)| directory(name) == path);
        let short = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
        there.map(|(name, &inode)| (short(name), self.contents[inode].seen.len() as u64)).collect()
    }
}
