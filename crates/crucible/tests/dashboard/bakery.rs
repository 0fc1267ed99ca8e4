//! The whole daemon over the example vault, with the example scripts, the real model where there is
//! one, and a day's work: edits, searches, an agent, scripts, a restart.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::browser::Tab;
use super::it::harness::{Daemon, Place, copy_folder, eventually, http};

/// Where the weights are, for search by meaning; without them the work is done by words alone.
const MODEL: &str = "CRUCIBLE_TEST_MODEL";
/// What the example scripts are called.
const SCRIPTS: [&str; 3] = ["daily-digest", "tag-index", "weekly-review"];

/// A daemon that has been at work.
pub(crate) struct Bakery {
    pub(crate) place: Place,
    pub(crate) daemon: Daemon,
    has_model: bool,
}

impl Bakery {
    /// Serves a copy of the example vault with the example scripts, none of them granted anything.
    pub(crate) fn open() -> Self {
        let place = Place::example_called("Bakery");
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scripts");
        copy_folder(&scripts, &place.vault().join(".crucible/scripts"));
        let model = std::env::var(MODEL).ok();
        if let Some(model) = &model {
            place.run(&["models", "pull", model]).succeeds();
        }
        let vault = place.vault();
        let mut daemon = place.spawn(&["serve", vault.to_str().unwrap()]);
        daemon.wait_ready();
        daemon.api();
        eventually("the scripts are loaded", || {
            let listed = place.json(&["script", "list"]);
            (listed.as_array()?.len() == SCRIPTS.len()).then_some(())
        });
        Self {
            place,
            daemon,
            has_model: model.is_some(),
        }
    }

    /// Lets the browser in by the link that the command line prints.
    pub(crate) fn let_in(&self, tab: &mut Tab) {
        let link = self.place.about(&["dashboard"]).succeeds().stdout;
        tab.go(link.trim());
        tab.until("location.pathname === '/' && document.readyState === 'complete'");
    }

    /// The address of a page.
    pub(crate) fn url(&mut self, path: &str) -> String {
        format!("http://{}{path}", self.daemon.api())
    }

    /// Does what people and programs do in a day, with `pause` before each step.
    pub(crate) fn work(&mut self, pause: Duration) {
        let about = |place: &Place, words: &[&str]| drop(place.about(words).succeeds());
        let setting = "core.health_check_interval_s=5";
        about(&self.place, &["config", "set", setting]);
        for script in SCRIPTS {
            let grant = ["script", "grant", script, "--all", "--yes"];
            about(&self.place, &grant);
        }
        let token = ["token", "create", "laptop-editor", "--days", "90"];
        let scopes = ["--scope", "read", "--scope", "write"];
        let made = self.place.about(&[&token[..], &scopes].concat());
        let bearer = format!("Bearer {}", made.succeeds().stdout.trim());
        let headers = [("Authorization", bearer.as_str())];
        let status =
            http::status_without_token(self.daemon.api(), "GET", "/api/v1/stats", &headers);
        assert_eq!(status, 200);
        about(&self.place, &["token", "create", "kitchen-display"]);
        if self.has_model {
            self.wait_embedded();
        }
        for step in 0..STEPS.len() * 2 {
            std::thread::sleep(pause);
            STEPS[step % STEPS.len()](self, step);
        }
        about(&self.place, &["services", "restart", "mcp-gateway"]);
        eventually("the digest is written", || {
            let pages = std::fs::read_dir(self.place.vault().join("Journal/Changes")).ok()?;
            pages.flatten().next().map(drop)
        });
        eventually("the gateway is checked again", || {
            let shown = self.place.json(&["services", "show", "mcp-gateway"]);
            (shown["health"]["status"] == "healthy").then_some(())
        });
    }

