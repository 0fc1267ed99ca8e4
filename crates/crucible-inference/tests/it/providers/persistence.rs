//! Asking again, asking the next one, and leaving alone what fails too often.

use std::time::Duration;

use crucible_inference::providers::{BreakerState, ProviderConfig, ProviderKind};
use crucible_services::inference::Error;

use super::server::{Part, Reply, Server};
use super::{KINDS, config, fixtures, one, providers, read, reason, request};

/// An address at which nobody listens.
async fn dead() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn faults_that_may_pass_are_asked_again() {
    for kind in KINDS {
        for status in [408, 429, 500, 502, 503, 529] {
            let bad = Reply::json(status, &fixtures::fault(kind, "later"));
            let good = Reply::json(200, fixtures::generation(kind));
            let server = Server::start([bad.clone(), bad, good]).await;
            let answer = one(kind, &server).generate(&request()).await.unwrap();
            assert_eq!(answer.text, "Hello there 🥖", "{kind:?} {status}");
            assert_eq!(server.seen().len(), 3);
        }
    }
}

#[tokio::test]
async fn stream_is_asked_for_again_before_its_first_piece() {
    for kind in KINDS {
        let bad = Reply::json(500, &fixtures::fault(kind, "later"));
        let good = Reply::stream(kind, fixtures::stream(kind));
        let server = Server::start([bad, good]).await;
        let stream = one(kind, &server).generate_stream(&request()).await;
        let (text, end) = read(stream.unwrap()).await;
        assert_eq!(text, "Hello there 🥖", "{kind:?}");
        assert!(end.is_ok());
    }
}

