//! Situations of scenarios.txt, played on both servers.
//!
//! ```text
//! == title          a new situation: empty databases, ten fresh clients 0..9
//! 1> BLPOP k 0      client 1 sends and does not wait
//! ~ 1               wait until that many clients are blocked
//! 0! RPUSH k a      client 0 sends and reads its reply
//! 0? HELLO 3        the same, but the reply is not compared
//! 1<                client 1 reads a reply
//! 1-                client 1 has none
//! 1x                client 1 is disconnected
//! @1 ID             remember client 1's id as {ID}
//! ```
//! Replies are compared to the byte, and so is what was propagated. Bounds: none.

use std::collections::HashMap;

use crate::stream::Effect;
use crate::support::server::Server;
use crate::world::World;

/// A situation's lines with their numbers.
struct Situation {
    title: String,
    lines: Vec<(usize, String)>,
}

fn situations() -> Vec<Situation> {
    let mut all: Vec<Situation> = Vec::new();
    for (number, line) in include_str!("scenarios.txt").lines().enumerate() {
        if let Some(title) = line.strip_prefix("== ") {
            all.push(Situation { title: title.to_owned(), lines: Vec::new() });
        } else if !line.is_empty() && !line.starts_with('#') {
            all.last_mut().unwrap().lines.push((number + 1, line.to_owned()));
        }
    }
    all
}

/// What a server said, by line, and what it propagated.
fn play(world: &mut World, situation: &Situation) -> (Vec<String>, Vec<Effect>) {
    (0..10).for_each(|at| world.reconnect(at));
    world.settle(0);
    world.call_control("FLUSHALL");
    world.effects();
    let mut said = Vec::new();
    let mut names: HashMap<String, String> = HashMap::new();
    for (number, written) in &situation.lines {
        let mut line = written.clone();
        for (name, id) in &names {
            line = line.replace(name, id);
        }
        if let Some(rest) = line.strip_prefix('~') {
            world.settle(rest.trim().parse().unwrap());
            continue;
        }
        if let Some(rest) = line.strip_prefix('@') {
            let (at, name) = rest.split_once(' ').unwrap();
            let id = world.id(at.parse().unwrap()).to_string();
            names.insert(format!("{{{name}}}"), id);
            continue;
        }
        let at: usize = line[..1].parse().unwrap_or_else(|_| panic!("line {number}: {line}"));
        let rest = line[2..].trim();
        let heard = match &line[1..2] {
            ">" => {
                world.send(at, rest);
                continue;
            }
            "x" => {
                world.reconnect(at);
                continue;
            }
            "!" => world.call(at, rest),
            "?" => {
                world.call(at, rest);
                continue;
            }
            "<" => world.read(at),
            "-" => format!("silent: {}", world.is_silent(at)),
            _ => panic!("line {number}: {line}"),
        };
        said.push(format!("line {number}: {written} => {heard}"));
    }
    let effects = world.effects();
    (said, effects)
}

fn compare(threads: u32) {
    let mut redis = World::new(Server::redis(), 10);
    let mut shoal = World::new(Server::shoal(threads), 10);
    let mut differences = 0;
    for situation in situations() {
        let wanted = play(&mut redis, &situation);
        let found = play(&mut shoal, &situation);
        for (wanted, found) in wanted.0.iter().zip(&found.0).filter(|(wanted, found)| wanted != found) {
            differences += 1;
            println!("{} (threads {threads})\n  redis {wanted}\n  shoal {found}", situation.title);
        }
        if wanted.1 != found.1 {
            differences += 1;
            println!(
                "{} (threads {threads}): effects\n  redis {:?}\n  shoal {:?}",
                situation.title, wanted.1, found.1
            );
        }
    }
    assert_eq!(differences, 0);
    shoal.server.assert_healthy();
}

#[test]
fn situations_one_core() {
    compare(1);
}

#[test]
fn situations_three_cores() {
    compare(3);
}
