//! `Tree` against a plain vector of leaves: contents, ranks, bytes, pins, freeing.
use super::*;
use crate::base::prng::Prng;

#[derive(Clone, Debug, PartialEq)]
struct Chunk(Vec<u32>);

impl Leaf for Chunk {
    type Sep = u32;
    fn count(&self) -> usize {
        self.0.len()
    }
    fn heap_bytes(&self) -> usize {
        good_size(self.0.capacity() * 4)
    }
    fn sep(&self) -> u32 {
        self.0.first().copied().unwrap_or(0)
    }
}

fn bytes_below(node: &Node<Chunk>) -> usize {
    node.own_bytes()
        + match node {
            Node::Leaf(_) => 0,
            Node::Inner(children) => {
                assert!(!children.is_empty() && children.len() <= FAN);
                children
                    .iter()
                    .map(|child| {
                        let below = child.node.get();
                        assert_eq!((child.count, child.sep), (below.count(), below.sep()));
                        bytes_below(below)
                    })
                    .sum()
            }
        }
}

fn check(tree: &Tree<Chunk>, model: &[Vec<u32>]) {
    let leaves: Vec<Vec<u32>> = tree.iter().map(|leaf| leaf.0.clone()).collect();
    assert_eq!(leaves, model);
    assert_eq!(tree.leaves(), model.len());
    assert_eq!(tree.len(), model.iter().map(Vec::len).sum::<usize>());
    assert_eq!(tree.heap_bytes(), tree.root.as_ref().map_or(0, |root| bytes_below(root.get())));
}

fn cursor_of(tree: &Tree<Chunk>, index: usize) -> Cursor {
    let mut cursor = tree.first().unwrap();
    for _ in 0..index {
        assert!(tree.next(&mut cursor));
    }
    cursor
}

#[test]
fn it_is_a_sequence_of_leaves() {
    for seed in 0..8 {
        let mut prng = Prng::new(seed);
        let (mut tree, mut model) = (Tree::<Chunk>::default(), Vec::<Vec<u32>>::new());
        let mut pins: Vec<(Tree<Chunk>, Vec<Vec<u32>>)> = Vec::new();
        for step in 0..3000u32 {
            let fresh = vec![step; 1 + prng.below(5) as usize];
            let growing = step % 1500 < 900;
            let at = if model.is_empty() { 0 } else { prng.below(model.len() as u64) as usize };
            match prng.below(12) {
                _ if model.is_empty() => {
                    tree.push_back(Chunk(fresh.clone()));
                    model.push(fresh);
                }
                0 => {
                    tree.push_front(Chunk(fresh.clone()));
                    model.insert(0, fresh);
                }
                1 | 2 if growing => {
                    tree.push_back(Chunk(fresh.clone()));
                    model.push(fresh);
                }
                3..=5 if growing => {
                    tree.insert_after(&cursor_of(&tree, at), Chunk(fresh.clone()));
                    model.insert(at + 1, fresh);
                }
                6 if growing => {
                    tree.insert_before(&cursor_of(&tree, at), Chunk(fresh.clone()));
                    model.insert(at, fresh);
                }
                7 | 8 => {
                    tree.edit(&cursor_of(&tree, at), |leaf| leaf.0.push(step)).unwrap();
                    model[at].push(step);
                }
                9 if prng.below(20) == 0 => pins.push((tree.pin(), model.clone())),
                _ => {
                    let gone = tree.remove(&cursor_of(&tree, at)).unwrap();
                    assert_eq!(gone.0, model.remove(at));
                }
            }
            if step % 50 == 0 {
                check(&tree, &model);
                let all: Vec<u32> = model.concat();
                for rank in [0, all.len() / 2, all.len().saturating_sub(1)] {
                    let Some((cursor, index)) = tree.seek_rank(rank) else { continue };
                    assert_eq!(tree.leaf(&cursor).unwrap().0[index], all[rank]);
                    assert_eq!(tree.rank_of(&cursor) + index, rank);
                }
                assert!(tree.seek_rank(all.len()).is_none());
                let mut cursor = tree.last();
                for expected in model.iter().rev() {
                    let at = cursor.as_mut().unwrap();
                    assert_eq!(&tree.leaf(at).unwrap().0, expected);
                    tree.prev(at);
                }
            }
        }
        for (pin, then) in &pins {
            check(pin, then);
        }
        while !tree.free_step() {}
        assert_eq!((tree.len(), tree.leaves(), tree.heap_bytes()), (0, 0, 0));
    }
}

#[test]
fn seek_finds_the_leaf_of_a_bound() {
    let mut tree = Tree::<Chunk>::default();
    for start in 0..5000u32 {
        tree.push_back(Chunk(vec![start * 10, start * 10 + 5]));
    }
    for target in [0, 5, 9, 10, 17, 4999, 25_000, 49_990, 60_000] {
        let cursor = tree.seek(|probe| *probe.sep > target).unwrap();
        let expected = (target / 10).min(4999) * 10;
        assert_eq!(tree.leaf(&cursor).unwrap().0[0], expected);
        let by_leaf = tree.seek(|probe| probe.first_leaf().0[0] > target).unwrap();
        assert_eq!(by_leaf, cursor);
    }
    assert_eq!(
        tree.root.as_ref().map(|root| width(&Child { count: 0, sep: 0, node: root.clone() })),
        Some(2)
    );
}

#[test]
fn a_write_beside_a_pin_copies_one_leaf_and_its_path() {
    let mut tree = Tree::<Chunk>::default();
    for start in 0..10_000u32 {
        tree.push_back(Chunk((0..100).map(|index| start * 100 + index).collect()));
    }
    let pin = tree.pin();
    let before = crate::base::memory::taken_by_thread();
    let (cursor, index) = tree.seek_rank(500_050).unwrap();
    tree.edit(&cursor, |leaf| leaf.0[index] = 7).unwrap();
    let copied = crate::base::memory::taken_by_thread() - before;
    println!("copied {copied} bytes of {}", tree.heap_bytes());
    assert!(copied > 0 && copied < 8 * 1024, "{copied}");
    let again = crate::base::memory::taken_by_thread();
    tree.edit(&cursor, |leaf| leaf.0[index] = 8).unwrap();
    assert_eq!(crate::base::memory::taken_by_thread(), again, "the second write finds its own copy");
    assert_eq!(pin.leaf(&cursor).unwrap().0[index], 500_050);
}
