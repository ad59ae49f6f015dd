//! File operations on a core's ring: what the append-only file needs while clients wait.
//!
//! `session::journal` asks and reaps; an operation's token is [`Op::File`], that of a sync linked behind a write [`Op::FileSync`]. Buffers, slices and paths belong to the caller, who keeps them
//! until the completion. Invariant: a linked sync begins only after the whole write. Of the two exactly one completion comes: the
//! sync's if the write was whole, else the write's (one wake-up, not two). Bounds: the queue of the ring.
//! Why not glommio: a reply waits for these; glommio would add milliseconds (RUNTIME.md).

use std::ffi::CStr;
use std::os::fd::RawFd;

use io_uring::{opcode, squeue, types};

use super::{Op, Ring, Token};

/// A file operation without a buffer.
#[derive(Clone, Copy, Debug)]
pub enum FileOp<'a> {
    /// Opens with these flags (mode 0644); the result is the descriptor.
    Open(&'a CStr, i32),
    /// fdatasync.
    SyncData(RawFd),
    /// fsync, of a directory too.
    Sync(RawFd),
    /// Cuts to a length (kernel 6.9; EINVAL before).
    Truncate(RawFd, u64),
    /// Closes.
    Close(RawFd),
    /// Renames.
    Rename(&'a CStr, &'a CStr),
    /// Deletes.
    Unlink(&'a CStr),
    /// Makes a directory (mode 0755).
    MakeDir(&'a CStr),
}

/// Where paths without a leading slash begin.
const HERE: types::Fd = types::Fd(libc::AT_FDCWD);

impl Ring {
    /// Queues a file operation; its token is [`Op::File`] with this index and generation.
    ///
    /// # Safety
    /// The paths stay where they are, unchanged, until the completion was reaped.
    pub unsafe fn file(&mut self, op: FileOp<'_>, index: u32, generation: u32) {
        let entry = match op {
            FileOp::Open(path, flags) => {
                let flags = flags | libc::O_CLOEXEC;
                opcode::OpenAt::new(HERE, path.as_ptr()).flags(flags).mode(0o644).build()
            }
            FileOp::SyncData(fd) => {
                opcode::Fsync::new(types::Fd(fd)).flags(types::FsyncFlags::DATASYNC).build()
            }
            FileOp::Sync(fd) => opcode::Fsync::new(types::Fd(fd)).build(),
            FileOp::Truncate(fd, len) => opcode::Ftruncate::new(types::Fd(fd), len).build(),
            FileOp::Close(fd) => opcode::Close::new(types::Fd(fd)).build(),
            FileOp::Rename(from, to) => opcode::RenameAt::new(HERE, from.as_ptr(), HERE, to.as_ptr()).build(),
            FileOp::Unlink(path) => opcode::UnlinkAt::new(HERE, path.as_ptr()).build(),
            FileOp::MakeDir(path) => opcode::MkDirAt::new(HERE, path.as_ptr()).mode(0o755).build(),
        };
        self.push(entry.user_data(Token { op: Op::File, generation, index }.pack()));
    }

    /// Queues a write of `slices` at `at`, and behind it, if `sync`, an fdatasync that begins when all of it is written. Whether that was possible: if not, the
    /// write alone is queued, and the caller syncs after it.
    ///
    /// # Safety
    /// The slices and the list of them stay where they are, unchanged, until the write's completion was reaped.
    pub unsafe fn write_file(
        &mut self,
        fd: RawFd,
        slices: &[libc::iovec],
        at: u64,
        sync: bool,
        index: u32,
        generation: u32,
    ) -> bool {
        let token = Token { op: Op::File, generation, index };
        let write = opcode::Writev::new(types::Fd(fd), slices.as_ptr(), slices.len() as u32).offset(at);
        let write = write.build().user_data(token.pack());
        // A chain ends where a submission ends: both entries must go with the same one.
        if !sync || !self.has_room_for(2) {
            self.push(write);
            return false;
        }
        let token = Token { op: Op::FileSync, generation, index };
        let fsync = opcode::Fsync::new(types::Fd(fd)).flags(types::FsyncFlags::DATASYNC).build();
        self.push(write.flags(squeue::Flags::IO_LINK | squeue::Flags::SKIP_SUCCESS));
        self.push(fsync.user_data(token.pack()));
        true
    }

    /// Whether so many entries fit before the next submission.
    fn has_room_for(&mut self, count: usize) -> bool {
        let queue = self.uring.submission();
        self.backlog.is_empty() && queue.capacity() - queue.len() >= count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::os::fd::AsRawFd;

    /// What comes of a write with its sync: (operation, result) of every completion within 50 ms.
    fn completions(file: &std::fs::File, bytes: &[u8]) -> Vec<(Op, i32)> {
        let mut ring = Ring::new(8, 4096).expect("a ring");
        let slices = [libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }];
        // SAFETY: both live until the ring is gone.
        assert!(unsafe { ring.write_file(file.as_raw_fd(), &slices, 0, true, 7, 0) });
        let mut found = VecDeque::new();
        for _ in 0..5 {
            ring.wait(10_000).expect("a wait");
            ring.reap(&mut found);
        }
        found.iter().map(|completion| (completion.token.op, completion.result)).collect()
    }

    #[test]
    fn of_a_write_and_its_sync_one_completion_comes() {
        let path = std::env::temp_dir().join(format!("shoal-ring-{}", std::process::id()));
        let file = std::fs::File::create(&path).expect("a file");
        assert_eq!(completions(&file, b"bytes"), [(Op::FileSync, 0)]);
        assert_eq!(std::fs::read(&path).expect("the file"), b"bytes");
        std::fs::remove_file(&path).expect("removed");
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        assert_eq!(completions(&full, b"bytes"), [(Op::File, -libc::ENOSPC)]);
    }
}
