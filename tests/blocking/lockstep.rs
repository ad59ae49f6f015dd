//! Seeded random traffic with many blocked clients, one action at a time: after each both servers come to rest and must have said and propagated the same.
//!
//! `BLOCKING_SEEDS` (3) seeds of `BLOCKING_STEPS` (250) actions, `threads` 1 and 3, each against redis-server. Invariant: an action starts only when everybody
//! who has no reply is blocked, so the order of arrival is the same on both sides. Why nothing with a timeout: rest would depend on the clock.

use crate::support::prng::{Prng, env_number, seeds};
use crate::support::server::Server;
use crate::world::World;

const CLIENTS: usize = 10;
const KEYS: [&str; 6] = ["a", "b", "c", "d", "{x}1", "{x}2"];

/// What is done next.
enum Action {
    /// One client sends one command.
    Command(usize, String),
    /// One client sends several commands at once; the last one blocks nobody else.
    Pipeline(usize, Vec<String>),
    /// A client's connection is ended.
    Reconnect(usize),
    /// CLIENT UNBLOCK of a client.
    Unblock(usize, &'static str),
}

fn key(prng: &mut Prng) -> &'static str {
    KEYS[prng.index(KEYS.len())]
}

fn end(prng: &mut Prng) -> &'static str {
    prng.pick(&["LEFT", "RIGHT"])
}

fn keys(prng: &mut Prng) -> Vec<&'static str> {
    (0..1 + prng.index(3)).map(|_| key(prng)).collect()
}

/// A command that may block.
fn blocking(prng: &mut Prng) -> String {
    match prng.below(10) {
        6 => format!("{} {} 0", prng.pick(&["BZPOPMIN", "BZPOPMAX"]), keys(prng).join(" ")),
        7 => {
            let keys = keys(prng);
            let count = 1 + prng.below(3);
            format!("BZMPOP 0 {} {} {} COUNT {count}", keys.len(), keys.join(" "), prng.pick(&["MIN", "MAX"]))
        }
        8 => format!("XREAD COUNT 2 BLOCK 0 STREAMS {} {} $ $", key(prng), key(prng)),
        0 => format!("BLPOP {} 0", keys(prng).join(" ")),
        1 => format!("BRPOP {} 0", keys(prng).join(" ")),
        2 => {
            let keys = keys(prng);
            let count = 1 + prng.below(3);
            format!("BLMPOP 0 {} {} {} COUNT {count}", keys.len(), keys.join(" "), end(prng))
        }
        3 => format!("BRPOPLPUSH {} {} 0", key(prng), key(prng)),
        _ => format!("BLMOVE {} {} {} {} 0", key(prng), key(prng), end(prng), end(prng)),
    }
}

/// A command that blocks nobody and may serve somebody.
fn serving(prng: &mut Prng, fresh: &mut u64) -> String {
    let mut elements = |prng: &mut Prng| {
        let count = 1 + prng.below(3);
        let words: Vec<String> = (0..count)
            .map(|_| {
                *fresh += 1;
                format!("e{fresh}")
            })
            .collect();
        words.join(" ")
    };
    match prng.below(30) {
        24..27 => format!(
            "ZADD {} {} {}",
            key(prng),
            prng.below(9),
            elements(prng).replace(' ', &format!(" {} ", prng.below(5)))
        ),
        27..29 => format!("XADD {} 1-* f {}", key(prng), prng.below(9)),
        29 => format!("SWAPDB 0 {}", prng.below(2)),
        20 => format!(
            "EVAL return(redis.call('rpush',KEYS[1],unpack(ARGV))) 1 {} {}",
            key(prng),
            elements(prng)
        ),
        21 => format!("EVAL return(redis.call('lpush',unpack(ARGV))) 0 {} {}", key(prng), elements(prng)),
        22 => {
            let (one, two) = (key(prng), key(prng));
            let body = "redis.pcall('rpush',KEYS[1],ARGV[1])return(redis.pcall('rpush',KEYS[2],ARGV[1]))";
            format!("EVAL {body} 2 {one} {two} {}", elements(prng))
        }
        23 => {
            let (declared, other) = (key(prng), key(prng));
            let body = "redis.call('set','flag',KEYS[1])return(redis.pcall('rpush',ARGV[1],ARGV[2]))";
            format!("EVAL {body} 1 {declared} {other} {}", elements(prng))
        }
        0..=5 => format!("RPUSH {} {}", key(prng), elements(prng)),
        6..=8 => format!("LPUSH {} {}", key(prng), elements(prng)),
        9 => format!("LMOVE {} {} {} {}", key(prng), key(prng), end(prng), end(prng)),
        10 => format!("RENAME {} {}", key(prng), key(prng)),
        11 => format!("COPY {} {} REPLACE", key(prng), key(prng)),
        12 => format!("SET {} v", key(prng)),
        13 | 14 => format!("DEL {} {}", key(prng), key(prng)),
        15 => format!("LPOP {} 2", key(prng)),
        16 => format!("LRANGE {} 0 -1", key(prng)),
        17 => format!("HSET {} f v", key(prng)),
        18 => format!("PEXPIRE {} -1", key(prng)),
        _ => format!("LINSERT {} BEFORE e1 {}", key(prng), elements(prng).split(' ').next().unwrap_or("e")),
    }
}

