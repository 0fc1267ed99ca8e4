//! Answers that come piece by piece, and how they break.

use std::time::Duration;

use crucible_inference::providers::ProviderKind;
use crucible_services::inference::{EndReason, Error, GenerationPiece, TokenUsage};
use futures_util::StreamExt as _;
use serde_json::json;

use super::server::{Part, Reply, Server};
use super::{KINDS, config, fixtures, one, providers, read, reason, request};

#[tokio::test]
async fn pieces_come_in_order_with_their_end_and_cost_in_each_protocol() {
    for kind in KINDS {
        let server = Server::saying(Reply::stream(kind, fixtures::stream(kind))).await;
        let providers = one(kind, &server);
        let stream = providers.generate_stream(&request()).await.unwrap();
        let (text, end) = read(stream).await;
        assert_eq!(text, "Hello there 🥖", "{kind:?}");
        let usage = TokenUsage {
            prompt: 13,
            completion: 7,
        };
        let expected = GenerationPiece::End {
            reason: EndReason::Length,
            usage,
        };
        assert_eq!(end, Ok(expected), "{kind:?}");
        let body = &server.seen()[0].body;
        assert_eq!(body["stream"], true);
        if kind == ProviderKind::OpenAi {
            assert_eq!(body["stream_options"], json!({ "include_usage": true }));
        }
        assert_eq!(providers.usage()[0].tokens_completion, 7);
    }
}

#[tokio::test]
async fn stream_split_at_every_byte_reads_the_same() {
    for kind in KINDS {
        let bytes = fixtures::stream(kind).bytes();
        let parts = bytes.map(|byte| Part::Bytes(vec![byte])).collect();
        let server = Server::saying(Reply::Stream(fixtures::stream_type(kind), parts)).await;
        let stream = one(kind, &server).generate_stream(&request()).await;
        let (text, end) = read(stream.unwrap()).await;
        assert_eq!(text, "Hello there 🥖", "{kind:?}");
        assert!(end.is_ok());
    }
}

/// Streams `Hello ` and then `rest`, and returns what the stream ended with.
async fn broken(kind: ProviderKind, rest: Part) -> Result<GenerationPiece, Error> {
    let reply = Reply::stream(kind, &fixtures::beginning(kind)).then(rest);
    let server = Server::saying(reply).await;
    let mut config = config("p", kind, &server);
    config.idle_timeout = Duration::from_millis(100);
    let providers = providers([config]);
    let stream = providers.generate_stream(&request()).await.unwrap();
    let (text, last) = read(stream).await;
    assert_eq!(text, "Hello ", "{kind:?}");
    assert_eq!(
        server.seen().len(),
        1,
        "an answer that began is not asked for again"
    );
    assert_eq!(providers.usage()[0].failures, 1);
    last
}

#[tokio::test]
async fn stream_that_hangs_in_the_middle_ends_at_the_idle_deadline() {
    for kind in KINDS {
        let Err(Error::TimedOut { deadline }) = broken(kind, Part::Hang).await else {
            panic!("{kind:?} did not time out");
        };
        assert_eq!(deadline, Duration::from_millis(100));
    }
}

#[tokio::test]
async fn stream_that_closes_early_is_told_from_one_that_is_whole() {
    for kind in KINDS {
        let last = broken(kind, Part::Cut).await;
        assert!(reason(last).contains("connection broke"), "{kind:?}");
        // In good order, but before the answer was whole.
        let last = broken(kind, Part::Bytes(b"\n\n".to_vec())).await;
        assert!(reason(last).contains("ended before"), "{kind:?}");
    }
}

#[tokio::test]
async fn garbage_in_the_middle_of_a_stream_is_told() {
    for kind in KINDS {
        for garbage in [&b"data: {\"oops\n\n"[..], b"\xff\xfe\n\n", b"data: 7\n\n"] {
            let garbage = if kind == ProviderKind::Ollama {
                garbage.strip_prefix(b"data: ").unwrap_or(garbage)
            } else {
                garbage
            };
            let last = broken(kind, Part::Bytes(garbage.to_vec())).await;
            assert!(reason(last).starts_with("answered with"), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn line_without_end_is_given_up_and_not_kept() {
    for kind in KINDS {
        let long = Part::Bytes(vec![b'x'; 2 * 1024 * 1024]);
        let last = broken(kind, long).await;
        assert!(reason(last).contains("1048576 bytes"), "{kind:?}");
    }
}

#[tokio::test]
async fn provider_that_gives_up_in_a_stream_is_heard() {
    for kind in KINDS {
        let fault = fixtures::stream_fault(kind).as_bytes().to_vec();
        let last = broken(kind, Part::Bytes(fault)).await;
        assert!(reason(last).contains("Overloaded"), "{kind:?}");
    }
}

#[tokio::test]
async fn dropping_the_stream_ends_the_request() {
    for kind in KINDS {
        let reply = Reply::stream(kind, &fixtures::beginning(kind)).then(Part::Hang);
        let server = Server::saying(reply).await;
        let providers = one(kind, &server);
        let mut stream = providers.generate_stream(&request()).await.unwrap();
        let first = stream.0.next().await.unwrap().unwrap();
        assert_eq!(first, GenerationPiece::Text("Hello ".to_owned()));
        assert_eq!(providers.health()[0].under_way, 1);
        drop(stream);
        server.left().await;
        assert_eq!(providers.health()[0].under_way, 0);
    }
}

#[tokio::test]
async fn whole_deadline_ends_a_stream_that_keeps_talking() {
    let kind = ProviderKind::OpenAi;
    let pings = (0..200).map(|_| Part::Bytes(b": ping\n\n".to_vec()));
    let mut parts: Vec<Part> = vec![Part::Bytes(fixtures::beginning(kind).into_bytes())];
    parts.extend(pings);
    parts.push(Part::Hang);
    let server = Server::saying(Reply::Stream(fixtures::stream_type(kind), parts)).await;
    let mut config = config("p", kind, &server);
    config.timeout = Duration::from_millis(200);
    let stream = providers([config]).generate_stream(&request()).await;
    let (_, last) = read(stream.unwrap()).await;
    let deadline = Duration::from_millis(200);
    assert_eq!(last, Err(Error::TimedOut { deadline }));
}
