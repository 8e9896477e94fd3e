//! Servers on 127.0.0.1 that follow a script, for tests: one act for each connection; after the
//! last the port is closed.
#![forbid(unsafe_code)]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivatePkcs8KeyDer;

/// What a server does with one connection, once its handshake is over.
#[derive(Debug, Clone)]
pub enum Act {
    /// Closes at once, before any handshake.
    Close,
    /// Closes at once after the handshake, without reading.
    CloseAfterHandshake,
    /// Reads the request, says this, closes.
    Say(Vec<u8>),
    /// Reads the request and resets the connection.
    Reset,
    /// Reads the request, says this, and then repeats the second for as long as somebody listens.
    Endless(Vec<u8>, Vec<u8>),
    /// Reads the request, says this a byte at a time with so long a wait after each.
    Drip(Vec<u8>, Duration),
    /// Accepts and says nothing, not even a handshake.
    Silent,
    /// Is a proxy: answers CONNECT with this, and if that is a 200, leads to that address.
    Tunnel(Vec<u8>, SocketAddr),
}

impl Act {
    /// Says a text.
    pub fn say(text: impl AsRef<[u8]>) -> Self {
        Self::Say(text.as_ref().to_vec())
    }
}

/// A server at work.
pub struct Stage {
    pub at: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    server: Option<JoinHandle<()>>,
}

impl Stage {
    /// Starts a server with a script.
    pub fn new(tls: Option<Arc<ServerConfig>>, acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, tls, acts)
    }

    /// Starts one on a listener.
    pub fn on(listener: TcpListener, tls: Option<Arc<ServerConfig>>, acts: Vec<Act>) -> Self {
        let at = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let server = thread::spawn(move || {
            for act in acts {
                let Ok((tcp, _)) = listener.accept() else {
                    return;
                };
                tcp.set_nodelay(true).unwrap();
                // No test lasts longer; no thread outlives its test by much.
                tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                tcp.set_write_timeout(Some(Duration::from_secs(20)))
                    .unwrap();
                play(tcp, tls.as_ref(), act, &seen);
            }
        });
        Self {
            at,
            requests,
            server: Some(server),
        }
    }

    /// The requests that have been read.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }

    /// Waits for the script's end, and tells the requests.
    pub fn end(mut self) -> Vec<String> {
        self.server.take().unwrap().join().unwrap();
        self.requests()
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn play(tcp: TcpStream, tls: Option<&Arc<ServerConfig>>, act: Act, seen: &Mutex<Vec<Vec<u8>>>) {
    match act {
        Act::Close => return,
        Act::Silent => {
            let mut tcp = tcp;
            while tcp.read(&mut [0; 1024]).is_ok_and(|some| some > 0) {}
            return;
        }
        Act::Tunnel(answer, to) => return tunnel(tcp, &answer, to, seen),
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
    if matches!(act, Act::CloseAfterHandshake) {
        return;
    }
    let Some(request) = request(&mut *stream) else {
        return;
    };
    seen.lock().unwrap().push(request);
    match act {
        Act::Say(text) => {
            let _ = stream.write_all(&text).and_then(|()| stream.flush());
        }
        Act::Reset => {
            rustix::net::sockopt::set_socket_linger(&raw, Some(Duration::ZERO)).unwrap();
        }
        Act::Endless(head, again) => {
            let mut result = stream.write_all(&head);
            while result.is_ok() {
                result = stream.write_all(&again);
            }
        }
        Act::Drip(text, wait) => {
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
        Act::Close | Act::CloseAfterHandshake | Act::Silent | Act::Tunnel(..) => {}
    }
}

/// Reads a whole request: header, and as much body as it announces.
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

fn tunnel(mut near: TcpStream, answer: &[u8], to: SocketAddr, seen: &Mutex<Vec<Vec<u8>>>) {
    let Some(asked) = request(&mut near) else {
        return;
    };
    seen.lock().unwrap().push(asked);
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

/// A certificate authority that lives as long as a test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Authorities of one name would be taken for one another.
        let name = format!("test CA {:?}", key.public_key_raw());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.pem.clone()
    }

    /// A server with a certificate for that name or address.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        self.issue(name, 4000)
    }

    /// A server whose certificate expired long ago.
    pub fn expired(&self, name: &str) -> Arc<ServerConfig> {
        self.issue(name, 2001)
    }

    fn issue(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        Arc::new(config)
    }
}
