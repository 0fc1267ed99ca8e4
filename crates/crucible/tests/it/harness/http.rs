//! As much of HTTP/1.1 as the tests speak: one request a connection.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;

use serde_json::Value;

use super::DEADLINE;

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Response {
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert!(
            (200..300).contains(&self.status),
            "{} {}",
            self.status,
            self.body
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in:\n{}", self.body))
    }
}

#[track_caller]
pub(crate) fn get(api: SocketAddr, path: &str) -> Response {
    read_response(send(api, "GET", path, &[], ""))
}

#[track_caller]
pub(crate) fn post(api: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    read_response(send(api, "POST", path, headers, body))
}

/// Sends JSON.
#[track_caller]
pub(crate) fn send_json(api: SocketAddr, method: &str, path: &str, body: &Value) -> Response {
    let headers = [("Content-Type", "application/json")];
    read_response(send(api, method, path, &headers, &body.to_string()))
}

/// The status of the answer to a request without a body that carries these headers and no token of
/// the daemon's own.
#[track_caller]
pub(crate) fn status_without_token(
    api: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> u16 {
    read_response(send_with(api, None, method, path, headers, "")).status
}

/// The tokens that requests carry, by the address that asks for them.
static TOKENS: Mutex<BTreeMap<SocketAddr, String>> = Mutex::new(BTreeMap::new());

/// Lets every later request to `api` carry `token`.
pub(crate) fn carry(api: SocketAddr, token: String) {
    TOKENS.lock().unwrap().insert(api, token);
}

/// Sends a request and returns the connection, with nothing of the answer read.
#[track_caller]
pub(crate) fn send(
    api: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> BufReader<TcpStream> {
    let token = TOKENS.lock().unwrap().get(&api).cloned();
    send_with(api, token.as_deref(), method, path, headers, body)
}

#[track_caller]
fn send_with(
    api: SocketAddr,
    token: Option<&str>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&api, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\n");
    if let Some(token) = token {
        write!(request, "Authorization: Bearer {token}\r\n").unwrap();
    }
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    write!(request, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    BufReader::new(stream)
}

/// Reads the status line and the headers.
pub(crate) fn read_head(stream: &mut impl BufRead) -> (u16, Vec<(String, String)>) {
    let status = read_line(stream);
    let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream);
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    (
        code.unwrap_or_else(|| panic!("no status in {status:?}")),
        headers,
    )
}

/// Reads one chunk of a chunked body; `None` at its end.
pub(crate) fn read_chunk(stream: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let length = usize::from_str_radix(line.trim(), 16).ok()?;
    let mut chunk = vec![0; length];
    stream.read_exact(&mut chunk).ok()?;
    let mut end = String::new();
    stream.read_line(&mut end).ok()?;
    (length > 0).then_some(chunk)
}

/// Encodes a value for a query string (RFC 3986).
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

fn read_response(mut stream: BufReader<TcpStream>) -> Response {
    let (status, headers) = read_head(&mut stream);
    let is_chunked = headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("transfer-encoding") && value.contains("chunked")
    });
    let mut bytes = Vec::new();
    if is_chunked {
        while let Some(chunk) = read_chunk(&mut stream) {
            bytes.extend(chunk);
        }
    } else {
        stream.read_to_end(&mut bytes).unwrap();
    }
    Response {
        status,
        body: String::from_utf8(bytes).unwrap(),
    }
}

fn read_line(stream: &mut impl BufRead) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
