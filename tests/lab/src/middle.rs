//! Somebody between the product and a real server: he carries all bytes, until the turn at which
//! something happens.
//!
//! A turn begins when the client speaks after the server has (or first of all), so that turns can be
//! counted in every protocol: with LDAP in the clear the service account's bind is turn 1, the search
//! turn 2, the user's bind turn 3; under TLS turn 1 is the client's hello.
#![forbid(unsafe_code)]

use crate::listeners::{GARBAGE, reset};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What happens at the turn.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing ever.
    None,
    /// The request is swallowed, and nothing more is said.
    Silent,
    /// The request arrives; its answer is swallowed.
    Lost,
    /// An orderly end in place of an answer. The request does not arrive.
    Cut,
    /// A reset.
    Reset,
    /// Half of the answer, and then an orderly end.
    Half,
    /// The answer with one bit turned over in its middle.
    Flipped,
    /// The answer, a byte at a time with so long a wait after each.
    Drip(Duration),
    /// Bytes of no protocol.
    Garbage,
    /// These in place of the answer, and then silence.
    Says(Vec<u8>),
    /// The same, as the answer to the request of this turn on each connection.
    Answers(Vec<u8>),
    /// These first, and then others over and over for as long as somebody listens.
    Endless(Vec<u8>),
}

#[derive(Debug)]
struct Plan {
    to: SocketAddr,
    turn: usize,
    fault: Fault,
    /// Once it has happened it goes on: a server that went bad stays so, whoever connects again.
    happened: AtomicUsize,
    mended: AtomicBool,
    taken: AtomicUsize,
    /// Bytes from clients.
    sent: AtomicUsize,
    /// What the client said in the turn at which it happened.
    heard: Mutex<Vec<Vec<u8>>>,
}

/// One at work. His threads end with the process.
#[derive(Debug)]
pub struct Middle {
    address: SocketAddr,
    plan: Arc<Plan>,
}

impl Middle {
    /// On a port of his own, before the server at that port of 127.0.0.1.
    pub fn start(to: u16, turn: usize, fault: Fault) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), to, turn, fault)
    }

    /// In front of a directory in the clear.
    pub fn in_the_clear(to: u16, turn: usize, fault: Fault) -> Self {
        Self::at(crate::ports::ldap_address(), to, turn, fault)
    }

    /// At this address.
    pub fn at(address: SocketAddr, to: u16, turn: usize, fault: Fault) -> Self {
        let listener = TcpListener::bind(address).expect("an address on loopback");
        let address = listener.local_addr().expect("the listener's address");
        let plan = Arc::new(Plan {
            to: (Ipv4Addr::LOCALHOST, to).into(),
            turn,
            fault,
            happened: AtomicUsize::new(0),
            mended: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
            sent: AtomicUsize::new(0),
            heard: Mutex::default(),
        });
        let shared = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                shared.taken.fetch_add(1, Ordering::SeqCst);
                let plan = Arc::clone(&shared);
                // What goes wrong on a connection ends it: both sides see that.
                thread::spawn(move || {
                    let _ = carry(client, &plan);
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

    /// How many connections were taken.
    pub fn taken(&self) -> usize {
        self.plan.taken.load(Ordering::SeqCst)
    }

    /// How many bytes clients have sent.
    pub fn sent(&self) -> usize {
        self.plan.sent.load(Ordering::SeqCst)
    }

    /// How often it has happened.
    pub fn happened(&self) -> usize {
        self.plan.happened.load(Ordering::SeqCst)
    }

    /// Waits until it has.
    pub fn wait(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.happened() == 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        self.happened() > 0
    }

    /// From now on everything is carried.
    pub fn mend(&self) {
        self.plan.mended.store(true, Ordering::SeqCst);
    }

    /// What the client said each time it happened.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.plan.heard.lock().expect("what was heard").clone()
    }
}

impl Plan {
    fn is_due(&self, turn: usize) -> bool {
        let is_none = matches!(self.fault, Fault::None) || self.mended.load(Ordering::SeqCst);
        // What breaks a server is due from then on. A message is an answer to one request: also when a search
        // that failed while the user typed is made again.
        let is_broken = !matches!(self.fault, Fault::Answers(_));
        let has_happened = self.happened.load(Ordering::SeqCst) > 0;
        !is_none && (turn >= self.turn || (is_broken && has_happened))
    }
}

fn carry(mut client: TcpStream, plan: &Plan) -> io::Result<()> {
    let mut server = TcpStream::connect(plan.to)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
        // No test lasts longer.
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    }
    let (mut turn, mut server_spoke) = (0, true);
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
            server_spoke = true;
        } else if from_client {
            let length = client.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            plan.sent.fetch_add(length, Ordering::SeqCst);
            turn += usize::from(server_spoke);
            server_spoke = false;
            if plan.is_due(turn) {
                plan.heard
                    .lock()
                    .expect("what was heard")
                    .push(bytes[..length].to_vec());
                plan.happened.fetch_add(1, Ordering::SeqCst);
                return happen(&plan.fault, client, server, &bytes[..length]);
            }
            server.write_all(&bytes[..length])?;
        }
    }
}

fn happen(
    fault: &Fault,
    mut client: TcpStream,
    mut server: TcpStream,
    asked: &[u8],
) -> io::Result<()> {
    let mut answer = || -> io::Result<Vec<u8>> {
        server.write_all(asked)?;
        let mut bytes = vec![0; 64 * 1024];
        let length = server.read(&mut bytes)?;
        bytes.truncate(length);
        Ok(bytes)
    };
    match fault {
        Fault::None | Fault::Silent => {}
        Fault::Lost => drop(answer()?),
        Fault::Cut => return Ok(()),
        Fault::Reset => {
            reset(&client);
            return Ok(());
        }
        Fault::Half => {
            let answer = answer()?;
            return client.write_all(&answer[..answer.len() / 2]);
        }
        Fault::Flipped => {
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
        Fault::Says(bytes) | Fault::Answers(bytes) => client.write_all(bytes)?,
        Fault::Endless(first) => {
            client.write_all(first)?;
            let flood = GARBAGE.repeat(1024);
            loop {
                client.write_all(&flood)?;
            }
        }
    }
    // Until the client goes: closing at once would be another fault.
    while matches!(client.read(&mut [0; 4096]), Ok(1..)) {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listeners::Listener;

    #[test]
    fn it_happens_at_its_turn_and_ever_after() {
        let server = Listener::saying(b"yes".to_vec());
        let middle = Middle::start(server.port(), 2, Fault::Cut);
        let ask = |stream: &mut TcpStream| {
            stream.write_all(b"?").expect("a question");
            let mut answer = [0; 8];
            stream.read(&mut answer).expect("an answer or the end")
        };
        let mut first = TcpStream::connect(("127.0.0.1", middle.port())).expect("somebody");
        assert_eq!((ask(&mut first), ask(&mut first)), (3, 0));
        let mut second = TcpStream::connect(("127.0.0.1", middle.port())).expect("somebody");
        assert_eq!(ask(&mut second), 0);
        assert_eq!((middle.taken(), middle.happened()), (2, 2));
        assert_eq!(middle.heard(), [b"?", b"?"]);
        assert_eq!(middle.sent(), 3);
        middle.mend();
        let mut third = TcpStream::connect(("127.0.0.1", middle.port())).expect("somebody");
        assert_eq!((ask(&mut third), ask(&mut third)), (3, 3));
    }
}
