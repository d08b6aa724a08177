//! HTTP/1.1 (RFC 9112) for a browser on this computer and nobody else.
//!
//! A request that names another host than this computer is refused, so that no page of the web can read anything by a
//! name that it points here (DNS rebinding); so is one that another page has sent, as its `Origin` tells.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Bytes of a request's head at most.
const MOST_HEAD: u64 = 16 * 1024;
/// A browser that says nothing for so long is left alone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a browser asks for. Nothing here reads what follows the head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST` and so on; a `HEAD` is a `GET`.
    pub method: String,
    /// Below the host, without the first `/`, with its percent signs resolved.
    pub path: String,
    /// What stands behind the question mark, name by name, resolved as well.
    pub query: BTreeMap<String, String>,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Code and reason, `200 OK`.
    pub status: &'static str,
    /// Media type of the body.
    pub media: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it is a page that is not ours: its scripts run, but as those of nobody, whose requests are refused.
    pub is_foreign: bool,
}

impl Answer {
    /// A file, by whose name the browser knows what to do with it.
    pub fn file(name: &str, body: Vec<u8>) -> Self {
        Self { status: "200 OK", media: media_type(name), body, is_foreign: false }
    }

    /// A refusal, with a sentence for people.
    pub fn refusal(status: &'static str, why: &str) -> Self {
        Self { status, media: media_type(""), body: why.into(), is_foreign: false }
    }

    /// There is nothing of that name.
    pub fn not_found() -> Self {
        Self::refusal("404 Not Found", "there is no such file")
    }
}

/// Listens on localhost, on a port or, with 0, on any that is free.
///
/// # Errors
///
/// When the port is taken, or may not be had.
pub fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Has `respond` answer this computer's own requests, each on a thread of its own, until the process ends.
///
/// # Errors
///
/// When the listener takes no more connections.
pub fn serve(listener: &TcpListener, respond: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Result<()> {
    let respond = Arc::new(respond);
    for stream in listener.incoming() {
        let (stream, respond) = (stream?, Arc::clone(&respond));
        // A browser that goes away while it is answered is no error of ours.
        thread::spawn(move || answer(&stream, &*respond));
    }
    Ok(())
}

/// Answers with files, by name. The empty path is `index.html`.
pub fn files(files: BTreeMap<String, Vec<u8>>) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    move |request| {
        if request.method != "GET" {
            return Answer::refusal("405 Method Not Allowed", "expected GET or HEAD");
        }
        let name = if request.path.is_empty() { "index.html" } else { &request.path };
        files.get(name).map_or_else(Answer::not_found, |bytes| Answer::file(name, bytes.clone()))
    }
}

/// Reads one request and answers it.
fn answer(stream: &TcpStream, respond: &dyn Fn(&Request) -> Answer) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.take(MOST_HEAD)).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let (mut host, mut origin) = (String::new(), None);
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("host") => host = value.trim().to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("origin") => origin = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let Answer { status, media, body, is_foreign } = match understand(&first, &host, origin.as_deref()) {
        Ok(request) => respond(&request),
        Err(refusal) => refusal,
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nX-Frame-Options: DENY\r\n\
         {}Connection: close\r\n\r\n",
        body.len(),
        if is_foreign { "Content-Security-Policy: sandbox allow-scripts\r\n" } else { "" }
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    if !first.starts_with("HEAD ") {
        stream.write_all(&body)?;
    }
    stream.flush()
}

