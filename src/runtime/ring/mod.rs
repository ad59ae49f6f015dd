//! Our io_uring ring of one core: sockets, and the doorbell other cores ring.
//!
//! `session::core` queues operations and reaps completions; this file knows no connection. The ring is
//! created on the thread that uses it (SINGLE_ISSUER) and runs its deferred work only inside our own waits
//! (DEFER_TASKRUN), so that a completion never interrupts a command. An operation owns nothing here: the caller
//! keeps the buffer and the descriptor alive until the completion with the same `Token` came back.
//!
//! Invariant: nothing is parked with unsubmitted entries: `wait` submits and waits in one syscall.
//! Bounds: `limits::RING_SQ`, `limits::RING_CQ`, the provided buffers of [`buffers`].
//! Why not glommio's own ring: three rings per executor, poll before each recv, no multishot (RUNTIME.md).

pub mod buffers;
pub mod files;
mod vector;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue, types};

use crate::limits::{RING_CQ, RING_SQ};
use buffers::{BUFFER_GROUP, BufferRing};

/// What an operation was: it travels in the high byte of `user_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Op {
    /// Multishot accept on a listening socket.
    Accept = 1,
    /// Multishot receive into provided buffers.
    Recv = 2,
    /// A send of one contiguous buffer.
    Send = 3,
    /// Another core's wake-up.
    Doorbell = 4,
    /// An asynchronous cancel; its own completion carries no news.
    Cancel = 5,
    /// A receive into a caller's buffer (large values).
    RecvInto = 6,
    /// A poll on a plain descriptor (signals).
    Poll = 7,
    /// A file operation.
    File = 8,
    /// A sync linked behind a write to a file.
    FileSync = 9,
}

impl Op {
    fn from_u8(byte: u8) -> Option<Op> {
        Some(match byte {
            1 => Op::Accept,
            2 => Op::Recv,
            3 => Op::Send,
            4 => Op::Doorbell,
            5 => Op::Cancel,
            6 => Op::RecvInto,
            7 => Op::Poll,
            8 => Op::File,
            9 => Op::FileSync,
            _ => return None,
        })
    }
}

/// Names an operation to its owner: `[op:8][generation:24][index:32]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What was asked.
    pub op: Op,
    /// Guards against a recycled index (low 24 bits are kept).
    pub generation: u32,
    /// The owner's slab index.
    pub index: u32,
}

impl Token {
    /// Packs into `user_data`.
    fn pack(self) -> u64 {
        (self.op as u64) << 56 | ((self.generation & 0xff_ffff) as u64) << 32 | self.index as u64
    }

    fn unpack(data: u64) -> Option<Token> {
        Some(Token {
            op: Op::from_u8((data >> 56) as u8)?,
            generation: (data >> 32) as u32 & 0xff_ffff,
            index: data as u32,
        })
    }
}

/// One reaped completion.
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    /// The operation.
    pub token: Token,
    /// Its result: a byte count, a descriptor, or minus errno.
    pub result: i32,
    /// A provided buffer that holds `result` bytes; to be given back with [`Ring::recycle`].
    pub buffer: Option<u16>,
    /// A multishot operation goes on; without it, it must be armed again.
    pub more: bool,
}

/// Whether the kernel gives us a ring of our kind at all.
///
/// Errors: those of io_uring_setup: ENOSYS and EPERM where it is missing or forbidden, EINVAL where it is too old.
pub fn probe() -> io::Result<()> {
    IoUring::builder().setup_single_issuer().setup_defer_taskrun().build(8).map(|_: IoUring| ())
}

/// The ring of one core.
pub struct Ring {
    uring: IoUring,
    buffers: BufferRing,
    backlog: Vec<squeue::Entry>,
    vectors: vector::Vectors,
    enters: u64,
}

impl Ring {
    /// Creates the ring on the calling thread, which alone may use it.
    ///
    /// Errors: those of io_uring_setup (EPERM, ENOSYS, ENOMEM) and of registering the buffer ring (EINVAL before 5.19).
    pub fn new(recv_buffers: u16, recv_buffer_size: u32) -> io::Result<Ring> {
        let mut uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(RING_CQ)
            .dontfork()
            .build(RING_SQ)?;
        let buffers = BufferRing::register(&uring.submitter(), recv_buffers, recv_buffer_size)?;
        // An older kernel lacks the registered ring descriptor: then every enter looks the fd up, nothing else.
        let _ = uring.submitter().register_ring_fd();
        uring.completion().sync();
        Ok(Ring { uring, buffers, backlog: Vec::new(), vectors: Default::default(), enters: 0 })
    }

