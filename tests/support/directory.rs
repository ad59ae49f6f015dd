//! Directories of data that outlive the servers on them, and small file systems that can fill up.
//!
//! Called by persist/ and crash/. Invariant: what was made is removed (and unmounted) on drop, a panic included; a directory of a failed test is
//! kept and its path printed, a file system is not. Bounds: a small file system lies in memory, of the size it was asked for.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory of the test's.
pub struct Directory {
    path: PathBuf,
    mounted: bool,
}

impl Directory {
    /// A new, empty one.
    pub fn new(name: &str) -> Directory {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("shoal-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("temp dir");
        Directory { path, mounted: false }
    }

    /// A file system of its own with room for so many MiB.
    pub fn small(name: &str, mib: u32) -> Directory {
        let mut directory = Directory::new(name);
        let text = |text: &str| CString::new(text).expect("no zero byte");
        let path = text(directory.path.to_str().expect("a printable path"));
        let (kind, options) = (text("tmpfs"), text(&format!("size={mib}m")));
        // SAFETY: all pointers are to strings that live through the call; mount keeps none of them.
        let done =
            unsafe { libc::mount(kind.as_ptr(), path.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
        assert_eq!(
            done,
            0,
            "cannot mount a tmpfs on {}: {}\n  the tests of a full disk need root (or `unshare -rm`)",
            directory.path.display(),
            std::io::Error::last_os_error()
        );
        directory.mounted = true;
        directory
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A copy of another directory, files and directories in it.
    pub fn copy_of(name: &str, from: &Path) -> Directory {
        let directory = Directory::new(name);
        copy_all(from, &directory.path);
        directory
    }

    /// Every file below it: relative path and size.
    pub fn files(&self) -> BTreeMap<String, u64> {
        let mut files = BTreeMap::new();
        list_all(&self.path, &self.path, &mut files);
        files
    }

    /// The bytes of a file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path.join(name))
            .unwrap_or_else(|error| panic!("{}/{name}: {error}", self.path.display()))
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
        fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// Copies what lies in a directory. A file that goes away meanwhile is left out.
pub fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory to copy").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_all(&source, &target);
        } else {
            let _ = fs::copy(&source, &target);
        }
    }
}

fn list_all(root: &Path, at: &Path, files: &mut BTreeMap<String, u64>) {
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            list_all(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.insert(name, entry.metadata().map_or(0, |data| data.len()));
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.mounted {
            let path = CString::new(self.path.to_str().unwrap_or_default()).unwrap_or_default();
            // SAFETY: the path is a string that lives through the call. Detached: a server that is still ending may hold a file.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
            let _ = fs::remove_dir(&self.path);
        } else if std::thread::panicking() {
            eprintln!("data kept: {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
