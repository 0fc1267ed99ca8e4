//! Answers that are none: each becomes an error that names the cause, and holds no key.

use std::time::Duration;

use crucible_inference::providers::ProviderKind;
use crucible_services::inference::Error;

use super::server::{Reply, Server};
use super::{KEY, KINDS, config, embed_request, fixtures, one, providers, reason, request};

#[tokio::test]
async fn refused_key_is_told_with_where_keys_come_from_and_without_the_key() {
    for kind in KINDS {
        let body = fixtures::fault(kind, &format!("Incorrect API key provided: {KEY}."));
        let server = Server::saying(Reply::json(401, &body)).await;
        let providers = one(kind, &server);
        let text = reason(providers.generate(&request()).await);
        assert!(
            text.contains("api_key_env") && text.contains("Incorrect"),
            "{text}"
        );
        assert!(!text.contains(KEY), "{text}");
        let shown = format!("{providers:?} {:?}", providers.health());
        assert!(!shown.contains(KEY), "{shown}");
        assert_eq!(server.seen().len(), 1, "a refused key is not tried again");
    }
}

#[tokio::test]
async fn provider_without_its_key_is_not_asked() {
    let server = Server::saying(Reply::Silence).await;
    let mut config = config("p", ProviderKind::OpenAi, &server);
    config.api_key_env = Some("ABSENT".to_owned());
    let text = reason(providers([config]).generate(&request()).await);
    assert!(text.contains("ABSENT is not set"), "{text}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn fault_of_the_request_is_told_as_such_and_sent_nowhere_else() {
    for kind in KINDS {
        let fault = fixtures::fault(kind, "max_tokens is too large");
        let server = Server::saying(Reply::json(400, &fault)).await;
        let second = Server::saying(Reply::json(200, fixtures::generation(kind))).await;
        let list = [config("a", kind, &server), config("b", kind, &second)];
        let Err(Error::InvalidRequest(text)) = providers(list).generate(&request()).await else {
            panic!("{kind:?} did not refuse the request");
        };
        assert!(text.contains("max_tokens is too large"), "{text}");
        assert!(second.seen().is_empty());
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    for kind in KINDS {
        let server = Server::saying(Reply::Silence).await;
        let mut config = config("p", kind, &server);
        config.timeout = Duration::from_millis(200);
        config.first_byte_timeout = Duration::from_millis(100);
        let providers = providers([config]);
        let deadline = |millis| Error::TimedOut {
            deadline: Duration::from_millis(millis),
        };
        let whole = providers.generate(&request()).await;
        assert_eq!(whole.unwrap_err(), deadline(200), "{kind:?}");
        let stream = providers.generate_stream(&request()).await;
        assert_eq!(stream.unwrap_err(), deadline(100), "{kind:?}");
        assert_eq!(server.seen().len(), 2, "silence is not asked again");
    }
}

#[tokio::test]
async fn answer_of_another_kind_is_refused() {
    for kind in KINDS {
        let page = Reply::Whole {
            status: 200,
            headers: vec![("content-type", "text/html".to_owned())],
            body: "<html>".to_owned(),
        };
        let server = Server::saying(page).await;
        let providers = one(kind, &server);
        let whole = reason(providers.generate(&request()).await);
        let stream = reason(providers.generate_stream(&request()).await);
        for text in [whole, stream] {
            assert!(
                text.contains("text/html") && text.contains("base_url"),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn garbage_instead_of_an_answer_is_told() {
    for kind in KINDS {
        for body in ["", "{", "[]", "{}", "null", "\u{0}", r#"{"choices":[]}"#] {
            let server = Server::saying(Reply::json(200, body)).await;
            let providers = one(kind, &server);
            let text = reason(providers.generate(&request()).await);
            assert!(
                text.starts_with("answered with"),
                "{kind:?} {body:?}: {text}"
            );
            if kind != ProviderKind::Anthropic {
                let vectors = providers.embed(&embed_request(&["a", "b", "c"])).await;
                assert!(
                    reason(vectors).starts_with("answered with"),
                    "{kind:?} {body:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn vectors_that_do_not_fit_the_texts_are_refused() {
    for kind in [ProviderKind::OpenAi, ProviderKind::Ollama] {
        let server = Server::saying(Reply::json(200, fixtures::vectors(kind))).await;
        let failed = one(kind, &server).embed(&embed_request(&["one"])).await;
        assert!(reason(failed).contains("2 vectors for 1 texts"), "{kind:?}");
    }
}

#[tokio::test]
async fn connection_that_ends_instead_of_an_answer_is_told() {
    for kind in KINDS {
        let server = Server::saying(Reply::HangUp).await;
        let text = reason(one(kind, &server).generate(&request()).await);
        assert!(text.contains("connection broke"), "{kind:?}: {text}");
    }
}

#[tokio::test]
async fn answer_without_end_is_given_up() {
    let kind = ProviderKind::OpenAi;
    let body = format!("{{\"choices\":\"{}\"}}", "x".repeat(33 * 1024 * 1024));
    let server = Server::saying(Reply::json(200, &body)).await;
    let text = reason(one(kind, &server).generate(&request()).await);
    assert!(text.contains("more than"), "{text}");
}

#[tokio::test]
async fn redirect_is_not_followed_and_the_key_goes_nowhere_else() {
    for kind in KINDS {
        let elsewhere = Server::saying(Reply::json(200, fixtures::generation(kind))).await;
        for status in [301, 302, 307, 308] {
            let reply = Reply::json(status, "{}").with("location", &elsewhere.address());
            let server = Server::saying(reply).await;
            let text = reason(one(kind, &server).generate(&request()).await);
            assert!(text.contains("redirects"), "{text}");
        }
        assert!(elsewhere.seen().is_empty(), "{kind:?}");
    }
}

#[tokio::test]
async fn request_that_asks_for_nothing_is_refused_before_it_is_sent() {
    let server = Server::saying(Reply::Silence).await;
    let providers = one(ProviderKind::OpenAi, &server);
    let mut no_messages = request();
    no_messages.messages.clear();
    let mut no_tokens = request();
    no_tokens.tokens_max = 0;
    let mut too_hot = request();
    too_hot.temperature = Some(f32::NAN);
    for request in [no_messages, no_tokens, too_hot] {
        let refused = providers.generate(&request).await;
        assert!(matches!(refused, Err(Error::InvalidRequest(_))));
    }
    let refused = providers.embed(&embed_request(&[])).await;
    assert!(matches!(refused, Err(Error::InvalidRequest(_))));
    assert!(server.seen().is_empty());
}
