//! A temporary directory, clocks that the test sets, and accounts.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use super::super::{
    clock::{Clocks, Reading},
    *,
};
use crate::{
    config::{Limits, Rule},
    id::LoginId,
    ledger::window::millis,
    phone::Phone,
};

/// An empty directory, which is removed with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("sms-otp-ledger-{}-{number}", std::process::id());
        // In memory if possible.
        let memory = PathBuf::from("/dev/shm");
        let in_memory = Some(memory).filter(|directory| directory.is_dir());
        let directory = in_memory.unwrap_or_else(std::env::temp_dir).join(name);
        std::fs::create_dir(&directory).unwrap();
        Self(directory)
    }

    /// The directory that the ledger is to create.
    pub fn directory(&self) -> String {
        self.0.join("state").to_str().unwrap().to_owned()
    }

    pub fn path(&self) -> PathBuf {
        self.0.join("state/ledger")
    }

    pub fn open(&self, time: &Time) -> FileStore {
        FileStore::open_by(&self.directory(), Box::new(time.clone())).unwrap()
    }

    /// Opens it with the clocks of this machine.
    pub fn open_really(&self) -> FileStore {
        FileStore::open(&self.directory()).unwrap()
    }

    pub fn error(&self) -> Failure {
        FileStore::open(&self.directory()).err().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Clocks that the test sets. Clones share them.
#[derive(Clone)]
pub struct Time(pub Arc<Mutex<Reading>>);

impl Default for Time {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Reading {
            boot: [b'a'; 36],
            since_boot: 1000,
            calendar: 1_700_000_000_000,
        })))
    }
}

impl Time {
    pub fn pass(&self, time: Duration) {
        let mut clocks = self.0.lock().unwrap();
        clocks.since_boot += millis(time);
        clocks.calendar += millis(time);
    }
}

impl Clocks for Time {
    fn read(&self) -> Reading {
        *self.0.lock().unwrap()
    }
}

/// The longest wait of a test.
pub fn soon() -> Deadline {
    Deadline::within(Duration::from_secs(60))
}

/// The account with this number, which has its own phone.
pub fn account_of(number: u32) -> Account {
    let phone = Phone::parse(&format!("+447700900{:03}", number % 1000), None).unwrap();
    Account {
        login: LoginId(number.to_be_bytes()),
        dn: format!("uid=user{number},dc=example,dc=org"),
        name: format!("user{number}"),
        allowed: true,
        numbers: vec![phone.clone()],
        phone,
        password_changed: String::new(),
        origin_key: Some("sshd 192.0.2.7".into()),
        segments: 1,
    }
}

pub fn limits(rules: &[(u32, u64)]) -> Limits {
    let rule = |(most, seconds): &(u32, u64)| Rule {
        most: *most,
        within: Duration::from_secs(*seconds),
    };
    Limits {
        sms: rules.iter().map(rule).collect(),
        sms_total: None,
        pause: Duration::ZERO,
        failures: 3,
        lock: Duration::from_secs(900),
        disable_after: 10,
        ..Limits::defaults()
    }
}

pub const fn rules(limits: &Limits) -> Rules<'_> {
    Rules {
        limits,
        remember: Some(Duration::from_secs(900)),
        new_phone: Duration::ZERO,
        is_fallback: false,
    }
}
