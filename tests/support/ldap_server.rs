//! A fake LDAP server for the unit tests: it responds as a script decides, right or wrong.
#![forbid(unsafe_code)]

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::ber::{self, Elements};
use crate::{
    config::{self, LdapUri, Security},
    secret::Secret,
};

pub const BIND: u8 = 0x60;
pub const SEARCH: u8 = 0x63;
pub const EXTENDED: u8 = 0x77;

/// Encodes one element.
pub fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut bytes = vec![tag];
    match body.len() {
        0..0x80 => bytes.push(length[3]),
        _ => bytes.extend([&[0x84], &length[..]].concat()),
    }
    bytes.extend(body);
    bytes
}

/// Encodes a message.
pub fn message(id: u8, operation: &[u8], controls: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(2, &[id]), operation, controls].concat())
}

/// Encodes an `LDAPResult` with this tag.
pub fn result(tag: u8, code: u8, text: &str) -> Vec<u8> {
    let parts = [tlv(0x0a, &[code]), tlv(4, b""), tlv(4, text.as_bytes())];
    tlv(tag, &parts.concat())
}

/// Encodes a `SearchResultEntry`.
pub fn entry(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
    let attributes: Vec<u8> = attributes
        .iter()
        .flat_map(|(name, values)| {
            let values: Vec<u8> = values.iter().flat_map(|value| tlv(4, value)).collect();
            tlv(
                0x30,
                &[tlv(4, name.as_bytes()), tlv(0x31, &values)].concat(),
            )
        })
        .collect();
    tlv(
        0x64,
        &[tlv(4, dn.as_bytes()), tlv(0x30, &attributes)].concat(),
    )
}

/// Encodes the controls of a message: one password policy control with this value.
pub fn policy(value: &[u8]) -> Vec<u8> {
    let parts = [tlv(4, b"1.3.6.1.4.1.42.2.27.8.5.1"), tlv(4, value)];
    tlv(0xa0, &tlv(0x30, &parts.concat()))
}

/// A request that the server has received.
#[derive(Debug, Clone)]
pub struct Request {
    pub id: u8,
    /// `[APPLICATION n]`
    pub operation: u8,
    pub body: Vec<u8>,
    /// The rest of the message.
    pub controls: Vec<u8>,
}

impl Request {
    /// Returns the DN and the password of a bind.
    pub fn credentials(&self) -> (String, String) {
        let mut parts = Elements::of(&self.body);
        assert_eq!(parts.number(ber::INTEGER), Ok(3), "LDAP version");
        let dn = parts.text(ber::OCTETS).unwrap().to_owned();
        (dn, parts.text(0x80).unwrap().to_owned())
    }

    /// Responds with this code to a bind, a search or an extended request.
    pub fn result(&self, code: u8) -> Response {
        let tag = match self.operation {
            BIND => 0x61,
            SEARCH => 0x65,
            _ => 0x78,
        };
        Response::Send(message(self.id, &result(tag, code, ""), b""))
    }

    /// Responds to a search with these entries and success.
    pub fn entries(&self, entries: &[Vec<u8>]) -> Response {
        let mut bytes = Vec::new();
        for entry in entries {
            bytes.extend(message(self.id, entry, b""));
        }
        bytes.extend(message(self.id, &result(0x65, 0, ""), b""));
        Response::Send(bytes)
    }
}

/// What the server does after a request.
#[derive(Debug, Clone)]
pub enum Response {
    Send(Vec<u8>),
    SendAndClose(Vec<u8>),
    /// Sends nothing, and closes when the client has.
    Silence,
    /// Sends these bytes again and again.
    Flood(Vec<u8>),
    /// Sends this in clear text and goes on under TLS.
    StartTls(Vec<u8>),
}

type Script = Arc<dyn Fn(&Request) -> Response + Send + Sync>;

/// A running server on the loopback interface. Its threads end with the test's process.
pub struct FakeDirectory {
    pub port: u16,
    pub requests: Arc<Mutex<Vec<Request>>>,
    /// Number of open connections.
    pub open: Arc<AtomicUsize>,
}

impl FakeDirectory {
    /// Starts a server without TLS.
    pub fn new(script: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        Self::listen(
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            None,
            false,
            Arc::new(script),
        )
    }