    /// The address of the page of all that came of one change, a script's note among it.
    pub(crate) fn story(&mut self) -> String {
        let told = self.daemon.get("/api/v1/events/recent?limit=1000");
        let told = told.as_array().unwrap().clone();
        let correlation = |event: &Value| event["metadata"]["correlation_id"].clone();
        let has_digest = |event: &&Value| event["event_type"]["script"] == "daily-digest";
        let longest = told.iter().filter(has_digest).max_by_key(|event| {
            let same = told
                .iter()
                .filter(|other| correlation(other) == correlation(event));
            same.count()
        });
        let correlation = correlation(longest.expect("the digest has run"));
        let correlation = correlation.as_str().unwrap();
        format!("/events?correlation={correlation}")
    }

    /// Shows the folders of the test where a person's would be.
    pub(crate) fn stand_for_a_picture(&self, tab: &mut Tab) {
        let root = self.place.root().to_str().unwrap().to_owned();
        let script = format!(
            "(() => {{ const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); \
             while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data \
             .replaceAll('{root}/config', '/home/baker/.config').replaceAll('{root}', '/home/baker'); }})()"
        );
        tab.eval(&script);
    }

    /// Waits until every block has its vector.
    fn wait_embedded(&self) {
        eventually("every block has a vector", || {
            let vectors = self.place.json(&["status"])["stats"]["vectors"].clone();
            let blocks = vectors["blocks"].as_u64()?;
            (blocks > 0 && vectors["blocks_done"] == blocks).then_some(())
        });
    }

    /// Lets an agent call a tool.
    fn call_tool(&mut self, tool: &str, arguments: &Value) -> Value {
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {
                "name": tool, "arguments": arguments,
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": { "name": "kitchen-agent", "version": "1" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            },
        });
        let headers = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", "tools/call"),
            ("Mcp-Name", tool),
        ];
        let answer = http::post(self.daemon.api(), "/mcp", &headers, &body.to_string());
        let answer = answer.succeeds().body;
        // As JSON, or as the one event of a stream.
        let data = answer.lines().find_map(|line| line.strip_prefix("data: {"));
        let text = data.map_or(answer.clone(), |rest| format!("{{{rest}"));
        let told: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {answer}"));
        assert_ne!(told["result"]["isError"], true, "{told}");
        assert!(told.get("error").is_none(), "{told}");
        told
    }

    /// Adds a line to a note, as an editor does.
    fn edit(&self, note: &str, line: &str) {
        let file = self.place.vault().join(note);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, format!("{text}\n{line}\n")).unwrap();
    }
}

/// One thing that somebody does; the number tells its rounds apart.
type Step = fn(&mut Bakery, usize);

const STEPS: [Step; 8] = [
    |bakery, step| {
        let line = format!("- [ ] Feed it again after {} hours", 6 + step);
        bakery.edit("Ingredients/Sourdough Starter.md", &line);
    },
    |bakery, _| drop(bakery.daemon.search("sluggish starter")),
    |bakery, step| {
        let note = "Recipes/Country Loaf.md";
        let path = "/api/v1/notes/Recipes/Country%20Loaf.md";
        let seen = bakery.daemon.get(path)["hash"].clone();
        let text = format!("- {} g water was easier to shape\n", 690 - step);
        let edit = json!({ "seen": seen, "edits": [{ "op": "append", "text": text }] });
        let answer = http::send_json(bakery.daemon.api(), "PATCH", path, &edit).succeeds();
        assert!(answer.body.contains(note), "{}", answer.body);
    },
    |bakery, _| {
        let arguments = json!({ "query": "why is my crumb dense" });
        bakery.call_tool("search_notes", &arguments);
    },
    |bakery, step| {
        let line = format!("Second rise in {} minutes at 26 °C.", 75 + step);
        bakery.edit("Recipes/Focaccia.md", &line);
    },
    |bakery, _| {
        let run = ["script", "run", "weekly-review", "review", "null"];
        drop(bakery.place.about(&run).succeeds());
    },
    |bakery, _| drop(bakery.call_tool("tag-index__notes_of_tag", &json!({ "tag": "sourdough" }))),
    |bakery, step| {
        let line = format!("Try {} % rye next week. See [[Rye Flour]].", 10 + step);
        bakery.edit("Journal/2025/2025-04-05.md", &line);
    },
];
