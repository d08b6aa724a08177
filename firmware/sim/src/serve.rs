//! Files by HTTP/1.1 (RFC 9112), for a browser on this computer and nobody else.
//!
//! GET and HEAD of a file that is there are answered, and nothing else. A request that names another host than this
//! computer is refused, so that no page of the web can read the files by a name that it points here (DNS rebinding).

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

/// Listens on localhost, on a port or, with 0, on any that is free.
///
/// # Errors
///
/// When the port is taken, or may not be had.
pub fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Serves files, by name, until the process ends. `/` is `index.html`.
///
/// # Errors
///
/// When the listener takes no more connections.
pub fn serve(listener: &TcpListener, files: BTreeMap<String, Vec<u8>>) -> Result<()> {
    let files = Arc::new(files);
    for stream in listener.incoming() {
        let (stream, files) = (stream?, Arc::clone(&files));
        // A browser that goes away while it is answered is no error of ours.
        thread::spawn(move || answer(&stream, &files));
    }
    Ok(())
}

/// Reads one request and answers it.
fn answer(stream: &TcpStream, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.take(MOST_HEAD)).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut host = String::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("host")) {
            host = value.trim().to_owned();
        }
    }
    let (status, name, body) = respond(&first, &host, files);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        media_type(name),
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes())?;
    if !first.starts_with("HEAD ") {
        stream.write_all(body)?;
    }
    stream.flush()
}

/// Status, name of the file that tells the media type, and body for the first line of a request and the host that it
/// names.
fn respond<'a>(first: &'a str, host: &str, files: &'a BTreeMap<String, Vec<u8>>) -> (&'static str, &'a str, &'a [u8]) {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !["localhost", "127.0.0.1"].contains(&name) {
        return ("403 Forbidden", "", b"expected a request to localhost");
    }
    let [method, target, _] = first.split(' ').collect::<Vec<_>>()[..] else {
        return ("400 Bad Request", "", b"expected a request line of three words");
    };
    if !["GET", "HEAD"].contains(&method) {
        return ("405 Method Not Allowed", "", b"expected GET or HEAD");
    }
    let path = target.split(['?', '#']).next().unwrap_or(target).trim_start_matches('/');
    let name = if path.is_empty() { "index.html" } else { path };
    match files.get(name) {
        Some(bytes) => ("200 OK", name, bytes),
        None => ("404 Not Found", "", b"there is no such file"),
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("wasm") => "application/wasm",
        Some("egm") => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> BTreeMap<String, Vec<u8>> {
        [("index.html", "<p>"), ("a.wasm", "\0asm")].map(|(name, text)| (name.to_owned(), text.into())).into()
    }

    /// The whole answer to a request.
    fn ask(request: &str) -> String {
        let listener = listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || serve(&listener, files()));
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
    }

    #[test]
    fn whatever_else_is_asked_for_is_refused() {
        let cases = [
            ("GET /../Cargo.toml HTTP/1.1\r\nHost: localhost\r\n\r\n", "404 Not Found"),
            ("GET /index.html HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403 Forbidden"),
            ("GET / HTTP/1.1\r\n\r\n", "403 Forbidden"),
            ("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405 Method Not Allowed"),
            ("nonsense\r\nHost: localhost\r\n\r\n", "400 Bad Request"),
        ];
        for (request, status) in cases {
            let text = ask(request);
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {text}");
        }
    }
}
