//! The stream value.
//!
//! Called by the stream commands (through `keyspace`), digest and savers. Invariant: `changed` is set by every method that really
//! changed something. Bounds: see [`Collection`].
use crate::types::collection::Collection;

/// See the module's text.
#[derive(Default, Clone)]
pub struct Stream {
    changed: bool,
}

impl Collection for Stream {
    fn heap_bytes(&self) -> usize {
        0
    }

    fn own_bytes(&self) -> usize {
        size_of::<Self>()
    }

    fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    fn is_heavy(&self) -> bool {
        false
    }

    fn free_step(&mut self) -> bool {
        true
    }

    fn encoding(&self) -> &'static str {
        "stream"
    }
}
