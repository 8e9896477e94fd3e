//! The log of one login: the only code that writes to syslog.
//!
//! One event per line, facility authpriv, with the name and process id of the host process, as
//! `pam_syslog(3)` writes them. No method takes a code, a password, a token or a whole phone number, so
//! that none can be logged from here.
#![forbid(unsafe_code)]

mod lost;
mod output;
mod socket;
#[cfg(test)]
mod tests;

pub(crate) use lost::LostLines;

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
    failure::Failure,
    id::LoginId,
    phone::Phone,
    policy::Exemption,
    sms::Sent,
    verdict::{Denied, Refusal},
};
use output::Output;
use socket::{Socket, Tag};

/// How long an ordinary line waits for space in the system log. A login does not wait longer for it.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// How long a refusal after the first factor waits: administrators alert on this line.
const MAX_ALERT_WAIT: Duration = Duration::from_secs(5);

/// What a login reports while it runs.
pub(crate) trait LoginEvents {
    /// Marks the user name as known, so that lines may contain it.
    fn mark_known(&self);

    /// Sets the name of the caller whose second factor is requested instead of the user's.
    fn set_caller(&self, name: &str);

    /// Records which first factor is verified.
    fn record_first_factor(&self, first: &'static str);

    /// Logs an SMS that the provider accepted.
    fn sent(&self, to: &Phone, sent: &Sent);

    /// Logs a number that is new for this user. Returns whether the system log accepted the line.
    fn phone_changed(&self, phone: &Phone) -> bool;

    /// Logs a failure that does not end the login.
    fn warning(&self, failure: &Failure);

    /// Logs a step, if `debug` is set.
    fn step(&self, step: &str);
}

/// What every line of a login begins with.
pub(crate) struct LogContext<'a> {
    pub login: LoginId,
    pub service: &'a str,
    pub user: &'a [u8],
    /// Empty if there is none.
    pub rhost: &'a str,
    /// Name and process id of the host process.
    pub tag: &'a str,
    pub pid: u32,
    pub debug: bool,
}

/// The log of one login. Two threads use it: one runs the login, another detects that the user has
/// disconnected. The first of them to end the login writes its final line.
pub(crate) struct AuthLog {
    output: Mutex<Output>,
    head: String,
    login: LoginId,
    user: Vec<u8>,
    rhost: String,
    caller: Mutex<Option<String>>,
    /// Whether NSS or the directory has this name. Other names are not logged: people type passwords
    /// at the wrong prompt.
    is_known: AtomicBool,
    debug: bool,
    is_sms_sent: AtomicBool,
    first: Mutex<Option<&'static str>>,
}

impl AuthLog {
    /// Connects to the system log. Without one, nothing is logged and the login goes on. `module` is the
    /// socket to the module: once the module has closed it, no line waits.
    #[must_use]
    pub(crate) fn open(context: &LogContext, module: Arc<OwnedFd>) -> Self {
        Self::with_socket(Socket::open, Some(module), context)
    }

    fn with_socket(
        connect: impl FnOnce(Tag) -> Socket,
        module: Option<Arc<OwnedFd>>,
        context: &LogContext,
    ) -> Self {
        let tag = Tag {
            name: replace_unusual(context.tag),
            pid: context.pid,
        };
        Self {
            output: Mutex::new(Output::new(connect(tag), module)),
            head: format!("pam_sms_otp({}:auth):", replace_unusual(context.service)),
            login: context.login,
            user: context.user.to_vec(),
            rhost: context.rhost.to_owned(),
            caller: Mutex::new(None),
            is_known: AtomicBool::new(false),
            debug: context.debug,
            is_sms_sent: AtomicBool::new(false),
            first: Mutex::new(None),
        }
    }

    /// Counts lost lines in this counter from now on, including those that this login has lost so far.
    pub(crate) fn count_lost(&self, counter: Box<dyn LostLines>) {
        lock(&self.output).count_lost(counter);
    }

    /// Logs a login with both factors.
    pub(crate) fn granted(&self) {
        self.write_final(Severity::LOG_INFO, &self.begin("granted"), MAX_WAIT);
    }

    /// Logs a login that needed no code.
    pub(crate) fn skipped(&self, exemption: &Exemption) {
        let mut line = self.begin("skipped");
        field(&mut line, "reason", exemption.reason().as_bytes());
        let earned_by = exemption.earned_by().to_string();
        field(&mut line, "earned", earned_by.as_bytes());
        self.write_final(Severity::LOG_INFO, &line, MAX_WAIT);
    }

    /// Logs which layers of the sandbox this machine lacks.
    pub(crate) fn sandbox(&self, missing: &str) {
        let mut line = self.begin("sandbox");
        field(&mut line, "missing", missing.as_bytes());
        lock(&self.output).write_or_count(Severity::LOG_WARNING, &line, MAX_WAIT);
    }

