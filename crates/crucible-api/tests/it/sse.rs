//! Reads an event stream, one block at a time.

use axum::body::Body;
use axum::response::Response;
use http_body_util::BodyExt as _;
use serde_json::Value;

/// One block of the stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: String,
    pub(crate) comment: bool,
}

impl Block {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut block = Self::default();
        for line in text.lines() {
            match line.split_once(": ").unwrap_or((line, "")) {
                ("event", value) => value.clone_into(&mut block.event),
                ("id", value) => value.clone_into(&mut block.id),
                ("data", value) => block.data.push_str(value),
                ("", _) | (":", _) => block.comment = true,
                ("retry", _) => {}
                other => panic!("unexpected line {other:?}"),
            }
        }
        block
    }
}

/// A reader of a stream.
pub(crate) struct Reader {
    body: Body,
    pending: String,
}

impl Reader {
    /// Starts to read; the greeting has been read when this returns.
    pub(crate) async fn open(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut reader = Self {
            body: response.into_body(),
            pending: String::new(),
        };
        assert!(reader.next().await.unwrap().comment);
        reader
    }

    /// Returns the next block, or `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Block> {
        loop {
            if let Some((block, rest)) = self.pending.split_once("\n\n") {
                let block = Block::parse(block);
                self.pending = rest.to_owned();
                return Some(block);
            }
            let data = self.body.frame().await?.unwrap().into_data().unwrap();
            self.pending.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}
