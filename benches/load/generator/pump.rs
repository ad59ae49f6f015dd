//! The generator's loop: due batches out, completions in, latencies recorded.
//!
//! Called by generator/mod in a pinned thread. Invariant: batches start in the order they are due, on the connection
//! that has been idle longest; one that finds no idle connection waits, and its waiting counts as latency.
//! Bounds: 2 operations per connection are in flight at most; the completion queue holds them all.
//! Why spinning before a due time: the load has its own core, and a timer's wake-up (50 µs and more) would be measured
//! as the server's latency.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use io_uring::{EnterFlags, IoUring, squeue, types};

use super::connection::{Connection, Operation};
use super::traffic::Renderer;
use super::{Moment, Pace, Plan, Trace};
use crate::Outcome;
use crate::sample::{DriverRun, Latency};

/// Below this much time to the next due batch the loop spins.
const SPIN_NS: u64 = 200_000;
/// Without a completion for so long, the server hangs.
const HANG: Duration = Duration::from_secs(30);

/// A generator at work.
pub struct Pump {
    ring: IoUring,
    /// Never freed while the ring may still write into their buffers: see `run`.
    connections: ManuallyDrop<Vec<Connection>>,
    idle: VecDeque<usize>,
    renderer: Renderer,
    schedule: Schedule,
    latencies: Histogram<u64>,
    /// Every request by itself, if asked for.
    trace: Option<Vec<Moment>>,
    start: Instant,
    in_flight: usize,
}

/// Which batches are due when.
struct Schedule {
    started: u64,
    batches: u64,
    batch: u64,
    /// Requests of the last batch, which may be shorter.
    last_batch: u64,
    /// 0 in a closed loop.
    interval_ns: f64,
}

impl Schedule {
    fn new(plan: &Plan) -> Schedule {
        let batch = plan.pipeline.max(1) as u64;
        let (requests, interval_ns) = match plan.pace {
            Pace::Closed { requests } => (requests, 0.0),
            Pace::Open { rate, seconds } => ((rate * seconds).ceil() as u64, 1e9 * batch as f64 / rate),
        };
        let batches = requests.div_ceil(batch);
        Schedule {
            started: 0,
            batches,
            batch,
            last_batch: requests - batches.saturating_sub(1) * batch,
            interval_ns,
        }
    }

    fn is_open(&self) -> bool {
        self.interval_ns > 0.0
    }

    /// When the next batch is due; None when there is none.
    fn next_due_ns(&self, now_ns: u64) -> Option<u64> {
        if self.started >= self.batches {
            None
        } else if self.is_open() {
            Some((self.started as f64 * self.interval_ns) as u64)
        } else {
            Some(now_ns)
        }
    }

    /// Counts the next batch as started; gives its number of requests.
    fn start_next(&mut self) -> u64 {
        self.started += 1;
        if self.started == self.batches { self.last_batch } else { self.batch }
    }
}

impl Pump {
    /// Connects everything; nothing is sent yet.
    pub fn connect(plan: &Plan) -> Outcome<Pump> {
        let entries = (plan.connections * 2).next_power_of_two().clamp(64, 16384) as u32;
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(entries * 2)
            .build(entries)
            .map_err(|error| format!("io_uring for the load generator (needs Linux 6.1): {error}"))?;
        let connections: Outcome<Vec<_>> =
            (0..plan.connections).map(|index| Connection::connect(plan.port, index)).collect();
        Ok(Pump {
            ring,
            idle: (0..plan.connections).collect(),
            connections: ManuallyDrop::new(connections?),
            renderer: Renderer::new(plan.traffic, plan.keys, plan.value_size, plan.seed),
            schedule: Schedule::new(plan),
            latencies: Histogram::new_with_bounds(1, 600_000_000_000, 3)?,
            trace: None,
            start: Instant::now(),
            in_flight: 0,
        })
    }

    /// Runs the plan; with `stop` set no further batch is started.
    pub fn run(mut self, stop: &AtomicBool) -> Outcome<DriverRun> {
        self.finish(stop)
    }

    /// As `run`, and tells of every request when it was due and how long it took. Bounds: 8 bytes per request.
    pub fn run_traced(mut self, stop: &AtomicBool) -> Outcome<Trace> {
        self.trace = Some(Vec::new());
        let run = self.finish(stop)?;
        Ok(Trace { run, start: self.start, moments: self.trace.take().unwrap_or_default() })
    }

    fn finish(&mut self, stop: &AtomicBool) -> Outcome<DriverRun> {
        let done = self.turns(stop);
        let seconds = self.start.elapsed().as_secs_f64();
        if self.in_flight == 0 {
            // SAFETY: nothing is with the kernel, and the field is not used after this.
            unsafe { ManuallyDrop::drop(&mut self.connections) };
        }
        // Else an error left operations in flight: their buffers leak, for the ring ends asynchronously.
        done?;
        let at_us = |quantile: f64| self.latencies.value_at_quantile(quantile) as f64 / 1e3;
        let max_us = self.latencies.max() as f64 / 1e3;
        let latency = Latency { p50_us: at_us(0.5), p99_us: at_us(0.99), p999_us: at_us(0.999), max_us };
        Ok(DriverRun { requests: self.latencies.len(), seconds, latency })
    }

