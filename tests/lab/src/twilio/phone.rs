//! The phones: every delivered SMS, in order.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// An SMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    pub sid: String,
    pub to: String,
    /// The sender. `None`: the Messaging Service selects it.
    pub from: Option<String>,
    pub service: Option<String>,
    pub body: String,
    /// How long Twilio may keep it, in seconds.
    pub validity: Option<u32>,
}

impl Sms {
    /// Returns the code: the first run of six to ten digits.
    pub fn code(&self) -> String {
        self.body
            .split(|c: char| !c.is_ascii_digit())
            .find(|run| (6..=10).contains(&run.len()))
            .unwrap_or_else(|| panic!("no code in the SMS {:?}", self.body))
            .to_owned()
    }
}

/// Returns a code that differs from this one.
pub fn wrong_code(code: &str) -> String {
    let change = |digit: char| if digit == '9' { '0' } else { '9' };
    code.chars().map(change).collect()
}

/// All phones, and how many SMS of each have been read.
#[derive(Debug, Default)]
pub struct Phones {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    all: Vec<Sms>,
    read: HashMap<String, usize>,
}

impl Phones {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the phones")
    }

    pub fn deliver(&self, sms: Sms) {
        self.lock().all.push(sms);
        self.arrived.notify_all();
    }

    pub fn all(&self) -> Vec<Sms> {
        self.lock().all.clone()
    }

    pub fn to(&self, number: &str) -> Vec<Sms> {
        self.lock()
            .all
            .iter()
            .filter(|sms| sms.to == number)
            .cloned()
            .collect()
    }

    /// Waits for the oldest unread SMS of this phone, and marks it as read.
    pub fn next(&self, number: &str, timeout: Duration) -> Option<Sms> {
        let until = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            let read = state.read.get(number).copied().unwrap_or(0);
            let unread = state
                .all
                .iter()
                .filter(|sms| sms.to == number)
                .nth(read)
                .cloned();
            if unread.is_some() {
                state.read.insert(number.to_owned(), read + 1);
                return unread;
            }
            let left = until.checked_duration_since(Instant::now())?;
            state = self
                .arrived
                .wait_timeout(state, left)
                .expect("the phones")
                .0;
        }
    }
}
