//! One request and its answer, spoken by ureq over a connection that it neither opens nor keeps.
//!
//! ureq's own connecting is left out whole: it would take a proxy from the environment, and look
//! names up in threads that outlive their use. What is left to it is HTTP.
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
    http::{HeaderMap, HeaderValue, Request, Response, Uri, header},
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport},
    },
};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Connection, Server, authority,
    pages::{PAGE, Pages},
};
use crate::{deadline::Deadline, net::Error, secret::Secret};

/// Longest answer that is read; what follows is left unread.
pub(super) const LONGEST_BODY: usize = 64 * 1024;

/// Longest header of an answer.
const LONGEST_HEADER: usize = 16 * 1024;

/// Longest name of a host that is shown, and longest label in it: Twilio's tokens and secrets have
/// 32 letters and digits.
const LONGEST_HOST: usize = 64;
const LONGEST_LABEL: usize = 20;

/// Who we are.
const USER_AGENT: &str = concat!("pam_sms_otp/", env!("CARGO_PKG_VERSION"));

/// A form on its way.
#[derive(Debug)]
pub struct Post<'a> {
    /// With its slash.
    pub path: &'a str,
    /// `Basic …`
    pub authorization: &'a Secret,
    /// `application/x-www-form-urlencoded`
    pub form: &'a Secret,
}

/// What came back.
pub struct Reply {
    /// 100 to 999.
    pub status: u16,
    headers: HeaderMap,
    /// As much as came, at most 64 KiB; it may have been cut off. Twilio's answers repeat the text
    /// of the SMS, so it is wiped.
    pub body: Zeroizing<Vec<u8>>,
}

impl Reply {
    /// One that nobody has sent.
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

    /// A header's value, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whose address stands in `Location`, where it is fit to be shown.
    #[must_use]
    pub fn redirected_to(&self) -> Option<String> {
        let to: Uri = self.header("location")?.parse().ok()?;
        to.host().filter(|host| is_telling(host)).map(str::to_owned)
    }
}

/// Whether a host's name is nothing but that. Whoever redirects knows the number, the code and the
/// token, and could spell them in a name: of digits it may have two, as a masked number has, and no
/// label as long as a token.
fn is_telling(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.starts_with(|first: char| first.is_ascii_alphabetic())
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let digits = host.bytes().filter(u8::is_ascii_digit).count();
    host.len() <= LONGEST_HOST && digits <= 2 && host.split('.').all(is_label)
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({})", self.status)
    }
}

/// No answer came, or none that is HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// Whether a byte of the request has left: then nobody knows what has become of it.
    pub asked: bool,
    /// Why.
    pub error: Error,
}

/// Posts a form and waits for the answer.
///
/// Nothing is sent twice, whatever happens; an answer whose header came whole is an answer, even
/// if its body did not.
pub fn post(
    server: &Server,
    connection: Connection,
    post: &Post<'_>,
    by: Deadline,
) -> Result<Reply, Unanswered> {
    let place = connection.stream.place().to_owned();
    let request = request(server, post).map_err(|error| Unanswered {
        asked: false,
        error: Error::Local(format!("{place}: cannot be asked: {error}")),
    })?;
    let handed = Handed::new(connection, by);
    let asked = Arc::clone(&handed.asked);
    let response = agent(handed).run(request).map_err(|error| Unanswered {
        asked: asked.load(Ordering::Relaxed),
        error: told(&place, error),
    })?;
    let (parts, body) = response.into_parts();
    Ok(Reply {
        status: parts.status.as_u16(),
        body: read(Response::new(body)),
        headers: parts.headers,
    })
}

fn request<'a>(server: &Server, post: &Post<'a>) -> Result<Request<&'a [u8]>, ureq::http::Error> {
    let (scheme, usual) = if server.tls.is_some() {
        ("https", ":443")
    } else {
        ("http", ":80")
    };
    let authority = authority(&server.host, server.port);
    let authority = authority.strip_suffix(usual).unwrap_or(&authority);
    // The header shares this buffer, which is wiped when its last user lets go of it.
    let secret = Zeroizing::new(post.authorization.reveal().as_bytes().to_vec());
    let mut authorization = HeaderValue::from_maybe_shared(Bytes::from_owner(secret))?;
    authorization.set_sensitive(true);
    Request::post(format!("{scheme}://{authority}{}", post.path))
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(post.form.reveal().as_bytes())
}

