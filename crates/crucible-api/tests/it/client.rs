//! The client against a real socket: the same answers as the store behind it.

use std::net::TcpListener;

use crucible_api::NewEvent;
use crucible_api::auth::NewToken;
use crucible_api::client::{Client, Told};
use crucible_api::error::Code;
use crucible_services::access::Scope;
use crucible_services::configuration::SettingChange;
use crucible_services::data_store::{Error, ListRequest, SearchRequest};
use crucible_services::events::{EventCategory, EventFilter};
use crucible_services::note_writer::{
    self, Author, CreateNote, DeleteNote, Edit, EditNote, NoteWriter as _,
};
use crucible_services::service_traits::{DataStore as _, ServiceLifecycle as _};

use crate::service::Running;
use crate::twin::HOSTILE_PATH;
use crate::writer_twin::HASH;

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

#[tokio::test]
async fn token_is_sent_and_its_lack_is_told() {
    let running = Running::guarded().await;
    let token = running.access.issue("cli", Scope::ALL).unwrap();
    let stranger = running.client();
    assert_eq!(stranger.alive().await, Ok(()));
    let refused = stranger.services().await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::Unauthenticated));
    assert!(
        refused.to_string().contains("crucible token create"),
        "{refused}"
    );
    let Err(Error::Unavailable { reason }) = stranger.stats().await else {
        panic!("a stranger was let in");
    };
    assert!(reason.contains("crucible token create"), "{reason}");
    let client = running.client().with_token(token);
    assert!(client.services().await.is_ok());
    assert!(client.stats().await.is_ok());
}

#[tokio::test]
async fn tokens_and_links_are_made_and_revoked() {
    let running = Running::guarded().await;
    let owner = running.access.issue("cli", Scope::ALL).unwrap();
    let owner = running.client().with_token(owner);
    let made = owner
        .create_token(&NewToken::new("robot", [Scope::Read]))
        .await
        .unwrap();
    let robot = running.client().with_token(made.secret);
    assert!(robot.stats().await.is_ok());
    assert_eq!(owner.tokens().await.unwrap()[0].name, "robot");
    let missing = robot.tokens().await.unwrap_err();
    assert_eq!(missing.code(), Some(Code::ScopeMissing));
    owner.revoke_token("robot").await.unwrap();
    assert!(robot.stats().await.is_err());
    let gone = owner.revoke_token("robot").await.unwrap_err();
    assert_eq!(gone.code(), Some(Code::NoSuchToken));
    let link = owner.login_link().await.unwrap();
    let start = format!("http://{}/login?code=", running.address);
    assert!(link.starts_with(&start), "{link}");
}

#[tokio::test]
async fn notes_are_written_through_the_client_as_through_the_writer() {
    let running = Running::new().await;
    let client = running.client();
    let me = || Author::new("me");
    let created = client
        .create(
            CreateNote {
                path: "A b/é?.md".to_owned(),
                text: "x".repeat(200_000),
            },
            me(),
        )
        .await
        .unwrap();
    assert_eq!(created.path, "A b/é?.md");
    let edit = |path: &str, seen: &str| EditNote {
        path: path.to_owned(),
        seen: seen.to_owned(),
        edits: vec![Edit::Append {
            text: "more".to_owned(),
        }],
    };
    assert!(client.edit(edit("Home.md", HASH), me()).await.is_ok());
    for request in [edit("Home.md", "0"), edit("a/b?#.md", HASH)] {
        let expected = running.writer.edit(request.clone(), me()).await;
        assert!(expected.is_err());
        assert_eq!(client.edit(request, me()).await, expected);
    }
    let nameless = client.edit(edit("", HASH), me()).await;
    assert!(matches!(
        nameless,
        Err(note_writer::Error::InvalidPath { .. })
    ));
    let delete = DeleteNote {
        path: "Home.md".to_owned(),
        seen: HASH.to_owned(),
    };
    assert_eq!(client.delete(delete, me()).await.unwrap().hash, None);
    assert!(client.undo(None, me()).await.is_ok());
    let nothing = client.undo(Some("c0"), me()).await;
    assert!(matches!(
        nothing,
        Err(note_writer::Error::NothingToUndo { .. })
    ));
    assert_eq!(
        client.history(None, usize::MAX).await,
        running.writer.history(None, usize::MAX).await
    );
    assert_eq!(client.history(None, 0).await, Ok(Vec::new()));
}

#[tokio::test]
async fn settings_figures_and_health_are_read_back() {
    let running = Running::new().await;
    let client = running.client();
    assert_eq!(client.settings().await.unwrap().len(), 2);
    let change = |path: &str| {
        vec![SettingChange {
            path: path.to_owned(),
            value: 7.into(),
        }]
    };
    client
        .validate_settings(&change("search.limit"))
        .await
        .unwrap();
    let changed = client
        .change_settings(&change("search.limit"))
        .await
        .unwrap();
    assert_eq!(changed.paths, ["search.limit"]);
    let wrong = client.validate_settings(&change("x")).await.unwrap_err();
    assert_eq!(wrong.code(), Some(Code::InvalidSettings));
    assert_eq!(client.metrics().await.unwrap().services_registered, 0);
    assert!(client.metrics_history(10).await.unwrap().len() <= 10);
    assert!(client.check_health().await.is_ok());
    assert_eq!(client.health_history(None, 10).await, Ok(Vec::new()));
    for missing in [
        client.service("a/b").await,
        client.start_service("a/b").await,
        client.stop_service("a/b").await,
        client.restart_service("a/b").await,
    ] {
        assert_eq!(missing.unwrap_err().code(), Some(Code::NoSuchService));
    }
}

#[tokio::test]
async fn events_are_told_remembered_and_followed() {
    let running = Running::new().await;
    let client = running.client();
    let filter = EventFilter::category(EventCategory::Custom);
    let first = client.publish(&NewEvent::new("first")).await.unwrap();
    let mut tail = client.tail_events(&filter, Some(first.id)).await.unwrap();
    let second = client.publish(&NewEvent::new("second")).await.unwrap();
    let Some(Ok(Told::Event(event))) = tail.next().await else {
        panic!("the second event is told");
    };
    assert_eq!(event.id, second.id);
    let recent = client.recent_events(&filter, 10).await.unwrap();
    let ids: Vec<_> = recent.iter().map(|event| event.id).collect();
    assert_eq!(ids, [first.id, second.id]);
    running.service.stop().await.unwrap();
    assert_eq!(tail.next().await, None);
}
