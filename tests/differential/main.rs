//! The differential test: the same seeded traffic to the server under test and to a real redis-server.
//!
//! Replies are compared byte for byte, save what `exclusions.txt` lists with its reason; the keyspaces by DEBUG DIGEST.
//! At least 70 % of the commands must succeed, and every command that both servers know at least once, unless `exclusions.txt` says why not.
//! Volume: `SEEDS` (2) × `COMMANDS` (5000) × RESP2/RESP3 × `threads` 1 and 3; the full one is `SEEDS=20 COMMANDS=100000`.
//! `SEED=n` replays one seed; `PROTO=2|3` and `THREADS=n` narrow it further; `DIFF_MAX` (20) differences are collected before giving up.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod compare;
mod control;
mod exclusions;
mod families;
mod frames;
mod lines;
mod lockstep;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Mutex;

use exclusions::Exclusions;
use lockstep::{Lockstep, command_list};
use support::coverage::Coverage;
use support::prng::{env_number, seeds};
use support::server::{Plan, Server};

const SUCCESS_PERCENT_MIN: u64 = 70;
/// With so many commands every one must have succeeded once.
const COVERING: u64 = 30_000;

#[derive(Clone, Copy, Debug)]
struct Job {
    seed: u64,
    proto: u8,
    threads: u32,
}

fn jobs() -> Vec<Job> {
    let only = |name: &str, all: [u64; 2]| match env_number(name, 0) {
        0 => all.to_vec(),
        one => vec![one],
    };
    let mut jobs = Vec::new();
    for seed in seeds(1, env_number("SEEDS", 2)) {
        for proto in only("PROTO", [2, 3]) {
            for threads in only("THREADS", [1, 3]) {
                jobs.push(Job { seed, proto: proto as u8, threads: threads as u32 });
            }
        }
    }
    jobs.reverse();
    jobs
}

#[derive(Default)]
struct Findings {
    coverage: Coverage,
    differences: BTreeMap<String, String>,
}

#[test]
fn replies_equal_those_of_redis() {
    let exclusions = Exclusions::parse(include_str!("exclusions.txt"));
    let commands = env_number("COMMANDS", 5000);
    let diff_max = env_number("DIFF_MAX", 20) as usize;
    let queue = Mutex::new(jobs());
    let findings = Mutex::new(Findings::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(job) = { queue.lock().unwrap().pop() } {
                    let (coverage, differences) = run_job(job, &exclusions, commands, diff_max);
                    let mut all = findings.lock().unwrap();
                    all.coverage.merge(&coverage);
                    for (name, text) in differences {
                        all.differences.entry(name).or_insert(format!("{job:?} {text}"));
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap();
    println!("{}", findings.coverage.table());
    let (total, successes) = findings.coverage.totals();
    println!("{total} commands, {successes} successes ({} %)", successes * 100 / total.max(1));
    let never = never_succeeded(&findings.coverage, &exclusions);
    println!("never succeeded: {never:?}");
    for text in findings.differences.values() {
        println!("---- {text}");
    }
    let count = findings.differences.len();
    assert!(
        count == 0,
        "{count} differences (above); replay one with SEED= PROTO= THREADS= COMMANDS={commands}"
    );
    assert!(
        successes * 100 >= total * SUCCESS_PERCENT_MIN,
        "too few successes: the traffic tests too little"
    );
    assert!(total < COVERING || never.is_empty(), "commands that never succeeded: {never:?}");
}

fn proto_plan(plan: Plan) -> Server {
    // Redis looks for timeouts as often as its timer runs.
    plan.args(&["--proto-max-bulk-len", "1mb", "--slowlog-log-slower-than", "-1", "--hz", "200"]).start()
}

fn run_job(
    job: Job,
    exclusions: &Exclusions,
    commands: u64,
    diff_max: usize,
) -> (Coverage, BTreeMap<String, String>) {
    println!("{job:?}");
    let mut ours = proto_plan(Plan::shoal(job.threads));
    let mut theirs = proto_plan(Plan::redis());
    let mut run = Lockstep::new(&ours, &theirs, exclusions, job.seed, job.proto);
    run.run(commands, diff_max);
    let (coverage, differences, crashed) = (run.coverage, run.differences, run.crashed);
    ours.crash_reported = crashed;
    if !crashed {
        ours.assert_healthy();
    }
    theirs.assert_healthy();
    (coverage, differences)
}

/// Commands of both servers that never succeeded, but for those that need not. (What redis 7.0 does not have, golden/ covers.)
fn never_succeeded(coverage: &Coverage, exclusions: &Exclusions) -> Vec<String> {
    let (ours, theirs) = (command_list(&Server::shoal(1)), command_list(&Server::redis()));
    let succeeded = coverage.succeeded();
    // A container succeeds by its subcommands.
    let has =
        |name: &String| succeeded.iter().any(|other| other == name || other.starts_with(&format!("{name}|")));
    let known = ours.intersection(&theirs);
    let never =
        known.filter(|name| !has(name) && !exclusions.untried().contains_key(*name)).cloned().collect();
    println!("\nneed not succeed here:");
    for (name, reason) in exclusions.untried() {
        println!("  {name}: {reason}");
    }
    let newer: Vec<_> = ours.difference(&theirs).collect();
    let missing: Vec<_> = theirs.difference(&ours).collect();
    println!("known to shoal only: {newer:?}\nknown to redis only: {missing:?}");
    never
}
