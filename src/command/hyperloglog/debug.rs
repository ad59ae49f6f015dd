//! PFDEBUG and PFSELFTEST: a HyperLogLog's inside, and a check of the arithmetic on this machine.
//!
//! Called through their rows. Invariant: what changes the form of the string (GETREG, TODENSE) leaves as effect. Bounds: 16384 registers;
//! the self test a hundred thousand additions.

use super::{bytes_of, corrupt, write_back};
use crate::base::prng::Prng;
use crate::command::Cx;
use crate::command::reply_error::{ReplyError, quoting};
use crate::types::hll;

/// `PFDEBUG GETREG|DECODE|ENCODING|TODENSE key`
pub fn pfdebug(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let (subcommand, key) = (cx.arg(1), cx.key(2));
    let Some(mut entry) = cx.lookup_write(&key) else {
        return Err(ReplyError::Text("ERR The specified key does not exist"));
    };
    bytes_of(entry.get())?;
    entry.make_raw();
    let mut bytes = bytes_of(entry.get())?.to_vec();
    let is = |name: &str| subcommand.eq_ignore_ascii_case(name.as_bytes());
    let mut was_sparse = false;
    if is("getreg") || is("todense") {
        was_sparse = hll::make_dense(&mut bytes).map_err(corrupt)?;
        if was_sparse {
            write_back(&mut entry, &bytes);
        }
    }
    drop(entry);
    if was_sparse {
        cx.propagate();
    }
    if is("getreg") {
        let registers = hll::registers(&bytes).map_err(corrupt)?;
        cx.out.array(hll::REGISTERS);
        registers.iter().for_each(|&value| cx.out.integer(i64::from(value)));
    } else if is("decode") {
        if hll::is_dense(&bytes) {
            return Err(ReplyError::Text("ERR HLL encoding is not sparse"));
        }
        cx.out.bulk(hll::describe(&bytes).as_bytes());
    } else if is("encoding") {
        cx.out.simple(if hll::is_dense(&bytes) { "dense" } else { "sparse" });
    } else if is("todense") {
        cx.out.integer(i64::from(was_sparse));
    } else {
        return Err(cx.fail(quoting("ERR Unknown PFDEBUG subcommand '", subcommand, "'")));
    }
    Ok(())
}

/// `PFSELFTEST`
pub fn pfselftest(cx: &mut Cx<'_>) -> Result<(), ReplyError> {
    let mut prng = Prng::new(cx.now_ms);
    let (mut sparse, mut dense) = (hll::empty(), hll::empty());
    hll::make_dense(&mut dense).map_err(corrupt)?;
    let (mut added, mut checkpoint) = (0u64, 1u64);
    let salt = prng.next_u64();
    while added < 100_000 {
        added += 1;
        let element = (salt ^ added).to_le_bytes();
        let raised = hll::add(&mut sparse, &element, cx.settings.hll_sparse_max_bytes).map_err(corrupt)?;
        if raised != hll::dense_add(&mut dense, &element) {
            return Err(cx.fail("TESTFAILED the sparse and the dense form part".to_owned()));
        }
        if added == checkpoint {
            checkpoint *= 10;
            check(cx, &sparse, &dense, added)?;
        }
    }
    cx.out.ok();
    Ok(())
}

/// Both forms have the same registers, and the estimate is as near as it should be.
fn check(cx: &mut Cx<'_>, sparse: &[u8], dense: &[u8], added: u64) -> Result<(), ReplyError> {
    let registers = hll::registers(sparse).map_err(corrupt)?;
    if registers != hll::registers(dense).map_err(corrupt)? {
        return Err(cx.fail("TESTFAILED the sparse and the dense form differ".to_owned()));
    }
    // Six times the standard error, 1.04 / sqrt(16384); small counts may be one off.
    let (off, most) = (hll::estimate(&registers).abs_diff(added), (added as f64 * 0.049).ceil() as u64);
    if off > most {
        let text = format!("TESTFAILED Too big error. card:{added} abserr:{off}");
        return Err(cx.fail(text));
    }
    Ok(())
}
