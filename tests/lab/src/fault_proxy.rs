//! A TCP proxy that injects a fault: it forwards all bytes between the product and a real server up to a
//! turn, at which the fault occurs.
//!
//! A turn begins when the client sends for the first time, or after the server has sent. So turns can be
//! counted in every protocol: in LDAP without TLS the bind of the service account is turn 1, the search
//! turn 2, the bind of the user turn 3; with TLS turn 1 is the client's hello.
#![forbid(unsafe_code)]

use crate::listeners::{GARBAGE, reset};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A fault.
#[derive(Clone, Debug)]
pub enum Fault {
    /// No fault.
    None,
    /// The request is dropped, and nothing is sent.
    Silent,
    /// The request is forwarded; its answer is dropped.
    DropReply,
    /// The connection is closed in place of an answer. The request is dropped.
    Close,
    /// The connection is reset.
    Reset,
    /// Half of the answer is sent, and the connection closed.
    Truncate,
    /// The answer with one bit flipped in its middle.
    BitFlip,
    /// The answer byte by byte, with that pause after each byte.
    Drip(Duration),
    /// Bytes that belong to no protocol.
    Garbage,
    /// These bytes in place of the answer, and nothing more.
    Reply(Vec<u8>),
    /// The same, on each connection at this turn only.
    ReplyAtTurn(Vec<u8>),
    /// These bytes, and then others until the client closes.
    Endless(Vec<u8>),
}

#[derive(Debug)]
struct Plan {
    to: SocketAddr,
    turn: usize,
    fault: Fault,
    /// How often the fault occurred. Once a server has failed it fails for every further connection.
    happened: AtomicUsize,
    repaired: AtomicBool,
    accepted: AtomicUsize,
    /// Bytes from clients.
    sent: AtomicUsize,
    /// What the client sent in each turn with the fault.
    requests: Mutex<Vec<Vec<u8>>>,
}

/// A running proxy. Its threads end with the process.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    plan: Arc<Plan>,
}

impl FaultProxy {
    /// Starts a proxy on a free port, in front of the server at this port of 127.0.0.1.
    pub fn start(to: u16, turn: usize, fault: Fault) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), to, turn, fault)
    }

    /// Starts a proxy in front of a directory without TLS, at a port that the settings accept for it.
    pub fn plain_ldap(to: u16, turn: usize, fault: Fault) -> Self {
        Self::at(crate::ports::ldap_address(), to, turn, fault)
    }

    /// Starts a proxy at this address.
    pub fn at(address: SocketAddr, to: u16, turn: usize, fault: Fault) -> Self {
        let listener = TcpListener::bind(address).expect("an address on loopback");
        let address = listener.local_addr().expect("the listener's address");
        let plan = Arc::new(Plan {
            to: (Ipv4Addr::LOCALHOST, to).into(),
            turn,
            fault,
            happened: AtomicUsize::new(0),
            repaired: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            requests: Mutex::default(),
        });
        let shared = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let plan = Arc::clone(&shared);
                // An error ends the connection, which both sides notice.
                thread::spawn(move || {
                    let _ = forward(client, &plan);
                });
            }
        });
        Self { address, plan }
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the number of accepted connections.
    pub fn accepted(&self) -> usize {
        self.plan.accepted.load(Ordering::SeqCst)
    }

    /// Returns the number of bytes from clients.
    pub fn sent(&self) -> usize {
        self.plan.sent.load(Ordering::SeqCst)
    }

    /// Returns how often the fault occurred.
    pub fn faults(&self) -> usize {
        self.plan.happened.load(Ordering::SeqCst)
    }

    /// Waits until the fault has occurred.
    pub fn wait(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        while self.faults() == 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        self.faults() > 0
    }

    /// Removes the fault: everything is forwarded from now on.
    pub fn repair(&self) {
        self.plan.repaired.store(true, Ordering::SeqCst);
    }

    /// Returns what the client sent in each turn with the fault.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.plan.requests.lock().expect("the requests").clone()
    }
}

