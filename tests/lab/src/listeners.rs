//! Ports that refuse connections, send garbage, or send nothing: faults that do not depend on the protocol.
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
pub enum Behavior {
    /// Accepts the connection and sends nothing.
    Silent,
    /// Accepts the connection and closes it.
    Closes,
    /// Reads the first bytes, then resets the connection.
    Resets,
    /// Sends bytes that belong to no protocol.
    Garbage,
    /// Sends such bytes without end.
    Flood,
}

/// A listener on loopback. Its threads end with the process.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Listener {
    pub fn start(behavior: Behavior) -> Self {
        let socket = ports::low();
        let address = socket.local_addr().expect("the port's address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        // Owns the silent connections, which must stay open.
        let open = Arc::new(Mutex::new(Vec::new()));
        thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let open = Arc::clone(&open);
                thread::spawn(move || handle(behavior, stream, &open));
            }
        });
        Self { address, accepted }
    }

    /// Starts one that replies to everything it reads with these bytes.
    pub fn replying_with(bytes: Vec<u8>) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = socket.local_addr().expect("the port's address");
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
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
        Self { address, accepted }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the number of accepted connections.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// A port on loopback without a listener: connections are refused.
///
/// It is bound, so that no other process can use the port while the value exists.
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

    /// Listens on the port.
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

/// A port on loopback whose backlog is full: connecting neither succeeds nor fails.
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
        // A connection that is not established within this time never will be.
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

fn handle(behavior: Behavior, mut stream: TcpStream, open: &Mutex<Vec<TcpStream>>) {
    match behavior {
        Behavior::Silent => open.lock().expect("the open connections").push(stream),
        Behavior::Closes => {}
        Behavior::Resets => {
            let _ = stream.read(&mut [0; 1024]);
            reset(&stream);
        }
        Behavior::Garbage => {
            let _ = stream.write_all(GARBAGE);
            // Waits until the client closes: closing first would be another case.
            let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
            while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
        }
        Behavior::Flood => {
            let flood = GARBAGE.repeat(1024);
            while stream.write_all(&flood).is_ok() {}
        }
    }
}

/// Makes closing this connection send a reset.
pub fn reset(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}
