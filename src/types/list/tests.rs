//! The list against a plain vector of strings: contents from both ends, positions, bytes, chunk limits, freeing.
use super::*;
use crate::base::prng::Prng;

fn seed() -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(5);
    println!("SEED={seed}");
    seed
}

fn random_text(prng: &mut Prng) -> Vec<u8> {
    match prng.below(40) {
        0 => vec![b'h'; HUGE + prng.below(100) as usize],
        1 => vec![b'l'; prng.below(HUGE as u64) as usize],
        2..=4 => vec![b'm'; prng.below(900) as usize],
        5..=14 => (prng.next_u64() as i64 >> prng.below(64)).to_string().into_bytes(),
        15..=24 => format!("same{}", prng.below(5)).into_bytes(),
        _ => (0..prng.below(14)).map(|_| prng.next_u64() as u8).collect(),
    }
}

fn count_bytes(list: &List) -> usize {
    match &list.repr {
        Repr::Small(chunk) => chunk.heap_bytes(),
        Repr::Large(_) => list.heap_bytes(),
    }
}

fn check(list: &List, model: &[Vec<u8>], limits: &ListLimits) {
    let texts = |walk: Walk<'_>| -> Vec<Vec<u8>> {
        walk.map(|item| item.element().to_bytes().into_owned()).collect()
    };
    assert_eq!(list.len(), model.len());
    assert_eq!(texts(list.walk(0)), model);
    let mut backwards = texts(list.walk_back(model.len().wrapping_sub(1)));
    backwards.reverse();
    assert_eq!(backwards, model);
    assert_eq!(list.heap_bytes(), count_bytes(list));
    if let Repr::Large(tree) = &list.repr {
        let mut count = 0;
        for leaf in tree.iter() {
            assert!(leaf.count() > 0);
            if let Piece::Run(chunk) = leaf {
                assert_eq!(chunk.entries().count(), chunk.count());
                assert!(chunk.count() == 1 || chunk.count() <= limits.max_count);
                assert!(chunk.count() == 1 || chunk.len() + PACK_FRAME <= limits.max_bytes);
            }
            count += leaf.count();
        }
        assert_eq!(count, tree.len());
        assert!(tree.leaves() > 1 || matches!(tree.iter().next(), Some(Piece::Huge(_))));
    }
}

fn change(list: &mut List, model: &mut Vec<Vec<u8>>, prng: &mut Prng, limits: &ListLimits, growing: bool) {
    let text = random_text(prng);
    let item = || NewItem::Text(&text);
    let len = model.len();
    let pick = prng.below(len.max(1) as u64) as usize;
    match prng.below(if growing { 7 } else { 13 }) {
        0 | 1 => {
            list.push(End::Left, item(), limits);
            model.insert(0, text);
        }
        2 | 3 => {
            list.push(End::Right, NewItem::Shared(text.clone().into()), limits);
            model.push(text);
        }
        4 | 5 => {
            list.insert(pick, item(), limits);
            model.insert(pick.min(len), text);
        }
        6 => {
            assert_eq!(list.set(pick, item(), limits), len > 0);
            if len > 0 {
                model[pick] = text;
            }
        }
        7..=9 => {
            let count = 1 + prng.below(40) as usize;
            let end = if prng.below(2) == 0 { End::Left } else { End::Right };
            list.drop_from(end, count);
            let count = count.min(len);
            match end {
                End::Left => drop(model.drain(..count)),
                End::Right => model.truncate(len - count),
            }
        }
        _ if len > 0 => {
            let text = model[pick].clone();
            let count = if prng.below(3) == 0 { usize::MAX } else { 1 + prng.below(3) as usize };
            let backwards = prng.below(2) == 0;
            let mut expected: Vec<usize> = (0..len).filter(|&at| model[at] == text).collect();
            assert_eq!(list.position(&text, 0), expected.first().copied());
            assert_eq!(list.positions(&text, false, usize::MAX).collect::<Vec<_>>(), expected);
            if backwards {
                expected.reverse();
            }
            assert_eq!(list.positions(&text, backwards, usize::MAX).collect::<Vec<_>>(), expected);
            expected.truncate(count);
            assert_eq!(list.remove_equal(&text, count, backwards, limits), expected.len());
            expected.sort_unstable();
            expected.iter().rev().for_each(|&at| drop(model.remove(at)));
        }
        _ => {}
    }
}