    /// The descriptor another core's `MSG_RING` names.
    pub fn fd(&self) -> RawFd {
        self.uring.as_raw_fd()
    }

    /// Syscalls made so far.
    pub fn enters(&self) -> u64 {
        self.enters
    }

    fn push(&mut self, entry: squeue::Entry) {
        if !self.backlog.is_empty() {
            self.backlog.push(entry);
            return;
        }
        // SAFETY: every caller's contract is that buffers and descriptors of the entry outlive its completion.
        if unsafe { self.uring.submission().push(&entry) }.is_err() {
            self.backlog.push(entry);
            self.flush_backlog();
        }
    }

    /// Moves entries that found a full queue into it, submitting as often as needed.
    fn flush_backlog(&mut self) {
        while !self.backlog.is_empty() {
            let mut taken = 0;
            {
                let mut queue = self.uring.submission();
                for entry in &self.backlog {
                    // SAFETY: as in `push`.
                    if unsafe { queue.push(entry) }.is_err() {
                        break;
                    }
                    taken += 1;
                }
            }
            self.backlog.drain(..taken);
            if self.backlog.is_empty() {
                return;
            }
            self.enters += 1;
            if self.uring.submit().is_err() && taken == 0 {
                return; // EBUSY: completions must be reaped first; the backlog is tried again at the next wait
            }
        }
    }

    /// Arms a multishot accept on a listening socket; completions carry new descriptors.
    pub fn accept(&mut self, fd: RawFd, index: u32) {
        let token = Token { op: Op::Accept, generation: 0, index };
        let flags = libc::SOCK_CLOEXEC;
        self.push(opcode::AcceptMulti::new(types::Fd(fd)).flags(flags).build().user_data(token.pack()));
    }

    /// Arms a multishot receive; each completion names a provided buffer.
    pub fn recv(&mut self, fd: RawFd, index: u32, generation: u32) {
        let token = Token { op: Op::Recv, generation, index };
        self.push(opcode::RecvMulti::new(types::Fd(fd), BUFFER_GROUP).build().user_data(token.pack()));
    }

    /// Sends `len` bytes at `data`, retrying short sends in the kernel.
    ///
    /// # Safety
    /// `data..data+len` stays valid and unchanged until the completion of this token was reaped.
    pub unsafe fn send(&mut self, fd: RawFd, data: *const u8, len: u32, index: u32, generation: u32) {
        let token = Token { op: Op::Send, generation, index };
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        self.push(opcode::Send::new(types::Fd(fd), data, len).flags(flags).build().user_data(token.pack()));
    }

    /// An empty list for the slices of the next [`Ring::send_vector`].
    pub fn vector(&mut self) -> &mut Vec<libc::iovec> {
        self.vectors.next()
    }

    /// Sends the slices put into [`Ring::vector`], at least one, in order.
    ///
    /// # Safety
    /// Every slice stays valid and unchanged until the completion of this token was reaped.
    pub unsafe fn send_vector(&mut self, fd: RawFd, index: u32, generation: u32) {
        match self.vectors.seal() {
            vector::Sealed::One(slice) => {
                // SAFETY: the caller's contract.
                unsafe { self.send(fd, slice.iov_base.cast(), slice.iov_len as u32, index, generation) }
            }
            vector::Sealed::Many(message) => {
                let token = Token { op: Op::Send, generation, index };
                let flags = (libc::MSG_NOSIGNAL | libc::MSG_WAITALL) as u32;
                let entry = opcode::SendMsg::new(types::Fd(fd), message).flags(flags).build();
                self.push(entry.user_data(token.pack()));
            }
        }
    }

