//! The Twilio stand-in: Twilio's Messages API on loopback, over TLS, and the phones behind it.
//!
//! It judges each request by Twilio's own description ([`description`]), answers in its shapes
//! ([`replies`]), and misbehaves by the number it is asked to send to ([`cases`]).
#![forbid(unsafe_code)]

pub mod account;
pub mod cases;
pub mod description;
mod desk;
pub mod http;
mod idle;
pub mod phone;
pub mod replies;
mod server;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use cases::{Broken, Case};
pub use http::Request;
pub use idle::HangUp;
pub use phone::{Sms, another};

use crate::certs::{Certs, Identity};
use crate::listeners::Refused;
use phone::Phones;
use rustls::ServerConfig;
use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

type Announce = Box<dyn Fn(&Sms) + Send>;

/// A running stand-in. Dropped, it takes no further connection.
pub struct Twilio {
    port: u16,
    shared: Arc<Shared>,
    /// Until it is up.
    down: Mutex<Option<(Refused, Arc<ServerConfig>)>>,
}

/// What the connections of one stand-in share.
#[derive(Default)]
struct Shared {
    account: Mutex<Account>,
    phones: Phones,
    requests: Mutex<Vec<Request>>,
    cases: Mutex<HashMap<String, VecDeque<Case>>>,
    announce: Mutex<Option<Announce>>,
    pause_ms: AtomicU64,
    serial: AtomicU64,
    connections: Mutex<Vec<Instant>>,
    handshakes: AtomicUsize,
    hang_up: Mutex<Option<HangUp>>,
    hung_up: AtomicUsize,
    closed: AtomicBool,
}

impl Shared {
    /// The next case scripted for this number (the last one stays), else what the table says.
    fn case_for(&self, number: &str) -> Case {
        let mut cases = self.cases.lock().expect("the scripted cases");
        match cases.get_mut(number) {
            Some(queue) if queue.len() > 1 => queue.pop_front(),
            Some(queue) => queue.front().copied(),
            None => None,
        }
        .or_else(|| cases::of(number))
        .unwrap_or(Case::Sent)
    }

    /// Notes a connection: the how manieth it is.
    fn opened(&self) -> usize {
        let mut connections = self.connections.lock().expect("the connections");
        connections.push(Instant::now());
        connections.len()
    }

    /// How this connection ends, if it is to end before anything is asked.
    fn hangs_up(&self) -> Option<HangUp> {
        self.hang_up.lock().expect("how it ends").take()
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms.load(Ordering::SeqCst))
    }

    fn deliver(&self, sms: Sms) {
        if let Some(announce) = self.announce.lock().expect("who is told").as_ref() {
            announce(&sms);
        }
        self.phones.deliver(sms);
    }
}

impl Twilio {
    /// A stand-in with a certificate that clients believe.
    pub fn start(certs: &Certs) -> Self {
        Self::start_as(certs, Identity::Good)
    }

    /// A stand-in with this certificate.
    pub fn start_as(certs: &Certs, identity: Identity) -> Self {
        let twilio = Self::down_as(certs, identity);
        twilio.come_up();
        twilio
    }

    /// A stand-in that refuses connections until it [comes up](Self::come_up).
    pub fn down(certs: &Certs) -> Self {
        Self::down_as(certs, Identity::Good)
    }

    fn down_as(certs: &Certs, identity: Identity) -> Self {
        let config = certs.server(identity).config();
        let socket = Refused::new();
        Self {
            port: socket.port(),
            shared: Arc::default(),
            down: Mutex::new(Some((socket, config))),
        }
    }

    /// From now on it takes connections.
    pub fn come_up(&self) {
        let down = self.down.lock().expect("whether it is up").take();
        if let Some((socket, config)) = down {
            let (listener, shared) = (socket.listen(), Arc::clone(&self.shared));
            thread::spawn(move || server::serve(&listener, &config, &shared));
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What settings call `api_url`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub fn account(&self) -> Account {
        self.shared.account.lock().expect("the account").clone()
    }

    /// Changes what Twilio thinks of the account: suspended, trial, another token.
    pub fn change_account(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.shared.account.lock().expect("the account"));
    }

    /// From now on this number gets these answers, one after the other; the last one stays.
    pub fn on(&self, number: &str, cases: &[Case]) {
        let queue = cases.iter().copied().collect();
        self.shared
            .cases
            .lock()
            .expect("the scripted cases")
            .insert(number.to_owned(), queue);
    }

    /// Takes this long over each message.
    pub fn pause(&self, pause: Duration) {
        let milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.shared.pause_ms.store(milliseconds, Ordering::SeqCst);
    }

    /// Every SMS that reached this phone.
    pub fn sms_to(&self, number: &str) -> Vec<Sms> {
        self.shared.phones.to(number)
    }

    /// Every SMS that reached any phone.
    pub fn all_sms(&self) -> Vec<Sms> {
        self.shared.phones.all()
    }

    /// The oldest SMS on this phone that nobody has read yet, read now. Waits for it to arrive.
    pub fn next_sms(&self, number: &str, timeout: Duration) -> Option<Sms> {
        self.shared.phones.next(number, timeout)
    }

    /// The same, for a test that cannot go on without it.
    pub fn wait_for_sms(&self, number: &str, timeout: Duration) -> Sms {
        self.next_sms(number, timeout)
            .unwrap_or_else(|| panic!("no SMS to {number} within {timeout:?}"))
    }

    /// Every request so far, refused ones too.
    pub fn requests(&self) -> Vec<Request> {
        self.shared
            .requests
            .lock()
            .expect("the request log")
            .clone()
    }

    /// How many connections were opened, and how many of them got through the TLS handshake.
    pub fn connections(&self) -> (usize, usize) {
        (
            self.opened().len(),
            self.shared.handshakes.load(Ordering::SeqCst),
        )
    }

    /// When each connection was opened.
    pub fn opened(&self) -> Vec<Instant> {
        let connections = self.shared.connections.lock();
        connections.expect("the connections").clone()
    }

    /// Ends the next connection so, as soon as its handshake is over.
    pub fn hang_up(&self, how: HangUp) {
        *self.shared.hang_up.lock().expect("how it ends") = Some(how);
    }

    /// How many connections have ended so.
    pub fn hung_up(&self) -> usize {
        self.shared.hung_up.load(Ordering::SeqCst)
    }

    /// Calls this with each SMS as it arrives.
    pub fn announce(&self, announce: impl Fn(&Sms) + Send + 'static) {
        *self.shared.announce.lock().expect("who is told") = Some(Box::new(announce));
    }
}

impl Drop for Twilio {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}
