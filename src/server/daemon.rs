//! daemonize, pidfile, supervised: how the process stands towards its system.
//!
//! Called by `boot`. Sources: daemon(7), sd_notify(3), redis' server.c for which of them wins. Bounds: none.

use crate::config::Settings;
use crate::observe::log::warning;

/// redis' pid file when a daemon names none.
const DEFAULT_PID_FILE: &str = "/var/run/redis.pid";

/// Detaches from the terminal if asked, and enters the working directory.
///
/// Errors: fork or chdir failed.
pub fn prepare(settings: &Settings) -> Result<(), String> {
    if !settings.dir.is_empty()
        && let Err(error) = std::env::set_current_dir(&settings.dir)
    {
        return Err(format!("Can't chdir to '{}': {error}", settings.dir));
    }
    if settings.daemonize && settings.supervised == "no" {
        detach()?;
    }
    Ok(())
}

fn detach() -> Result<(), String> {
    // SAFETY: no thread but this one exists yet; the parent leaves at once; descriptors 0-2 are replaced by /dev/null.
    unsafe {
        match libc::fork() {
            -1 => return Err(format!("cannot daemonize: {}", std::io::Error::last_os_error())),
            0 => {}
            _ => libc::_exit(0),
        }
        libc::setsid();
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null >= 0 {
            (0..3).for_each(|fd| {
                libc::dup2(null, fd);
            });
            if null > 2 {
                libc::close(null);
            }
        }
    }
    Ok(())
}

fn pid_file(settings: &Settings) -> Option<&str> {
    if !settings.pidfile.is_empty() {
        return Some(&settings.pidfile);
    }
    settings.daemonize.then_some(DEFAULT_PID_FILE)
}

/// Writes the pid file, if there is one.
pub fn write_pid_file(settings: &Settings) {
    let Some(path) = pid_file(settings) else { return };
    if let Err(error) = std::fs::write(path, format!("{}\n", std::process::id())) {
        warning(&format!("Failed to write PID file: {error}"));
    }
}

/// Removes the pid file at the end.
pub fn remove_pid_file(settings: &Settings) {
    let Some(path) = pid_file(settings) else { return };
    crate::observe::log::notice("Removing the pid file.");
    let _ = std::fs::remove_file(path);
}

/// Tells systemd or upstart that the server is ready.
pub fn tell_supervisor(settings: &Settings) {
    match settings.supervised.as_str() {
        "systemd" => notify_systemd(),
        "auto" if std::env::var_os("NOTIFY_SOCKET").is_some() => notify_systemd(),
        "upstart" | "auto" if std::env::var_os("UPSTART_JOB").is_some() => {
            // SAFETY: upstart waits for the main process to stop itself once.
            unsafe { libc::raise(libc::SIGSTOP) };
        }
        _ => {}
    }
}

fn notify_systemd() {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        warning(
            "systemd supervision requested or auto-detected, but Redis is compiled without libsystemd support or NOTIFY_SOCKET is not set!",
        );
        return;
    };
    let text = path.to_string_lossy();
    let socket = std::os::unix::net::UnixDatagram::unbound();
    let sent = socket.and_then(|socket| match text.strip_prefix('@') {
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes())?;
            socket.send_to_addr(b"READY=1\nSTATUS=Ready to accept connections\n", &address)
        }
        None => socket.send_to(b"READY=1\nSTATUS=Ready to accept connections\n", &*text),
    });
    if let Err(error) = sent {
        warning(&format!("Cannot tell systemd that the server is ready: {error}"));
    }
}
