//! A Chromium without a window, driven over the DevTools protocol: as much of it as the tests need.
//!
//! Everything is one question and its answer on one WebSocket. What the browser tells meanwhile
//! (faults of scripts, refusals of the security policy) is kept for [`Tab::troubles`].

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use super::it::harness::{DEADLINE, eventually};

/// A browser with one tab; ended when dropped.
pub(crate) struct Tab {
    child: Child,
    socket: WebSocket<TcpStream>,
    session: String,
    asked: u64,
    /// What the browser told, oldest first.
    told: Vec<Value>,
    profile: tempfile::TempDir,
}

impl Tab {
    /// Starts `program` with a profile of its own.
    pub(crate) fn open(program: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listening on ")?.1.trim().to_owned()))
            .expect("Chromium says where it listens");
        // It goes on to write, and must not stop at a full pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let address = url.trim_start_matches("ws://").split('/').next().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let (socket, _) = tungstenite::client(&url, stream).unwrap();
        let mut tab = Self {
            child,
            socket,
            session: String::new(),
            asked: 0,
            told: Vec::new(),
            profile,
        };
        let target = tab.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = tab.ask("Target.attachToTarget", target);
        tab.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tab.ask(&format!("{domain}.enable"), json!({}));
        }
        tab.ask("Page.setLifecycleEventsEnabled", json!({ "enabled": true }));
        tab
    }

    /// Asks the browser and returns its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: impl Into<Value>) -> Value {
        self.asked += 1;
        let id = self.asked;
        let params = params.into();
        let mut question = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            question["sessionId"] = json!(self.session);
        }
        self.socket
            .send(Message::text(question.to_string()))
            .unwrap();
        loop {
            let message = self.next();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.told.push(message);
        }
    }

    fn next(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("the browser answers in time") {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Opens an address and waits until everything that it names has come.
    #[track_caller]
    pub(crate) fn go(&mut self, url: &str) {
        self.told.clear();
        let answer = self.ask("Page.navigate", json!({ "url": url }));
        assert!(answer.get("errorText").is_none(), "{url}: {answer}");
        // What a page before it had left to load may come in between and says nothing.
        let (frame, loader) = (&answer["frameId"], &answer["loaderId"]);
        let is_loaded = |told: &[Value]| {
            told.iter()
                .filter(|message| message["method"] == "Page.lifecycleEvent")
                .map(|message| &message["params"])
                .filter(|event| event["frameId"] == *frame)
                .skip_while(|event| event["loaderId"] != *loader)
                .any(|event| event["name"] == "load")
        };
        while !is_loaded(&self.told) {
            let message = self.next();
            self.told.push(message);
        }
    }

    /// What went wrong on the page: faults of scripts, refusals of the security policy, what could
    /// not be loaded.
    pub(crate) fn troubles(&mut self) -> Vec<String> {
        self.eval("1");
        self.told
            .iter()
            .filter(|message| {
                let params = &message["params"];
                match message["method"].as_str().unwrap_or_default() {
                    "Runtime.exceptionThrown" => true,
                    "Runtime.consoleAPICalled" => params["type"] == "error",
                    "Log.entryAdded" => params["entry"]["level"] == "error",
                    _ => false,
                }
            })
            .map(Value::to_string)
            .collect()
    }

    /// Returns the value of an expression on the page; waits for a promise.
    #[track_caller]
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let question = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true,
        });
        let answer = self.ask("Runtime.evaluate", question);
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true; one that fails counts as false.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        let guarded =
            format!("(() => {{ try {{ return !!({expression}); }} catch {{ return false; }} }})()");
        let question = json!({ "expression": guarded, "returnByValue": true });
        let mut last = String::new();
        let is_true = |tab: &mut Self, last: &mut String| {
            let answer = tab.ask("Runtime.evaluate", question.clone());
            *last = answer.to_string();
            (answer["result"]["value"] == true).then_some(())
        };
        let begun = tokio::time::Instant::now();
        while is_true(self, &mut last).is_none() {
            if begun.elapsed() > DEADLINE {
                let page =
                    self.eval("location.href + '\\n' + document.body.innerText.slice(0, 2000)");
                panic!(
                    "waited in vain for {expression}: {last}\n{}",
                    page.as_str().unwrap_or_default()
                );
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Clicks what a selector finds, as a person would, in its middle.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center', behavior: 'instant' }}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let at = self.eval(&script);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1,
            });
            self.ask("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses a key: a character, or a name such as `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            other if other.chars().count() == 1 => other,
            _ => "",
        };
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "Tab" => 9,
            _ => 0,
        };
        let down =
            json!({ "type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code });
        self.ask("Input.dispatchKeyEvent", down);
        let up = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.ask("Input.dispatchKeyEvent", up);
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        self.ask("Input.insertText", json!({ "text": text }));
    }

    /// Sets the size of the page, in CSS pixels.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.ask("Emulation.setDeviceMetricsOverride", size);
    }

    /// Says which look the person's system has: `light` or `dark`.
    pub(crate) fn look(&mut self, look: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": look },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.ask(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        );
    }

    /// Writes what is seen to a file.
    pub(crate) fn screenshot(&mut self, file: &Path) {
        use base64::Engine as _;
        let answer = self.ask("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(answer["data"].as_str().unwrap())
            .unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        // Its helpers let go of the profile a moment later; what is left is swept by the system.
        let profile = self.profile.path().to_owned();
        eventually(
            "the browser to leave its profile",
            || match std::fs::remove_dir_all(&profile) {
                Ok(()) => Some(()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(()),
                Err(_) => None,
            },
        );
    }
}
