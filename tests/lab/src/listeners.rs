//! Ports that answer wrongly, or never: for any protocol, before a byte of it is spoken.
#![forbid(unsafe_code)]

use crate::ports;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What a listener does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes the connection and says nothing, ever.
    Silent,
    /// Takes the connection and closes it at once.
    Closes,
    /// Takes what is said first, then resets the connection.
    Resets,
    /// Answers with bytes of no protocol.
    Garbage,
    /// Sends such bytes without end.
    Flood,
}

/// A listener on loopback with bad manners. Its threads end with the process.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
}

impl Listener {
    pub fn start(manner: Manner) -> Self {
        let socket = ports::low();
        let address = socket.local_addr().expect("the port's address");
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        // Silent connections must stay open, so somebody has to own them.
        let open = Arc::new(Mutex::new(Vec::new()));
        thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let open = Arc::clone(&open);
                thread::spawn(move || treat(manner, stream, &open));
            }
        });
        Self { address, taken }
    }

    /// One that answers whatever it hears, each time, with these bytes.
    pub fn saying(bytes: Vec<u8>) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = socket.local_addr().expect("the port's address");
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        thread::spawn(move || {
            for mut stream in socket.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let bytes = bytes.clone();
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
                    let mut buffer = vec![0; 64 * 1024];
                    while matches!(stream.read(&mut buffer), Ok(1..)) {
                        if stream.write_all(&bytes).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, taken }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were taken so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// A port on loopback where nobody listens: connecting is refused.
///
/// It is bound and never listened on, so that nobody else gets it while the value lives.
#[derive(Debug)]
pub struct Refused {
    address: SocketAddr,
    socket: rustix::fd::OwnedFd,
}

impl Refused {
    pub fn new() -> Self {
        use rustix::net::{AddressFamily, SocketType, getsockname, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        ports::bind_low(&socket);
        let address = getsockname(&socket).expect("the port's address");
        let address = SocketAddr::try_from(address).expect("an internet address");
        Self { address, socket }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on somebody listens.
    pub fn listen(self) -> TcpListener {
        rustix::net::listen(&self.socket, 1024).expect("a bound socket");
        TcpListener::from(self.socket)
    }
}

impl Default for Refused {
    fn default() -> Self {
        Self::new()
    }
}

/// A port on loopback that swallows every connection: it listens, and takes no more.
#[derive(Debug)]
pub struct Full {
    address: SocketAddr,
    _socket: rustix::fd::OwnedFd,
    _filler: Vec<TcpStream>,
}

impl Full {
    pub fn new() -> Self {
        let refused = Refused::new();
        rustix::net::listen(&refused.socket, 0).expect("a bound socket");
        let address = refused.address;
        // Whoever does not get in within this time will not later.
        let soon = Duration::from_millis(100);
        let filler = (0..8)
            .map_while(|_| TcpStream::connect_timeout(&address, soon).ok())
            .collect();
        Self {
            address,
            _socket: refused.socket,
            _filler: filler,
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Default for Full {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that are neither TLS, nor LDAP, nor HTTP.
pub(crate) const GARBAGE: &[u8] = b"\x00\xff\x1b]0;garbage\x07\r\n\xfe\xfd 220 who are you?\r\n";

fn treat(manner: Manner, mut stream: TcpStream, open: &Mutex<Vec<TcpStream>>) {
    match manner {
        Manner::Silent => open.lock().expect("the open connections").push(stream),
        Manner::Closes => {}
        Manner::Resets => {
            let _ = stream.read(&mut [0; 1024]);
            reset(&stream);
        }
        Manner::Garbage => {
            let _ = stream.write_all(GARBAGE);
            // Until the client goes: closing at once would be the other case.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
            while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
        }
        Manner::Flood => {
            let flood = GARBAGE.repeat(1024);
            while stream.write_all(&flood).is_ok() {}
        }
    }
}

/// Makes closing this connection a reset instead of an orderly end.
pub fn reset(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}
