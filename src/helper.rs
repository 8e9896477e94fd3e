//! One login's process: request in, settings read, rooms opened, story told, verdict out.
#![forbid(unsafe_code)]

mod host_watcher;
mod remote;
mod rooms;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use protocol::{Code as Pam, FromHelper, Header, Verdict};

use crate::{
    auth_log::{AuthLog, LogContext, LoginEvents},
    config::{self, Settings},
    deadline::Moment,
    directory::Client,
    failure::{Failure, FailureKind, Stage},
    id::LoginId,
    ledger::{self, FallbackStore},
    login::{self, Counts, LoginResult, Services},
    net,
    prefetch::Permits,
    sms::twilio::Twilio,
    sys,
    verdict::{Denied, Outcome},
};
use remote::Remote;
use rooms::{Host, Wall};

/// What the module may have to wait beyond all deadlines: for a loaded machine.
const SLACK: Duration = Duration::from_secs(5);

/// Where the last panic was; its message may hold values and is not kept.
static PANIC: Mutex<Option<(String, u32)>> = Mutex::new(None);

/// Runs one login for the module at the other end of descriptor 3.
#[must_use]
pub fn run() -> ExitCode {
    let wire = match sys::module_socket() {
        Ok(wire) => wire,
        Err(why) => {
            eprintln!("sms-otp-helper: {why}: this program is started by pam_sms_otp.so");
            return ExitCode::from(2);
        }
    };
    let settled = sys::init_process();
    let remote = Arc::new(Remote::new(wire));
    let Some(message) = remote.receive(Duration::from_millis(protocol::FIRST_WAIT_MS.into()))
    else {
        return ExitCode::FAILURE;
    };
    let Ok(request) = protocol::Request::decode(&message) else {
        if Header::decode(&message).is_ok_and(|header| !protocol::is_supported(header.version)) {
            remote.send(&FromHelper::VersionMismatch, Duration::ZERO);
        }
        return ExitCode::FAILURE;
    };
    // Without a verdict the module gives this handle up: nobody knows the counts any more.
    let Some((code, counts)) = guarded(&request, &remote, settled) else {
        return ExitCode::FAILURE;
    };
    let counts = counts.encode();
    let verdict = Verdict {
        code,
        counts: &counts,
    };
    remote.send(&FromHelper::Verdict(verdict), Duration::ZERO);
    // Nothing of this process is needed any more, and a thread may still be in a name look-up.
    sys::exit_now();
}

/// From the request to what PAM is told. `None`: it ended in a panic, which is on the log.
fn guarded(
    request: &protocol::Request,
    remote: &Arc<Remote>,
    settled: Result<(), String>,
) -> Option<(Pam, Counts)> {
    std::panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) =
            info.location().map(|at| (at.file().to_owned(), at.line()));
    }));
    let shared = Arc::new(OnceLock::new());
    caught(&shared, || serve(request, remote, settled, &shared))
}

/// Does something that may panic. `None`: it did, and that is on the log.
fn caught<T>(log: &OnceLock<AuthLog>, act: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(act));
    let tell = |payload| {
        // Dropping it may panic once more.
        std::mem::forget(payload);
        if let Some(log) = log.get() {
            log.failed(&helper_fault(panicked()));
        }
    };
    done.map_err(tell).ok()
}

