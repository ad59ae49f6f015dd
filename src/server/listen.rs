//! Listening sockets: TCP v4 and v6, every `bind`, the unix socket.
//!
//! Called once by `boot`, on core 0's behalf. Source: redis' listenToPort: an address with a leading `-` may be missing, `*` and `::*`
//! are the wildcard addresses. Errors: redis' log lines, then `Failed listening on port`. Bounds: one socket per address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::IntoRawFd;

use socket2::{Domain, Socket, Type};

use crate::config::Settings;
use crate::observe::log::warning;
use crate::session::connection::Listener;

/// How often a port that was just released is tried again (rings are torn down asynchronously), 100 ms apart.
const RETRIES: usize = 5;

/// Opens all listening sockets.
///
/// Errors: the line to log before exit 1.
pub fn listen(settings: &Settings) -> Result<Vec<Listener>, String> {
    let mut listeners = Vec::new();
    if settings.port != 0 {
        for bind in &settings.bind {
            let (optional, name) = bind.strip_prefix('-').map_or((false, bind.as_str()), |rest| (true, rest));
            match listen_tcp(name, settings.port, settings.tcp_backlog) {
                Ok(socket) => listeners.push(Listener { fd: socket.into_raw_fd(), unix: false }),
                Err(error) if optional && is_missing_address(&error) => {}
                Err(error) => {
                    let text = error_text(&error);
                    warning(&format!(
                        "Warning: Could not create server TCP listening socket {name}:{}: {text}",
                        settings.port
                    ));
                    return Err(format!("Failed listening on port {} (TCP), aborting.", settings.port));
                }
            }
        }
    }
    if !settings.unixsocket.is_empty() {
        let socket = listen_unix(&settings.unixsocket, settings.unixsocketperm, settings.tcp_backlog)
            .map_err(|error| format!("Failed opening Unix socket: bind: {}", error_text(&error)))?;
        listeners.push(Listener { fd: socket.into_raw_fd(), unix: true });
    }
    Ok(listeners)
}

fn is_missing_address(error: &std::io::Error) -> bool {
    let code = error.raw_os_error();
    matches!(code, Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT | libc::ENOPROTOOPT))
}

/// The system's words without Rust's `(os error N)`.
fn error_text(error: &std::io::Error) -> String {
    let text = match error.raw_os_error() {
        Some(libc::EADDRINUSE) => return String::from("bind: Address already in use"),
        _ => error.to_string(),
    };
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

fn listen_tcp(name: &str, port: u16, backlog: i32) -> std::io::Result<Socket> {
    let ip = match name {
        "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        "::*" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => match (name, port).to_socket_addrs()?.next() {
            Some(address) => address.ip(),
            None => return Err(std::io::ErrorKind::AddrNotAvailable.into()),
        },
    };
    let address = SocketAddr::new(ip, port);
    let mut attempt = 0;
    loop {
        match bind_tcp(address, backlog) {
            Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) && attempt < RETRIES => {
                attempt += 1;
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            result => return result,
        }
    }
}

fn bind_tcp(address: SocketAddr, backlog: i32) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec(), None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

fn listen_unix(path: &str, perm: u32, backlog: i32) -> std::io::Result<Socket> {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::remove_file(path);
    let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
    socket.bind(&socket2::SockAddr::unix(path)?)?;
    if perm != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(perm))?;
    }
    socket.listen(backlog)?;
    Ok(socket)
}
