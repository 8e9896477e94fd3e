//! Fake servers on 127.0.0.1. Each has a list of behaviors, one for each connection; after the last
//! connection the port is closed.
#![forbid(unsafe_code)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::CryptoProvider,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};

/// What a server does with one connection after the TLS handshake.
#[derive(Debug, Clone)]
pub enum Behavior {
    /// Closes before the handshake.
    Close,
    /// Closes after the handshake, without reading.
    CloseAfterHandshake,
    /// Reads the request, sends this, closes.
    Reply(Vec<u8>),
    /// Reads the request and resets the connection.
    Reset,
    /// Reads the request, sends the first, and repeats the second until the client closes.
    Endless(Vec<u8>, Vec<u8>),
    /// Reads the request and sends this byte by byte, with that pause after each byte.
    Drip(Vec<u8>, Duration),
    /// Accepts and sends nothing, not even a handshake.
    Silent,
    /// Is a proxy: replies to CONNECT with this, and after a 200 forwards to that address.
    Tunnel(Vec<u8>, SocketAddr),
}

impl Behavior {
    /// Replies with a text.
    pub fn reply(text: impl AsRef<[u8]>) -> Self {
        Self::Reply(text.as_ref().to_vec())
    }
}

/// A running server.
pub struct FakeServer {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    server: Option<JoinHandle<()>>,
}

impl FakeServer {
    /// Starts a server.
    pub fn new(tls: Option<Arc<ServerConfig>>, behaviors: Vec<Behavior>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, tls, behaviors)
    }

    /// Starts a server on a listener.
    pub fn on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        behaviors: Vec<Behavior>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&requests);
        let server = thread::spawn(move || {
            for behavior in behaviors {
                let Ok((tcp, _)) = listener.accept() else {
                    return;
                };
                tcp.set_nodelay(true).unwrap();
                // Longer than any test, so that a thread ends soon after its test.
                tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                tcp.set_write_timeout(Some(Duration::from_secs(20)))
                    .unwrap();
                serve(tcp, tls.as_ref(), behavior, &recorded);
            }
        });
        Self {
            address,
            requests,
            server: Some(server),
        }
    }

    /// Returns the requests read so far.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }

    /// Waits for the last connection and returns the requests.
    pub fn finish(mut self) -> Vec<String> {
        self.server.take().unwrap().join().unwrap();
        self.requests()
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn serve(
    tcp: TcpStream,
    tls: Option<&Arc<ServerConfig>>,
    behavior: Behavior,
    recorded: &Mutex<Vec<Vec<u8>>>,
) {
    match behavior {
        Behavior::Close => return,
        Behavior::Silent => {
            let mut tcp = tcp;
            while tcp.read(&mut [0; 1024]).is_ok_and(|some| some > 0) {}
            return;
        }
        Behavior::Tunnel(answer, to) => return tunnel(tcp, &answer, to, recorded),
        _ => {}
    }
    let raw = tcp.try_clone().unwrap();
    let mut stream: Box<dyn Stream> = match tls {
        None => Box::new(tcp),
        Some(config) => {
            let mut stream =
                StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), tcp);
            while stream.conn.is_handshaking() {
                if stream.conn.complete_io(&mut stream.sock).is_err() {
                    return;
                }
            }
            Box::new(stream)
        }
    };
    if matches!(behavior, Behavior::CloseAfterHandshake) {
        return;
    }
    let Some(request) = request(&mut *stream) else {
        return;
    };
    recorded.lock().unwrap().push(request);
    match behavior {
        Behavior::Reply(text) => {
            let _ = stream.write_all(&text).and_then(|()| stream.flush());
        }
        Behavior::Reset => {
            rustix::net::sockopt::set_socket_linger(&raw, Some(Duration::ZERO)).unwrap();
        }
        Behavior::Endless(head, again) => {
            let mut result = stream.write_all(&head);
            while result.is_ok() {
                result = stream.write_all(&again);
            }
        }
        Behavior::Drip(text, wait) => {
            for byte in text {
                if stream
                    .write_all(&[byte])
                    .and_then(|()| stream.flush())
                    .is_err()
                {
                    return;
                }
                thread::sleep(wait);
            }
        }
        Behavior::Close
        | Behavior::CloseAfterHandshake
        | Behavior::Silent
        | Behavior::Tunnel(..) => {}
    }
}

/// Reads a request: head, and a body of the length of `Content-Length`.
fn request(stream: &mut dyn Stream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        let end = request.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some((head, rest)) = end.map(|end| request.split_at(end)) {
            let head = String::from_utf8_lossy(head).to_ascii_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if rest[4..].len() >= length {
                return Some(request);
            }
        }
        let mut some = [0; 4096];
        match stream.read(&mut some) {
            Ok(0) | Err(_) => return None,
            Ok(read) => request.extend_from_slice(&some[..read]),
        }
    }
}

fn tunnel(mut near: TcpStream, answer: &[u8], to: SocketAddr, recorded: &Mutex<Vec<Vec<u8>>>) {
    let Some(connect) = request(&mut near) else {
        return;
    };
    recorded.lock().unwrap().push(connect);
    near.write_all(answer).unwrap();
    if !answer.starts_with(b"HTTP/1.1 200") {
        return;
    }
    let far = TcpStream::connect(to).unwrap();
    let (mut near_too, mut far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    let (mut near, mut far) = (near, far);
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut near, &mut far);
        let _ = far.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut far_too, &mut near_too);
    let _ = near_too.shutdown(std::net::Shutdown::Both);
    up.join().unwrap();
}

/// A certificate authority for one test.
pub struct TestCa {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl TestCa {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two CAs with the same name would be confused with each other.
        let name = format!("test CA {:?}", key.public_key_raw());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Returns its certificate.
    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    /// Creates a server with a certificate for that name or address.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        self.issue(name, 4000)
    }

    /// Creates a server whose certificate expired in 2001.
    pub fn expired(&self, name: &str) -> Arc<ServerConfig> {
        self.issue(name, 2001)
    }

    /// Creates a server that demands a client certificate of this CA.
    pub fn demanding(&self, name: &str) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap())
            .unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        self.issue_with(name, 4000, verifier.build().unwrap())
    }

    fn issue(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        self.issue_with(name, until, WebPkiClientVerifier::no_client_auth())
    }

    fn issue_with(
        &self,
        name: &str,
        until: i32,
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        Arc::new(config)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
