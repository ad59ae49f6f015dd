//! Money moved by scripts.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::client::{Client, encode};
use crate::support::prng::{Prng, env_number};
use crate::support::reply::Value;
use crate::support::server::Server;

const ACCOUNTS: usize = 300;
const OPENING: i64 = 1000;
const CLIENTS: u64 = 6;

const DECLARED: &str = "redis.call('decrby', KEYS[1], ARGV[1]) return redis.call('incrby', KEYS[2], ARGV[1])";
const UNDECLARED: &str =
    "redis.call('decrby', 'a:' .. ARGV[2], ARGV[1]) return redis.call('incrby', 'a:' .. ARGV[3], ARGV[1])";
/// Reads one account whose name it computes, then writes three.
const ROUND: &str = "local x = tonumber(redis.call('get', KEYS[1])) local n = math.abs(x) % 3 \
     redis.call('decrby', KEYS[1], n) for i = 1, n do redis.call('incr', 'a:' .. ARGV[i]) end return n";
const FAILING: &str = "redis.call('incrby', KEYS[1], 5) redis.call('incrby', KEYS[1], -5) return redis.call('lpush', KEYS[1], 1)";
const AUDIT: &str = "local sum = 0 for i = 0, tonumber(ARGV[1]) - 1 do sum = sum + redis.call('get', 'a:' .. i) end return sum";

fn transfer(client: &mut Client, prng: &mut Prng, shas: &[String]) {
    let (from, to) = (prng.index(ACCOUNTS), prng.index(ACCOUNTS));
    let amount = prng.range(1, 50).to_string();
    let (source, target) = (format!("a:{from}"), format!("a:{to}"));
    let (from, to) = (from.to_string(), to.to_string());
    let third = prng.index(ACCOUNTS).to_string();
    let reply = match prng.below(7) {
        0 => client.command(&["EVAL", DECLARED, "2", &source, &target, &amount]),
        1 => client.command(&["EVALSHA", &shas[0], "2", &source, &target, &amount]),
        2 => client.command(&["EVALSHA", &shas[1], "0", &amount, &from, &to]),
        3 => client.command(&["EVAL", ROUND, "1", &source, &from, &to, &third]),
        4 => client.command(&["FCALL", "move", "2", &source, &target, &amount]),
        5 => {
            let reply = client.command(&["EVAL", FAILING, "1", &source]).unwrap();
            assert!(matches!(reply.value, Value::Error(_)), "{reply:?}");
            return;
        }
        _ => {
            let wire = [
                encode(&["MULTI"]),
                encode(&["DECRBY", &source, &amount]),
                encode(&["EVALSHA", &shas[1], "0", "1", &from, &to]),
                encode(&["INCRBY", &target, &amount]),
                encode(&["EXEC"]),
            ];
            client.send_raw(&wire.concat()).unwrap();
            (0..4).for_each(|_| drop(client.read().unwrap()));
            client.read()
        }
    };
    let reply = reply.unwrap();
    assert!(!matches!(reply.value, Value::Error(_)), "{reply:?}");
}

fn run_bank(threads: u32) {
    let (seconds, seed) = (env_number("SCRIPT_SECONDS", 5), env_number("SEED", 1));
    let mut server = Server::shoal(threads);
    let mut client = server.connect();
    let mut mset = vec!["MSET".to_owned()];
    (0..ACCOUNTS).for_each(|index| mset.extend([format!("a:{index}"), OPENING.to_string()]));
    assert_eq!(client.command(&mset).unwrap().raw, b"+OK\r\n");
    let library =
        format!("#!lua name=bank\nredis.register_function('move', function(KEYS, ARGV) {DECLARED} end)");
    client.command(&["FUNCTION", "LOAD", &library]).unwrap();
    let shas: Vec<String> = [DECLARED, UNDECLARED]
        .iter()
        .map(|text| {
            let sha = client.command(&["SCRIPT", "LOAD", text]).unwrap().value;
            String::from_utf8(sha.bytes().unwrap().to_vec()).unwrap()
        })
        .collect();
    let (stop, transfers, audits) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let shared = (&server, &stop, &transfers, &audits, &shas);
    let failed = std::thread::scope(|scope| {
        let mut handles = Vec::new();
        for number in 0..CLIENTS {
            handles.push(scope.spawn(move || {
                let (server, stop, transfers, _, shas) = shared;
                let mut prng = Prng::new(seed * 1000 + number);
                let mut client = server.connect();
                while !stop.load(Ordering::Relaxed) {
                    transfer(&mut client, &mut prng, shas);
                    transfers.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        handles.push(scope.spawn(move || {
            let (server, stop, _, audits, _) = shared;
            let mut client = server.connect();
            while !stop.load(Ordering::Relaxed) {
                let sum = client.command(&["EVAL", AUDIT, "0", &ACCOUNTS.to_string()]).unwrap();
                assert_eq!(sum.value.int(), Some(ACCOUNTS as i64 * OPENING), "money was made or lost");
                audits.fetch_add(1, Ordering::Relaxed);
            }
        }));
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(seconds)
            && !handles.iter().any(|handle| handle.is_finished())
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
        handles.into_iter().filter_map(|handle| handle.join().err()).count()
    });
    server.assert_healthy();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "threads {threads}, seed {seed}, {seconds} s: {} transfers, {} audits",
        count(&transfers),
        count(&audits)
    );
    assert_eq!(failed, 0, "clients failed (above), seed {seed}");
    assert!(count(&transfers) > 100 && count(&audits) > 5, "too little happened");
}

#[test]
fn scripts_conserve_money_on_three_cores() {
    run_bank(3);
}

#[test]
fn scripts_conserve_money_on_one_core() {
    run_bank(1);
}