    fn turns(&mut self, stop: &AtomicBool) -> Outcome<()> {
        let limit_s = 10.0 + 5.0 * self.schedule.batches as f64 * self.schedule.interval_ns / 1e9;
        self.start = Instant::now();
        let mut last_completion = self.start;
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            if !stopping {
                self.start_due()?;
            }
            let next_due = if stopping { None } else { self.schedule.next_due_ns(self.now_ns()) };
            if self.in_flight == 0 && next_due.is_none() {
                return Ok(());
            }
            self.wait(next_due)?;
            if self.reap()? > 0 {
                last_completion = Instant::now();
            } else if self.in_flight > 0 && last_completion.elapsed() > HANG {
                return Err(format!("no reply for {} s", HANG.as_secs()).into());
            }
            if self.in_flight == 0 {
                last_completion = Instant::now();
            }
            if self.schedule.is_open() && self.start.elapsed().as_secs_f64() > limit_s {
                return Err("the server is too slow for this rate: five times the schedule has passed".into());
            }
        }
    }

    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Starts batches that are due, as far as connections are idle.
    fn start_due(&mut self) -> Outcome<()> {
        while let Some(&index) = self.idle.front() {
            let now_ns = self.now_ns();
            let Some(due_ns) = self.schedule.next_due_ns(now_ns).filter(|&due_ns| due_ns <= now_ns) else {
                break;
            };
            self.idle.pop_front();
            let requests = self.schedule.start_next();
            let connection = &mut self.connections[index];
            connection.outgoing.clear();
            for _ in 0..requests {
                self.renderer.render(&mut connection.outgoing);
            }
            let send = connection.begin(requests, due_ns);
            self.push(send)?;
            let receive = self.connections[index].receive_entry();
            self.push(receive)?;
        }
        Ok(())
    }

    fn push(&mut self, entry: squeue::Entry) -> Outcome<()> {
        loop {
            // SAFETY: the buffers an entry names belong to `connections`, which live until nothing is in flight and
            // are not touched while their operation is.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                self.in_flight += 1;
                return Ok(());
            }
            self.ring.submit()?;
        }
    }

    /// Submits, and waits for a completion as long as nothing is due.
    fn wait(&mut self, next_due: Option<u64>) -> Outcome<()> {
        let now_ns = self.now_ns();
        // A batch that is due but found no connection idle can only be started by a completion.
        let blocked = self.idle.is_empty();
        let pause_ns = match next_due {
            Some(due_ns) if !blocked && due_ns < now_ns + SPIN_NS => 0,
            Some(due_ns) if !blocked => due_ns - now_ns - SPIN_NS / 2,
            _ => 100_000_000,
        };
        let waited = if pause_ns == 0 {
            let pending = self.ring.submission().len() as u32;
            // SAFETY: no argument is passed, and the queued entries' buffers are live (see `push`).
            unsafe { self.ring.submitter().enter::<()>(pending, 0, EnterFlags::GETEVENTS.bits(), None) }
        } else {
            let timeout =
                types::Timespec::new().sec(pause_ns / 1_000_000_000).nsec((pause_ns % 1_000_000_000) as u32);
            self.ring.submitter().submit_with_args(1, &types::SubmitArgs::new().timespec(&timeout))
        };
        match waited.map_err(|error| error.raw_os_error()) {
            Ok(_) | Err(Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)) => Ok(()),
            Err(code) => {
                Err(format!("io_uring_enter: {}", std::io::Error::from_raw_os_error(code.unwrap_or(0)))
                    .into())
            }
        }
    }

    /// Takes every completion there is; gives their number.
    fn reap(&mut self) -> Outcome<usize> {
        let mut taken = 0;
        loop {
            let Some(completion) = self.ring.completion().next() else { return Ok(taken) };
            taken += 1;
            self.in_flight -= 1;
            let (index, operation) = Connection::decode(completion.user_data());
            let next = match operation {
                Operation::Send => self.connections[index].end_send(completion.result())?,
                Operation::Receive => self.end_receive(index, completion.result())?,
            };
            if let Some(entry) = next {
                self.push(entry)?;
            }
            if self.connections[index].is_idle() {
                self.idle.push_back(index);
            }
        }
    }

    /// Records the latencies of the replies received; gives the next receive if more are to come.
    fn end_receive(&mut self, index: usize, result: i32) -> Outcome<Option<squeue::Entry>> {
        let now_ns = self.now_ns();
        let connection = &mut self.connections[index];
        let finished = connection.end_receive(result)?;
        let latency_ns = now_ns.saturating_sub(connection.due_ns).max(1);
        let more = connection.outstanding > 0;
        if let Some(trace) = &mut self.trace {
            let to_u32 = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            let moment =
                Moment { due_ms: to_u32(connection.due_ns / 1_000_000), took_us: to_u32(latency_ns / 1000) };
            trace.extend(std::iter::repeat_n(moment, finished as usize));
        }
        self.latencies.saturating_record_n(latency_ns, finished);
        Ok(if more { Some(self.connections[index].receive_entry()) } else { None })
    }
}
