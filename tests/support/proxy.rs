//! A TCP proxy that delays, cuts into pieces, and breaks connections, by a seed.
//!
//! Called by tests that want a bad network between a client and a server (later: between primary and replica).
//! Each fault is a named figure in `Faults`. Invariant: bytes are never changed or reordered, only late, in pieces, or
//! missing from a point on. Bounds: two threads per connection, 16 KiB held per direction.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::prng::Prng;

/// What the network does to traffic.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// Upper bound of the random delay before each piece, in microseconds.
    pub delay_max_us: u64,
    /// Upper bound of a piece in bytes (0: as received).
    pub piece_max_bytes: u64,
    /// Chance in a million, per piece, that the connection is broken after it.
    pub cut_per_million: u64,
}

/// A listening proxy; stops accepting and cuts everything on drop.
pub struct Proxy {
    /// Where clients connect.
    pub port: u16,
    stopped: Arc<AtomicBool>,
    /// Connections broken on purpose so far.
    pub cuts: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts a proxy to `target_port` on the loopback.
    pub fn start(target_port: u16, faults: Faults, seed: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("proxy port");
        let port = listener.local_addr().expect("proxy address").port();
        let stopped = Arc::new(AtomicBool::new(false));
        let cuts = Arc::new(AtomicU64::new(0));
        let (stop_flag, cut_count) = (stopped.clone(), cuts.clone());
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                if stop_flag.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", target_port)))
                else {
                    continue;
                };
                let seed = seed ^ ((number as u64) << 8);
                for (from, to, side) in [(&client, &server, 0), (&server, &client, 1)] {
                    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                    let (stop_flag, cut_count) = (stop_flag.clone(), cut_count.clone());
                    thread::spawn(move || {
                        carry(from, to, faults, &mut Prng::new(seed + side), &stop_flag, &cut_count);
                    });
                }
            }
        });
        Proxy { port, stopped, cuts }
    }
}

fn carry(
    mut from: TcpStream,
    mut to: TcpStream,
    faults: Faults,
    prng: &mut Prng,
    stopped: &AtomicBool,
    cuts: &AtomicU64,
) {
    let _ = to.set_nodelay(true);
    let mut chunk = [0u8; 16384];
    while let Ok(count) = from.read(&mut chunk) {
        if count == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
        let mut at = 0;
        while at < count {
            let piece = match faults.piece_max_bytes {
                0 => count - at,
                most => (1 + prng.below(most) as usize).min(count - at),
            };
            if faults.delay_max_us > 0 {
                thread::sleep(Duration::from_micros(prng.below(faults.delay_max_us)));
            }
            let sent = to.write_all(&chunk[at..at + piece]).is_ok();
            at += piece;
            let cut = prng.below(1_000_000) < faults.cut_per_million;
            cuts.fetch_add(u64::from(cut), Ordering::Relaxed);
            if !sent || cut || stopped.load(Ordering::Relaxed) {
                let _ = to.shutdown(Shutdown::Both);
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}