/// A client that knows this one connection and nothing else.
fn agent(handed: Handed) -> Agent {
    let config = Config::builder()
        // The default is what the environment says, and whoever starts sudo says that.
        .proxy(None)
        // A redirect would take the credentials elsewhere.
        .max_redirects(0)
        .http_status_as_error(false)
        .max_response_header_size(LONGEST_HEADER)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .user_agent(USER_AGENT)
        .accept("application/json")
        .accept_encoding("")
        .build();
    Agent::with_parts(config, Once(Mutex::new(Some(handed))), NoLookUp)
}

/// As much of a body as comes. What the headers said stands, so nothing here is an error.
fn read(response: Response<ureq::Body>) -> Zeroizing<Vec<u8>> {
    let mut body = Zeroizing::new(vec![0; LONGEST_BODY]);
    let mut reader = response
        .into_body()
        .into_with_config()
        .limit(LONGEST_BODY as u64)
        .reader();
    let mut filled = 0_usize;
    while let Some(rest) = body.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) | Err(_) => break,
            Ok(some) => filled = filled.saturating_add(some),
        }
    }
    body.truncate(filled);
    body
}

/// What it means that there is no answer. ureq's words may quote the server's, so they are ours.
fn told(place: &str, error: ureq::Error) -> Error {
    let why = match error {
        ureq::Error::Other(ours) => match ours.downcast::<Error>() {
            Ok(ours) => return *ours,
            Err(_) => "no answer",
        },
        ureq::Error::Io(_) => "closed the connection without an answer",
        ureq::Error::LargeResponseHeader(..) => "its answer is longer than any",
        _ => "its answer is not HTTP",
    };
    Error::Outage(format!("{place}: {why}"))
}

/// Hands the connection out, once.
struct Once(Mutex<Option<Handed>>);

impl Connector for Once {
    type Out = Handed;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Once")
    }
}

/// Nobody is looked up: the connection is open.
#[derive(Debug)]
struct NoLookUp;

impl Resolver for NoLookUp {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// The connection as ureq sees it. Time is kept by the deadline, not by ureq.
struct Handed {
    connection: Connection,
    by: Deadline,
    pages: Pages,
    /// ureq hands over header and body one by one; they leave together, in one write, when it
    /// turns to reading: two small writes would be two TLS records and two packets.
    waiting: Zeroizing<Vec<u8>>,
    /// Whether a byte of it has left. Shared with [`post`]: ureq gives no connection back.
    asked: Arc<AtomicBool>,
}

impl Handed {
    fn new(connection: Connection, by: Deadline) -> Self {
        Self {
            connection,
            by,
            pages: Pages::new(),
            waiting: Zeroizing::new(Vec::with_capacity(PAGE)),
            asked: Arc::default(),
        }
    }

    fn send(&mut self) -> Result<(), ureq::Error> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let before = self.connection.stream.sent();
        let sent = self.connection.stream.write_all(&self.waiting, self.by);
        if self.connection.stream.sent() > before {
            self.asked.store(true, Ordering::Relaxed);
        }
        self.waiting.zeroize();
        sent.map_err(wrapped)
    }
}

fn wrapped(error: Error) -> ureq::Error {
    ureq::Error::Other(Box::new(error))
}

impl Transport for Handed {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.pages
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        // Never beyond its capacity: growing would leave a copy behind that nobody wipes.
        if self.waiting.len().saturating_add(amount) > PAGE {
            self.send()?;
        }
        let going = self.pages.output().get(..amount).unwrap_or_default();
        self.waiting.extend_from_slice(going);
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.send()?;
        let by = self.by;
        let some = self
            .connection
            .stream
            .read(self.pages.input_append_buf(), by)
            .map_err(wrapped)?;
        self.pages.input_appended(some);
        Ok(some > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.connection.stream.is_tls()
    }
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handed")
    }
}