#[tokio::test]
async fn attempts_have_a_bound() {
    let kind = ProviderKind::OpenAi;
    let server = Server::saying(Reply::json(500, &fixtures::fault(kind, "broken"))).await;
    let text = reason(one(kind, &server).generate(&request()).await);
    assert!(text.contains("500") && text.contains("broken"), "{text}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn wait_that_the_provider_asks_for_is_honoured() {
    let kind = ProviderKind::OpenAi;
    let busy = Reply::json(429, &fixtures::fault(kind, "slow down")).with("retry-after", "1");
    let server = Server::start([busy, Reply::json(200, fixtures::generation(kind))]).await;
    let providers = one(kind, &server);
    let began = tokio::time::Instant::now();
    providers.generate(&request()).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn longer_wait_than_is_allowed_is_handed_on_to_the_caller() {
    let kind = ProviderKind::Anthropic;
    let busy = Reply::json(429, &fixtures::fault(kind, "slow down")).with("retry-after", "3600");
    let server = Server::saying(busy).await;
    let Err(Error::Busy { retry_after, .. }) = one(kind, &server).generate(&request()).await else {
        panic!("not busy");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(3600)));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn second_provider_answers_when_the_first_is_dead() {
    for kind in KINDS {
        let good = [
            Reply::json(200, fixtures::generation(kind)),
            Reply::stream(kind, fixtures::stream(kind)),
        ];
        let second = Server::start(good).await;
        let mut first = config("a", kind, &second);
        first.base_url = dead().await;
        let providers = providers([first, config("b", kind, &second)]);
        let answer = providers.generate(&request()).await.unwrap();
        assert_eq!(answer.provider, "b", "{kind:?}");
        let stream = providers.generate_stream(&request()).await.unwrap();
        assert_eq!(read(stream).await.0, "Hello there 🥖");
        let health = providers.health();
        let trouble = health[0].trouble.as_deref().unwrap();
        assert!(trouble.contains("cannot be reached"), "{trouble}");
        assert_eq!(health[1].trouble, None);
    }
}

#[tokio::test]
async fn second_provider_takes_over_from_every_fault_that_is_the_providers() {
    let kind = ProviderKind::OpenAi;
    let begun = Reply::stream(kind, ": hello\n\n");
    for bad in [
        Reply::json(401, "{}"),
        Reply::json(404, &fixtures::fault(kind, "no such model")),
        Reply::json(500, "{}"),
        Reply::Silence,
        Reply::HangUp,
        Reply::stream(kind, "data: garbage\n\n"),
        begun.clone().then(Part::Hang),
        begun.then(Part::Cut),
    ] {
        let what = format!("{bad:?}");
        let first = Server::saying(bad).await;
        let second = Server::saying(Reply::stream(kind, fixtures::stream(kind))).await;
        let mut a = config("a", kind, &first);
        a.first_byte_timeout = Duration::from_millis(100);
        let providers = providers([a, config("b", kind, &second)]);
        let stream = providers.generate_stream(&request()).await.unwrap();
        assert_eq!(read(stream).await.0, "Hello there 🥖", "{what}");
        let failures: Vec<_> = providers.usage().iter().map(|u| u.failures).collect();
        assert_eq!(failures, [1, 0], "{what}");
    }
}

#[tokio::test]
async fn when_all_providers_fail_each_ones_reason_is_told() {
    let kind = ProviderKind::OpenAi;
    let server = Server::saying(Reply::json(500, &fixtures::fault(kind, "broken"))).await;
    let mut dead_one = config("a", kind, &server);
    dead_one.base_url = dead().await;
    let text = reason(
        providers([dead_one, config("b", kind, &server)])
            .generate(&request())
            .await,
    );
    assert!(
        text.contains("a cannot be reached") && text.contains("broken"),
        "{text}"
    );
}

/// A provider whose breaker opens at the second failure and rests for `rest`.
fn touchy(kind: ProviderKind, server: &Server, rest: Duration) -> ProviderConfig {
    let mut config = config("p", kind, server);
    config.retry.attempts_max = 1;
    config.breaker.failures_in_a_row = 2;
    config.breaker.rest_first = rest;
    config
}

#[tokio::test]
async fn open_breaker_leaves_the_provider_alone_and_says_for_how_long() {
    for kind in KINDS {
        let server = Server::saying(Reply::json(500, "{}")).await;
        let providers = providers([touchy(kind, &server, Duration::from_secs(60))]);
        for _ in 0..2 {
            assert!(providers.generate(&request()).await.is_err());
        }
        assert_eq!(providers.health()[0].breaker, BreakerState::Open);
        let Err(Error::Busy { retry_after, .. }) = providers.generate(&request()).await else {
            panic!("{kind:?} was asked");
        };
        assert!(retry_after.unwrap() > Duration::from_secs(20));
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn after_its_rest_a_probe_goes_out_and_its_answer_closes_the_breaker() {
    let kind = ProviderKind::Ollama;
    let server = Server::saying(Reply::json(500, "{}")).await;
    let providers = providers([touchy(kind, &server, Duration::from_millis(20))]);
    for _ in 0..2 {
        assert!(providers.generate(&request()).await.is_err());
    }
    server.say(Reply::json(200, fixtures::generation(kind)));
    while providers.health()[0].breaker == BreakerState::Open {
        tokio::task::yield_now().await;
    }
    assert_eq!(providers.health()[0].breaker, BreakerState::HalfOpen);
    providers.generate(&request()).await.unwrap();
    let health = &providers.health()[0];
    assert_eq!(
        (health.breaker, &health.trouble),
        (BreakerState::Closed, &None)
    );
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn more_requests_than_allowed_are_refused_at_once() {
    let kind = ProviderKind::OpenAi;
    let reply = Reply::stream(kind, &fixtures::beginning(kind)).then(Part::Hang);
    let server = Server::saying(reply).await;
    let mut config = config("p", kind, &server);
    config.requests_max = 1;
    let providers = providers([config]);
    let stream = providers.generate_stream(&request()).await.unwrap();
    let refused = providers.generate(&request()).await;
    assert!(matches!(refused, Err(Error::Busy { .. })));
    drop(stream);
    assert_eq!(providers.health()[0].under_way, 0);
}
