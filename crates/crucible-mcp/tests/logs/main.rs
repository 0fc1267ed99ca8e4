//! What is logged, and what is not.
//!
//! A process of its own: which log lines are wanted is remembered for the whole process, and other
//! tests on other threads, which want none, would decide it for this one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[expect(dead_code, reason = "most of it serves the other tests")]
#[path = "../it/vault.rs"]
mod vault;
#[expect(dead_code, reason = "most of it serves the other tests")]
#[path = "../it/wire.rs"]
mod wire;

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::EnvFilter;
use wire::Client;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn arguments_and_notes_are_never_logged() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!(
            "trace,{}",
            crucible_mcp::LOG_FILTER
        )))
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let (mut client, vault) = Client::legacy().await;
    vault.write("Hidden.md", "# Hidden\nThe treasure lies below the oak.\n");
    client
        .answer("search_notes", json!({ "query": "treasure" }))
        .await;
    client.answer("read_note", json!({ "ref": "Hidden" })).await;
    client
        .fault("read_note", json!({ "ref": "treasure" }))
        .await;
    client
        .fault("search_notes", json!({ "treasure": "treasure" }))
        .await;
    vault.break_down();
    client
        .fault("search_notes", json!({ "query": "treasure" }))
        .await;
    client.send_line("{ treasure").await;
    client.receive().await;
    client
        .send_line(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"treasure"}"#)
        .await;
    client.receive().await;
    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("tool call") && log.contains("search_notes"),
        "{log}"
    );
    assert!(!log.contains("treasure") && !log.contains("oak"), "{log}");
}
