//! How a transaction over several cores gets their shards: one at a time, in ascending order of core.
//!
//! A session that needs the shards of cores {a < b < c} travels a -> b -> c; at each it takes the shard away with it, or waits
//! in that core's queue until it is home. On the last core it executes, then sends every shard home
//! (`session::run`). The set is fixed before the first step and the order is global, so no cycle of waiting can
//! form (a shard that lies in its berth, `session::berth`, is taken without travelling, still in order); other cores go on, and an involved core goes on with everything that does not need its shard.
//!
//! Invariant: a [`Lent`] is filled in ascending order and emptied completely. Bounds: `limits::MAX_CORES` shards.
//! Why lending instead of locks plus remote steps: one visit per core instead of a round trip per step, and handlers
//! stay plain single-threaded code.

use smallvec::SmallVec;

use super::Shard;

/// A deliberate fault (feature `test-switches`, variable `SHOAL_TEST_BREAK`): the checker in tests/serial must find each, those of files tests/crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EXEC gives its shards back and takes them again between any two commands.
    SkipLock,
    /// EXEC gives its shards back before its last command.
    UnlockEarly,
    /// EXEC does not look at watched keys.
    StaleWatch,
    /// The append-only file's syncs are pretended.
    SkipFsync,
    /// With `appendfsync always` replies leave before the sync.
    EarlyRelease,
    /// `everysec` means every ten seconds.
    LateFsync,
}

/// Whether this build is broken on purpose in the way of `fault`.
#[cfg(feature = "test-switches")]
pub fn is_broken(fault: Fault) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<Fault>> =
        std::sync::LazyLock::new(|| match std::env::var("SHOAL_TEST_BREAK").as_deref() {
            Ok("skip-lock") => Some(Fault::SkipLock),
            Ok("unlock-early") => Some(Fault::UnlockEarly),
            Ok("stale-watch") => Some(Fault::StaleWatch),
            Ok("skip-fsync") => Some(Fault::SkipFsync),
            Ok("early-release") => Some(Fault::EarlyRelease),
            Ok("late-fsync") => Some(Fault::LateFsync),
            _ => None,
        });
    *CHOSEN == Some(fault)
}

/// Never, in a build without the switches.
#[cfg(not(feature = "test-switches"))]
#[inline(always)]
pub fn is_broken(_: Fault) -> bool {
    false
}

/// A set of cores as a bit mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSet(pub u64);

impl CoreSet {
    /// All of `cores` cores.
    pub fn all(cores: usize) -> CoreSet {
        CoreSet(if cores >= 64 { u64::MAX } else { (1 << cores) - 1 })
    }

    /// Adds a core.
    #[inline]
    pub fn insert(&mut self, core: usize) {
        self.0 |= 1 << core;
    }

    /// How many.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The only member, if there is just one.
    pub fn single(self) -> Option<usize> {
        (self.len() == 1).then(|| self.0.trailing_zeros() as usize)
    }
}

/// Shards on their way with a transaction.
pub struct Lent {
    wanted: CoreSet,
    shards: SmallVec<[Option<Box<Shard>>; 4]>,
}

impl Lent {
    /// A transaction over `wanted` of `cores` cores, with no shard taken yet.
    pub fn new(wanted: CoreSet, cores: usize) -> Lent {
        Lent { wanted, shards: (0..cores).map(|_| None).collect() }
    }

    /// The cores it is over.
    pub fn wanted(&self) -> CoreSet {
        self.wanted
    }

    /// The next core to take a shard from; `None` when all are here.
    pub fn next(&self) -> Option<usize> {
        let taken = self.shards.iter().enumerate().filter(|(_, shard)| shard.is_some());
        let left = taken.fold(self.wanted.0, |left, (core, _)| left & !(1 << core));
        (left != 0).then(|| left.trailing_zeros() as usize)
    }

    /// The core whose log takes the transaction's effects: the last of the set, as good as any.
    pub fn log_at(&self) -> usize {
        63 - self.wanted.0.max(1).leading_zeros() as usize
    }

    /// Takes a shard in.
    pub fn take(&mut self, shard: Box<Shard>) {
        let core = shard.core;
        assert_eq!(self.next(), Some(core), "shards are taken in ascending order");
        self.shards[core] = Some(shard);
    }

    /// All shards, to be sent home.
    pub fn release(self) -> impl Iterator<Item = Box<Shard>> {
        self.shards.into_iter().flatten()
    }

    /// The shards taken so far.
    pub fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().flatten().map(|shard| &**shard)
    }

    /// The shards by core.
    pub fn shards_mut(&mut self) -> &mut [Option<Box<Shard>>] {
        &mut self.shards
    }
}
