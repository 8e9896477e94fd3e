//! One request and its response, with ureq over a connection that is opened and closed here.
//!
//! ureq's own connector is not used: it would read a proxy from the environment, and resolve names in threads
//! that outlive the request. ureq only encodes and decodes HTTP.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::Read,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use ureq::{
    Agent,
    config::Config,
    http::{self, HeaderMap, HeaderValue, Request, Uri, header},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
    },
};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Connection, Server, authority,
    buffers::{CAPACITY, WipedBuffers},
};
use crate::{deadline::Deadline, net::Error, secret::Secret};

/// The longest body that is read; the rest is left unread.
pub(super) const MAX_BODY: usize = 64 * 1024;

/// The longest header of a response.
const MAX_HEADER: usize = 16 * 1024;

/// The longest host name that is logged, and the longest label in it: Twilio's tokens and secrets have 32
/// letters and digits.
const MAX_HOST: usize = 64;
const MAX_LABEL: usize = 20;

const USER_AGENT: &str = concat!("pam_sms_otp/", env!("CARGO_PKG_VERSION"));

/// A form to post.
#[derive(Debug)]
pub struct Post<'a> {
    /// With the leading slash.
    pub path: &'a str,
    /// `Basic …`
    pub authorization: &'a Secret,
    /// `application/x-www-form-urlencoded`
    pub form: &'a Secret,
}

/// A response.
pub struct Response {
    /// 100 to 999.
    pub status: u16,
    headers: HeaderMap,
    /// At most 64 KiB; it may be incomplete. Twilio's responses repeat the text of the SMS, so it is wiped.
    pub body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// Creates one for tests.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let header = |(name, value): &(&str, &str)| {
            let name: header::HeaderName = name.parse().ok()?;
            Some((name, value.parse().ok()?))
        };
        Self {
            status,
            headers: headers.iter().filter_map(header).collect(),
            body: Zeroizing::new(body.to_vec()),
        }
    }

    /// Returns the value of a header if it exists and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the host in `Location` if it may be logged.
    #[must_use]
    pub fn redirected_to(&self) -> Option<String> {
        let to: Uri = self.header("location")?.parse().ok()?;
        to.host()
            .filter(|host| is_safe_to_log(host))
            .map(str::to_owned)
    }
}

/// Whether a host name can contain no secret. A server that redirects has received the number, the code and
/// the token, and could put them into a name. So a name may have at most two digits, as a masked number has,
/// and no label as long as a token.
fn is_safe_to_log(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.starts_with(|first: char| first.is_ascii_alphabetic())
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let digits = host.bytes().filter(u8::is_ascii_digit).count();
    host.len() <= MAX_HOST && digits <= 2 && host.split('.').all(is_label)
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status)
    }
}

/// There is no response, or it is not HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostError {
    /// Whether a byte of the request was sent: then the server may have processed it.
    pub is_sent: bool,
    pub error: Error,
}

/// Posts a form and waits for the response.
///
/// Nothing is sent twice. A response with a complete header is accepted even if its body is incomplete.
pub fn post(
    server: &Server,
    connection: Connection,
    post: &Post<'_>,
    by: Deadline,
) -> Result<Response, PostError> {
    let peer = connection.stream.peer().to_owned();
    let request = request(server, post).map_err(|error| PostError {
        is_sent: false,
        error: Error::Local(format!("{peer}: invalid request: {error}")),
    })?;
    let transport = OpenTransport::new(connection, by);
    let is_sent = Arc::clone(&transport.is_sent);
    let response = agent(transport).run(request).map_err(|error| PostError {
        is_sent: is_sent.load(Ordering::Relaxed),
        error: classify(&peer, error),
    })?;
    let (parts, body) = response.into_parts();
    Ok(Response {
        status: parts.status.as_u16(),
        body: read_body(body),
        headers: parts.headers,
    })
}

