//! What is logged, and what never is: the only room that writes to syslog.
//!
//! One event a line, facility authpriv, under the host's name and process id as `pam_syslog(3)`
//! would write it. No method takes a code, a password, a token or a whole phone number, so none
//! can come into the log from here.
#![forbid(unsafe_code)]

mod lost;
mod socket;
#[cfg(test)]
mod tests;

pub use lost::LostLines;

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use protocol::logfmt::field;
use syslog::Severity;

use crate::{
    deadline::Deadline, failure::Failure, id::LoginId, phone::Phone, policy::Exemption, sms::Sent,
    verdict::Denied,
};
use lost::OfThisLogin;
use socket::{Attempt, Line, Socket};

/// A system log that takes no more within this time is passed over: a login does not wait for it.
const PATIENCE: Duration = Duration::from_millis(500);

/// A refusal after the first factor is an alarm: its line waits longer for room.
const ALARM_WAIT: Duration = Duration::from_secs(5);

/// What every line of a login begins with.
pub struct Subject<'a> {
    pub login: LoginId,
    pub service: &'a str,
    pub user: &'a [u8],
    /// Empty: none.
    pub rhost: &'a str,
    /// The host's name and process id.
    pub tag: &'a str,
    pub pid: u32,
    pub debug: bool,
}

/// The log of one login. Whoever hangs up is noticed in one thread while the story is told in
/// another, so a login's last line is written by whoever comes first.
pub struct Log {
    out: Mutex<Out>,
    head: String,
    login: LoginId,
    user: Vec<u8>,
    rhost: String,
    caller: Mutex<Option<String>>,
    /// Whether NSS or the directory knows the name: people type passwords there.
    known: AtomicBool,
    debug: bool,
    sms_is_out: AtomicBool,
    first: Mutex<Option<&'static str>>,
}

struct Out {
    to: Socket,
    lost: Box<dyn LostLines>,
    /// The module's end of the wire. Once it is closed, no line waits.
    host: Option<Arc<OwnedFd>>,
    /// The login's last line is written.
    ended: bool,
    /// The line before this one has waited for room in vain.
    full: bool,
}

impl Out {
    /// Writes a line, with the number of those that were lost before it. Where the log has no room,
    /// waits for so long, but not after the host has gone. Whether the system log has taken it.
    ///
    /// Only the first of several lines waits, and an alarm: a user with many new numbers could otherwise
    /// use up the login's deadline here, which is an outage where it comes to the servers.
    fn write(&mut self, severity: Severity, line: &str, wait: Duration) -> bool {
        let waits = !self.full || wait > PATIENCE;
        let by = Deadline::within(if waits { wait } else { Duration::ZERO });
        let Self {
            to,
            lost,
            host,
            full,
            ..
        } = self;
        let mut number = 0;
        loop {
            let mut attempt = Attempt::Gone;
            lost.report(&mut |lost| {
                if !to.is_pending() {
                    number = lost;
                }
                attempt = to.attempt(severity, &with_lost(line, number));
                if attempt == Attempt::Taken { number } else { 0 }
            });
            if attempt == Attempt::Taken {
                *full = false;
                return true;
            }
            if attempt == Attempt::Gone || by.is_over() || !to.wait(by, host.as_ref()) {
                *full = attempt == Attempt::Full;
                to.give_up();
                return false;
            }
        }
    }

    /// The same, of a line that is counted if it is lost.
    fn log(&mut self, severity: Severity, line: &str, wait: Duration) -> bool {
        let taken = self.write(severity, line, wait);
        if !taken {
            self.lost.add(1);
        }
        taken
    }
}

fn with_lost(line: &str, lost: u32) -> String {
    let mut line = line.to_owned();
    if lost > 0 {
        field(&mut line, "lost", lost.to_string().as_bytes());
    }
    line
}

impl Log {
    /// Opens it. Without a system log there is none, and the login goes on. `host` is the wire to the
    /// module: when that closes, no line waits any more.
    #[must_use]
    pub fn open(subject: &Subject, host: Arc<OwnedFd>) -> Self {
        Self::onto(Socket::open, Some(host), subject)
    }

    fn onto(
        connect: impl FnOnce(Line) -> Socket,
        host: Option<Arc<OwnedFd>>,
        subject: &Subject,
    ) -> Self {
        let line = Line {
            tag: clean(subject.tag),
            pid: subject.pid,
        };
        Self {
            out: Mutex::new(Out {
                to: connect(line),
                lost: Box::new(OfThisLogin::default()),
                host,
                ended: false,
                full: false,
            }),
            head: format!("pam_sms_otp({}:auth):", clean(subject.service)),
            login: subject.login,
            user: subject.user.to_vec(),
            rhost: subject.rhost.to_owned(),
            caller: Mutex::new(None),
            known: AtomicBool::new(false),
            debug: subject.debug,
            sms_is_out: AtomicBool::new(false),
            first: Mutex::new(None),
        }
    }

    /// From now on lost lines are counted there; those of this login so far, too.
    pub fn count_lost(&self, mut lost: Box<dyn LostLines>) {
        let mut out = lock(&self.out);
        out.lost.report(&mut |lines| {
            lost.add(lines);
            lines
        });
        out.lost = lost;
    }

