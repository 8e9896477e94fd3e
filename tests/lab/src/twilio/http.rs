//! The part of HTTP/1.1 that the fake Twilio needs, parsed strictly.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::io::{self, Read};

const HEAD_LIMIT: usize = 64 * 1024;
const BODY_LIMIT: usize = 1024 * 1024;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path without the query.
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The number of its connection, counted from 1.
    pub connection: usize,
}

impl Request {
    /// Returns the value of a header that occurs once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = found.next();
        if found.next().is_some() {
            None
        } else {
            value.map(|(_, value)| value.as_str())
        }
    }
}

/// Why there is no request.
#[derive(Debug)]
pub enum Unreadable {
    /// The client has closed the connection or sends nothing.
    Gone,
    /// The bytes are not valid HTTP: the status of the response.
    Wrong(u16),
}

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Reads one request; `buffer` keeps the bytes after it.
pub fn read(
    stream: &mut impl Read,
    buffer: &mut Vec<u8>,
    connection: usize,
) -> Result<Request, Unreadable> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if buffer.len() > HEAD_LIMIT {
            return Err(Unreadable::Wrong(431));
        }
        fill(stream, buffer)?;
    };
    let head = std::str::from_utf8(&buffer[..end])
        .map_err(|_| Unreadable::Wrong(400))?
        .to_owned();
    buffer.drain(..end);
    let mut request = parse_head(&head, connection).ok_or(Unreadable::Wrong(400))?;
    let length = match request.header("content-length") {
        Some(length) => length.parse().map_err(|_| Unreadable::Wrong(400))?,
        None if request.method == "POST" => return Err(Unreadable::Wrong(411)),
        None => 0,
    };
    if length > BODY_LIMIT {
        return Err(Unreadable::Wrong(413));
    }
    while buffer.len() < length {
        fill(stream, buffer)?;
    }
    request.body = buffer.drain(..length).collect();
    Ok(request)
}

fn fill(stream: &mut impl Read, buffer: &mut Vec<u8>) -> Result<(), Unreadable> {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk)? {
        0 => Err(Unreadable::Gone),
        read => {
            buffer.extend_from_slice(&chunk[..read]);
            Ok(())
        }
    }
}

fn parse_head(head: &str, connection: usize) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target, version) = (first.next()?, first.next()?, first.next()?);
    if version != "HTTP/1.1" || first.next().is_some() || !target.starts_with('/') {
        return None;
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || !name.bytes().all(token) {
            return None;
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        connection,
    };
    // A request must have one Host header (RFC 9112 §3.2).
    request.header("host").is_some().then_some(request)
}

/// Decodes the fields of a form or a query. `None`: it is malformed.
pub fn form(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((percent_decode(name)?, percent_decode(value)?))
        })
        .collect()
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Encodes a response.
pub fn response(http: u16, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = head(http, headers, body.len() as u64);
    text.push_str(body);
    text
}

/// Encodes the head of a response with a body of this length.
pub fn head(http: u16, headers: &[(&str, &str)], length: u64) -> String {
    let mut text = format!("HTTP/1.1 {http} {}\r\n", reason(http));
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if http != 204 {
        let _ = write!(
            text,
            "Content-Type: application/json\r\nContent-Length: {length}\r\n"
        );
    }
    text.push_str("\r\n");
    text
}

fn reason(http: u16) -> &'static str {
    match http {
        200 => "OK",
        201 => "CREATED",
        204 => "NO CONTENT",
        400 => "BAD REQUEST",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT FOUND",
        429 => "TOO MANY REQUESTS",
        500 => "INTERNAL SERVER ERROR",
        _ => "OTHER",
    }
}