    /// Logs a refusal. After the first factor the line waits longer for space in the system log, at most
    /// `remaining`, which is what is left of the login's deadline.
    pub(crate) fn denied(&self, refusal: &Refusal, first: Option<&str>, remaining: Duration) {
        let mut line = self.begin("denied");
        if let Some(first) = first {
            field(&mut line, "first", first.as_bytes());
        }
        field(&mut line, "reason", refusal.reason.reason().as_bytes());
        if let Some(detail) = &refusal.detail {
            field(&mut line, "detail", detail.as_bytes());
        }
        let wait = first.map_or(MAX_WAIT, |_| MAX_ALERT_WAIT.min(remaining));
        self.write_final(Severity::LOG_NOTICE, &line, wait);
    }

    /// Logs a failure that ends the login.
    pub(crate) fn failed(&self, failure: &Failure) {
        self.write_final(Severity::LOG_ERR, &self.failure_line(failure), MAX_WAIT);
    }

    /// Logs that the user has disconnected while the helper was working.
    pub(crate) fn disconnected(&self) {
        let reason = if self.is_sms_sent.load(Ordering::Relaxed) {
            Denied::Abandoned
        } else {
            Denied::Cancelled
        };
        let first = *lock(&self.first);
        self.denied(&reason.into(), first, Duration::ZERO);
    }

    /// Writes the final line of the login, unless it has one. A second thread waits here until the first
    /// has written the line, and may then end the process.
    fn write_final(&self, severity: Severity, line: &str, wait: Duration) {
        let mut output = lock(&self.output);
        if !std::mem::replace(&mut output.is_ended, true) {
            output.write_or_count(severity, line, wait);
        }
    }

    fn failure_line(&self, failure: &Failure) -> String {
        let mut line = self.begin("failed");
        field(&mut line, "stage", failure.stage.name().as_bytes());
        field(&mut line, "reason", failure.kind.reason().as_bytes());
        if let Some(code) = failure.code {
            field(&mut line, "error", code.to_string().as_bytes());
        }
        if !failure.what.is_empty() {
            field(&mut line, "detail", failure.detail().as_bytes());
        }
        line
    }

    fn begin(&self, event: &str) -> String {
        let mut line = format!("{} {event}", self.head);
        field(&mut line, "login", self.login.to_string().as_bytes());
        let is_known = self.is_known.load(Ordering::Relaxed);
        field(&mut line, "user", if is_known { &self.user } else { b"?" });
        if let Some(caller) = lock(&self.caller).as_deref() {
            field(&mut line, "caller", caller.as_bytes());
        }
        if !self.rhost.is_empty() {
            field(&mut line, "rhost", self.rhost.as_bytes());
        }
        line
    }
}

impl LoginEvents for AuthLog {
    fn mark_known(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    fn set_caller(&self, name: &str) {
        *lock(&self.caller) = Some(name.to_owned());
    }

    fn record_first_factor(&self, first: &'static str) {
        *lock(&self.first) = Some(first);
    }

    fn sent(&self, to: &Phone, sent: &Sent) {
        let mut line = self.begin("sent");
        field(&mut line, "phone", to.masked().as_bytes());
        let sid = sent.sid.as_deref().unwrap_or("?");
        field(&mut line, "sid", sid.as_bytes());
        let ms = sent.took.as_millis().to_string();
        field(&mut line, "ms", ms.as_bytes());
        self.is_sms_sent.store(true, Ordering::Relaxed);
        lock(&self.output).write_or_count(Severity::LOG_INFO, &line, MAX_WAIT);
    }

    fn phone_changed(&self, phone: &Phone) -> bool {
        let mut line = self.begin("phone-changed");
        field(&mut line, "phone", phone.masked().as_bytes());
        lock(&self.output).write_or_count(Severity::LOG_NOTICE, &line, MAX_WAIT)
    }

    fn warning(&self, failure: &Failure) {
        let line = self.failure_line(failure);
        lock(&self.output).write_or_count(Severity::LOG_ERR, &line, MAX_WAIT);
    }

    /// A lost step is not counted: no administrator alerts on it.
    fn step(&self, step: &str) {
        if self.debug {
            let mut line = self.begin("debug");
            field(&mut line, "step", step.as_bytes());
            lock(&self.output).write(Severity::LOG_DEBUG, &line, MAX_WAIT);
        }
    }
}

#[cfg(test)]
impl AuthLog {
    /// A log whose lines the test reads from the other socket.
    pub(crate) fn for_a_test(context: &LogContext) -> (Self, std::os::unix::net::UnixDatagram) {
        let (near, far) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let connect = |tag| Socket::from_datagram(near, tag);
        (Self::with_socket(connect, None, context), far)
    }
}

/// Locks a mutex, also after a panic of its holder: the values behind it are always whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Replaces unusual characters by `_`, for the start of a line, where nothing is quoted.
fn replace_unusual(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '@' => letter,
            _ => '_',
        })
        .collect()
}