    /// Receives up to `len` bytes to `data`; completes once with what was there, at least one byte (a slow sender stays visible, so no
    /// MSG_WAITALL: `timeout` must see it).
    ///
    /// # Safety
    /// `data..data+len` stays valid and is touched by nobody else until the completion of this token was reaped.
    pub unsafe fn recv_into(&mut self, fd: RawFd, data: *mut u8, len: u32, index: u32, generation: u32) {
        let token = Token { op: Op::RecvInto, generation, index };
        self.push(opcode::Recv::new(types::Fd(fd), data, len).build().user_data(token.pack()));
    }

    /// Cancels the multishot receive of a connection; what it had received still arrives first.
    pub fn cancel_recv(&mut self, index: u32, generation: u32) {
        let target = Token { op: Op::Recv, generation, index }.pack();
        let token = Token { op: Op::Cancel, generation, index };
        self.push(opcode::AsyncCancel::new(target).build().user_data(token.pack()));
    }

    /// Polls a descriptor for input, again and again.
    pub fn poll_in(&mut self, fd: RawFd, index: u32) {
        let token = Token { op: Op::Poll, generation: 0, index };
        let entry = opcode::PollAdd::new(types::Fd(fd), libc::POLLIN as u32).multi(true).build();
        self.push(entry.user_data(token.pack()));
    }

    /// Wakes the core whose ring has descriptor `fd`; goes out with the next submit. Asks for no completion here.
    pub fn ring_doorbell(&mut self, fd: RawFd) {
        let there = Token { op: Op::Doorbell, generation: 0, index: 0 }.pack();
        let here = Token { op: Op::Cancel, generation: 0, index: u32::MAX }.pack();
        let entry = opcode::MsgRingData::new(types::Fd(fd), 0, there, None).build();
        self.push(entry.user_data(here).flags(squeue::Flags::SKIP_SUCCESS));
    }

    /// Submits what is queued; waits up to `timeout_us` for a first completion (0: only looks). One syscall.
    pub fn wait(&mut self, timeout_us: u64) -> io::Result<()> {
        if !self.backlog.is_empty() {
            self.flush_backlog();
        }
        self.enters += 1;
        let result = if timeout_us == 0 {
            let queued = self.uring.submission().len() as u32;
            let flags = EnterFlags::GETEVENTS.bits();
            // SAFETY: no argument is passed (null, size 0), as enter without EXT_ARG wants it.
            unsafe { self.uring.submitter().enter::<libc::sigset_t>(queued, 0, flags, None) }
        } else {
            let time = types::Timespec::new()
                .sec(timeout_us / 1_000_000)
                .nsec((timeout_us % 1_000_000) as u32 * 1000);
            self.uring.submitter().submit_with_args(1, &types::SubmitArgs::new().timespec(&time))
        };
        self.recycle_vectors();
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Submits what is queued and looks for nothing new: the caller still has completions at hand.
    pub fn submit(&mut self) -> io::Result<()> {
        if !self.backlog.is_empty() {
            self.flush_backlog();
        }
        if self.uring.submission().is_empty() {
            return Ok(());
        }
        self.enters += 1;
        let result = self.uring.submit();
        self.recycle_vectors();
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Lists of slices may be used again once the kernel has taken every entry: it has copied them by then (SUBMIT_STABLE).
    fn recycle_vectors(&mut self) {
        if self.vectors.is_used() && self.backlog.is_empty() && self.uring.submission().is_empty() {
            self.vectors.recycle();
        }
    }

    /// Moves all completions that are there into `into`.
    pub fn reap(&mut self, into: &mut VecDeque<Completion>) {
        let queue = self.uring.completion();
        for entry in queue {
            let flags = entry.flags();
            let Some(token) = Token::unpack(entry.user_data()) else { continue };
            into.push_back(Completion {
                token,
                result: entry.result(),
                buffer: cqueue::buffer_select(flags),
                more: cqueue::more(flags),
            });
        }
    }

    /// Whether completions wait to be reaped.
    pub fn has_completions(&mut self) -> bool {
        !self.uring.completion().is_empty()
    }

    /// The received bytes of a completion that named a provided buffer.
    ///
    /// The pointer stays valid, and its bytes unchanged, until [`Ring::recycle`] of the same buffer.
    pub fn buffer(&self, id: u16, len: usize) -> (*const u8, usize) {
        self.buffers.slice(id, len)
    }

    /// Gives a provided buffer back to the kernel.
    pub fn recycle(&mut self, id: u16) {
        self.buffers.recycle(id);
    }
}
