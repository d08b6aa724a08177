//! Chromium without a window, driven by its DevTools protocol over a pipe: JSON messages that end in a zero byte.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Where Debian, Ubuntu and others have it.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Name of the program.
///
/// # Errors
///
/// When there is none.
pub fn find() -> Result<&'static str> {
    let runs = |program: &&&str| {
        let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    PROGRAMS.iter().find(runs).copied().context("there is no Chromium: ./x test installs it")
}

/// A browser with one page.
pub struct Chromium {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    number: u64,
    session: Option<String>,
    /// Addresses that the page has asked for.
    pub requests: Vec<String>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it with an empty page.
    pub fn start(program: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The protocol wants descriptors 3 and 4; what the browser prints matters to nobody.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", program])
            .args(["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"])
            // In a container there is no user namespace for the sandbox, and little shared memory.
            .args([
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-extensions",
                "--disable-background-networking",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser = Self { child, to, from, number: 0, session: None, requests: Vec::new(), _profile: profile };
        let page = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": page["targetId"], "flatten": true }));
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        browser.call("Page.enable", json!({}));
        browser.call("Network.enable", json!({}));
        browser
    }

    /// Calls a method of the protocol and gives its result.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let mut answer = Vec::new();
            let read = self.from.read_until(0, &mut answer).unwrap();
            assert!(read > 0, "the browser has ended");
            answer.pop();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["method"] == "Network.requestWillBeSent" {
                self.requests.push(answer["params"]["request"]["url"].as_str().unwrap().to_owned());
            }
            if answer["id"] == self.number {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// Goes to a page.
    pub fn open(&mut self, address: &str) {
        let result = self.call("Page.navigate", json!({ "url": address }));
        assert!(result.get("errorText").is_none(), "{address}: {result}");
    }

    /// The value of an expression on the page.
    pub fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", parameters);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true: three hundred looks, a tenth of a second apart at least.
    pub fn wait(&mut self, expression: &str) -> Result<()> {
        for _ in 0..300 {
            if self.value(expression) == true {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let page = self.value(
            "document.body.innerText + '\\n' + JSON.stringify({ ...document.getElementById('panel')?.dataset })",
        );
        bail!("{expression} did not come true; the page says:\n{}", page.as_str().unwrap_or_default())
    }

    /// Presses and releases a key, by the name that JavaScript has for it.
    pub fn key(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            " " => 32,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = match key {
            "Enter" => "\r",
            " " => " ",
            _ => "",
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Chooses a file in an `<input type="file">`.
    pub fn choose(&mut self, selector: &str, file: &std::path::Path) {
        let document = self.call("DOM.getDocument", json!({}));
        let parameters = json!({ "nodeId": document["root"]["nodeId"], "selector": selector });
        let input = self.call("DOM.querySelector", parameters);
        self.call("DOM.setFileInputFiles", json!({ "nodeId": input["nodeId"], "files": [file] }));
    }

    /// Makes the window as wide and high, in CSS pixels; a phone's, if it is narrow.
    pub fn resize(&mut self, width: u32, height: u32) {
        let phone = width < 600;
        let scale = if phone { 2 } else { 1 };
        let parameters = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", parameters);
    }

    /// What the person's system asks pages for: a feature such as `prefers-color-scheme`, and its value.
    pub fn prefers(&mut self, feature: &str, value: &str) {
        let features = json!([{ "name": feature, "value": value }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
