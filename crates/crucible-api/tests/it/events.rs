//! The event stream: from `CrucibleCore::route_event` to the reader.

use axum::body::Body;
use axum::http::Request;
use crucible_api::ApiConfig;
use crucible_services::events::{
    DaemonEvent, EventPayload, EventSource, EventType, FilesystemEventType,
};

use crate::rig::{Answer, Rig, request};
use crate::sse::Reader;

/// Filters out what the core itself tells.
const OWN: &str = "/api/v1/events?category=filesystem&category=custom";

fn modified(path: &str) -> DaemonEvent {
    DaemonEvent::new(
        EventType::Filesystem(FilesystemEventType::FileModified {
            path: path.to_owned(),
        }),
        EventSource::filesystem("vault"),
        EventPayload::json(serde_json::json!({ "path": path })),
    )
    .with_ordering_key(path)
}

fn custom(name: &str) -> DaemonEvent {
    DaemonEvent::new(
        EventType::Custom {
            name: name.to_owned(),
        },
        EventSource::external("test"),
        EventPayload::text("one\ntwo\r\nthree\0"),
    )
}

fn resume(target: &str, last: &str) -> Request<Body> {
    let mut request = request("GET", target);
    let last = last.parse().unwrap();
    request.headers_mut().insert("last-event-id", last);
    request
}

#[tokio::test]
async fn routed_event_is_on_the_stream_exactly() {
    let rig = Rig::new().await;
    let mut reader = Reader::open(rig.send(request("GET", OWN)).await).await;
    let event = modified("Recipes/🥖 Weekend Baguettes.md");
    rig.core.route_event(event.clone()).await.unwrap();
    let block = reader.next().await.unwrap();
    assert_eq!(block.event, "filesystem.file_modified");
    assert_eq!(block.id, event.id.to_string());
    let told: DaemonEvent = serde_json::from_str(&block.data).unwrap();
    assert_eq!(told, event);
}

#[tokio::test]
async fn filters_let_through_only_what_is_wanted() {
    let rig = Rig::new().await;
    for (query, expected) in [
        ("category=custom", 1),
        ("type=filesystem.file_modified", 0),
        ("source=external", 1),
        ("source=external&source=filesystem&category=filesystem", 0),
    ] {
        let target = format!("/api/v1/events?{query}");
        let mut reader = Reader::open(rig.send(request("GET", &target)).await).await;
        let events = [modified("a.md"), custom("b")];
        for event in &events {
            rig.core.route_event(event.clone()).await.unwrap();
        }
        let block = reader.next().await.unwrap();
        assert_eq!(block.id, events[expected].id.to_string(), "{query}");
    }
}

#[tokio::test]
async fn odd_names_and_payloads_keep_the_stream_whole() {
    let rig = Rig::new().await;
    let mut reader = Reader::open(rig.send(request("GET", OWN)).await).await;
    let odd = custom("x\nevent: filesystem.file_deleted\r\n\ndata: forged\0");
    rig.core.route_event(odd.clone()).await.unwrap();
    rig.core.route_event(modified("a.md")).await.unwrap();
    let block = reader.next().await.unwrap();
    assert_eq!(block.id, odd.id.to_string());
    assert!(block.event.starts_with("custom.x event"), "{block:?}");
    assert_eq!(
        serde_json::from_str::<DaemonEvent>(&block.data).unwrap(),
        odd
    );
    assert_eq!(
        reader.next().await.unwrap().event,
        "filesystem.file_modified"
    );
}

#[tokio::test]
async fn unnamed_stream_is_heard_by_a_plain_listener() {
    let rig = Rig::new().await;
    let target = format!("{OWN}&named=false");
    let mut reader = Reader::open(rig.send(request("GET", &target)).await).await;
    let event = custom("anything");
    rig.core.route_event(event.clone()).await.unwrap();
    let block = reader.next().await.unwrap();
    assert_eq!(
        (block.event, block.id),
        (String::new(), event.id.to_string())
    );
}

#[tokio::test]
async fn reader_that_comes_back_gets_what_it_missed_once_and_in_order() {
    let rig = Rig::new().await;
    let events: Vec<_> = (0..6).map(|n| modified(&format!("{n}.md"))).collect();
    for event in &events[..4] {
        rig.core.route_event(event.clone()).await.unwrap();
    }
    let last = events[1].id.to_string();
    let mut reader = Reader::open(rig.send(resume(OWN, &last)).await).await;
    for event in &events[4..] {
        rig.core.route_event(event.clone()).await.unwrap();
    }
    for event in &events[2..] {
        assert_eq!(reader.next().await.unwrap().id, event.id.to_string());
    }
}