fn choose(prng: &mut Prng, world: &World, fresh: &mut u64) -> Action {
    let idle: Vec<usize> = (1..CLIENTS).filter(|&at| !world.waits(at)).collect();
    let waiting: Vec<usize> = (1..CLIENTS).filter(|&at| world.waits(at)).collect();
    match prng.below(100) {
        0..45 if !idle.is_empty() => Action::Command(prng.pick(&idle), blocking(prng)),
        45..50 if !waiting.is_empty() => Action::Reconnect(prng.pick(&waiting)),
        50..55 if !waiting.is_empty() => {
            Action::Unblock(prng.pick(&waiting), prng.pick(&["TIMEOUT", "ERROR"]))
        }
        55..75 => {
            let mut lines = vec!["MULTI".to_owned()];
            lines.extend((0..1 + prng.index(4)).map(|_| serving(prng, fresh)));
            if prng.chance(20) {
                lines.push(blocking(prng));
            }
            lines.push("EXEC".to_owned());
            Action::Pipeline(0, lines)
        }
        75..80 => Action::Pipeline(0, (0..3).map(|_| serving(prng, fresh)).collect()),
        _ => Action::Command(0, serving(prng, fresh)),
    }
}

/// Does it and comes to rest; what was heard.
fn act(world: &mut World, ids: &mut [i64], action: &Action) -> Vec<String> {
    let mut heard = Vec::new();
    match action {
        Action::Command(at, line) => world.send(*at, line),
        Action::Pipeline(at, lines) => {
            world.send_all(*at, lines);
            heard.extend(lines.iter().map(|_| world.read(*at)));
        }
        Action::Reconnect(at) => {
            world.reconnect(*at);
            ids[*at] = world.id(*at);
        }
        Action::Unblock(at, how) => {
            heard.push(world.call(0, &format!("CLIENT UNBLOCK {} {how}", ids[*at])));
        }
    }
    heard.extend(world.rest().into_iter().map(|(at, reply)| format!("{at}: {reply}")));
    heard.extend(world.effects().into_iter().map(|effect| format!("effect {effect:?}")));
    heard
}

fn describe(action: &Action) -> String {
    match action {
        Action::Command(at, line) => format!("{at}> {line}"),
        Action::Pipeline(at, lines) => format!("{at}> {}", lines.join(" ; ")),
        Action::Reconnect(at) => format!("{at} is disconnected"),
        Action::Unblock(at, how) => format!("{at} is unblocked with {how}"),
    }
}

fn compare(threads: u32) {
    let (mut redis, mut shoal) =
        (World::new(Server::redis(), CLIENTS), World::new(Server::shoal(threads), CLIENTS));
    for seed in seeds(1, env_number("BLOCKING_SEEDS", 3)) {
        let mut prng = Prng::new(seed);
        let (mut fresh, mut story) = (0, Vec::new());
        let mut ids = [vec![0; CLIENTS], vec![0; CLIENTS]];
        for (world, ids) in [&mut redis, &mut shoal].into_iter().zip(&mut ids) {
            (0..CLIENTS).for_each(|at| world.reconnect(at));
            world.settle(0);
            world.call_control("FLUSHALL");
            (0..CLIENTS).for_each(|at| ids[at] = world.id(at));
            world.effects();
        }
        for step in 0..env_number("BLOCKING_STEPS", 250) {
            let action = choose(&mut prng, &redis, &mut fresh);
            story.push(describe(&action));
            let wanted = act(&mut redis, &mut ids[0], &action);
            let found = act(&mut shoal, &mut ids[1], &action);
            assert_eq!(
                wanted,
                found,
                "seed {seed}, threads {threads}, step {step} (left: redis)\n{}",
                story[story.len().saturating_sub(40)..].join("\n")
            );
        }
        println!("seed {seed}: {} effects of {fresh} elements, equal", story.len());
    }
    shoal.server.assert_healthy();
}

#[test]
fn random_traffic_one_core() {
    compare(1);
}

#[test]
fn random_traffic_three_cores() {
    compare(3);
}
