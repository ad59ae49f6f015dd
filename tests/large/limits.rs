//! Limits of clients: output and query buffers, memory of all clients, idle time.

use super::*;

/// Whether the server has closed the connection.
fn is_closed(client: &mut Client) -> bool {
    client.read_until_closed(Duration::from_secs(8)).unwrap().1
}

fn is_listed(control: &mut Client, client: &Client) -> bool {
    control.run("CLIENT LIST").text().contains(&format!("addr=127.0.0.1:{} ", client.local_port()))
}

fn set_output_limit(control: &mut Client, limit: &str) {
    let reply = control.command(&["CONFIG", "SET", "client-output-buffer-limit", limit]).unwrap();
    assert_eq!(reply.raw, b"+OK\r\n");
}

/// Publishes `bytes` in messages of 10 KB.
fn publish(control: &mut Client, bytes: usize) {
    let message = "m".repeat(10_000);
    for _ in 0..bytes / 10_000 {
        control.command(&["PUBLISH", "news", &message]).unwrap();
    }
}

#[test]
fn a_subscriber_that_does_not_read_is_closed() {
    for threads in [1, 2] {
        let server = Server::shoal(threads);
        let mut control = server.connect();
        set_output_limit(&mut control, "pubsub 2mb 0 0");
        let mut lazy = server.connect();
        lazy.run("SUBSCRIBE news");
        let mut fresh = server.connect();
        fresh.run("SUBSCRIBE other");
        publish(&mut control, 30 << 20);
        assert!(wait_until(Duration::from_secs(5), || !is_listed(&mut control, &lazy)));
        assert!(is_listed(&mut control, &fresh));
        assert_eq!(info(&mut control, "stats", "client_output_buffer_limit_disconnections"), 1);
        assert!(server.log().contains("scheduled to be closed ASAP for overcoming of output buffer limits."));
    }
}

#[test]
fn a_soft_limit_lasts_and_needs_no_new_message() {
    let server = Server::shoal(1);
    let mut control = server.connect();
    set_output_limit(&mut control, "pubsub 0 1mb 2");
    let mut lazy = server.connect();
    lazy.run("SUBSCRIBE news");
    publish(&mut control, 15 << 20);
    std::thread::sleep(Duration::from_millis(500));
    assert!(is_listed(&mut control, &lazy), "closed too soon");
    assert!(wait_until(Duration::from_secs(6), || !is_listed(&mut control, &lazy)), "nothing closes it");
}

#[test]
fn a_reply_over_the_hard_limit_closes() {
    let server = Server::shoal(1);
    let mut control = server.connect();
    control.command(&["SET", "k", &"v".repeat(3 << 20)]).unwrap();
    set_output_limit(&mut control, "normal 1mb 0 0");
    let mut client = server.connect();
    client.send(&["GET", "k"]).unwrap();
    assert!(is_closed(&mut client));
    assert_eq!(control.run("STRLEN k").int(), Some(3 << 20));
}

#[test]
fn input_over_the_query_limit_closes() {
    let server = Server::shoal(1);
    let mut control = server.connect();
    control.run("CONFIG SET client-query-buffer-limit 1mb");
    let mut client = server.connect();
    client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000000\r\n").unwrap();
    let _ = client.send_raw(&vec![b'x'; 4 << 20]);
    assert!(wait_until(Duration::from_secs(5), || !is_listed(&mut control, &client)));
    assert_eq!(control.run("EXISTS k").int(), Some(0));
    assert!(server.log().contains("Closing client that reached max query buffer length"));
}

#[test]
fn the_largest_client_is_evicted() {
    for threads in [1, 2] {
        let server = Server::shoal(threads);
        let mut control = server.connect();
        control.run("CLIENT NO-EVICT on");
        control.run("CONFIG SET maxmemory-clients 8mb");
        let mut clients: Vec<Client> = (0..6).map(|_| server.connect()).collect();
        for (at, client) in clients.iter_mut().enumerate() {
            client.run("PING");
            client.send_raw(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$50000000\r\n").unwrap();
            let len = if at == 3 { 3 << 20 } else { 100_000 };
            let _ = client.send_raw(&vec![b'x'; len]);
        }
        // The room of an argument counts, as in redis: 50 MB each is far too much, the largest go first.
        assert!(wait_until(Duration::from_secs(5), || clients
            .iter()
            .all(|client| !is_listed(&mut control, client))));
        assert!(info(&mut control, "stats", "evicted_clients") >= 6);
        let mut small = server.connect();
        assert_eq!(small.run("PING").text(), "PONG");
        let mut lazy = server.connect();
        lazy.run("SUBSCRIBE news");
        publish(&mut control, 30 << 20);
        assert!(wait_until(Duration::from_secs(5), || !is_listed(&mut control, &lazy)));
        assert!(is_listed(&mut control, &small));
        assert!(server.log().contains("Evicting client: "));
    }
}

#[test]
fn idle_clients_are_closed_and_subscribers_are_not() {
    let server = Plan::shoal(1).args(&["--timeout", "1"]).start();
    let mut idle = server.connect();
    let mut subscriber = server.connect();
    idle.run("PING");
    subscriber.run("SUBSCRIBE news");
    assert!(is_closed(&mut idle));
    let mut control = server.connect();
    assert!(is_listed(&mut control, &subscriber));
}
