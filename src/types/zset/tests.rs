//! Sorted sets against a plain sorted vector: contents, ranks, ranges, removal, scanning, bytes, freeing, pins.
use super::*;
use std::collections::BTreeMap;

const PLAIN: AddRule = AddRule { nx: false, xx: false, gt: false, lt: false, incr: false };

#[derive(Default)]
struct Model(BTreeMap<Vec<u8>, f64>);

impl Model {
    fn sorted(&self) -> Vec<(Vec<u8>, f64)> {
        let mut all: Vec<_> = self.0.iter().map(|(member, &score)| (member.clone(), score)).collect();
        all.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
        all
    }
}

fn owned<'a>(pairs: impl Iterator<Item = (Element<'a>, f64)>) -> Vec<(Vec<u8>, f64)> {
    pairs.map(|(member, score)| (member.to_bytes().into_owned(), score)).collect()
}

fn random_member(prng: &mut Prng, universe: u64) -> Vec<u8> {
    match prng.below(10) {
        0 => prng.below(universe).to_string().into_bytes(),
        1 => vec![b'a' + prng.below(3) as u8; 1 + prng.below(90) as usize],
        _ => format!("m{}", prng.below(universe)).into_bytes(),
    }
}

fn random_score(prng: &mut Prng) -> f64 {
    match prng.below(8) {
        0 => 0.0,
        1 => f64::INFINITY * if prng.chance(0.5) { 1.0 } else { -1.0 },
        2 => prng.below(1000) as f64 / 7.0,
        _ => prng.below(40) as f64 - 20.0,
    }
}