    /// Starts a server without TLS at the port of another one, but at another address. Returns `None` if
    /// this machine does not have the address, or the port is in use.
    pub fn beside(
        other: &Self,
        address: IpAddr,
        script: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Option<Self> {
        let listener = TcpListener::bind((address, other.port)).ok()?;
        Some(Self::on(listener, None, false, Arc::new(script)))
    }

    /// Starts a server with TLS, from the beginning or after `StartTLS`.
    pub fn with_tls(
        address: IpAddr,
        tls: Arc<ServerConfig>,
        from_beginning: bool,
        script: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::listen(address, Some(tls), from_beginning, Arc::new(script))
    }

    fn listen(
        address: IpAddr,
        tls: Option<Arc<ServerConfig>>,
        from_beginning: bool,
        script: Script,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        Self::on(listener, tls, from_beginning, script)
    }

    fn on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        from_beginning: bool,
        script: Script,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, open) = (Arc::clone(&requests), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&open);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, script, log) = (tls.clone(), Arc::clone(&script), Arc::clone(&log));
                let count = Arc::clone(&count);
                count.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    serve_connection(stream, tls, from_beginning, &script, &log);
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            port,
            requests,
            open,
        }
    }

    /// Returns the operations of the received requests, in order.
    pub fn operations(&self) -> Vec<u8> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|request| request.operation).collect()
    }

    /// Returns its address for the settings, without TLS.
    pub fn uri(&self) -> LdapUri {
        self.uri_with("127.0.0.1", Security::Loopback)
    }

    pub fn uri_with(&self, host: &str, security: Security) -> LdapUri {
        LdapUri::Tcp {
            host: host.to_owned(),
            port: self.port,
            security,
        }
    }
}

fn serve_connection(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    from_beginning: bool,
    script: &Script,
    log: &Mutex<Vec<Request>>,
) {
    stream.set_nodelay(true).unwrap();
    if !from_beginning && !serve(&mut stream, script, log) {
        return;
    }
    let Some(tls) = tls else { return };
    let tls = ServerConnection::new(tls).unwrap();
    serve(&mut StreamOwned::new(tls, stream), script, log);
}

/// Responds to requests as the script decides. Returns whether to go on under TLS.
pub fn serve(stream: &mut (impl Read + Write), script: &Script, log: &Mutex<Vec<Request>>) -> bool {
    let mut bytes = Vec::new();
    loop {
        while let Some(request) = next_request(&mut bytes) {
            let response = script(&request);
            log.lock().unwrap().push(request);
            let sent = match &response {
                Response::Send(bytes)
                | Response::SendAndClose(bytes)
                | Response::StartTls(bytes) => {
                    stream.write_all(bytes).and_then(|()| stream.flush())
                }
                Response::Silence => Ok(()),
                Response::Flood(bytes) => loop {
                    if let Err(error) = stream.write_all(bytes) {
                        break Err(error);
                    }
                },
            };
            match response {
                Response::SendAndClose(_) => return false,
                Response::StartTls(_) => return true,
                _ if sent.is_err() => return false,
                _ => (),
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return false,
            Ok(read) => bytes.extend(&chunk[..read]),
        }
    }
}

/// Removes the first request, if all of it is there.
fn next_request(bytes: &mut Vec<u8>) -> Option<Request> {
    let length = ber::length(bytes).ok()??;
    if bytes.len() < length {
        return None;
    }
    let message: Vec<u8> = bytes.drain(..length).collect();
    let mut parts = Elements::of(&message);
    let mut parts = Elements::of(parts.take(ber::SEQUENCE).unwrap());
    let id = u8::try_from(parts.number(ber::INTEGER).unwrap()).unwrap();
    let operation = parts.any().unwrap();
    let controls = parts.any().map(|controls| controls.body.to_vec());
    Some(Request {
        id,
        operation: operation.tag,
        body: operation.body.to_vec(),
        controls: controls.unwrap_or_default(),
    })
}

/// Settings for these servers, without a service account.
pub fn settings(uris: Vec<LdapUri>) -> config::Ldap {
    config::Ldap::defaults(uris, "ou=people,dc=example,dc=org")
}

/// The same with a service account.
pub fn settings_with_bind(uris: Vec<LdapUri>) -> config::Ldap {
    let password = Secret::new(String::from("service secret"));
    config::Ldap {
        bind: Some((String::from("cn=pam,dc=example,dc=org"), password)),
        ..settings(uris)
    }
}
