//! Loopback ports and a health probe.

use std::{
    collections::HashSet,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// Below the range from which systems take ports for outgoing connections, so that a port found free is not taken by
/// one before its owner listens.
const FREE_PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Ports this process has promised to somebody; two stacks in one test run must not be promised the same.
static PROMISED: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// Whether nothing listens on `port` of the loopback interface.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Fails, naming `flag`, where `port` is taken.
pub fn require_free(port: u16, what: &str, flag: &str) -> Result<()> {
    match TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!(
                "port {port}, wanted for {what}, is in use by another program; stop that one, or choose another port with {flag}"
            )
        }
        Err(error) => Err(error).with_context(|| {
            format!("port {port}, wanted for {what}, cannot be listened on; choose another with {flag}")
        }),
    }
}

/// A port that nobody listens on, and that this process has not handed out before.
pub fn free_port() -> Result<u16> {
    let mut promised = PROMISED.lock().unwrap_or_else(PoisonError::into_inner);
    let width = FREE_PORTS.end - FREE_PORTS.start;
    for _ in 0..1_000 {
        let mut random = [0; 2];
        getrandom::fill(&mut random).context("the system has no random source")?;
        let port = FREE_PORTS.start + u16::from_ne_bytes(random) % width;
        if !promised.contains(&port) && is_free(port) {
            promised.insert(port);
            return Ok(port);
        }
    }
    bail!("no free port between {} and {}", FREE_PORTS.start, FREE_PORTS.end)
}

/// The status with which `http://127.0.0.1:port/path` answers, or `None` where it does not within two seconds.
#[must_use]
pub fn http_status(port: u16, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    let answer = exchange(port, request.as_bytes(), 12)?;
    let line = std::str::from_utf8(&answer).ok()?;
    line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// Sends `bytes` to a loopback port and reads the first `length` bytes that come back.
#[must_use]
pub fn exchange(port: u16, bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(bytes).ok()?;
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).ok()?;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_promised_once() {
        let first = free_port().unwrap();
        let second = free_port().unwrap();
        assert_ne!(first, second);
        assert!(is_free(first));
    }

    #[test]
    fn a_taken_port_is_refused_by_name_and_flag() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let message = require_free(port, "the edge", "--edge-port")
            .unwrap_err()
            .to_string();
        assert!(message.contains(&port.to_string()), "{message}");
        assert!(
            message.contains("the edge") && message.contains("--edge-port"),
            "{message}"
        );
    }

    #[test]
    fn a_status_is_read_from_the_first_line() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 16];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        });
        assert_eq!(http_status(port, "/live"), Some(204));
        server.join().unwrap();
    }
}