#[test]
fn behaves_like_a_vector_of_strings() {
    let seed = seed();
    for (round, size) in [-2, -1, 1, 2, 7, 128, 5000, -5].into_iter().enumerate() {
        let limits = ListLimits::of(size);
        let mut prng = Prng::new(seed + round as u64);
        let (mut list, mut model) = (List::default(), Vec::new());
        for step in 0..2500 {
            change(&mut list, &mut model, &mut prng, &limits, step % 800 < 600);
            if step % 25 == 0 {
                check(&list, &model, &limits);
            }
            if !model.is_empty() {
                let pick = prng.below(model.len() as u64) as usize;
                assert!(list.get(pick).unwrap().element().is_text(&model[pick]));
            }
        }
        let mut copy = list.clone();
        check(&copy, &model, &limits);
        while !copy.free_step() {}
        check(&list, &model, &limits);
    }
}

#[test]
fn a_queue_does_not_grow() {
    let limits = ListLimits::of(-2);
    for len in [1, 20, 500, 5000] {
        let mut list = List::default();
        (0..len)
            .for_each(|at| list.push(End::Left, NewItem::Text(format!("job:{at:06}").as_bytes()), &limits));
        let before = list.heap_bytes();
        for at in 0..20_000 {
            list.push(End::Left, NewItem::Text(format!("job:{at:06}").as_bytes()), &limits);
            list.drop_from(End::Right, 1);
            assert!(
                list.heap_bytes() <= before * 3 / 2 + 10_000.min(before),
                "{} {before}",
                list.heap_bytes()
            );
        }
    }
}

#[test]
fn limits_follow_the_directive() {
    assert_eq!(ListLimits::of(-1).max_bytes, 4096);
    assert_eq!(ListLimits::of(-5).max_bytes, 65536);
    assert_eq!(ListLimits::of(-77).max_bytes, 65536);
    assert_eq!(ListLimits::of(0).max_count, 1);
    assert_eq!(ListLimits::of(i32::MAX).max_count, 32767);
}

/// What `change` copied and how long it took, in bytes and time.
fn measure(list: &mut List, change: impl FnOnce(&mut List)) -> (usize, std::time::Duration) {
    let before = crate::base::memory::taken_by_thread();
    let start = std::time::Instant::now();
    change(list);
    (crate::base::memory::taken_by_thread() - before, start.elapsed())
}

#[test]
fn a_write_beside_a_pin_copies_one_chunk_and_its_path() {
    let limits = ListLimits::of(-2);
    let mut list = List::default();
    for index in 0..1_000_000 {
        list.push(End::Right, NewItem::Text(format!("element:{index}").as_bytes()), &limits);
    }
    println!("{} bytes an element, {} chunks", list.heap_bytes() / 1_000_000, list.nodes());
    for at in [0, 500_000, 999_999] {
        let pin = list.pin();
        let (copied, took) = measure(&mut list, |list| {
            list.set(at, NewItem::Text(b"changed!!"), &limits);
        });
        println!("LSET {at} beside a pin: {copied} bytes copied, {took:?}");
        assert!(copied < 24_000, "{copied} bytes");
        assert!(pin.get(at).unwrap().element().is_text(format!("element:{at}").as_bytes()));
        assert!(list.get(at).unwrap().element().is_text(b"changed!!"));
        assert_eq!(pin.walk(0).count(), 1_000_000);
    }
    let pin = list.pin();
    let (copied, took) = measure(&mut list, |list| list.drop_from(End::Left, 400_000));
    println!("LTRIM of 400,000 beside a pin: {copied} bytes, {took:?}");
    assert_eq!((pin.len(), list.len(), list.walk(0).count()), (1_000_000, 600_000, 600_000));
    drop(pin);
    let mut longest = std::time::Duration::ZERO;
    loop {
        let start = std::time::Instant::now();
        let done = list.free_step();
        longest = longest.max(start.elapsed());
        if done {
            break;
        }
    }
    println!("longest step of freeing: {longest:?}");
}
