//! The phones: every SMS that was handed to the stand-in, in order.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// One SMS on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    pub sid: String,
    pub to: String,
    /// The sender, or nothing where a Messaging Service chose it.
    pub from: Option<String>,
    pub service: Option<String>,
    pub body: String,
    /// Seconds it may wait at Twilio.
    pub validity: Option<u32>,
}

impl Sms {
    /// The code a person would type: the first run of six to ten digits.
    pub fn code(&self) -> String {
        self.body
            .split(|c: char| !c.is_ascii_digit())
            .find(|run| (6..=10).contains(&run.len()))
            .unwrap_or_else(|| panic!("no code in the SMS {:?}", self.body))
            .to_owned()
    }
}

/// A code that is not this one.
pub fn another(code: &str) -> String {
    let turn = |digit: char| if digit == '9' { '0' } else { '9' };
    code.chars().map(turn).collect()
}

/// All phones, and how far each person has read.
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

    /// The oldest SMS on this phone that was not read yet; waits for it to arrive.
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