#[tokio::test]
async fn reader_whose_last_event_is_forgotten_is_told_so() {
    let rig = Rig::new().await;
    let event = modified("a.md");
    let forgotten = modified("never routed.md").id.to_string();
    rig.core.route_event(event.clone()).await.unwrap();
    let mut reader = Reader::open(rig.send(resume(OWN, &forgotten)).await).await;
    let block = reader.next().await.unwrap();
    assert_eq!(block.event, "missed");
    assert_eq!(block.json(), serde_json::json!({ "count": null }));
    assert_eq!(reader.next().await.unwrap().id, event.id.to_string());
}

#[tokio::test]
async fn last_event_id_that_is_none_is_refused_and_an_empty_one_ignored() {
    let rig = Rig::new().await;
    let answer = Answer::read(rig.send(resume(OWN, "17")).await).await;
    assert_eq!(answer.fault(), (400, "invalid_query".to_owned()));
    Reader::open(rig.send(resume(OWN, "")).await).await;
}

#[tokio::test]
async fn slow_reader_is_told_how_many_it_missed() {
    /// More than any subscription holds.
    const EVENTS: u64 = 20_000;
    let rig = Rig::new().await;
    let mut reader = Reader::open(rig.send(request("GET", OWN)).await).await;
    for n in 0..EVENTS {
        rig.core
            .route_event(modified(&format!("{n}.md")))
            .await
            .unwrap();
    }
    let last = custom("last");
    rig.core.route_event(last.clone()).await.unwrap();
    let (mut seen, mut missed) = (0, 0);
    loop {
        let block = reader.next().await.unwrap();
        if block.event == "missed" {
            missed += block.json()["count"].as_u64().unwrap();
        } else if block.id == last.id.to_string() {
            break;
        } else {
            seen += 1;
        }
    }
    assert!(missed > 0, "nothing was missed; {seen} were kept");
    assert_eq!(seen + missed, EVENTS);
}

#[tokio::test]
async fn silent_stream_sends_comments() {
    let config = ApiConfig {
        keep_alive: std::time::Duration::from_millis(5),
        ..ApiConfig::default()
    };
    let rig = Rig::with(config).await;
    let mut reader = Reader::open(rig.send(request("GET", OWN)).await).await;
    assert!(reader.next().await.unwrap().comment);
}

#[tokio::test]
async fn stream_ends_when_the_api_closes() {
    let rig = Rig::new().await;
    let mut reader = Reader::open(rig.send(request("GET", OWN)).await).await;
    rig.closing.cancel();
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn stream_ends_when_the_core_stops() {
    let rig = Rig::new().await;
    let mut reader = Reader::open(rig.send(request("GET", OWN)).await).await;
    rig.core.stop().await.unwrap();
    assert_eq!(reader.next().await, None);
}

#[tokio::test]
async fn streams_are_bounded_and_a_closed_one_makes_room() {
    let config = ApiConfig {
        streams_max: 2,
        requests_max: 1,
        ..ApiConfig::default()
    };
    let rig = Rig::with(config).await;
    let first = Reader::open(rig.send(request("GET", OWN)).await).await;
    let _second = Reader::open(rig.send(request("GET", OWN)).await).await;
    assert_eq!(rig.get(OWN).await.fault(), (503, "overloaded".to_owned()));
    assert_eq!(
        rig.get("/api/v1/stats").await.status,
        200,
        "streams take no request's place"
    );
    drop(first);
    Reader::open(rig.send(request("GET", OWN)).await).await;
}

#[tokio::test]
async fn recent_events_are_listed_newest_last() {
    let rig = Rig::new().await;
    let events: Vec<_> = (0..3).map(|n| modified(&format!("{n}.md"))).collect();
    for event in &events {
        rig.core.route_event(event.clone()).await.unwrap();
    }
    let answer = rig
        .get("/api/v1/events/recent?category=filesystem&limit=2")
        .await;
    let told: Vec<DaemonEvent> = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(told, events[1..]);
    insta::assert_snapshot!(
        rig.get("/api/v1/events/recent?category=filesystem&limit=1").await.snapshot(),
        @r##"
        [
          {
            "id": "[id]",
            "timestamp": "[timestamp]",
            "event_type": {
              "category": "filesystem",
              "type": "file_modified",
              "path": "2.md"
            },
            "source": {
              "kind": "filesystem",
              "id": "[id]"
            },
            "payload": {
              "kind": "json",
              "data": {
                "path": "2.md"
              }
            },
            "priority": "normal",
            "metadata": {
              "correlation_id": "[correlation_id]",
              "depth": 0,
              "ordering_key": "2.md"
            }
          }
        ]
        "##
    );
}
