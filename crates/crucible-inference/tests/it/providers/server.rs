//! An HTTP server that sends what it is told to, byte by byte where that matters.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crucible_inference::providers::ProviderKind;
use crucible_services::tasks::TaskOwner;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::fixtures;

/// What the server answers one request with.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// A head and a body, whole.
    Whole {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The head of a stream and what then happens.
    Stream(&'static str, Vec<Part>),
    /// Nothing, for as long as the client waits.
    Silence,
    /// The end of the connection.
    HangUp,
}

/// What happens in a stream.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Nothing, for as long as the client waits.
    Hang,
    /// The end of the connection, before that of the body.
    Cut,
}

impl Reply {
    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::Whole {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_owned(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Whole { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }

    /// A stream of the kind's media type, one part for each line of `text`.
    pub(super) fn stream(kind: ProviderKind, text: &str) -> Self {
        let lines = text.split_inclusive('\n');
        let parts = lines.map(|line| Part::Bytes(line.as_bytes().to_vec()));
        Self::Stream(fixtures::stream_type(kind), parts.collect())
    }

    /// The same, and then `part`.
    pub(super) fn then(mut self, part: Part) -> Self {
        if let Self::Stream(_, parts) = &mut self {
            parts.push(part);
        }
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Method and path.
    pub(super) line: String,
    headers: Vec<(String, String)>,
    /// `null` when there was none.
    pub(super) body: Value,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Answers each request with the next reply, and with the last one for ever.
pub(super) struct Server {
    port: u16,
    tasks: TaskOwner,
    shared: Arc<Shared>,
}

struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
    /// How many connections the client has closed in the middle of an answer.
    left: watch::Sender<usize>,
}

impl Server {
    pub(super) async fn start(replies: impl Into<VecDeque<Reply>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            replies: Mutex::new(replies.into()),
            seen: Mutex::default(),
            left: watch::Sender::new(0),
        });
        let tasks = TaskOwner::new("server");
        let accepting = accept(listener, Arc::clone(&shared), tasks.clone());
        tasks.spawn("accept", accepting);
        Self {
            port,
            tasks,
            shared,
        }
    }

    /// Answers everything with one reply.
    pub(super) async fn saying(reply: Reply) -> Self {
        Self::start([reply]).await
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns what was asked so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Replaces the replies that are left.
    pub(super) fn say(&self, reply: Reply) {
        *self.shared.replies.lock().unwrap() = VecDeque::from([reply]);
    }

    /// Waits until a client has gone away in the middle of an answer.
    pub(super) async fn left(&self) {
        let mut left = self.shared.left.subscribe();
        left.wait_for(|count| *count > 0).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskOwner) {
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            () = tasks.token().cancelled() => return,
        };
        let (shared, token) = (Arc::clone(&shared), tasks.token().clone());
        tasks.spawn("connection", async move {
            tokio::select! {
                served = serve(stream, &shared) => drop(served),
                () = token.cancelled() => {}
            }
        });
    }
}

/// Answers on one connection until one side closes it.
async fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let Some(seen) = read_request(&mut stream).await? else {
            return Ok(());
        };
        shared.seen.lock().unwrap().push(seen);
        let reply = {
            let mut replies = shared.replies.lock().unwrap();
            let is_last = replies.len() == 1;
            let next = if is_last {
                replies.front().cloned()
            } else {
                replies.pop_front()
            };
            next.expect("a server is told what to say")
        };
        let stays = write_reply(&mut stream, reply).await;
        if !matches!(stays, Ok(true)) {
            shared.left.send_modify(|count| *count += 1);
            return Ok(());
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Seen>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let headers: Vec<(String, String)> = head[1..]
        .iter()
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(Seen {
        line: head[0].trim_end_matches(" HTTP/1.1").to_owned(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }))
}

/// Returns whether the connection stays open.
async fn write_reply(stream: &mut BufReader<TcpStream>, reply: Reply) -> std::io::Result<bool> {
    match reply {
        Reply::Whole {
            status,
            headers,
            body,
        } => {
            let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            stream
                .write_all(format!("{head}\r\n{body}").as_bytes())
                .await?;
            Ok(true)
        }
        Reply::Stream(kind, parts) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            for part in parts {
                match part {
                    Part::Bytes(bytes) => {
                        let size = format!("{:x}\r\n", bytes.len());
                        let chunk = [size.as_bytes(), &bytes, b"\r\n"].concat();
                        stream.write_all(&chunk).await?;
                    }
                    Part::Hang => return wait_for_the_end(stream).await,
                    Part::Cut => return Ok(false),
                }
            }
            stream.write_all(b"0\r\n\r\n").await?;
            Ok(true)
        }
        Reply::Silence => wait_for_the_end(stream).await,
        Reply::HangUp => Ok(false),
    }
}

/// Waits until the client closes the connection.
async fn wait_for_the_end(stream: &mut BufReader<TcpStream>) -> std::io::Result<bool> {
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 {}
    Ok(false)
}
