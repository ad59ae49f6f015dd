//! An errand: something done once with every core's shard in hand, on nobody's behalf: the cut of a snapshot, a log's first reader.
//!
//! [`Core::send_errand`] starts one from any core; it travels like a transaction of a client (`shard::lending`): shard after shard in ascending order of core, then its work runs
//! on the core that had the last one, then the shards go home. Invariant: while the work runs, every log is sealed and nothing executes anywhere, so the stream's
//! offset is a point of the whole data set. Bounds: the work itself, which all clients wait for: it must be short. Why not a session: there is no client, no reply, no input.

use super::core::{Core, Message};
use super::run;
use crate::shard::Shard;
use crate::shard::execute::seal;
use crate::shard::lending::{CoreSet, Lent};

/// What is done: on some core, with the shards of all, by core.
pub type Work = Box<dyn FnOnce(&mut Core, &mut [Option<Box<Shard>>]) + Send>;

/// See the module's text.
pub struct Errand {
    lent: Lent,
    work: Work,
}

impl Core {
    /// Starts an errand; its work runs soon, perhaps on another core.
    pub fn send_errand(&mut self, work: Work) {
        let cores = self.cores();
        let lent = Lent::new(CoreSet::all(cores), cores);
        self.inbox.push_back(Message::Errand(Box::new(Errand { lent, work })));
    }

    /// Goes on with an errand on this core.
    pub fn run_errand(&mut self, mut errand: Box<Errand>) {
        while let Some(next) = errand.lent.next() {
            if next == self.id() {
                let Some(mut shard) = self.shard.take() else { return self.errands.push_back(errand) };
                seal(&mut shard);
                errand.lent.take(shard);
            } else if let Some(shard) = self.borrow(next) {
                errand.lent.take(shard);
            } else {
                return self.mesh.send(next, Message::Errand(errand));
            }
        }
        let Errand { mut lent, work } = *errand;
        work(self, lent.shards_mut());
        lent.shards_mut().iter_mut().flatten().for_each(|shard| seal(shard));
        run::send_home(self, lent);
    }
}
