//! Commands that steer a running daemon, and who is let in at its door.

use serde_json::{Value, json};

use crate::harness::{Daemon, Place, http};

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

fn state(place: &Place, service: &str) -> String {
    let shown = place.json(&["services", "show", service]);
    shown["state"].as_str().unwrap().to_owned()
}

#[test]
fn services_are_listed_stopped_and_started_again() {
    let place = Place::with(&[("a.md", "one")]);
    let daemon = place.serve();
    let listed = place.json(&["services"]);
    for service in ["datastore", "vault", "mcp-gateway", "api"] {
        assert!(names(&listed).contains(&service), "{listed}");
    }
    place.about(&["services", "stop", "mcp-gateway"]).succeeds();
    assert_eq!(state(&place, "mcp-gateway"), "stopped");
    place
        .about(&["services", "start", "mcp-gateway"])
        .succeeds();
    assert_eq!(state(&place, "mcp-gateway"), "running");
    place.about(&["services", "restart", "vault"]).succeeds();
    assert_eq!(state(&place, "vault"), "running");
    let refused = place
        .about(&["services", "stop", "mcp-gatway"])
        .fails_with(1);
    assert!(refused.stderr.contains("mcp-gateway"), "{}", refused.stderr);
    daemon.stop();
}

#[test]
fn steering_needs_a_daemon_and_says_so() {
    let place = Place::with(&[("a.md", "one")]);
    for command in [
        &["services"][..],
        &["token", "list"],
        &["undo"],
        &["dashboard"],
    ] {
        let refused = place.about(command).fails_with(1);
        assert!(
            refused.stderr.contains("no daemon serves"),
            "{}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains("crucible serve"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn token_lets_in_as_far_as_its_scope_reaches_and_ends_when_revoked() {
    let place = Place::with(&[("a.md", "one")]);
    let mut daemon = place.serve();
    let made = place.about(&["token", "create", "reader"]).succeeds();
    let bearer = format!("Bearer {}", made.stdout.trim());
    let api = daemon.api();
    let ask = |method: &str, path: &str, header: &str| {
        let headers = [("Authorization", header)];
        http::status_without_token(api, method, path, &headers)
    };
    assert_eq!(ask("GET", "/api/v1/stats", &bearer), 200);
    assert_eq!(ask("POST", "/api/v1/services/vault/stop", &bearer), 403);
    assert_eq!(ask("GET", "/api/v1/stats", "Bearer crb_wrong"), 401);
    assert_eq!(
        http::status_without_token(api, "GET", "/api/v1/stats", &[]),
        401
    );
    let listed = place.json(&["token", "list"]);
    assert_eq!(names(&listed), ["reader"]);
    assert!(!listed.to_string().contains(made.stdout.trim()), "{listed}");
    place.about(&["token", "revoke", "reader"]).succeeds();
    assert_eq!(ask("GET", "/api/v1/stats", &bearer), 401);
    daemon.stop();
}

#[test]
fn tokens_outlive_the_daemon() {
    let place = Place::with(&[("a.md", "one")]);
    let daemon = place.serve();
    let made = place.about(&["token", "create", "reader"]).succeeds();
    daemon.kill();
    let mut daemon = place.serve();
    let bearer = format!("Bearer {}", made.stdout.trim());
    let headers = [("Authorization", bearer.as_str())];
    let status = http::status_without_token(daemon.api(), "GET", "/api/v1/stats", &headers);
    assert_eq!(status, 200);
    daemon.stop();
}

#[test]
fn link_lets_a_browser_in_once() {
    let place = Place::with(&[("a.md", "one")]);
    let mut daemon = place.serve();
    let api = daemon.api();
    let link = place.about(&["dashboard"]).succeeds().stdout;
    let path = link.trim().strip_prefix(&format!("http://{api}")).unwrap();
    let get = |path: &str| http::status_without_token(api, "GET", path, &[]);
    assert_eq!(get("/"), 401);
    assert_eq!(get(path), 303);
    assert_eq!(get(path), 401, "a second reader is not let in");
    daemon.stop();
}

#[test]
fn without_authentication_everybody_on_this_machine_is_let_in() {
    let place = Place::with(&[("a.md", "one")]);
    let mut daemon = place.serve_unready(&["--no-auth"]);
    daemon.wait_ready();
    let status = http::status_without_token(daemon.api(), "GET", "/api/v1/stats", &[]);
    assert_eq!(status, 200);
    daemon.stop();
}

#[test]
fn setting_is_shown_with_its_origin_changed_at_once_and_kept() {
    let place = Place::with(&[("a.md", "one")]);
    let daemon = place.serve();
    let path = "core.health_check_interval_s";
    let shown = |place: &Place| place.json(&["config", "show", path])[0].clone();
    assert_eq!(shown(&place)["value"], 30);
    assert_eq!(shown(&place)["origin"]["layer"], "default");
    place
        .about(&["config", "set", &format!("{path}=7")])
        .succeeds();
    assert_eq!(shown(&place)["value"], 7);
    assert_eq!(shown(&place)["origin"]["layer"], "file");
    let refused = place
        .about(&["config", "set", &format!("{path}=0")])
        .fails_with(1);
    assert!(
        refused.stderr.contains("health_check_interval_s"),
        "{}",
        refused.stderr
    );
    daemon.stop();
    assert_eq!(shown(&place)["value"], 7, "kept in the file");
}

fn write(daemon: &mut Daemon, method: &str, path: &str, body: &Value) -> Value {
    http::send_json(daemon.api(), method, path, body)
        .succeeds()
        .json()
}

#[test]
fn change_over_rest_is_on_disk_in_the_history_and_can_be_undone() {
    let place = Place::with(&[("a.md", "# One\n")]);
    let mut daemon = place.serve();
    let seen = daemon.get("/api/v1/notes/a.md")["hash"].clone();
    let edit = json!({ "seen": seen, "edits": [{ "op": "append", "text": "two" }] });
    write(&mut daemon, "PATCH", "/api/v1/notes/a.md", &edit);
    let file = place.vault().join("a.md");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# One\ntwo\n");
    let stale = http::send_json(daemon.api(), "PATCH", "/api/v1/notes/a.md", &edit);
    assert_eq!(stale.status, 409);
    let history = place.json(&["history"]);
    assert_eq!(history[0]["action"], "edit");
    place.about(&["undo"]).succeeds();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# One\n");
    daemon.wait_found("two", &[]);
    daemon.stop();
}

#[test]
fn acknowledged_change_survives_a_kill_and_can_still_be_undone() {
    let place = Place::with(&[("a.md", "# One\n")]);
    let mut daemon = place.serve();
    let new = json!({ "path": "new/b.md", "text": "needle\n" });
    write(&mut daemon, "POST", "/api/v1/notes", &new);
    daemon.kill();
    let mut daemon = place.serve();
    daemon.wait_found("needle", &["new/b.md"]);
    place.about(&["undo"]).succeeds();
    assert!(!place.vault().join("new/b.md").exists());
    daemon.stop();
}

#[test]
fn models_are_managed_without_a_daemon() {
    let place = Place::empty();
    let listed = place.run(&["models", "list"]).succeeds();
    assert!(
        listed.stdout.contains("crucible models pull"),
        "{}",
        listed.stdout
    );
    place.write("model/model.safetensors", "not a model");
    let folder = place.vault().join("model");
    let refused = place
        .run(&["models", "pull", folder.to_str().unwrap()])
        .fails_with(1);
    assert!(
        refused.stderr.contains("cannot be used"),
        "{}",
        refused.stderr
    );
    let listed = place.run(&["models", "list", "--json"]).succeeds();
    assert_eq!(listed.json(), json!([]));
}