    /// The name is known, so it may be written.
    pub fn known(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    /// The second factor is asked of this person, who is not the user.
    pub fn caller(&self, name: &str) {
        *lock(&self.caller) = Some(name.to_owned());
    }

    /// An SMS was handed over.
    pub fn sent(&self, to: &Phone, sent: &Sent) {
        let mut line = self.begin("sent");
        field(&mut line, "phone", to.masked().as_bytes());
        field(
            &mut line,
            "sid",
            sent.sid.as_deref().unwrap_or("?").as_bytes(),
        );
        field(
            &mut line,
            "ms",
            sent.took.as_millis().to_string().as_bytes(),
        );
        self.sms_is_out.store(true, Ordering::Relaxed);
        lock(&self.out).log(Severity::LOG_INFO, &line, PATIENCE);
    }

    /// Both factors are proved.
    pub fn granted(&self) {
        self.last(Severity::LOG_INFO, &self.begin("granted"), PATIENCE);
    }

    /// No code was needed.
    pub fn skipped(&self, exemption: &Exemption) {
        let mut line = self.begin("skipped");
        field(&mut line, "reason", exemption.reason().as_bytes());
        let earned_by = exemption.earned_by().to_string();
        field(&mut line, "earned", earned_by.as_bytes());
        self.last(Severity::LOG_INFO, &line, PATIENCE);
    }

    /// The machine lacks walls that this process should stand in.
    pub fn unwalled(&self, missing: &str) {
        let mut line = self.begin("sandbox");
        field(&mut line, "missing", missing.as_bytes());
        lock(&self.out).log(Severity::LOG_WARNING, &line, PATIENCE);
    }

    /// A number that is new for this person. Whether the system log has taken the line: otherwise
    /// the number is not announced.
    pub fn phone_changed(&self, phone: &Phone) -> bool {
        let mut line = self.begin("phone-changed");
        field(&mut line, "phone", phone.masked().as_bytes());
        lock(&self.out).log(Severity::LOG_NOTICE, &line, PATIENCE)
    }

    /// The person is refused. After the first factor the line waits for room in the log, for what is
    /// left of the login's time.
    pub fn denied(
        &self,
        denied: Denied,
        first: Option<&str>,
        detail: Option<&str>,
        left: Duration,
    ) {
        let mut line = self.begin("denied");
        if let Some(first) = first {
            field(&mut line, "first", first.as_bytes());
        }
        field(&mut line, "reason", denied.reason().as_bytes());
        if let Some(detail) = detail {
            field(&mut line, "detail", detail.as_bytes());
        }
        let wait = first.map_or(PATIENCE, |_| ALARM_WAIT.min(left));
        self.last(Severity::LOG_NOTICE, &line, wait);
    }

    /// We could not do our work.
    pub fn failed(&self, failed: &Failure) {
        self.last(Severity::LOG_ERR, &self.failure(failed), PATIENCE);
    }

    /// The same, where the login goes on.
    pub fn trouble(&self, failed: &Failure) {
        let line = self.failure(failed);
        lock(&self.out).log(Severity::LOG_ERR, &line, PATIENCE);
    }

    fn failure(&self, failed: &Failure) -> String {
        let mut line = self.begin("failed");
        field(&mut line, "stage", failed.stage.name().as_bytes());
        field(&mut line, "reason", failed.kind.reason().as_bytes());
        if let Some(error) = failed.code {
            field(&mut line, "error", error.to_string().as_bytes());
        }
        if !failed.what.is_empty() {
            field(&mut line, "detail", failed.detail().as_bytes());
        }
        line
    }

    /// A step, if `debug` stands in the PAM line. One that is lost is not counted: it is no alarm.
    pub fn step(&self, what: &str) {
        if self.debug {
            let mut line = self.begin("debug");
            field(&mut line, "step", what.as_bytes());
            lock(&self.out).write(Severity::LOG_DEBUG, &line, PATIENCE);
        }
    }

    /// Which first factor was proved, for whoever hangs up after it.
    pub fn first(&self, first: &'static str) {
        *lock(&self.first) = Some(first);
    }

    /// The person hung up while we were at work.
    pub fn hung_up(&self) {
        let denied = if self.sms_is_out.load(Ordering::Relaxed) {
            Denied::Abandoned
        } else {
            Denied::Cancelled
        };
        let first = *lock(&self.first);
        self.denied(denied, first, None, Duration::ZERO);
    }

    /// Writes the login's last line, unless it has one. Whoever comes second waits here until it
    /// is written, and may then end the process.
    fn last(&self, severity: Severity, line: &str, wait: Duration) {
        let mut out = lock(&self.out);
        if !std::mem::replace(&mut out.ended, true) {
            out.log(severity, line, wait);
        }
    }

    fn begin(&self, event: &str) -> String {
        let mut line = format!("{} {event}", self.head);
        field(&mut line, "login", self.login.to_string().as_bytes());
        let known = self.known.load(Ordering::Relaxed);
        field(&mut line, "user", if known { &self.user } else { b"?" });
        if let Some(caller) = lock(&self.caller).as_deref() {
            field(&mut line, "caller", caller.as_bytes());
        }
        if !self.rhost.is_empty() {
            field(&mut line, "rhost", self.rhost.as_bytes());
        }
        line
    }
}

#[cfg(test)]
impl Log {
    /// One whose lines can be read at the other end.
    pub(crate) fn onto_a_pair(subject: &Subject) -> (Self, std::os::unix::net::UnixDatagram) {
        let (near, far) = std::os::unix::net::UnixDatagram::pair().unwrap();
        (
            Self::onto(|line| Socket::onto(near, line), None, subject),
            far,
        )
    }
}

/// A lock whose holder panicked is still a lock around whole values.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// For the head of a line, outside of quotes: what is not plain becomes `_`.
fn clean(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '@' => letter,
            _ => '_',
        })
        .collect()
}
