//! One connection of the generator: its buffers and the batch in flight.
//!
//! Called by pump. Invariant: while an operation is with the kernel, the buffer it names is neither moved, resized nor
//! freed; `busy_sending` and `receiving` say which is. Bounds: one batch in flight, 32 KiB received at a time.

use std::net::TcpStream;
use std::os::fd::AsRawFd;

use io_uring::{opcode, squeue, types};

use super::reply_scan::ReplyScan;
use crate::Outcome;

const RECEIVE_SIZE: usize = 32 * 1024;

/// Which operation of a connection a completion belongs to; the low bit of user_data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The batch going out.
    Send,
    /// Replies coming in.
    Receive,
}

/// State of one connection.
pub struct Connection {
    stream: TcpStream,
    index: u64,
    /// The batch: rendered while nothing is in flight.
    pub outgoing: Vec<u8>,
    sent: usize,
    incoming: Box<[u8]>,
    scan: ReplyScan,
    /// When the batch was due, in ns of the pump's clock.
    pub due_ns: u64,
    /// Replies still to come.
    pub outstanding: u64,
    busy_sending: bool,
    receiving: bool,
}

impl Connection {
    /// Connects to 127.0.0.1.
    pub fn connect(port: u16, index: usize) -> Outcome<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            index: index as u64,
            outgoing: Vec::new(),
            sent: 0,
            incoming: vec![0; RECEIVE_SIZE].into_boxed_slice(),
            scan: ReplyScan::default(),
            due_ns: 0,
            outstanding: 0,
            busy_sending: false,
            receiving: false,
        })
    }

    /// Whether a new batch may be rendered.
    pub fn is_idle(&self) -> bool {
        self.outstanding == 0 && !self.busy_sending && !self.receiving
    }

    /// The send of a freshly rendered batch.
    pub fn begin(&mut self, replies: u64, due_ns: u64) -> squeue::Entry {
        self.sent = 0;
        self.outstanding = replies;
        self.due_ns = due_ns;
        self.send_entry()
    }

    fn send_entry(&mut self) -> squeue::Entry {
        self.busy_sending = true;
        let rest = &self.outgoing[self.sent..];
        opcode::Send::new(types::Fd(self.stream.as_raw_fd()), rest.as_ptr(), rest.len() as u32)
            .flags(libc::MSG_NOSIGNAL)
            .build()
            .user_data(self.index << 1)
    }

    /// The next receive.
    pub fn receive_entry(&mut self) -> squeue::Entry {
        self.receiving = true;
        let fd = types::Fd(self.stream.as_raw_fd());
        opcode::Recv::new(fd, self.incoming.as_mut_ptr(), self.incoming.len() as u32)
            .build()
            .user_data(self.index << 1 | 1)
    }

    /// Which connection and operation a completion's user_data means.
    pub fn decode(user_data: u64) -> (usize, Operation) {
        let operation = if user_data & 1 == 0 { Operation::Send } else { Operation::Receive };
        ((user_data >> 1) as usize, operation)
    }

    /// A send ended; gives the send of the rest if it was cut short.
    pub fn end_send(&mut self, result: i32) -> Outcome<Option<squeue::Entry>> {
        self.busy_sending = false;
        if result < 0 {
            return Err(format!("send: {}", std::io::Error::from_raw_os_error(-result)).into());
        }
        self.sent += result as usize;
        Ok(if self.sent < self.outgoing.len() { Some(self.send_entry()) } else { None })
    }

    /// A receive ended; gives how many replies it completed.
    pub fn end_receive(&mut self, result: i32) -> Outcome<u64> {
        self.receiving = false;
        if result < 0 {
            return Err(format!("recv: {}", std::io::Error::from_raw_os_error(-result)).into());
        }
        if result == 0 {
            return Err("the server closed a connection under load".into());
        }
        let finished = self.scan.feed(&self.incoming[..result as usize]);
        if let Some(error) = self.scan.first_error() {
            return Err(format!("the server answered {error}").into());
        }
        if finished > self.outstanding {
            return Err(format!("{} replies more than requests", finished - self.outstanding).into());
        }
        self.outstanding -= finished;
        Ok(finished)
    }
}
