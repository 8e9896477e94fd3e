//! A directory's stand-in for the tests: it says what a script tells it, right or wrong.
#![forbid(unsafe_code)]

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::CryptoProvider,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::ber::{self, Elements};
use crate::{
    config::{self, LdapUri, Security},
    phone::Plain,
    secret::Secret,
};

pub const BIND: u8 = 0x60;
pub const SEARCH: u8 = 0x63;
pub const EXTENDED: u8 = 0x77;

/// One element.
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

/// A message: its id, its operation, its controls.
pub fn message(id: u8, operation: &[u8], controls: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(2, &[id]), operation, controls].concat())
}

/// An `LDAPResult` under a tag.
pub fn result(tag: u8, code: u8, text: &str) -> Vec<u8> {
    let parts = [tlv(0x0a, &[code]), tlv(4, b""), tlv(4, text.as_bytes())];
    tlv(tag, &parts.concat())
}

/// A `SearchResultEntry`.
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

/// A password policy control with this value, as controls of a message.
pub fn policy(value: &[u8]) -> Vec<u8> {
    let parts = [tlv(4, b"1.3.6.1.4.1.42.2.27.8.5.1"), tlv(4, value)];
    tlv(0xa0, &tlv(0x30, &parts.concat()))
}

/// What the stand-in was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub id: u8,
    /// `[APPLICATION n]`
    pub operation: u8,
    pub body: Vec<u8>,
    /// The rest of the message: controls.
    pub controls: Vec<u8>,
}

impl Asked {
    /// DN and password of a bind.
    pub fn credentials(&self) -> (String, String) {
        let mut parts = Elements::of(&self.body);
        assert_eq!(parts.number(ber::INTEGER), Ok(3), "LDAP version");
        let dn = parts.text(ber::OCTETS).unwrap().to_owned();
        (dn, parts.text(0x80).unwrap().to_owned())
    }

    /// The answer with this code to a bind, a search or an extended request.
    pub fn answer(&self, code: u8) -> Play {
        let tag = match self.operation {
            BIND => 0x61,
            SEARCH => 0x65,
            _ => 0x78,
        };
        Play::Say(message(self.id, &result(tag, code, ""), b""))
    }

    /// The answer to a search: these entries and success.
    pub fn found(&self, entries: &[Vec<u8>]) -> Play {
        let mut bytes = Vec::new();
        for entry in entries {
            bytes.extend(message(self.id, entry, b""));
        }
        bytes.extend(message(self.id, &result(0x65, 0, ""), b""));
        Play::Say(bytes)
    }
}

/// What the stand-in does then.
#[derive(Debug, Clone)]
pub enum Play {
    Say(Vec<u8>),
    /// Says it and closes.
    SayAndCut(Vec<u8>),
    /// Says nothing, and closes only when the other side has.
    Silence,
    /// These octets, over and over.
    Flood(Vec<u8>),
    /// Says it in clear, then goes on under TLS.
    StartTls(Vec<u8>),
}

type Script = Arc<dyn Fn(&Asked) -> Play + Send + Sync>;

/// A running stand-in, on the loopback. Its threads end with the test's process.
pub struct Stage {
    pub port: u16,
    pub asked: Arc<Mutex<Vec<Asked>>>,
    /// How many connections are open.
    pub open: Arc<AtomicUsize>,
}

impl Stage {
    /// Speaks in clear.
    pub fn new(script: impl Fn(&Asked) -> Play + Send + Sync + 'static) -> Self {
        Self::open(
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            None,
            false,
            Arc::new(script),
        )
    }

    /// Speaks in clear, at the port that another one has at another address. `None`: this machine
    /// has no such address, or the port is taken.
    pub fn beside(
        other: &Self,
        address: IpAddr,
        script: impl Fn(&Asked) -> Play + Send + Sync + 'static,
    ) -> Option<Self> {
        let listener = TcpListener::bind((address, other.port)).ok()?;
        Some(Self::on(listener, None, false, Arc::new(script)))
    }

    /// Speaks TLS, at once or after `StartTLS`.
    pub fn secure(
        address: IpAddr,
        tls: Arc<ServerConfig>,
        at_once: bool,
        script: impl Fn(&Asked) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self::open(address, Some(tls), at_once, Arc::new(script))
    }

