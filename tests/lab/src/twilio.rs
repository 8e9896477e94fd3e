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
pub mod phone;
pub mod replies;
mod server;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use cases::{Broken, Case};
pub use http::Request;
pub use phone::Sms;

use crate::certs::{Certs, Identity};
use phone::Phones;
use rustls::ServerConfig;
use rustls::crypto::ring;
use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

type Announce = Box<dyn Fn(&Sms) + Send>;

/// A running stand-in. Dropped, it takes no further connection.
pub struct Twilio {
    port: u16,
    shared: Arc<Shared>,
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
    connections: AtomicUsize,
    handshakes: AtomicUsize,
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
        let (chain, key) = certs.server(identity).load();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring's protocol versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate and its key");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let port = listener.local_addr().expect("the port's address").port();
        let shared = Arc::new(Shared::default());
        let (config, serving) = (Arc::new(config), Arc::clone(&shared));
        thread::spawn(move || server::serve(&listener, &config, &serving));
        Self { port, shared }
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
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (
            count(&self.shared.connections),
            count(&self.shared.handshakes),
        )
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