/// The request of a first line, if it comes from this computer and from no page but our own.
fn understand(first: &str, host: &str, origin: Option<&str>) -> std::result::Result<Request, Answer> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !["localhost", "127.0.0.1"].contains(&name) {
        return Err(Answer::refusal("403 Forbidden", "expected a request to localhost"));
    }
    if origin.is_some_and(|origin| origin != format!("http://{host}")) {
        return Err(Answer::refusal("403 Forbidden", "expected a request of this page, found one of another"));
    }
    let [method, target, _] = first.split(' ').collect::<Vec<_>>()[..] else {
        return Err(Answer::refusal("400 Bad Request", "expected a request line of three words"));
    };
    let target = target.split('#').next().unwrap_or(target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Ok(Request {
        method: if method == "HEAD" { "GET" } else { method }.to_owned(),
        path: resolved(path.trim_start_matches('/')),
        query: pairs.map(|(name, value)| (resolved(name), resolved(value))).collect(),
    })
}

/// A part of an address with its percent signs resolved (RFC 3986, section 2.1); what is no such sign stays.
fn resolved(text: &str) -> String {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.first().and_then(digit).zip(behind.get(1).and_then(digit));
        match digits {
            Some((high, low)) if first == b'%' => {
                bytes.push((16 * high + low) as u8);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        Some("egm") => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> BTreeMap<String, Vec<u8>> {
        [("index.html", "<p>"), ("a.wasm", "\0asm"), ("my model.egm", "m")]
            .map(|(name, text)| (name.to_owned(), text.into()))
            .into()
    }

    /// The whole answer to a request.
    fn ask(request: &str) -> String {
        let listener = listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || serve(&listener, files(some())));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_file_with_its_type_and_length() {
        let text = ask("GET /?model=x HTTP/1.1\r\nHost: localhost:1\r\nAccept: */*\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"), "{text}");
        assert!(text.contains("\r\nContent-Length: 3\r\n") && text.ends_with("\r\n\r\n<p>"), "{text}");
        let text = ask("HEAD /a.wasm HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        assert!(text.contains("application/wasm\r\nContent-Length: 4\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        let text = ask("GET /my%20model.egm HTTP/1.1\r\nHost: localhost:7\r\nOrigin: http://localhost:7\r\n\r\n");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nm"), "{text}");
    }

    #[test]
    fn whatever_else_is_asked_for_is_refused() {
        let cases = [
            ("GET /../Cargo.toml HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
            ("GET /%2e%2e/Cargo.toml HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
            ("GET /index.html HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403 Forbidden"),
            ("GET / HTTP/1.1\r\n\r\n", "403 Forbidden"),
            ("GET / HTTP/1.1\r\nHost: localhost:7\r\nOrigin: https://evil.example\r\n\r\n", "403 Forbidden"),
            ("GET / HTTP/1.1\r\nHost: localhost:7\r\nOrigin: http://localhost:8\r\n\r\n", "403 Forbidden"),
            ("GET / HTTP/1.1\r\nHost: localhost:7\r\nOrigin: null\r\n\r\n", "403 Forbidden"),
            ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
            ("nonsense\r\nHost: localhost\r\n\r\n", "400 Bad Request"),
        ];
        for (request, status) in cases {
            let text = ask(request);
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {text}");
        }
    }

    #[test]
    fn pages_of_others_are_kept_apart() {
        let listener = listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let page = |_: &Request| Answer { is_foreign: true, ..Answer::file("x.html", b"<p>".to_vec()) };
        thread::spawn(move || serve(&listener, page));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.contains("\r\nContent-Security-Policy: sandbox allow-scripts\r\n"), "{text}");
        assert!(!ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").contains("sandbox"));
    }

    #[test]
    fn addresses_are_taken_apart() {
        let found = understand("POST /a/b%2Fc?board=pi%63o&x&y=1=2#z HTTP/1.1", "localhost", None).unwrap();
        let query = [("board", "pico"), ("x", ""), ("y", "1=2")].map(|(name, value)| (name.into(), value.into()));
        let expected = Request { method: "POST".into(), path: "a/b/c".into(), query: query.into() };
        assert_eq!(found, expected);
        assert_eq!(["100%", "%zz", "%e2%82%ac", "%ff"].map(resolved), ["100%", "%zz", "€", "\u{fffd}"]);
        assert_eq!(resolved("%+1"), "%+1");
    }
}
