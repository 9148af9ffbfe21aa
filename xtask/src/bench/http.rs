//! A client that is as small as a measurement allows: HTTP/1.1 over one kept connection.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// Longer than any answer takes that counts.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to a loopback port.
#[derive(Debug)]
pub(super) struct Client {
    stream: BufReader<TcpStream>,
    port: u16,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    /// The first header of this name, which is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The names of the headers, without those that only frame the answer; two Workers that give the same answer
    /// agree on them.
    pub(super) fn header_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| {
                !matches!(
                    *name,
                    "content-length" | "transfer-encoding" | "connection" | "date"
                )
            })
            .collect();
        names.sort_unstable();
        names
    }
}

impl Client {
    /// Connects.
    pub(super) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("nobody listens on port {port}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
            port,
        })
    }

    /// GET with a bearer token.
    pub(super) fn get(&mut self, path: &str, token: &str) -> Result<Answer> {
        self.send(
            "GET",
            path,
            &[("Authorization", &format!("Bearer {token}"))],
            None,
        )
    }

    /// POST of JSON.
    pub(super) fn post(&mut self, path: &str, body: &str) -> Result<Answer> {
        self.send("POST", path, &[("Content-Type", "application/json")], Some(body))
    }

    /// Sends a request and waits for the answer.
    pub(super) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.authority());
        // Writing to a String does not fail.
        for (name, value) in headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        if let Some(body) = body {
            let _ = write!(request, "Content-Length: {}\r\n", body.len());
        }
        request.push_str("\r\n");
        request.push_str(body.unwrap_or_default());
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .context("the request could not be sent")?;
        self.answer()
    }

    /// What the requests name as their host.
    pub(super) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn answer(&mut self) -> Result<Answer> {
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .with_context(|| format!("{status_line:?} is no status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .with_context(|| format!("{line:?} is no header"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: String::new(),
        };
        let body = if matches!(answer.status, 204 | 304) {
            Vec::new()
        } else if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks()?
        } else {
            let length = answer.header("content-length").unwrap_or("0");
            let mut body = vec![0; length.parse().context("the length is no number")?];
            self.stream
                .read_exact(&mut body)
                .context("the answer broke off")?;
            body
        };
        answer.body = String::from_utf8(body).context("the answer is not UTF-8")?;
        Ok(answer)
    }

    /// A body in chunks (RFC 9112 §7.1), without trailers.
    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
                .with_context(|| format!("{line:?} is no length of a chunk"))?;
            let chunk = u64::try_from(length).context("a chunk is too long")?;
            if self.stream.by_ref().take(chunk).read_to_end(&mut body)? < length {
                bail!("the answer broke off");
            }
            if !self.line()?.is_empty() {
                bail!("a chunk does not end where it should");
            }
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).context("no answer came")? == 0 {
            bail!("the connection was closed");
        }
        Ok(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn requests_share_a_connection_whatever_frames_the_answers() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut chunk = [0; 1024];
            for answer in [
                "201 Created\r\nX-B: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nhi",
                "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nin \r\n6\r\nchunks\r\n0\r\n\r\n",
                "204 No Content\r\n\r\n",
            ] {
                assert!(stream.read(&mut chunk).unwrap() > 0);
                stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).unwrap();
            }
        });
        let mut client = Client::connect(port).unwrap();
        let created = client.post("/a", "{}").unwrap();
        assert_eq!((created.status, created.body.as_str()), (201, "hi"));
        assert_eq!(created.header_names(), ["x-a", "x-b"]);
        assert_eq!(client.post("/a", "{}").unwrap().body, "in chunks");
        assert_eq!(client.get("/b", "token").unwrap().status, 204);
        server.join().unwrap();
    }
}
