//! The order of messages over cores: publishers everywhere, one channel, and every subscriber, by channel or by shard channel, must report the same sequence.
//!
//! What applications do with pub/sub is in tests/clients/pubsub.py. `PUBSUB_MESSAGES` (2000 per publisher).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

use support::prng::env_number;
use support::reply::Value;
use support::server::Server;

#[test]
fn all_subscribers_see_one_order() {
    let messages = env_number("PUBSUB_MESSAGES", 2000);
    let mut server = Server::shoal(3);
    for (join, publish) in [("SUBSCRIBE", "PUBLISH"), ("SSUBSCRIBE", "SPUBLISH")] {
        let mut subscribers: Vec<_> = (0..6).map(|_| server.connect()).collect();
        subscribers.iter_mut().for_each(|client| drop(client.run(&format!("{join} one"))));
        let publishers = 3;
        std::thread::scope(|scope| {
            for publisher in 0..publishers {
                let server = &server;
                scope.spawn(move || {
                    let mut client = server.connect();
                    for number in 0..messages {
                        let reached = client.run(&format!("{publish} one {publisher}-{number}"));
                        assert!(matches!(reached, Value::Int(6)), "{reached:?}");
                    }
                });
            }
        });
        let mut sequences = subscribers.iter_mut().map(|client| {
            let next = |_| client.read().unwrap().value.items().unwrap()[2].text();
            (0..messages * publishers).map(next).collect::<Vec<String>>()
        });
        let first = sequences.next().unwrap();
        for (number, sequence) in sequences.enumerate() {
            let at = first.iter().zip(&sequence).position(|(one, other)| one != other);
            assert!(at.is_none(), "subscriber {} differs at message {at:?}", number + 1);
        }
    }
    server.assert_healthy();
}