fn request<'a>(server: &Server, post: &Post<'a>) -> Result<Request<&'a [u8]>, http::Error> {
    let (scheme, default_port) = if server.tls.is_some() {
        ("https", ":443")
    } else {
        ("http", ":80")
    };
    let authority = authority(&server.host, server.port);
    let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
    // The header value uses this buffer, which is wiped when the last reference is dropped.
    let secret = Zeroizing::new(post.authorization.reveal().as_bytes().to_vec());
    let mut authorization = HeaderValue::from_maybe_shared(Bytes::from_owner(secret))?;
    authorization.set_sensitive(true);
    Request::post(format!("{scheme}://{authority}{}", post.path))
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(post.form.reveal().as_bytes())
}

/// Creates a client for this one connection.
fn agent(transport: OpenTransport) -> Agent {
    let config = Config::builder()
        // The default is read from the environment, which the caller of a setuid program sets.
        .proxy(None)
        // A redirect would send the credentials to another server.
        .max_redirects(0)
        .http_status_as_error(false)
        .max_response_header_size(MAX_HEADER)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .user_agent(USER_AGENT)
        .accept("application/json")
        .accept_encoding("")
        .build();
    Agent::with_parts(config, SingleUse(Mutex::new(Some(transport))), NoResolver)
}

/// Reads a body until its end, an error or the limit. An error is ignored, since the header is complete.
fn read_body(body: ureq::Body) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; MAX_BODY]);
    let mut reader = body.into_with_config().limit(MAX_BODY as u64).reader();
    let mut filled = 0_usize;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) | Err(_) => break,
            Ok(some) => filled = filled.saturating_add(some),
        }
    }
    bytes.truncate(filled);
    bytes
}

/// Classifies an error of ureq. Its own text is not used: it may contain bytes from the server.
fn classify(peer: &str, error: ureq::Error) -> Error {
    let why = match error {
        ureq::Error::Other(inner) => match inner.downcast::<Error>() {
            Ok(error) => return *error,
            Err(_) => "no response",
        },
        ureq::Error::Io(_) => "the server closed the connection without a response",
        ureq::Error::LargeResponseHeader(..) => "the header of the response is too long",
        _ => "the response is not HTTP",
    };
    Error::Outage(format!("{peer}: {why}"))
}

/// A connector that returns the connection once.
struct SingleUse(Mutex<Option<OpenTransport>>);

impl Connector for SingleUse {
    type Out = OpenTransport;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

impl fmt::Debug for SingleUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleUse")
    }
}

/// A resolver that resolves nothing: the connection is open.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// The connection as a transport of ureq. Its deadline limits all waits, not ureq's timeouts.
struct OpenTransport {
    connection: Connection,
    by: Deadline,
    buffers: WipedBuffers,
    /// Output that is not sent yet. ureq passes header and body separately; they are sent in one write before
    /// the first read, since two small writes would be two TLS records and two packets.
    pending: Zeroizing<Vec<u8>>,
    /// Whether a byte was sent. Shared with [`post`], since ureq does not return the connection.
    is_sent: Arc<AtomicBool>,
}

impl OpenTransport {
    fn new(connection: Connection, by: Deadline) -> Self {
        Self {
            connection,
            by,
            buffers: WipedBuffers::new(),
            pending: Zeroizing::new(Vec::with_capacity(CAPACITY)),
            is_sent: Arc::default(),
        }
    }

    fn send(&mut self) -> Result<(), ureq::Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let before = self.connection.stream.sent();
        let sent = self.connection.stream.write_all(&self.pending, self.by);
        if self.connection.stream.sent() > before {
            self.is_sent.store(true, Ordering::Relaxed);
        }
        self.pending.zeroize();
        sent.map_err(wrap)
    }
}

fn wrap(error: Error) -> ureq::Error {
    ureq::Error::Other(Box::new(error))
}

impl Transport for OpenTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        // Never beyond its capacity: a buffer that grows leaves an unwiped copy.
        if self.pending.len().saturating_add(amount) > CAPACITY {
            self.send()?;
        }
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.pending.extend_from_slice(output);
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.send()?;
        let by = self.by;
        let some = self
            .connection
            .stream
            .read(self.buffers.input_append_buf(), by)
            .map_err(wrap)?;
        self.buffers.input_appended(some);
        Ok(some > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.connection.stream.is_tls()
    }
}

impl fmt::Debug for OpenTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenTransport")
    }
}
