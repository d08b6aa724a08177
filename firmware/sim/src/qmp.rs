//! QEMU's machine protocol (QMP): JSON lines over a Unix socket. Just enough for a screen dump.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A connection in command mode.
pub(crate) struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects to the socket at `path`, which may not be there yet, and leaves the greeting behind.
    /// Every answer must come within `timeout`.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self> {
        let deadline = Instant::now() + timeout;
        let stream = loop {
            match UnixStream::connect(path) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context("QEMU did not open its control socket");
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let mut qmp = Self { stream: BufReader::new(stream) };
        qmp.receive()?;
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and waits for its answer, past any events.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let message = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream.get_mut(), "{message}").with_context(|| format!("could not send {command} to QEMU"))?;
        loop {
            let mut answer = self.receive().with_context(|| format!("no answer of QEMU to {command}"))?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refused {command}: {}", error["desc"].as_str().unwrap_or("no reason given"));
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("QEMU closed its control socket");
        }
        serde_json::from_str(&line).with_context(|| format!("QEMU sent {line:?}, which is not JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    /// A QEMU that answers each line it gets with the next of `answers`.
    fn served(answers: &'static [&'static str]) -> Result<Value> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmp");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut stream = stream;
            writeln!(stream, "{{\"QMP\": {{}}}}").unwrap();
            for answer in answers {
                lines.next();
                writeln!(stream, "{answer}").unwrap();
            }
        });
        let result = Qmp::connect(&path, Duration::from_secs(5)).and_then(|mut qmp| qmp.execute("quit", json!({})));
        server.join().unwrap();
        result
    }

    #[test]
    fn events_are_passed_over() {
        let value = served(&[r#"{"return": {}}"#, "{\"event\": \"STOP\"}\n{\"return\": 7}"]).unwrap();
        assert_eq!(value, json!(7));
    }

    #[test]
    fn refusals_and_hang_ups_are_told() {
        let error = served(&[r#"{"return": {}}"#, r#"{"error": {"desc": "no screen"}}"#]).unwrap_err();
        assert_eq!(error.to_string(), "QEMU refused quit: no screen");
        let error = served(&[r#"{"return": {}}"#]).unwrap_err();
        assert!(error.to_string().contains("quit"), "{error}");
    }

    #[test]
    fn a_socket_that_never_opens_ends_in_time() {
        let error = Qmp::connect(Path::new("/nowhere/qmp"), Duration::from_millis(30)).err().unwrap();
        assert_eq!(error.to_string(), "QEMU did not open its control socket");
    }
}