fn serve(
    request: &protocol::Request,
    remote: &Arc<Remote>,
    settled: Result<(), String>,
    shared: &Arc<OnceLock<AuthLog>>,
) -> (Pam, Counts) {
    let started = Moment::now();
    let texts = Texts::of(request);
    let log = shared.get_or_init(|| open_log(request, &texts, remote));
    let Some(counts) = Counts::decode(request.counts) else {
        let failed = helper_fault("the module sent counts that are none");
        return fail(log, failed, Counts::default());
    };
    if let Err(why) = settled {
        return fail(log, local(why), counts);
    }
    let mut host = Host::look_up(request.user);
    if host.is_known() {
        log.mark_known();
    }
    let settings = match load(request, &texts) {
        Ok(settings) => settings,
        Err(failed) => return fail(log, failed, counts),
    };
    remote.set_wait(longest_wait(&settings));
    remote.send(&FromHelper::KeepAlive, longest_wait(&settings));
    let mut open = Open::before_the_walls(request, &settings, &mut host);
    if let Some(lost) = open.ledger.take_lost_lines() {
        log.count_lost(Box::new(lost));
    }
    if let Err(why) = wall_in(&settings, log).and_then(|()| host_watcher::start(remote, shared)) {
        return fail(log, local(why), counts);
    }
    let mut ended = tell(
        request, &texts, &settings, counts, remote, log, &host, open, started,
    );
    ended.counts.waited = waited(counts, &ended);
    conclude(&ended, &settings, remote, log)
}

/// How long the user has waited on this handle. A caller can make what fails on this machine take long. If
/// that time counted, none would be left for the servers in a later login, and that would be an outage.
fn waited(before: Counts, ended: &LoginResult) -> Duration {
    match &ended.outcome {
        Outcome::Failed(failed) if failed.kind == FailureKind::Local => before.waited,
        _ => ended.counts.waited,
    }
}

fn open_log(request: &protocol::Request, texts: &Texts, remote: &Remote) -> AuthLog {
    let context = LogContext {
        login: LoginId(request.login),
        service: &texts.service,
        user: request.user,
        rhost: &texts.rhost,
        tag: &texts.tag,
        pid: request.pid,
        debug: request.debug,
    };
    AuthLog::open(&context, remote.wire())
}

/// What only root may open, or only by a path that is shut later.
struct Open {
    ledger: FallbackStore,
    permits: Permits,
    session: Option<String>,
}

impl Open {
    fn before_the_walls(request: &protocol::Request, settings: &Settings, host: &mut Host) -> Self {
        if settings.policy.subject == config::Subject::Caller {
            host.look_up_caller(request.caller);
        }
        if settings.needs_system_roots() {
            net::take_system_roots();
        }
        Self {
            ledger: FallbackStore::open(&settings.ledger),
            // Without the file nothing is opened ahead, and the ledger says what is wrong there.
            permits: Permits::new(ledger::permits(&settings.ledger).ok()),
            session: sys::terminal_session(request.pid),
        }
    }
}

/// Puts the walls up around this process, while its first thread is the only one.
fn wall_in(settings: &Settings, log: &AuthLog) -> Result<(), String> {
    let sandbox = sys::Sandbox::probe(settings.ports())?;
    if let Some(missing) = sandbox.unreported() {
        log.sandbox(&missing);
    }
    sandbox.enforce()
}

/// The request's texts, as far as they may be read as text.
struct Texts {
    service: String,
    rhost: String,
    tag: String,
    config: Option<String>,
}

impl Texts {
    fn of(request: &protocol::Request) -> Self {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            service: lossy(request.service),
            rhost: lossy(request.rhost),
            tag: lossy(request.tag),
            config: String::from_utf8(request.config.to_vec()).ok(),
        }
    }
}

fn load(request: &protocol::Request, texts: &Texts) -> Result<Settings, Failure> {
    let source = request.source.map(|source| match source {
        protocol::Source::Ldap => config::Source::Ldap,
        protocol::Source::Ssh => config::Source::Ssh,
        protocol::Source::Auto => config::Source::Auto,
        protocol::Source::Stack => config::Source::Stack,
    });
    let path = texts
        .config
        .as_deref()
        .ok_or_else(|| settings_fault("config= is not UTF-8".into()))?;
    config::load(&config::Disk, path, &texts.service, source).map_err(|error| {
        let detail = format!("{error}: {}", error.remedy());
        if error.is_local() {
            Failure::new(Stage::Settings, FailureKind::Local, detail, "")
        } else {
            settings_fault(detail)
        }
    })
}

