//! The event stream, as a browser would see it.

use std::io::BufReader;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::Value;

use super::{DEADLINE, http};

/// Events that wait to be looked at.
const EVENTS_MAX: usize = 100_000;

/// An open `GET /api/v1/events`.
pub(crate) struct EventStream {
    events: Receiver<Value>,
    connection: TcpStream,
}

impl EventStream {
    /// Opens the stream; `last_id` resumes after an event that was seen.
    #[track_caller]
    pub(crate) fn open(api: SocketAddr, path: &str, last_id: Option<&str>) -> Self {
        let mut headers = vec![("Accept", "text/event-stream")];
        headers.extend(last_id.map(|id| ("Last-Event-ID", id)));
        let mut stream = http::send(api, "GET", path, &headers, "");
        let (status, headers) = http::read_head(&mut stream);
        assert_eq!(status, 200, "{headers:?}");
        let connection = stream.get_ref().try_clone().unwrap();
        connection.set_read_timeout(None).unwrap();
        let (sender, events) = sync_channel(EVENTS_MAX);
        std::thread::spawn(move || follow(stream, &sender));
        Self { events, connection }
    }

    /// Returns all events up to and including the first that `is_last` accepts.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let Ok(event) = self.events.recv_timeout(DEADLINE) else {
                let names: Vec<String> = seen.iter().map(name).collect();
                panic!("{what} was not told; told were {names:?}");
            };
            let ends = is_last(&event);
            seen.push(event);
            if ends {
                return seen;
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        // The other side may have closed it already.
        let _closed = self.connection.shutdown(Shutdown::Both);
    }
}

/// The dotted name of an event, such as `filesystem.file_created`.
pub(crate) fn name(event: &Value) -> String {
    let kind = &event["event_type"];
    format!(
        "{}.{}",
        kind["category"].as_str().unwrap(),
        kind["type"].as_str().unwrap()
    )
}

/// Says whether an event is about a file: by its path, either of a move, or a record's key.
pub(crate) fn is_about(event: &Value, path: &str) -> bool {
    let kind = &event["event_type"];
    ["path", "from", "to", "id"]
        .iter()
        .any(|field| kind[*field] == path)
}

fn follow(mut stream: BufReader<TcpStream>, events: &SyncSender<Value>) {
    let mut text = Vec::new();
    while let Some(chunk) = http::read_chunk(&mut stream) {
        text.extend(chunk);
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let message: Vec<u8> = text.drain(..end + 2).collect();
            let message = String::from_utf8(message).unwrap();
            let data: Vec<&str> = message
                .lines()
                .filter_map(|line| line.strip_prefix("data:"))
                .collect();
            let Ok(event) = serde_json::from_str::<Value>(&data.join("\n")) else {
                continue;
            };
            // Notes to the reader, such as how many events it missed, are no events.
            if event.get("event_type").is_some() && events.send(event).is_err() {
                return;
            }
        }
    }
}
