//! A proxy between the edge and the origin that counts the requests which pass it.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};

/// What ends the head of a request. Those that the edge sends of its own accord have no bodies.
const END: &[u8] = b"\r\n\r\n";

/// A proxy that serves for as long as this program runs.
pub(super) struct Counting {
    pub(super) port: u16,
    requests: Arc<AtomicU32>,
}

impl Counting {
    /// Starts it in front of the loopback port `target`.
    pub(super) fn start(target: u16) -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the counting proxy cannot listen")?;
        let port = listener
            .local_addr()
            .context("the counting proxy has no address")?
            .port();
        let requests = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // A connection that fails shows as a failed request at the edge.
                let _ = connect(near, target, &counted);
            }
        });
        Ok(Self { port, requests })
    }

    /// How many requests have passed so far.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

fn connect(near: TcpStream, target: u16, requests: &Arc<AtomicU32>) -> std::io::Result<()> {
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_again, far_again) = (near.try_clone()?, far.try_clone()?);
    let requests = Arc::clone(requests);
    let mut ends = Ends::default();
    thread::spawn(move || {
        copy(near, far, |bytes| {
            requests.fetch_add(ends.count(bytes), Ordering::Relaxed);
        })
    });
    thread::spawn(move || copy(far_again, near_again, |_| ()));
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    loop {
        let length = from.read(&mut chunk)?;
        let bytes = chunk.get(..length).unwrap_or_default();
        if bytes.is_empty() {
            return to.shutdown(Shutdown::Write);
        }
        see(bytes);
        to.write_all(bytes)?;
    }
}

/// Counts ends of heads in a stream, wherever it is cut.
#[derive(Default)]
struct Ends {
    /// How much of [`END`] the last bytes were.
    matched: usize,
}

impl Ends {
    fn count(&mut self, bytes: &[u8]) -> u32 {
        let mut found = 0;
        for byte in bytes {
            if END.get(self.matched) == Some(byte) {
                self.matched += 1;
            } else {
                self.matched = usize::from(END.first() == Some(byte));
            }
            if self.matched == END.len() {
                found += 1;
                self.matched = 0;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{feed::Entries, http::Client, upstream};

    #[test]
    fn heads_are_counted_wherever_the_stream_is_cut() {
        let stream = b"GET / HTTP/1.1\r\nA: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        for cut in 0..stream.len() {
            let (first, second) = stream.split_at(cut);
            let mut ends = Ends::default();
            assert_eq!(ends.count(first) + ends.count(second), 2, "cut at {cut}");
        }
    }

    #[test]
    fn requests_pass_and_are_counted() {
        let entries = Arc::new(Entries::new(0, &[]).unwrap());
        let proxy = Counting::start(upstream::start("{}", &entries).unwrap()).unwrap();
        let mut client = Client::connect(proxy.port).unwrap();
        for _ in 0..3 {
            assert_eq!(client.get("/events", "token").unwrap().status, 200);
        }
        assert_eq!(proxy.requests(), 3);
    }
}