#[allow(
    clippy::too_many_arguments,
    reason = "everything that one login is made of"
)]
fn tell(
    request: &protocol::Request,
    texts: &Texts,
    settings: &Settings,
    counts: Counts,
    remote: &Arc<Remote>,
    log: &AuthLog,
    host: &Host,
    mut open: Open,
    started: Moment,
) -> LoginResult {
    let login = login::Request {
        id: LoginId(request.login),
        user: request.user,
        rhost: &texts.rhost,
        ruser: request.ruser,
        session: open.session.as_deref(),
        service: &texts.service,
        host: &sys::host_name(),
        caller: request.caller,
        ssh_auth_info: request.ssh_auth_info,
        silent: request.silent,
        started,
    };
    let services = Services {
        conversation: &mut &**remote,
        names: host,
        directory: &mut Client::new(Arc::clone(&settings.ldap)),
        ledger: &mut open.ledger,
        carrier: &mut Twilio::new(&settings.twilio),
        log,
        permits: &mut open.permits,
        clock: &Wall,
    };
    login::authenticate(&login, settings, counts, services)
}

/// The last line, the last words, and the time at which a refusal leaves.
fn conclude(
    ended: &LoginResult,
    settings: &Settings,
    remote: &Remote,
    log: &AuthLog,
) -> (Pam, Counts) {
    match &ended.outcome {
        Outcome::Granted(granted) => match granted.exemption() {
            None => log.granted(),
            Some(exemption) => log.skipped(exemption),
        },
        Outcome::LeftToStack(exemption) => log.skipped(exemption),
        Outcome::Denied(refusal) => {
            let remaining = settings.deadline.saturating_sub(ended.counts.waited);
            log.denied(refusal, ended.first, remaining);
        }
        Outcome::Failed(failed) => log.failed(failed),
    }
    let code = ended.outcome.pam();
    if is_delayed(ended, code) {
        let refuse_after = settings.password.refuse_after;
        let now = Moment::now();
        let leaves = login::refusal_time(ended.delay_start, now, refuse_after, sys::random());
        std::thread::sleep(leaves.since(now));
    }
    if let Some(text) = &ended.info_text {
        remote.send(&FromHelper::ShowInfo(text), SLACK);
    }
    if let Some(text) = &ended.error_text {
        remote.send(&FromHelper::ShowError(text), SLACK);
    }
    (code, ended.counts)
}

/// Whether a refusal waits for `refuse_after`: every one that could tell names or passwords apart.
const fn is_delayed(ended: &LoginResult, code: Pam) -> bool {
    if matches!(
        &ended.outcome,
        Outcome::Denied(refusal) if matches!(refusal.reason, Denied::PasswordExpired)
    ) {
        return true;
    }
    match code {
        Pam::AuthErr | Pam::UserUnknown | Pam::AuthinfoUnavail => ended.first.is_none(),
        Pam::Success
        | Pam::Ignore
        | Pam::MaxTries
        | Pam::MaxTriesForNow
        | Pam::ServiceErr
        | Pam::ConvErr => false,
    }
}

/// How long the module may have to wait between two messages.
fn longest_wait(settings: &Settings) -> Duration {
    let refusal = settings.password.refuse_after.saturating_mul(2);
    settings
        .deadline
        .saturating_add(refusal)
        .saturating_add(SLACK)
}

fn fail(log: &AuthLog, failed: Failure, counts: Counts) -> (Pam, Counts) {
    let outcome = Outcome::Failed(failed);
    if let Outcome::Failed(failed) = &outcome {
        log.failed(failed);
    }
    (outcome.pam(), counts)
}

fn settings_fault(detail: String) -> Failure {
    Failure::new(Stage::Settings, FailureKind::BadSettings, detail, "")
}

fn helper_fault(detail: impl Into<String>) -> Failure {
    Failure::new(Stage::Helper, FailureKind::Helper, detail, "")
}

fn local(detail: String) -> Failure {
    Failure::new(Stage::Helper, FailureKind::Local, detail, "")
}

fn panicked() -> String {
    let at = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (file, line) = at.unwrap_or_default();
    format!("the helper panicked at {file}:{line}; please report it")
}
