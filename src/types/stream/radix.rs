//! How many nodes redis' radix tree would have for the same keys: XINFO STREAM's radix-tree-nodes.
//!
//! Called by XINFO. Invariant: the figure is that of a path-compressed tree of 16-byte keys: one node per key, one per place where keys part, one per
//! stretch of two or more bytes without a parting (a stretch of one byte lies in the node above). Bounds: linear in the stream's nodes.
use super::id::StreamId;

const KEY_LEN: u32 = 16;

/// Bytes that two different keys begin with in common.
fn shared_prefix(one: StreamId, other: StreamId) -> u32 {
    let bits = |id: StreamId| u128::from_be_bytes(id.to_key());
    (bits(one) ^ bits(other)).leading_zeros() / 8
}

/// Nodes of the radix tree of these ascending keys.
pub fn node_count(keys: impl Iterator<Item = StreamId>) -> usize {
    let mut nodes = 0;
    // Depths of the partings on the way to the last key.
    let mut partings: Vec<u32> = Vec::new();
    let mut last: Option<StreamId> = None;
    // A node at `depth` hangs at a parting at `above`, which has its first byte; what lies between is a node too.
    let stretch = |depth: u32, above: Option<u32>| match above {
        Some(above) => usize::from(depth > above + 1),
        None => usize::from(depth > 0),
    };
    let mut close = |partings: &mut Vec<u32>, shared: Option<u32>| {
        let mut depth = KEY_LEN;
        nodes += 1;
        while let Some(&top) = partings.last().filter(|&&top| shared.is_none_or(|shared| top > shared)) {
            nodes += stretch(depth, Some(top)) + 1;
            depth = top;
            partings.pop();
        }
        nodes += stretch(depth, shared);
        match shared {
            Some(shared) if partings.last() != Some(&shared) => partings.push(shared),
            _ => {}
        }
    };
    for key in keys {
        if let Some(last) = last {
            close(&mut partings, Some(shared_prefix(last, key)));
        }
        last = Some(key);
    }
    match last {
        Some(_) => close(&mut partings, None),
        None => return 1,
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(ids: &[(u64, u64)]) -> usize {
        node_count(ids.iter().map(|&(ms, seq)| StreamId { ms, seq }))
    }

    #[test]
    fn small_trees_by_hand() {
        assert_eq!(count(&[]), 1);
        // A stretch and a key.
        assert_eq!(count(&[(1, 1)]), 2);
        // Fifteen bytes, a parting, two keys.
        assert_eq!(count(&[(1, 1), (1, 2)]), 4);
        assert_eq!(count(&[(1, 1), (1, 2), (1, 3)]), 5);
        // Seven bytes, a parting, two stretches of eight, two keys.
        assert_eq!(count(&[(1, 1), (2, 1)]), 6);
        // The parting at the last byte hangs below the one at byte 7.
        assert_eq!(count(&[(1, 1), (1, 2), (2, 1)]), 8);
        assert_eq!(count(&[(1, 1), (2, 1), (2, 2)]), 8);
    }
}