    fn open(
        address: IpAddr,
        tls: Option<Arc<ServerConfig>>,
        at_once: bool,
        script: Script,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        Self::on(listener, tls, at_once, script)
    }

    fn on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        at_once: bool,
        script: Script,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, open) = (Arc::clone(&asked), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&open);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, script, log) = (tls.clone(), Arc::clone(&script), Arc::clone(&log));
                let count = Arc::clone(&count);
                count.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    perform(stream, tls, at_once, &script, &log);
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, asked, open }
    }

    /// The operations that it was asked, in order.
    pub fn operations(&self) -> Vec<u8> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|asked| asked.operation).collect()
    }

    /// Its address in the settings, in clear.
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

fn perform(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    at_once: bool,
    script: &Script,
    log: &Mutex<Vec<Asked>>,
) {
    stream.set_nodelay(true).unwrap();
    if !at_once && !converse(&mut stream, script, log) {
        return;
    }
    let Some(tls) = tls else { return };
    let tls = ServerConnection::new(tls).unwrap();
    converse(&mut StreamOwned::new(tls, stream), script, log);
}

/// Plays the script; tells whether to go on under TLS.
pub fn converse(
    stream: &mut (impl Read + Write),
    script: &Script,
    log: &Mutex<Vec<Asked>>,
) -> bool {
    let mut bytes = Vec::new();
    loop {
        while let Ok(Some(length)) = ber::length(&bytes) {
            if bytes.len() < length {
                break;
            }
            let message: Vec<u8> = bytes.drain(..length).collect();
            let mut parts = Elements::of(&message);
            let mut parts = Elements::of(parts.take(ber::SEQUENCE).unwrap());
            let id = u8::try_from(parts.number(ber::INTEGER).unwrap()).unwrap();
            let operation = parts.any().unwrap();
            let controls = parts.any().map(|controls| controls.body.to_vec());
            let asked = Asked {
                id,
                operation: operation.tag,
                body: operation.body.to_vec(),
                controls: controls.unwrap_or_default(),
            };
            let play = script(&asked);
            log.lock().unwrap().push(asked);
            let said = match &play {
                Play::Say(bytes) | Play::SayAndCut(bytes) | Play::StartTls(bytes) => {
                    stream.write_all(bytes).and_then(|()| stream.flush())
                }
                Play::Silence => Ok(()),
                Play::Flood(bytes) => loop {
                    if let Err(e) = stream.write_all(bytes) {
                        break Err(e);
                    }
                },
            };
            match play {
                Play::SayAndCut(_) => return false,
                Play::StartTls(_) => return true,
                _ if said.is_err() => return false,
                _ => (),
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(read) => bytes.extend(&piece[..read]),
        }
    }
}

/// Somebody who vouches for servers.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// What a server with this name or address needs.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        self.server_with(name, WebPkiClientVerifier::no_client_auth())
    }

    /// The same for one that lets in only clients with a certificate.
    pub fn demanding(&self, name: &str) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        self.server_with(name, verifier.build().unwrap())
    }

    fn server_with(&self, name: &str, clients: Arc<dyn ClientCertVerifier>) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Settings for these servers, without a service account.
pub fn settings(uris: Vec<LdapUri>) -> config::Ldap {
    config::Ldap {
        uris,
        ca_file: None,
        timeout: Duration::from_secs(5),
        bind: None,
        base: String::from("ou=people,dc=example,dc=org"),
        filter: String::from("(&(objectClass=person)(uid={user}))"),
        verified_attribute: String::from("phoneNumberVerified"),
        phone_attributes: vec![String::from("mobile"), String::from("telephoneNumber")],
        grace: crate::config::Grace::Allow,
        plain_numbers: Plain::National(None),
        strip_domains: Vec::new(),
        password_policy: true,
    }
}

/// The same with one.
pub fn with_service(uris: Vec<LdapUri>) -> config::Ldap {
    let password = Secret::new(String::from("service secret"));
    config::Ldap {
        bind: Some((String::from("cn=pam,dc=example,dc=org"), password)),
        ..settings(uris)
    }
}
