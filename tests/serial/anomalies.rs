//! Hand-made histories: the checker must find each anomaly and must not invent one.

use crate::checker::check;
use crate::history::{History, Op, Transaction};

fn append(key: usize, token: u64, position: usize) -> Op {
    Op::Append { key, token, position }
}

fn read(key: usize, tokens: &[u64]) -> Op {
    Op::Read { key, tokens: tokens.to_vec() }
}

/// A transaction from `start_ns` to `end_ns`.
fn at(start_ns: u64, end_ns: u64, ops: Vec<Op>) -> Transaction {
    Transaction { ops, start_ns, end_ns, follows: None, label: "made by hand" }
}

/// All at once: real time orders nothing.
fn together(transactions: Vec<Vec<Op>>) -> History {
    transactions.into_iter().map(|ops| at(0, 100, ops)).collect()
}

fn names(history: &History) -> Vec<String> {
    check(history).into_iter().map(|anomaly| anomaly.name).collect()
}

fn assert_only(history: &History, start: &str) {
    let names = names(history);
    assert!(names.len() == 1 && names[0].starts_with(start), "expected {start}, got {names:?}");
}

#[test]
fn a_serial_history_is_clean() {
    let history = vec![
        at(0, 10, vec![append(0, 1, 0), append(1, 2, 0)]),
        at(11, 20, vec![read(0, &[1]), read(1, &[2])]),
        at(21, 30, vec![append(0, 3, 1), read(0, &[1, 3])]),
        at(31, 40, vec![read(0, &[1, 3]), read(1, &[2])]),
    ];
    assert_eq!(names(&history), Vec::<String>::new());
}

#[test]
fn concurrent_transactions_may_take_either_order() {
    let history = vec![
        at(0, 100, vec![append(0, 1, 1)]),
        at(0, 100, vec![append(0, 2, 0)]),
        at(0, 100, vec![read(0, &[2])]),
        at(0, 100, vec![read(0, &[])]),
    ];
    assert_eq!(names(&history), Vec::<String>::new());
}

#[test]
fn finds_g0() {
    let history =
        together(vec![vec![append(0, 1, 0), append(1, 2, 1)], vec![append(0, 3, 1), append(1, 4, 0)]]);
    assert_only(&history, "G0");
}

#[test]
fn finds_g1a() {
    assert_only(&together(vec![vec![append(0, 1, 0)], vec![read(0, &[1, 99])]]), "G1a");
}

#[test]
fn finds_an_intermediate_read() {
    let history = together(vec![vec![append(0, 1, 0), append(0, 2, 1)], vec![read(0, &[1])]]);
    assert_only(&history, "G-single");
}

#[test]
fn finds_g1c() {
    let history = together(vec![vec![append(0, 1, 0), read(1, &[2])], vec![append(1, 2, 0), read(0, &[1])]]);
    assert_only(&history, "G1c");
}

#[test]
fn finds_a_lost_update() {
    // Both read the empty key and both believe to be the next one.
    let history = together(vec![vec![read(0, &[]), append(0, 1, 0)], vec![read(0, &[]), append(0, 2, 1)]]);
    assert_only(&history, "G-single");
    let history = together(vec![vec![append(0, 1, 0)], vec![append(0, 2, 0)]]);
    assert_only(&history, "two appends in one place");
}

#[test]
fn finds_read_skew() {
    let history = together(vec![vec![append(0, 1, 0), append(1, 2, 0)], vec![read(0, &[1]), read(1, &[])]]);
    assert_only(&history, "G-single");
}

#[test]
fn finds_write_skew() {
    let history = together(vec![vec![read(0, &[]), append(1, 2, 0)], vec![read(1, &[]), append(0, 1, 0)]]);
    assert_only(&history, "G2");
}

#[test]
fn finds_a_stale_read() {
    let history = vec![at(0, 10, vec![append(0, 1, 0)]), at(20, 30, vec![read(0, &[])])];
    assert_only(&history, "G-single (read skew or lost update) with real time");
}

#[test]
fn finds_appends_against_real_time() {
    let history = vec![at(0, 10, vec![append(0, 1, 1)]), at(20, 30, vec![append(0, 2, 0)])];
    assert_only(&history, "G0 (write cycle) with real time");
}

#[test]
fn finds_a_long_fork_over_real_time() {
    // Two readers see two independent writes in opposite orders.
    let history = together(vec![
        vec![append(0, 1, 0)],
        vec![append(1, 2, 0)],
        vec![read(0, &[1]), read(1, &[])],
        vec![read(0, &[]), read(1, &[2])],
    ]);
    assert_only(&history, "G2");
}

#[test]
fn finds_a_broken_pipeline() {
    let mut history =
        together(vec![vec![append(0, 1, 0)], vec![append(1, 2, 0)], vec![read(1, &[2]), read(0, &[])]]);
    assert_eq!(names(&history), Vec::<String>::new());
    history[1].follows = Some(0);
    assert_only(&history, "G-single (read skew or lost update) with pipeline order");
}

#[test]
fn finds_a_transaction_that_does_not_see_itself() {
    let history = together(vec![vec![append(0, 1, 0), read(0, &[])]]);
    assert_only(&history, "internal");
}

#[test]
fn finds_another_order() {
    let history = together(vec![vec![append(0, 1, 0)], vec![append(0, 2, 1)], vec![read(0, &[2, 1])]]);
    assert_only(&history, "incompatible order");
}
