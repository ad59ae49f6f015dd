//! `pubsub`: one publisher, 10,000 subscribers of one channel, messages of 1 KB: server CPU time per delivery.
//!
//! The harness reads all subscribers by one edge-triggered epoll and only counts bytes. `window` messages are published as one pipeline; the next ones follow when every
//! subscriber has everything, so both servers carry the same load and neither gains by letting messages pile up. "Requests" of the table are deliveries, latency is the time
//! from publishing a window to its last delivery. Bar (issue 3): 1.5 times as many deliveries per CPU second, which is 0.667 of the CPU time.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::bench::{Bench, Side};
use crate::client::{Client, encode};
use crate::cores;
use crate::report::{CPU_US, PER_SECOND, PREEMPTIONS, Report};
use crate::sample::{DriverRun, Latency, Sample, account_run};
use crate::server::{Server, Setup};

const SUBSCRIBERS: u64 = 10_000;
const MESSAGE: usize = 1024;
const BAR: f64 = 1.0 / 1.5;
/// Windows, and how many messages each case publishes.
const CASES: [(usize, u64); 3] = [(1, 100), (4, 120), (16, 320)];

/// Runs the scenario.
pub fn run(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let count = bench.scaled(SUBSCRIBERS, 100);
    cores::raise_descriptor_limit(count + 20_512)?;
    let setup = |side: Side| Setup {
        directives: vec![("maxclients".to_owned(), "20000".to_owned())],
        ..bench.setup(side)
    };
    // One after the other: both together would need twice the descriptors, and the second one's connections cost the first one cache.
    for _ in 0..bench.options.pairs {
        for side in [Side::Ours, Side::Peer] {
            let server = Server::start(&setup(side))?;
            let mut crowd = Crowd::subscribe(&server, count)?;
            crowd.drive(4, 8)?;
            for (window, messages) in CASES {
                let case = format!("{window} at once");
                let sample = account_run(&server, || crowd.drive(window, messages))?;
                record(report, side, &case, &sample);
            }
        }
    }
    for (window, _) in CASES {
        report.set_bar(&format!("{window} at once"), CPU_US, BAR);
    }
    report.note(format!("{count} subscribers, {MESSAGE} bytes; a request is one delivery"));
    Ok(())
}

fn record(report: &mut Report, side: Side, case: &str, sample: &Sample) {
    report.add(side, case, CPU_US, sample.cpu_us);
    report.add(side, case, PER_SECOND, sample.per_second());
    report.add(side, case, PREEMPTIONS, sample.preemptions);
}

/// All subscribers and the publisher.
struct Crowd {
    epoll: i32,
    streams: Vec<TcpStream>,
    publisher: Client,
    /// Bytes of one message as a subscriber receives it.
    delivery: u64,
    buffer: Vec<u8>,
}

impl Crowd {
    fn subscribe(server: &Server, count: u64) -> Outcome<Crowd> {
        // SAFETY: takes no pointer; the result is checked.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        let mut streams = Vec::new();
        for number in 0..count {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port))
                .map_err(|error| format!("connection {number} of {count} to {}: {error}", server.name))?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            stream.write_all(&encode(&[b"SUBSCRIBE", b"news"]))?;
            let mut reply = [0; 32];
            let expected = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
            let mut got = 0;
            while got < expected.len() {
                got += stream.read(&mut reply[got..])?.max(1);
            }
            stream.set_nonblocking(true)?;
            let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: number };
            // SAFETY: the event is valid for the call; both descriptors are open.
            if unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, stream.as_raw_fd(), &mut event) } != 0 {
                return Err(std::io::Error::last_os_error().into());
            }
            streams.push(stream);
        }
        let payload = vec![b'x'; MESSAGE];
        let delivery = encode(&[b"message", b"news", &payload]).len() as u64;
        Ok(Crowd { epoll, streams, publisher: server.client()?, delivery, buffer: vec![0; 256 * 1024] })
    }

    /// Publishes `messages` in windows; a request of the result is one delivery.
    fn drive(&mut self, window: usize, messages: u64) -> Outcome<DriverRun> {
        let payload = vec![b'x'; MESSAGE];
        let encoded = encode(&[b"PUBLISH", b"news", &payload]).repeat(window);
        let rounds = messages.div_ceil(window as u64);
        let mut took_us = Vec::new();
        let started = Instant::now();
        for _ in 0..rounds {
            let begun = Instant::now();
            self.publisher.pipeline(&encoded, window)?;
            self.receive(window as u64 * self.delivery * self.streams.len() as u64)?;
            took_us.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        let seconds = started.elapsed().as_secs_f64();
        took_us.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| took_us[((took_us.len() - 1) as f64 * share) as usize];
        let latency = Latency { p50_us: at(0.5), p99_us: at(0.99), p999_us: at(0.999), max_us: at(1.0) };
        Ok(DriverRun { requests: rounds * window as u64 * self.streams.len() as u64, seconds, latency })
    }

    /// Reads until `wanted` bytes have come, from whomever.
    fn receive(&mut self, wanted: u64) -> Outcome<()> {
        let mut left = wanted;
        let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; 512];
        while left > 0 {
            // SAFETY: the array is valid for writes of the length that is passed with it.
            let ready =
                unsafe { libc::epoll_wait(self.epoll, events.as_mut_ptr(), events.len() as i32, 30_000) };
            if ready <= 0 {
                return Err(format!("{left} of {wanted} bytes did not come").into());
            }
            for event in &events[..ready as usize] {
                let stream = &mut self.streams[event.u64 as usize];
                loop {
                    match stream.read(&mut self.buffer) {
                        Ok(0) => return Err("a subscriber was closed".into()),
                        Ok(count) => {
                            left = left.saturating_sub(count as u64);
                            if count < self.buffer.len() {
                                break;
                            }
                        }
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // SAFETY: our own descriptor, closed once.
        unsafe { libc::close(self.epoll) };
    }
}
