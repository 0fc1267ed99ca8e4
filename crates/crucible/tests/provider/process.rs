//! The provider: a process that speaks as much of OpenAI's chat completions as it takes, and says its
//! own name.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// Makes a process of this program a provider; holds its name and its port.
const VARIABLE: &str = "CRUCIBLE_TEST_PROVIDER";
/// How many words a streamed answer has, and how far apart they are: longer than anybody waits.
const WORDS: usize = 3_000;
const WORD_EVERY: Duration = Duration::from_millis(20);

/// A running provider; killed when dropped.
pub(crate) struct Provider {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    child: Child,
}

impl Provider {
    /// Starts one that listens on `port`, or on any free one for 0.
    pub(crate) fn start(name: &'static str, port: u16) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(VARIABLE, format!("{name}:{port}"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        Self {
            name,
            port: line.trim().parse().unwrap(),
            child,
        }
    }

    /// Kills it with a signal that it cannot see.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Whether this process is to be a provider.
pub(crate) fn is_meant() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Answers until it is killed.
#[expect(clippy::print_stdout, reason = "who started it reads the port")]
pub(crate) fn serve() {
    let meant = std::env::var(VARIABLE).unwrap();
    let (name, port) = meant.split_once(':').unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port.parse().unwrap())).unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    for stream in listener.incoming().flatten() {
        let name = name.to_owned();
        std::thread::spawn(move || {
            // The other side going away is what is tested.
            let _gone = answer(&stream, &name);
        });
    }
}

fn answer(stream: &TcpStream, name: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some((header, value)) = line.split_once(':')
            && header.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    if first.starts_with("GET") {
        return send(
            stream,
            &json!({ "object": "list", "data": [{ "id": "m", "object": "model" }] }),
        );
    }
    if asked["stream"] == true {
        return send_words(stream);
    }
    send(
        stream,
        &json!({
            "id": "1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{
                "index": 0, "finish_reason": "stop",
                "message": { "role": "assistant", "content": name },
            }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4 },
        }),
    )
}

fn send(mut stream: &TcpStream, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn send_words(mut stream: &TcpStream) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    )?;
    for _ in 0..WORDS {
        let delta = json!({
            "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": { "content": "word " }, "finish_reason": null }],
        });
        write!(stream, "data: {delta}\n\n")?;
        std::thread::sleep(WORD_EVERY);
    }
    write!(stream, "data: [DONE]\n\n")
}
