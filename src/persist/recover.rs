//! From what lies in the directories to what is loaded, in which order, and what is rubbish.
//!
//! `server::load` looks at the disk and asks [`plan`]; `tests` do the same on a simulated disk. Source: redis-server 7.0.15 (order, upgrade of a redis 6 file, fatal texts).
//! Invariant: nothing that a manifest lists, and nothing at all where there is no manifest, is ever called rubbish. Bounds: one pass over the listing. Why rubbish is so narrow: only an
//! interrupted step of our own can have left a temporary file or the one file numbered next; whatever else lies there is somebody's data.
use super::aof::Names;
use super::manifest::{self, BadManifest, Manifest};
use super::storage::{FileId, Op};

/// What a look at the disk found.
pub struct Found<'a> {
    /// Whether the directory of the append-only files exists.
    pub has_directory: bool,
    /// Its files and their sizes in bytes.
    pub files: &'a [(String, u64)],
    /// The manifest's text, if there is one.
    pub manifest: Option<&'a [u8]>,
    /// Whether a single file of redis 6 lies in the working directory.
    pub has_old_file: bool,
}

/// One file to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToLoad {
    /// Its name in the directory: what messages call it.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The base; an RDB if [`is_rdb`] says so of its first bytes, else commands.
    pub is_base: bool,
    /// Whether a torn tail may be cut off: redis takes that of the very last file only.
    pub is_last: bool,
}

/// What to do before serving.
#[derive(Debug, Default)]
pub struct Plan {
    /// What is listed.
    pub manifest: Manifest,
    /// In order. Empty: there is no append-only file.
    pub load: Vec<ToLoad>,
    /// Paths of interrupted work, to be deleted.
    pub rubbish: Vec<String>,
    /// The single file of redis 6 is to be moved first, by [`upgrade`].
    pub upgrades: bool,
}

/// Why the server cannot start from these files.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The manifest.
    Manifest(BadManifest),
    /// A listed file is not there.
    Missing(String),
}

impl std::fmt::Display for Refusal {
    /// redis' words for the log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Manifest(bad) => bad.fmt(out),
            Refusal::Missing(name) => {
                write!(out, "Unable to obtain the AOF file {name} length. stat: No such file or directory")
            }
        }
    }
}

/// Whether a base's first bytes are an RDB's.
pub fn is_rdb(head: &[u8]) -> bool {
    head.starts_with(b"REDIS")
}

/// What to load, in order.
///
/// # Errors
/// What redis 7.0.15 ends the process for.
pub fn plan(names: &Names, found: &Found<'_>) -> Result<Plan, Refusal> {
    let mut manifest = match found.manifest {
        Some(text) => Manifest::parse(text).map_err(Refusal::Manifest)?,
        None => Manifest::default(),
    };
    let size_of = |name: &str| found.files.iter().find(|(other, _)| other == name).map(|(_, size)| *size);
    let upgrades =
        found.has_old_file && wants_upgrade(names, found, &manifest, size_of(&names.append).is_some());
    if upgrades {
        manifest = upgraded(names);
    }
    let count = manifest.to_load().count();
    let mut load = Vec::with_capacity(count);
    for (index, listed) in manifest.to_load().enumerate() {
        let name = listed.name.clone();
        let size = match size_of(&name) {
            Some(size) => size,
            None if upgrades => 0, // known once it is moved
            None => return Err(Refusal::Missing(name)),
        };
        let is_base = index == 0 && manifest.base.is_some();
        load.push(ToLoad { name, size, is_base, is_last: index + 1 == count });
    }
    let rubbish = rubbish(names, found);
    Ok(Plan { manifest, load, rubbish, upgrades })
}

/// redis' three situations: no directory, no (or an empty) manifest, or an upgrade that was interrupted between manifest and move.
fn wants_upgrade(names: &Names, found: &Found<'_>, manifest: &Manifest, was_moved: bool) -> bool {
    let is_interrupted =
        || manifest.base.as_ref().is_some_and(|base| base.name == names.append) && manifest.incrs.is_empty();
    !found.has_directory || manifest.is_empty() || (is_interrupted() && !was_moved)
}

