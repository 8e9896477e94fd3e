//! A fake Twilio: Twilio's Messages API on loopback, over TLS, and the phones that get the SMS.
//!
//! It validates each request against Twilio's OpenAPI description ([`description`]), responds in its format
//! ([`replies`]), and returns errors that depend on the number of the recipient ([`cases`]).
#![forbid(unsafe_code)]

pub mod account;
mod api;
pub mod cases;
pub mod description;
mod disconnect;
pub mod http;
pub mod phone;
pub mod replies;
mod server;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use cases::{Broken, Case};
pub use disconnect::Disconnect;
pub use http::Request;
pub use phone::{Sms, wrong_code};

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

/// A running fake Twilio. Dropping it stops accepting connections.
pub struct Twilio {
    port: u16,
    shared: Arc<Shared>,
    /// Its socket before it listens.
    down: Mutex<Option<(Refused, Arc<ServerConfig>)>>,
}

/// The state that all connections share.
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
    disconnect: Mutex<Option<Disconnect>>,
    disconnected: AtomicUsize,
    closed: AtomicBool,
}

impl Shared {
    /// Returns the next case set for this number (the last one stays), or that of the table.
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

    /// Records a connection; returns its number.
    fn opened(&self) -> usize {
        let mut connections = self.connections.lock().expect("the connections");
        connections.push(Instant::now());
        connections.len()
    }

    /// Returns how to end this connection before its first request, if at all.
    fn take_disconnect(&self) -> Option<Disconnect> {
        self.disconnect.lock().expect("the next disconnect").take()
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(self.pause_ms.load(Ordering::SeqCst))
    }

    fn deliver(&self, sms: Sms) {
        if let Some(announce) = self.announce.lock().expect("the callback").as_ref() {
            announce(&sms);
        }
        self.phones.deliver(sms);
    }
}

impl Twilio {
    /// Starts one with a certificate that clients accept.
    pub fn start(certs: &Certs) -> Self {
        Self::start_as(certs, Identity::Good)
    }

    /// Starts one with this certificate.
    pub fn start_as(certs: &Certs, identity: Identity) -> Self {
        let twilio = Self::down_as(certs, identity);
        twilio.come_up();
        twilio
    }

    /// Creates one that refuses connections until it [listens](Self::come_up).
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

    /// Starts to listen.
    pub fn come_up(&self) {
        let down = self.down.lock().expect("the socket").take();
        if let Some((socket, config)) = down {
            let (listener, shared) = (socket.listen(), Arc::clone(&self.shared));
            thread::spawn(move || server::serve(&listener, &config, &shared));
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL for the setting `twilio.api_url`.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub fn account(&self) -> Account {
        self.shared.account.lock().expect("the account").clone()
    }

    /// Changes the account: suspended, trial, another token.
    pub fn change_account(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.shared.account.lock().expect("the account"));
    }

    /// Sets the responses for a number, in order; the last one stays.
    pub fn on(&self, number: &str, cases: &[Case]) {
        let queue = cases.iter().copied().collect();
        self.shared
            .cases
            .lock()
            .expect("the scripted cases")
            .insert(number.to_owned(), queue);
    }

    /// Delays the response to each message.
    pub fn pause(&self, pause: Duration) {
        let milliseconds = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.shared.pause_ms.store(milliseconds, Ordering::SeqCst);
    }

    /// Returns every SMS delivered to this phone.
    pub fn sms_to(&self, number: &str) -> Vec<Sms> {
        self.shared.phones.to(number)
    }

    /// Returns every delivered SMS.
    pub fn all_sms(&self) -> Vec<Sms> {
        self.shared.phones.all()
    }

    /// Waits for the oldest unread SMS of this phone, and marks it as read.
    pub fn next_sms(&self, number: &str, timeout: Duration) -> Option<Sms> {
        self.shared.phones.next(number, timeout)
    }

    /// As [`Self::next_sms`]; panics without one.
    pub fn wait_for_sms(&self, number: &str, timeout: Duration) -> Sms {
        self.next_sms(number, timeout)
            .unwrap_or_else(|| panic!("no SMS to {number} within {timeout:?}"))
    }

    /// Returns every request so far, refused ones included.
    pub fn requests(&self) -> Vec<Request> {
        self.shared
            .requests
            .lock()
            .expect("the request log")
            .clone()
    }

    /// Returns the number of connections, and of completed TLS handshakes.
    pub fn connections(&self) -> (usize, usize) {
        (
            self.opened().len(),
            self.shared.handshakes.load(Ordering::SeqCst),
        )
    }

    /// Returns the time of each connection.
    pub fn opened(&self) -> Vec<Instant> {
        let connections = self.shared.connections.lock();
        connections.expect("the connections").clone()
    }

    /// Ends the next connection in this way after its handshake.
    pub fn disconnect_next(&self, how: Disconnect) {
        *self.shared.disconnect.lock().expect("the next disconnect") = Some(how);
    }

    /// Returns the number of connections that were ended in this way.
    pub fn disconnected(&self) -> usize {
        self.shared.disconnected.load(Ordering::SeqCst)
    }

    /// Sets a callback for each delivered SMS.
    pub fn announce(&self, announce: impl Fn(&Sms) + Send + 'static) {
        *self.shared.announce.lock().expect("the callback") = Some(Box::new(announce));
    }
}

impl Drop for Twilio {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts connections.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}
