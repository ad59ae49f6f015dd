//! The loader's second life: what DEBUG RELOAD and DEBUG LOADAOF ask for is loaded while the server runs.
//!
//! Run by `boot` in the task that has loaded at start; orders come from `session::reload`, the work is `load`'s and `load_aof`'s. Invariant: one order at a time. Bounds: those of `load`.

use std::sync::Arc;
use std::time::Duration;

use super::load::{How, LoadError, SharedCore, load_snapshot, wait_until};
use super::load_aof;
use crate::session::reload::What;

/// Loads what DEBUG RELOAD and DEBUG LOADAOF ask for, until the process stops.
///
/// Errors: what was loaded cannot be used.
pub async fn serve(core: &SharedCore) -> Result<(), LoadError> {
    loop {
        wait_until(core, |core| core.loading.has_order()).await?;
        let Some(order) = core.borrow_mut().loading.take_order() else { continue };
        core.borrow_mut().bulk_tasks += 1;
        let was_there = load_again(core, &order.what).await;
        let mut core = core.borrow_mut();
        core.bulk_tasks -= 1;
        core.reloaded(order, was_there?);
    }
}

/// Loads a snapshot or the append-only file beside what is there; false: there is no file.
async fn load_again(core: &SharedCore, what: &What) -> Result<bool, LoadError> {
    match what {
        What::Snapshot { path, replaces } => {
            if !path.exists() {
                return Ok(false);
            }
            load_snapshot(core, path, How { skips_expired: true, replaces: *replaces }).await?;
        }
        What::Log => {
            while !core.borrow_mut().flush_journal() {
                if core.borrow().is_stopping() {
                    return Err(LoadError::Stopped);
                }
                glommio::timer::sleep(Duration::from_millis(1)).await;
            }
            let settings = Arc::clone(&core.borrow().settings);
            let Some(files) = load_aof::plan(&settings).map_err(LoadError::Fatal)? else { return Ok(false) };
            load_aof::load(core, &files).await?;
        }
    }
    Ok(true)
}
