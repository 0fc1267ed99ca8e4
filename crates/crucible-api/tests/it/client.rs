//! The client against a real socket: the same answers as the store behind it.

use std::net::TcpListener;

use crucible_api::client::Client;
use crucible_services::data_store::{Error, ListRequest, SearchRequest};
use crucible_services::service_traits::DataStore as _;

use crate::service::Running;
use crate::twin::HOSTILE_PATH;

#[tokio::test]
async fn answers_are_those_of_the_store() {
    let running = Running::new().await;
    let (client, twin) = (running.client(), &running.twin);
    let search = SearchRequest {
        limit: 2,
        folder: Some("Deep/Folder".to_owned()),
        tags: vec!["tool/heat".to_owned()],
        ..SearchRequest::new("hot oven")
    };
    assert_eq!(
        client.search(search.clone()).await,
        twin.search(search).await
    );
    for path in ["Home", "Deep/Folder/Bread Oven.md", HOSTILE_PATH] {
        assert_eq!(client.note(path).await, twin.note(path).await);
        assert_eq!(client.links(path).await, twin.links(path).await);
    }
    let list = ListRequest {
        limit: 1,
        cursor: Some(HOSTILE_PATH.to_owned()),
        ..ListRequest::default()
    };
    assert_eq!(
        client.list_notes(list.clone()).await,
        twin.list_notes(list).await
    );
    let all = ListRequest {
        limit: usize::MAX,
        ..ListRequest::default()
    };
    assert_eq!(client.list_notes(all).await.unwrap().notes.len(), 4);
    assert_eq!(client.stats().await, twin.stats().await);
    assert_eq!(client.problems(usize::MAX).await, twin.problems(9).await);
    assert_eq!(client.problems(0).await, Ok(Vec::new()));
}

#[tokio::test]
async fn errors_come_back_as_the_store_gave_them() {
    let running = Running::new().await;
    let (client, twin) = (running.client(), &running.twin);
    for name in [
        "Nothing",
        "@ambiguous",
        "@unavailable",
        "@internal",
        "@invalid",
    ] {
        let expected = twin.note(name).await;
        assert!(expected.is_err());
        assert_eq!(client.note(name).await, expected);
    }
}

#[tokio::test]
async fn names_may_hold_anything() {
    let running = Running::new().await;
    let client = running.client();
    for name in [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "/",
        "//",
        "a//b",
        "/abs",
        "a/",
        " ",
        "#",
        "?",
        "%",
        "%2F",
        "%zz",
        "a&b=c",
        "a+b",
        "\n",
        "\r\n",
        "\0",
        "é",
        "e\u{301}",
        "🥖",
        "\u{202e}",
        ";",
        "\\",
        "{x}",
        "*",
        ":",
        "@",
    ] {
        let error = client.note(name).await.unwrap_err();
        let Error::NotFound { reference, .. } = error else {
            panic!("{name:?}: {error}");
        };
        assert_eq!(reference, name);
        let found = client.search(SearchRequest::new(format!("{name}☃"))).await;
        assert_eq!(found.unwrap().hits, [], "{name:?}");
    }
}

#[tokio::test]
async fn name_too_long_for_a_request_is_an_error_and_not_a_panic() {
    let running = Running::new().await;
    let long = "x".repeat(100_000);
    let error = running.client().note(&long).await.unwrap_err();
    assert!(matches!(error, Error::InvalidQuery { .. }), "{error}");
}

#[tokio::test]
async fn refused_limit_is_an_invalid_query() {
    let running = Running::new().await;
    for limit in [0, SearchRequest::LIMIT_MAX + 1] {
        let request = SearchRequest {
            limit,
            ..SearchRequest::new("bread")
        };
        let error = running.client().search(request).await.unwrap_err();
        assert!(matches!(error, Error::InvalidQuery { .. }), "{error}");
    }
}

#[tokio::test]
async fn nobody_there_names_the_cure() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let error = Client::new(address).stats().await.unwrap_err();
    let Error::Unavailable { reason } = error else {
        panic!("{error}");
    };
    assert!(reason.contains("crucible serve"), "{reason}");
    assert!(reason.contains(&address.to_string()), "{reason}");
}

#[tokio::test]
async fn services_health_and_vault_are_read_back() {
    let running = Running::new().await;
    let client = running.client();
    assert_eq!(client.services().await.unwrap().len(), 0);
    assert!(client.health().await.is_ok());
    assert_eq!(client.vault().await.unwrap().name, "Bakery <b>");
    assert_eq!(client.alive().await, Ok(()));
}
