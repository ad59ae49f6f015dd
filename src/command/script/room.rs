//! The scripts and libraries the process knows.
//!
//! SCRIPT LOAD and EVAL add scripts, `library` adds libraries; every core's engines compile from here what they are asked for. Invariant: whatever is in here has compiled
//! once. Bounds: memory, as in redis. The locks are not on the path of a command: an engine asks only for a script it has not compiled yet, and looks at
//! libraries only when their version (one shared read of a line that hardly ever changes) has moved.
//! Why not copies per core, kept equal by visits: a client may EVAL on one core and EVALSHA on another a moment later.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::analysis::Reach;

/// What a script or function may do, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// It does not write.
    pub const NO_WRITES: u32 = 1;
    /// It runs when memory is short.
    pub const ALLOW_OOM: u32 = 1 << 1;
    /// It runs on a stale replica.
    pub const ALLOW_STALE: u32 = 1 << 2;
    /// It does not run in cluster mode.
    pub const NO_CLUSTER: u32 = 1 << 3;
    /// A script without a first line: judged command by command.
    pub const COMPATIBLE: u32 = 1 << 4;
    /// Its keys may be in several slots.
    pub const ALLOW_CROSS_SLOT_KEYS: u32 = 1 << 5;

    /// Whether any of `bits` is set.
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits != 0
    }
}

/// The name of a script: 40 lower case hexadecimal digits.
pub type Sha = [u8; 40];

/// A known script.
#[derive(Debug)]
pub struct Script {
    /// Its name.
    pub sha: Sha,
    /// Its text.
    pub body: Box<[u8]>,
    /// What its first line says.
    pub flags: Flags,
    /// Bytes of the first line.
    pub skip: usize,
    /// Which keys it can touch.
    pub reach: Reach,
}

/// A function of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: Vec<u8>,
    /// What it says of itself.
    pub description: Option<Vec<u8>>,
    /// What it may do.
    pub flags: Flags,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    /// Its name.
    pub name: Vec<u8>,
    /// Its code, first line included.
    pub code: Box<[u8]>,
    /// Bytes of the first line.
    pub skip: usize,
    /// Its functions, in order of registration.
    pub functions: Vec<Function>,
}

/// All libraries at one moment.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    /// By order of loading.
    pub list: Vec<Arc<Library>>,
}

impl Libraries {
    /// The library called `name`.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Library>> {
        self.list.iter().find(|library| library.name == name)
    }

    /// The function called `name` (in any case), and its library.
    pub fn function(&self, name: &[u8]) -> Option<(&Arc<Library>, &Function)> {
        self.list.iter().find_map(|library| {
            let found = library.functions.iter().find(|function| function.name.eq_ignore_ascii_case(name));
            found.map(|function| (library, function))
        })
    }

    /// How many functions there are in all.
    pub fn function_count(&self) -> usize {
        self.list.iter().map(|library| library.functions.len()).sum()
    }
}

static SCRIPTS: LazyLock<Mutex<HashMap<Sha, Arc<Script>>>> = LazyLock::new(Mutex::default);
static SCRIPT_BYTES: AtomicUsize = AtomicUsize::new(0);
/// Raised by SCRIPT FLUSH: engines forget what they have compiled.
static SCRIPT_EPOCH: AtomicU64 = AtomicU64::new(0);
static LIBRARIES: LazyLock<Mutex<Arc<Libraries>>> = LazyLock::new(Mutex::default);
/// Raised by every change of the libraries.
static LIBRARY_VERSION: AtomicU64 = AtomicU64::new(0);
/// Held while a change is prepared, so that two cores do not load against different sets.
static CHANGES: Mutex<()> = Mutex::new(());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The process aborts on a panic, so nobody ever sees what one left behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of a script as a client writes it, in any case.
pub fn parse_sha(word: &[u8]) -> Option<Sha> {
    let mut sha: Sha = word.try_into().ok()?;
    sha.make_ascii_lowercase();
    Some(sha)
}

/// The script of this name.
pub fn script(sha: &Sha) -> Option<Arc<Script>> {
    lock(&SCRIPTS).get(sha).cloned()
}

/// Adds a script that has compiled.
pub fn add_script(script: Arc<Script>) {
    let bytes = script.body.len() + size_of::<Script>();
    if lock(&SCRIPTS).insert(script.sha, script).is_none() {
        SCRIPT_BYTES.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// SCRIPT FLUSH.
pub fn flush_scripts() {
    let mut scripts = lock(&SCRIPTS);
    scripts.clear();
    SCRIPT_BYTES.store(0, Ordering::Relaxed);
    SCRIPT_EPOCH.fetch_add(1, Ordering::Release);
}

/// How often scripts were flushed.
pub fn script_epoch() -> u64 {
    SCRIPT_EPOCH.load(Ordering::Acquire)
}

/// Scripts known, and bytes of their texts.
pub fn script_usage() -> (usize, usize) {
    (lock(&SCRIPTS).len(), SCRIPT_BYTES.load(Ordering::Relaxed))
}

/// All libraries, and the version they have.
pub fn libraries() -> (Arc<Libraries>, u64) {
    let list = lock(&LIBRARIES);
    (Arc::clone(&list), LIBRARY_VERSION.load(Ordering::Acquire))
}

/// The version of the libraries.
pub fn library_version() -> u64 {
    LIBRARY_VERSION.load(Ordering::Acquire)
}

/// Replaces all libraries by what `change` makes of them, if it does.
pub fn change_libraries<E>(change: impl FnOnce(&Libraries) -> Result<Libraries, E>) -> Result<(), E> {
    let _one_at_a_time = lock(&CHANGES);
    let (now, _) = libraries();
    let changed = Arc::new(change(&now)?);
    let mut list = lock(&LIBRARIES);
    *list = changed;
    LIBRARY_VERSION.fetch_add(1, Ordering::Release);
    Ok(())
}
