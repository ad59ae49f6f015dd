//! `# Server` and `# CPU`: facts of the process and its machine.
//!
//! Written by [`super::write`]. Sources: uname(2), getrusage(2), the configuration, `observe::identity`. Bounds: a few system calls per INFO.

use super::{Totals, line};
use crate::base::{clock, crc64};
use crate::observe::identity::REDIS_VERSION;
use crate::session::core::Core;

/// User and system time of `who`, in microseconds.
pub(super) fn usage(who: libc::c_int) -> (u64, u64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct; an all-zero one is valid if it fails.
    let usage = unsafe {
        libc::getrusage(who, usage.as_mut_ptr());
        usage.assume_init()
    };
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    (micros(usage.ru_utime), micros(usage.ru_stime))
}

fn os() -> String {
    let mut name = std::mem::MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: uname fills the struct with NUL-terminated texts; an all-zero one reads as empty texts.
    let name = unsafe {
        libc::uname(name.as_mut_ptr());
        name.assume_init()
    };
    let text = |field: &[libc::c_char]| {
        let bytes = field.iter().map(|&byte| byte as u8).take_while(|byte| *byte != 0);
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    };
    format!("{} {} {}", text(&name.sysname), text(&name.release), text(&name.machine))
}

fn supervised(setting: &str) -> &'static str {
    match setting {
        "upstart" => "upstart",
        "systemd" => "systemd",
        "auto" => match (std::env::var_os("NOTIFY_SOCKET"), std::env::var_os("UPSTART_JOB")) {
            (_, Some(_)) => "upstart",
            (Some(_), None) => "systemd",
            (None, None) => "no",
        },
        _ => "no",
    }
}

pub(super) fn server(core: &Core, totals: &Totals, text: &mut String) {
    let (identity, settings) = (&core.shared.identity, &core.settings);
    let build = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    let uptime_s = core.now_ms.saturating_sub(identity.started_ms) / 1000;
    text.push_str("# Server\r\n");
    line(text, "redis_version", REDIS_VERSION);
    line(text, "redis_git_sha1", "00000000");
    line(text, "redis_git_dirty", 0);
    line(text, "redis_build_id", format_args!("{:x}", crc64::crc64(0, build.as_bytes())));
    line(text, "redis_mode", "standalone");
    line(text, "os", os());
    line(text, "arch_bits", usize::BITS);
    line(text, "monotonic_clock", "POSIX clock_gettime");
    line(text, "multiplexing_api", "io_uring");
    line(text, "atomicvar_api", "rust-core");
    line(text, "gcc_version", "0.0.0");
    line(text, "process_id", std::process::id());
    line(text, "process_supervised", supervised(&settings.supervised));
    line(text, "run_id", &identity.run_id);
    line(text, "tcp_port", identity.tcp_port);
    line(text, "server_time_usec", clock::wall_us());
    line(text, "uptime_in_seconds", uptime_s);
    line(text, "uptime_in_days", uptime_s / 86_400);
    line(text, "hz", settings.hz);
    line(text, "configured_hz", settings.hz);
    line(text, "lru_clock", (core.now_ms / 1000) & 0xff_ffff);
    line(text, "executable", &identity.executable);
    line(text, "config_file", &identity.config_file);
    line(text, "io_threads_active", 0);
    listeners(core, text);
    line(text, "shoal_version", env!("CARGO_PKG_VERSION"));
    line(text, "threads", totals.cores.len());
}

/// The listener lines of redis 7.2.
fn listeners(core: &Core, text: &mut String) {
    let settings = &core.settings;
    let mut index = 0;
    if settings.port != 0 {
        let binds: String = settings.bind.iter().map(|bind| format!(",bind={bind}")).collect();
        line(text, &format!("listener{index}"), format_args!("name=tcp{binds},port={}", settings.port));
        index += 1;
    }
    if !settings.unixsocket.is_empty() {
        line(text, &format!("listener{index}"), format_args!("name=unix,bind={}", settings.unixsocket));
    }
}

pub(super) fn cpu(_: &Core, totals: &Totals, text: &mut String) {
    let seconds = |micros: u64| format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    let (user, system) = usage(libc::RUSAGE_SELF);
    let (child_user, child_system) = usage(libc::RUSAGE_CHILDREN);
    let (main_user, main_system) = totals.main_thread_usec;
    text.push_str("# CPU\r\n");
    line(text, "used_cpu_sys", seconds(system));
    line(text, "used_cpu_user", seconds(user));
    line(text, "used_cpu_sys_children", seconds(child_system));
    line(text, "used_cpu_user_children", seconds(child_user));
    line(text, "used_cpu_sys_main_thread", seconds(main_system));
    line(text, "used_cpu_user_main_thread", seconds(main_user));
}
