//! The servers of the table's logins, working and failing ones.

use super::{Row, Spoil};
use crate::module::{Login, Say, Seen, someone};
use lab::Lab;
use lab::certs::Identity;
use lab::listeners::{Full, Refused};
use lab::redis::{Options, Redis};
use lab::slapd::Slapd;
use lab::twilio::Twilio;
use std::sync::atomic::{AtomicU32, Ordering};

pub const UNTRUSTED: [Identity; 5] = [
    Identity::Expired,
    Identity::Early,
    Identity::WrongName,
    Identity::OtherCa,
    Identity::SelfSigned,
];

pub struct Ground<'b> {
    pub lab: &'b Lab,
    pub redis: Redis,
    /// Knows where that one is.
    pub sentinel: Redis,
    /// Any TLS server shows its certificate before its own protocol begins.
    pub untrusted: Vec<(Identity, Twilio)>,
    /// For messages before TLS.
    pub untrusted_directory: Slapd,
    /// No server listens.
    pub refused: Refused,
    /// The server accepts and never answers.
    pub full: Full,
}

const KEY: &str = "obviously-fake-key-of-the-lab-0123456789";

/// The number of workers: each has its own first user.
static GROUNDS: AtomicU32 = AtomicU32::new(0);

impl<'b> Ground<'b> {
    pub fn new(lab: &'b Lab) -> Self {
        let untrusted = UNTRUSTED.map(|how| (how, Twilio::start_as(lab.certs(), how)));
        let redis = Redis::start_as(&Options {
            tls: Some((lab.certs(), Identity::Good)),
            ..Options::default()
        });
        let ground = Self {
            lab,
            sentinel: Redis::sentinel_of(&redis, 0),
            redis,
            untrusted: untrusted.into(),
            untrusted_directory: Slapd::start_as(lab.certs(), Identity::OtherCa),
            refused: Refused::new(),
            full: Full::new(),
        };
        // From now on the server has the scripts: no login needs another round trip for one.
        let number = GROUNDS.fetch_add(1, Ordering::Relaxed);
        let name: &'static str = format!("faults-first-{number}").leak();
        let first = Login::new(lab, name).of(&someone(lab, name));
        let url = format!("redis://127.0.0.1:{}", ground.redis.port());
        let says = [Say::Password, Say::Code];
        ground
            .shared_ledger(first, &url)
            .sees("the first", &says, &Seen::granted());
        ground
    }

    pub fn ca(&self) -> String {
        self.lab.certs().ca().display().to_string()
    }

    /// A login with a shared ledger there, which is refused when that cannot be reached.
    pub fn shared_ledger(&self, login: Login<'b>, url: &str) -> Login<'b> {
        let key = login.folder.join("key");
        lab::scratch::write(&key, 0o600, KEY);
        login
            .text("ledger.redis", url)
            .text("ledger.key_file", key.to_str().expect("a path"))
            .text("ledger.timeout", "10s")
            .text("ledger.unreachable", "deny")
            .text("ledger.ca_file", &self.ca())
    }
}

/// A row of the table.
pub fn row<'b>(
    stage: &'static str,
    fault: impl Into<String>,
    says: &[Say],
    want: &Seen,
    spoil: impl Fn(Login<'b>) -> super::Spoilt<'b> + Send + Sync + 'b,
) -> Row<'b> {
    let spoil: Spoil<'b> = Box::new(spoil);
    Row {
        stage,
        fault: fault.into(),
        says: says.to_vec(),
        want: want.clone(),
        is_nameless: false,
        spoil,
    }
}