fn check(set: &ZSet, model: &Model, prng: &mut Prng) {
    assert!(set.is_consistent());
    let sorted = model.sorted();
    assert_eq!(set.len(), sorted.len());
    assert_eq!(owned(set.iter()), sorted);
    let len = sorted.len();
    let from = prng.below(len as u64 + 1) as usize;
    let to = from + prng.below((len - from) as u64 + 1) as usize;
    assert_eq!(owned(set.walk(from, to, false)), sorted[from..to]);
    let backwards: Vec<_> = sorted[from..to].iter().rev().cloned().collect();
    assert_eq!(owned(set.walk(from, to, true)), backwards);
    for (rank, (member, score)) in sorted.iter().enumerate().step_by(7) {
        assert_eq!(set.rank(member), Some((rank, *score)));
    }
    for _ in 0..5 {
        let (min, max) = (random_score(prng), random_score(prng));
        let range = ScoreRange { min, max, min_open: prng.chance(0.5), max_open: prng.chance(0.5) };
        let (from, to) = set.score_span(&range);
        let within: Vec<_> = sorted
            .iter()
            .filter(|(_, score)| range.reaches(*score) && range.covers(*score))
            .cloned()
            .collect();
        assert_eq!(sorted[from..to], within, "{range:?}");
    }
    let (mut cursor, mut seen) = (0, BTreeMap::new());
    loop {
        cursor = set.scan(cursor, 10, |member, score| {
            seen.insert(member.to_bytes().into_owned(), score);
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, model.0);
}

#[test]
fn behaves_like_a_sorted_vector() {
    let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(5u64);
    println!("SEED={seed}");
    for round in 0..12 {
        let mut prng = Prng::new(seed * 100 + round);
        let limits = ZSetLimits { max_entries: if round % 3 == 0 { 100_000 } else { 20 }, max_value: 64 };
        let (mut set, mut model) = (ZSet::default(), Model::default());
        let universe = if round % 2 == 0 { 60 } else { 3000 };
        for step in 0..4000 {
            let (member, score) = (random_member(&mut prng, universe), random_score(&mut prng));
            let growing = step % 2000 < 1400;
            match prng.below(if growing { 8 } else { 16 }) {
                0..=5 => {
                    let added = set.add(&member, score, PLAIN, &limits);
                    let old = model.0.insert(member, score);
                    let expected = match old {
                        None => Added::New(score),
                        Some(old) if old == score => Added::Same(score),
                        Some(_) => Added::Moved(score),
                    };
                    assert_eq!(added, expected);
                }
                6 => {
                    let rule = AddRule { incr: true, xx: true, ..PLAIN };
                    let sum = model.0.get(&member).map(|old| old + score);
                    match set.add(&member, score, rule, &limits) {
                        Added::Nothing => assert_eq!(sum, None),
                        Added::NotANumber => assert!(sum.is_some_and(f64::is_nan)),
                        Added::New(_) => panic!("added in spite of XX"),
                        Added::Moved(now) | Added::Same(now) => {
                            assert_eq!(sum, Some(now));
                            model.0.insert(member, now);
                        }
                    }
                }
                7 | 8 => assert_eq!(set.remove(&member), model.0.remove(&member).is_some()),
                9 if prng.below(20) == 0 => {
                    let sorted = model.sorted();
                    let from = prng.below(sorted.len() as u64 + 1) as usize;
                    let to = (from + prng.below(200) as usize).min(sorted.len());
                    set.remove_span(from, to);
                    sorted[from..to].iter().for_each(|(member, _)| {
                        model.0.remove(member);
                    });
                }
                _ if !growing => {
                    let sorted = model.sorted();
                    if let Some((member, _)) = if prng.chance(0.5) { sorted.first() } else { sorted.last() } {
                        assert!(set.remove(member));
                        model.0.remove(member);
                    }
                }
                _ => assert_eq!(set.score(&member), model.0.get(&member).copied()),
            }
            if step % 100 == 0 {
                check(&set, &model, &mut prng);
            }
        }
        check(&set.clone(), &model, &mut prng);
        while !set.free_step() {}
        if let Form::Big(big) = set.form() {
            assert_eq!(big.heap_bytes(), 0);
        }
    }
}

#[test]
fn lex_ranges_find_texts_of_one_score() {
    let mut prng = Prng::new(9);
    for max_entries in [1000, 0] {
        let limits = ZSetLimits { max_entries, max_value: 64 };
        let (mut set, mut texts) = (ZSet::default(), std::collections::BTreeSet::new());
        for _ in 0..400 {
            let text: Vec<u8> = (0..prng.below(4)).map(|_| b'a' + prng.below(4) as u8).collect();
            set.add(&text, 1.0, PLAIN, &limits);
            texts.insert(text);
        }
        for (min, max) in
            [("-", "+"), ("[a", "(b"), ("(a", "[abc"), ("[b", "[b"), ("(b", "[b"), ("[", "(c"), ("[zz", "+")]
        {
            let range = LexRange::parse(min.as_bytes(), max.as_bytes()).unwrap();
            let within: Vec<_> =
                texts.iter().filter(|text| range.reaches(text) && range.covers(text)).cloned().collect();
            for reverse in [false, true] {
                let (from, to) = set.lex_span(&range, reverse);
                let found: Vec<_> = owned(set.walk(from, to, false)).into_iter().map(|pair| pair.0).collect();
                assert_eq!(found, within, "{min} {max}");
            }
        }
    }
}

#[test]
fn a_write_beside_a_pin_copies_one_run_and_its_path() {
    let limits = ZSetLimits::default();
    let mut set = ZSet::default();
    for index in 0..1_000_000u64 {
        // Scattered scores, so that runs are as full as random insertion leaves them.
        let score = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        set.add(format!("member:{index}").as_bytes(), score as f64, PLAIN, &limits);
    }
    let pin = set.pin();
    let (first, len) =
        (pin.iter().next().map(|(member, score)| (member.to_bytes().into_owned(), score)), pin.len());
    let before = crate::base::memory::taken_by_thread();
    let start = std::time::Instant::now();
    set.add(b"member:500000", 12.5, PLAIN, &limits);
    let (took, copied) = (start.elapsed(), crate::base::memory::taken_by_thread() - before);
    println!("one write beside a pin: {copied} bytes copied, {took:?}");
    // The run it left, the run it came to, and up to three inner nodes of 64 children each.
    assert!(copied < 24_000, "{copied} bytes");
    let now = pin.iter().next().map(|(member, score)| (member.to_bytes().into_owned(), score));
    assert_eq!((pin.len(), now), (len, first));
    assert_eq!(pin.walk(0, 1_000_000, false).count(), 1_000_000);
    assert_eq!(set.rank(b"member:500000").map(|found| found.1), Some(12.5));
    let per_member = set.heap_bytes() / 1_000_000;
    println!("{per_member} bytes a member");
    drop(pin);
    let mut longest = std::time::Duration::ZERO;
    loop {
        let start = std::time::Instant::now();
        let done = set.free_step();
        longest = longest.max(start.elapsed());
        if done {
            break;
        }
    }
    println!("longest step of freeing: {longest:?}");
}

#[test]
fn a_growing_result_loses_the_sign_of_zero_only_while_small() {
    let limits = ZSetLimits { max_entries: 3, max_value: 64 };
    let members: Vec<Vec<u8>> = (0..5).map(|index| vec![b'a' + index]).collect();
    let zeros = members.iter().map(|member| (member.as_slice(), -0.0));
    let signs = |set: &ZSet| set.iter().filter(|(_, score)| score.is_sign_negative()).count();
    let growing = ZSet::from_growing(zeros.clone(), &limits);
    assert!(growing.is_consistent() && !growing.is_packed());
    assert_eq!((signs(&growing), growing.len()), (2, 5));
    assert_eq!(signs(&ZSet::from_members(zeros, &limits)), 5);
}