fn upgraded(names: &Names) -> Manifest {
    let base = manifest::Listed { name: names.append.clone(), seq: 1 };
    Manifest { base: Some(base), base_seq: 1, ..Manifest::default() }
}

/// What moves a single file of redis 6 into the directory: each operation after the one before; an interruption anywhere is made good by the next start.
pub fn upgrade(names: &Names) -> Vec<Op> {
    let mut ops = vec![Op::MakeDir { path: names.directory.clone() }, Op::SyncDir { path: ".".into() }];
    ops.extend(super::aof::write_manifest(names, &upgraded(names), FileId(u32::MAX)));
    ops.push(Op::Rename { from: names.append.clone(), to: names.path(&names.append) });
    ops.push(Op::SyncDir { path: names.directory.clone() });
    ops.push(Op::SyncDir { path: ".".into() });
    ops
}

fn rubbish(names: &Names, found: &Found<'_>) -> Vec<String> {
    // Numbered files that are not listed stay, as in redis: whoever takes such a name empties it or replaces it.
    let doomed = [manifest::temp_name(&names.append), format!("temp-{}.incr", names.append)];
    let there = found.files.iter().filter(|(name, _)| doomed.contains(name));
    there.map(|(name, _)| names.path(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names { directory: "dir".into(), append: "a.aof".into() }
    }

    fn look(files: &[(&str, u64)], manifest: Option<&str>, has_old_file: bool) -> Result<Plan, Refusal> {
        let files: Vec<(String, u64)> =
            files.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
        let manifest = manifest.map(str::as_bytes);
        let has_directory = manifest.is_some() || !files.is_empty();
        plan(&names(), &Found { has_directory, files: &files, manifest, has_old_file })
    }

    #[test]
    fn base_first_then_the_incremental_files_and_only_temporary_ones_are_rubbish() {
        let text = "file a.aof.1.base.rdb seq 1 type b\nfile a.aof.3.incr.aof seq 3 type i\n\
                    file a.aof.4.incr.aof seq 4 type i\nfile a.aof.2.incr.aof seq 2 type h\n";
        let files = [
            ("a.aof.1.base.rdb", 9),
            ("a.aof.3.incr.aof", 8),
            ("a.aof.4.incr.aof", 0),
            ("a.aof.5.incr.aof", 7),
            ("a.aof.2.base.aof", 7),
            ("a.aof.9.incr.aof", 7),
            ("temp-a.aof.manifest", 7),
        ];
        let plan = look(&files, Some(text), true).expect("a plan");
        let order: Vec<_> =
            plan.load.iter().map(|file| (file.name.as_str(), file.size, file.is_last)).collect();
        let expected =
            [("a.aof.1.base.rdb", 9, false), ("a.aof.3.incr.aof", 8, false), ("a.aof.4.incr.aof", 0, true)];
        assert_eq!(order, expected);
        assert!(plan.load[0].is_base && !plan.load[1].is_base && !plan.upgrades);
        assert_eq!(plan.rubbish, ["dir/temp-a.aof.manifest"]);
    }

    #[test]
    fn a_listed_file_that_is_missing_is_fatal_and_nothing_is_rubbish_without_a_manifest() {
        let refused = look(&[], Some("file a.aof.1.incr.aof seq 1 type i\n"), false).expect_err("refused");
        let text = "Unable to obtain the AOF file a.aof.1.incr.aof length. stat: No such file or directory";
        assert_eq!(refused.to_string(), text);
        let plan = look(&[("a.aof.1.base.rdb", 5), ("a.aof.1.incr.aof", 5)], None, false).expect("a plan");
        assert!(plan.load.is_empty() && plan.rubbish.is_empty());
    }

    #[test]
    fn a_file_of_redis_6_becomes_the_base_even_if_the_move_was_interrupted() {
        for (files, text) in
            [(&[][..], None), (&[("x", 1)][..], None), (&[][..], Some("file a.aof seq 1 type b\n"))]
        {
            let plan = look(files, text, true).expect("a plan");
            assert!(plan.upgrades);
            assert_eq!(plan.load[0].name, "a.aof");
        }
        let moved = look(&[("a.aof", 3)], Some("file a.aof seq 1 type b\n"), true).expect("a plan");
        assert!(!moved.upgrades && moved.load[0].size == 3);
    }
}
