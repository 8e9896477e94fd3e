//! What is logged, and what never is: the only room that writes to syslog.
//!
//! One event a line, facility authpriv, under the host's name and process id as `pam_syslog(3)`
//! would write it. No method takes a code, a password, a token or a whole phone number, so none
//! can come into the log from here.
#![forbid(unsafe_code)]

use std::{
    io::BufWriter,
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixStream},
    },
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};
use wire::logfmt::field;

use crate::{
    id::LoginId,
    phone::Phone,
    policy::Exemption,
    sms::Sent,
    sys,
    verdict::{Denied, Failed},
};

/// A system log that takes no more within this time is passed over: a login does not wait for it.
const PATIENCE: Duration = Duration::from_millis(500);

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
    to: Option<Logger<LoggerBackend, Line>>,
    line: Line,
    /// The login's last line is written.
    ended: bool,
}

impl Out {
    fn write(&mut self, severity: Severity, line: &str) {
        // A log that was restarted meanwhile has a new socket: once more, as syslog(3) does.
        for _ in 0..2 {
            let Some(logger) = &mut self.to else { return };
            if self
                .line
                .format(&mut logger.backend, severity, line)
                .is_ok()
            {
                return;
            }
            self.to = connect(&self.line);
        }
    }
}

/// Connects to the system's log as `syslog(3)` does: datagrams, or a stream. Never waits: a stream
/// whose reader hangs has no bound on that.
fn connect(line: &Line) -> Option<Logger<LoggerBackend, Line>> {
    let backend = match open(SocketType::DGRAM) {
        Ok(socket) => LoggerBackend::Unix(UnixDatagram::from(socket)),
        Err(Errno::PROTOTYPE) => {
            let stream = UnixStream::from(open(SocketType::STREAM).ok()?);
            LoggerBackend::UnixStream(BufWriter::new(stream))
        }
        Err(_) => return None,
    };
    Some(Logger::new(backend, line.clone()))
}

fn open(kind: SocketType) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new("/dev/log")?)?;
    set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(socket)
}

impl Log {
    /// Opens it. Without a system log there is none, and the login goes on.
    #[must_use]
    pub fn open(subject: &Subject) -> Self {
        Self::onto(connect, subject)
    }

    fn onto(
        connect: impl FnOnce(&Line) -> Option<Logger<LoggerBackend, Line>>,
        subject: &Subject,
    ) -> Self {
        let line = Line {
            tag: clean(subject.tag),
            pid: subject.pid,
        };
        Self {
            out: Mutex::new(Out {
                to: connect(&line),
                line,
                ended: false,
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
        lock(&self.out).write(Severity::LOG_INFO, &line);
    }

    /// Both factors are proved.
    pub fn granted(&self) {
        self.last(Severity::LOG_INFO, &self.begin("granted"));
    }

    /// No code was needed.
    pub fn skipped(&self, exemption: &Exemption) {
        let mut line = self.begin("skipped");
        field(&mut line, "reason", exemption.reason().as_bytes());
        let earned_by = exemption.earned_by().to_string();
        field(&mut line, "earned", earned_by.as_bytes());
        self.last(Severity::LOG_INFO, &line);
    }

    /// The machine lacks walls that this process should stand in.
    pub fn unwalled(&self, missing: &str) {
        let mut line = self.begin("walls");
        field(&mut line, "missing", missing.as_bytes());
        lock(&self.out).write(Severity::LOG_WARNING, &line);
    }

    /// A number that was none of this person's before.
    pub fn phone_changed(&self, phone: &Phone) {
        let mut line = self.begin("phone-changed");
        field(&mut line, "phone", phone.masked().as_bytes());
        lock(&self.out).write(Severity::LOG_NOTICE, &line);
    }

    /// The person is refused.
    pub fn denied(&self, denied: Denied, first: Option<&str>, detail: Option<&str>) {
        let mut line = self.begin("denied");
        if let Some(first) = first {
            field(&mut line, "first", first.as_bytes());
        }
        field(&mut line, "reason", denied.reason().as_bytes());
        if let Some(detail) = detail {
            field(&mut line, "detail", detail.as_bytes());
        }
        self.last(Severity::LOG_NOTICE, &line);
    }

    /// We could not do our work.
    pub fn failed(&self, failed: &Failed) {
        self.last(Severity::LOG_ERR, &self.failure(failed));
    }

    /// The same, where the login goes on.
    pub fn trouble(&self, failed: &Failed) {
        let line = self.failure(failed);
        lock(&self.out).write(Severity::LOG_ERR, &line);
    }

    fn failure(&self, failed: &Failed) -> String {
        let mut line = self.begin("failed");
        field(&mut line, "stage", failed.stage.name().as_bytes());
        field(&mut line, "reason", failed.fault.reason().as_bytes());
        if let Some(error) = failed.error {
            field(&mut line, "error", error.to_string().as_bytes());
        }
        if !failed.detail.is_empty() {
            field(&mut line, "detail", failed.detail.as_bytes());
        }
        line
    }

    /// A step, if `debug` stands in the PAM line.
    pub fn step(&self, what: &str) {
        if self.debug {
            let mut line = self.begin("debug");
            field(&mut line, "step", what.as_bytes());
            lock(&self.out).write(Severity::LOG_DEBUG, &line);
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
        self.denied(denied, first, None);
    }

    /// Writes the login's last line, unless it has one. Whoever comes second waits here until it
    /// is written, and may then end the process.
    fn last(&self, severity: Severity, line: &str) {
        let mut out = lock(&self.out);
        if !std::mem::replace(&mut out.ended, true) {
            out.write(severity, line);
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
    pub(crate) fn onto_a_pair(subject: &Subject) -> (Self, UnixDatagram) {
        let (near, far) = UnixDatagram::pair().unwrap();
        let logger = |line: &Line| Some(Logger::new(LoggerBackend::Unix(near), line.clone()));
        (Self::onto(logger, subject), far)
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

/// A line as `syslog(3)` writes it to the local socket. The crate's own formatter panics in a
/// process with threads, where it may not ask for the time zone.
#[derive(Clone)]
struct Line {
    tag: String,
    pid: u32,
}

impl LogFormat<&str> for Line {
    fn format<W: std::io::Write>(
        &self,
        to: &mut W,
        severity: Severity,
        message: &str,
    ) -> syslog::Result<()> {
        // RFC 3164 §4.1.1
        let priority = Facility::LOG_AUTHPRIV as u8 | severity as u8;
        let Self { tag, pid } = self;
        let line = format!("<{priority}>{} {tag}[{pid}]: {message}", sys::log_time());
        to.write_all(line.as_bytes()).map_err(syslog::Error::Write)
    }
}
