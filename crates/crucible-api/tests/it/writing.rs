//! Changes of notes: what reaches the writer, and how its refusals come back.

use std::sync::Arc;

use crucible_api::{ApiConfig, ApiParts};
use crucible_services::access::Scope;
use crucible_services::note_writer::ChangeAction;
use serde_json::json;

use crate::rig::{PORT, Rig, parts, request};
use crate::writer_twin::{HASH, TEXT};

#[tokio::test]
async fn notes_are_created_edited_moved_deleted_and_changes_undone() {
    let rig = Rig::new().await;
    let note = json!({ "path": "New/Note.md", "text": "# New\n" });
    let created = rig.tell("POST", "/api/v1/notes", &note).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.json()["path"], "New/Note.md");
    let edits = json!({ "seen": HASH, "edits": [{ "op": "append", "text": "more" }] });
    let edited = rig.tell("PATCH", "/api/v1/notes/Home.md", &edits).await;
    assert_eq!(edited.json()["hash"], HASH);
    let to = json!({ "from": "Home.md", "to": "Start.md", "seen": HASH, "update_links": true });
    let moved = rig.tell("POST", "/api/v1/moves", &to).await;
    assert_eq!(moved.json()["path"], "Start.md");
    let target = format!("/api/v1/notes/Home.md?seen={HASH}");
    let deleted = rig.ask("DELETE", &target, &[]).await;
    assert!(deleted.json()["hash"].is_null());
    let undone = rig.tell("POST", "/api/v1/undo", &json!({})).await;
    assert_eq!(undone.status, 200);

    let actions: Vec<_> = rig.writer.done().iter().map(|done| done.1).collect();
    use ChangeAction::{Create, Delete, Edit, Move, Undo};
    assert_eq!(actions, [Create, Edit, Move, Delete, Undo]);
    let history = rig.get("/api/v1/history?limit=2").await.json();
    assert_eq!(
        (&history[0]["action"], &history[1]["action"]),
        (&json!("undo"), &json!("delete"))
    );
    let of_one = rig.get("/api/v1/history?path=Start.md").await.json();
    assert_eq!(of_one.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn author_is_the_token_and_not_what_the_request_says() {
    let rig = Rig::guarded().await;
    let token = rig.token("robot", &[Scope::Write]).await;
    let body = json!({ "path": "A.md", "text": "" }).to_string();
    let mut request = request("POST", "/api/v1/notes").map(|_| body.into());
    request
        .headers_mut()
        .insert("authorization", token.parse().unwrap());
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    assert_eq!(rig.answer(request).await.status, 201);
    assert_eq!(rig.writer.done()[0].0, "api:robot");
}

#[tokio::test]
async fn stale_hash_is_a_conflict_with_both_hashes_and_the_text_of_now() {
    let rig = Rig::new().await;
    let edits = json!({ "seen": "0000", "edits": [{ "op": "append", "text": "more" }] });
    let answer = rig.tell("PATCH", "/api/v1/notes/Home.md", &edits).await;
    assert_eq!(answer.fault(), (409, "conflict".to_owned()));
    assert_eq!(
        answer.json()["error"]["conflict"],
        json!({ "seen": "0000", "current": HASH, "text": TEXT })
    );
    let delete = rig
        .ask("DELETE", "/api/v1/notes/Home.md?seen=0000", &[])
        .await;
    assert_eq!(delete.fault().0, 409);
    assert!(rig.writer.done().is_empty());
}

#[tokio::test]
async fn refusals_of_the_writer_have_codes_of_their_own() {
    let rig = Rig::new().await;
    let create = async |path: &str| {
        let note = json!({ "path": path, "text": "" });
        rig.tell("POST", "/api/v1/notes", &note).await.fault()
    };
    assert_eq!(create("Home.md").await, (409, "exists".to_owned()));
    assert_eq!(create("../x.md").await, (400, "invalid_path".to_owned()));
    let none = json!({ "seen": HASH, "edits": [] });
    let refused = rig.tell("PATCH", "/api/v1/notes/Home.md", &none).await;
    assert_eq!(refused.fault(), (422, "edit_refused".to_owned()));
    assert_eq!(refused.json()["error"]["index"], 1);
    let missing = rig.tell("PATCH", "/api/v1/notes/None.md", &none).await;
    assert_eq!(missing.fault(), (404, "not_found".to_owned()));
    let undo = rig
        .tell("POST", "/api/v1/undo", &json!({ "change": "c0" }))
        .await;
    assert_eq!(undo.fault(), (409, "nothing_to_undo".to_owned()));
}

#[tokio::test]
async fn bodies_that_cannot_be_read_say_why() {
    let rig = Rig::new().await;
    for body in [
        json!({ "seen": HASH }),
        json!({ "seen": HASH, "edits": [{ "op": "burn" }] }),
        json!({ "seen": HASH, "edits": [{ "op": "append", "text": "x", "at": 3 }] }),
        json!({ "seen": HASH, "edits": [], "force": true }),
        json!(null),
    ] {
        let answer = rig.tell("PATCH", "/api/v1/notes/Home.md", &body).await;
        assert_eq!(answer.fault(), (400, "invalid_body".to_owned()), "{body}");
    }
    let plain = request("POST", "/api/v1/undo").map(|_| "{}".into());
    let answer = rig.answer(plain).await;
    assert_eq!(answer.fault(), (400, "invalid_body".to_owned()));
    assert!(answer.text.contains("Content-Type"), "{}", answer.text);
}

#[tokio::test]
async fn note_of_its_bound_is_taken_and_a_larger_one_is_not() {
    let config = ApiConfig {
        note_bytes_max: 300_000,
        ..ApiConfig::default()
    };
    let rig = Rig::with(config).await;
    let note = |bytes: usize| json!({ "path": "A.md", "text": "x".repeat(bytes) });
    assert_eq!(
        rig.tell("POST", "/api/v1/notes", &note(250_000))
            .await
            .status,
        201
    );
    let refused = rig.tell("POST", "/api/v1/notes", &note(300_000)).await;
    assert_eq!(refused.fault(), (413, "body_too_large".to_owned()));
    // A body that does not say how long it is is cut off all the same.
    let text = note(300_000).to_string();
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(text)]);
    let mut request =
        request("POST", "/api/v1/notes").map(|_| axum::body::Body::from_stream(stream));
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    let refused = rig.answer(request).await;
    assert_eq!(refused.fault(), (413, "body_too_large".to_owned()));
    // Other resources keep the small bound.
    let events = json!({ "name": "x".repeat(100_000) });
    assert_eq!(
        rig.tell("POST", "/api/v1/events", &events).await.status,
        413
    );
}

#[tokio::test]
async fn daemon_without_a_writer_or_settings_says_so() {
    let rig = Rig::new().await;
    let bare = ApiParts {
        access: rig.access.clone(),
        ..parts(&rig.core, &Arc::clone(&rig.twin), None)
    };
    let router = crucible_api::router::router_with(
        ApiConfig::default(),
        bare,
        Some(PORT),
        rig.closing.clone(),
    );
    let bare = Rig { router, ..rig };
    for target in ["/api/v1/history", "/api/v1/config"] {
        assert_eq!(
            bare.get(target).await.fault(),
            (501, "not_offered".to_owned())
        );
    }
}