impl Plan {
    fn is_due(&self, turn: usize) -> bool {
        let is_none = matches!(self.fault, Fault::None) || self.repaired.load(Ordering::SeqCst);
        // A broken server stays broken. A wrong answer belongs to one request, also if a search that failed
        // while the user typed is repeated.
        let is_broken = !matches!(self.fault, Fault::ReplyAtTurn(_));
        let has_happened = self.happened.load(Ordering::SeqCst) > 0;
        !is_none && (turn >= self.turn || (is_broken && has_happened))
    }
}

fn forward(mut client: TcpStream, plan: &Plan) -> io::Result<()> {
    let mut server = TcpStream::connect(plan.to)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        // Longer than any test.
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    }
    let (mut turn, mut server_sent) = (0, true);
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let mut ready = [
            PollFd::new(&client, PollFlags::IN),
            PollFd::new(&server, PollFlags::IN),
        ];
        poll(&mut ready, None)?;
        let [from_client, from_server] = ready.map(|one| !one.revents().is_empty());
        if from_server {
            let length = server.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            client.write_all(&bytes[..length])?;
            server_sent = true;
        } else if from_client {
            let length = client.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            plan.sent.fetch_add(length, Ordering::SeqCst);
            turn += usize::from(server_sent);
            server_sent = false;
            if plan.is_due(turn) {
                plan.requests
                    .lock()
                    .expect("the requests")
                    .push(bytes[..length].to_vec());
                plan.happened.fetch_add(1, Ordering::SeqCst);
                return inject(&plan.fault, client, server, &bytes[..length]);
            }
            server.write_all(&bytes[..length])?;
        }
    }
}

fn inject(
    fault: &Fault,
    mut client: TcpStream,
    mut server: TcpStream,
    request: &[u8],
) -> io::Result<()> {
    let mut answer = || -> io::Result<Vec<u8>> {
        server.write_all(request)?;
        let mut bytes = vec![0; 64 * 1024];
        let length = server.read(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    };
    match fault {
        Fault::None | Fault::Silent => {}
        Fault::DropReply => drop(answer()?),
        Fault::Close => return Ok(()),
        Fault::Reset => {
            reset(&client);
            return Ok(());
        }
        Fault::Truncate => {
            let answer = answer()?;
            return client.write_all(&answer[..answer.len() / 2]);
        }
        Fault::BitFlip => {
            let mut answer = answer()?;
            let middle = answer.len() / 2;
            answer[middle] ^= 1;
            client.write_all(&answer)?;
        }
        Fault::Drip(wait) => {
            for byte in answer()? {
                client.write_all(&[byte])?;
                thread::sleep(*wait);
            }
        }
        Fault::Garbage => client.write_all(GARBAGE)?,
        Fault::Reply(bytes) | Fault::ReplyAtTurn(bytes) => client.write_all(bytes)?,
        Fault::Endless(first) => {
            client.write_all(first)?;
            let flood = GARBAGE.repeat(1024);
            loop {
                client.write_all(&flood)?;
            }
        }
    }
    // Waits until the client closes: closing first would be another fault.
    while matches!(client.read(&mut [0; 4096]), Ok(1..)) {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listeners::Listener;

    #[test]
    fn the_fault_occurs_at_its_turn_and_from_then_on() {
        let server = Listener::replying_with(b"yes".to_vec());
        let middle = FaultProxy::start(server.port(), 2, Fault::Close);
        let ask = |stream: &mut TcpStream| {
            stream.write_all(b"?").expect("a question");
            let mut answer = [0; 8];
            stream.read(&mut answer).expect("an answer or the end")
        };
        let mut first = TcpStream::connect(("127.0.0.1", middle.port())).expect("a connection");
        assert_eq!((ask(&mut first), ask(&mut first)), (3, 0));
        let mut second = TcpStream::connect(("127.0.0.1", middle.port())).expect("a connection");
        assert_eq!(ask(&mut second), 0);
        assert_eq!((middle.accepted(), middle.faults()), (2, 2));
        assert_eq!(middle.requests(), [b"?", b"?"]);
        assert_eq!(middle.sent(), 3);
        middle.repair();
        let mut third = TcpStream::connect(("127.0.0.1", middle.port())).expect("a connection");
        assert_eq!((ask(&mut third), ask(&mut third)), (3, 3));
    }
}
