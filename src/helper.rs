//! The process of one login: receives the request, reads the settings, enters the sandbox, runs the login and
//! returns the verdict.
#![forbid(unsafe_code)]

mod clock;
mod conclusion;
mod failures;
mod host_watcher;
mod module_link;
mod nss_cache;
mod panics;
mod privileged;
mod request;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use protocol::{Code as Pam, FromHelper, Header, Verdict};

use crate::{
    auth_log::{AuthLog, LoginEvents},
    config::Settings,
    directory::Client,
    failure::Failure,
    login::{self, Counts, LoginResult, Services},
    sms::twilio::Twilio,
    sys,
    verdict::Outcome,
};
use clock::SystemClock;
use conclusion::conclude;
use host_watcher::HostWatcher;
use module_link::{ModuleLink, SLACK};
use nss_cache::NssCache;
use privileged::{Privileged, enter_sandbox};
use request::LoginRequest;

/// Runs one login for the module at the other end of descriptor 3. Returns the exit status.
#[must_use]
pub fn run() -> i32 {
    let socket = match sys::module_socket() {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("sms-otp-helper: {error}: this program is started by pam_sms_otp.so");
            return 2;
        }
    };
    let initialized = sys::init_process();
    let link = Arc::new(ModuleLink::new(socket));
    let Some(message) = link.receive(Duration::from_millis(protocol::FIRST_WAIT_MS.into())) else {
        return 1;
    };
    let Ok(request) = protocol::Request::decode(&message) else {
        if Header::decode(&message).is_ok_and(|header| !protocol::is_supported(header.version)) {
            link.send(&FromHelper::VersionMismatch, Duration::ZERO);
        }
        return 1;
    };
    panics::install_hook();
    let log = Arc::new(OnceLock::new());
    let served = panics::catch_panic(&log, || serve(&request, &link, initialized, &log));
    // After a panic there is no verdict: the module then refuses all further logins on this handle, because
    // their counts are unknown.
    let Some((code, counts)) = served else {
        return 1;
    };
    let counts = counts.encode();
    let verdict = Verdict {
        code,
        counts: &counts,
    };
    link.send(&FromHelper::Verdict(verdict), Duration::ZERO);
    // Without destructors: a thread may still wait for a name lookup, which cannot be interrupted.
    sys::exit_now();
}

/// Serves one request. Returns what the module returns to libpam, and the counts that it keeps.
fn serve(
    request: &protocol::Request,
    link: &Arc<ModuleLink>,
    initialized: Result<(), String>,
    shared_log: &Arc<OnceLock<AuthLog>>,
) -> (Pam, Counts) {
    let request = LoginRequest::new(request);
    let log = shared_log.get_or_init(|| AuthLog::open(&request.log_context(), link.socket()));
    let counts = Counts::decode(request.message.counts);
    let result = counts
        .ok_or_else(failures::malformed_counts)
        .and_then(|counts| {
            initialized.map_err(failures::local)?;
            prepare_and_run(&request, counts, link, shared_log, log)
        });
    result.unwrap_or_else(|failure| {
        log.failed(&failure);
        (Outcome::Failed(failure).pam(), counts.unwrap_or_default())
    })
}

/// Reads the settings, enters the sandbox and runs the login.
fn prepare_and_run(
    request: &LoginRequest,
    counts: Counts,
    link: &Arc<ModuleLink>,
    shared_log: &Arc<OnceLock<AuthLog>>,
    log: &AuthLog,
) -> Result<(Pam, Counts), Failure> {
    let watcher = HostWatcher::start(link, shared_log).map_err(failures::local)?;
    let mut names = NssCache::look_up_user(request.message.user);
    if names.has_user() {
        log.mark_known();
    }
    let settings = request.load_settings()?;
    let max_wait = max_wait(&settings);
    link.set_max_wait(max_wait);
    link.send(&FromHelper::KeepAlive, max_wait);
    let mut privileged = Privileged::open(request, &settings, &mut names);
    if let Some(lost_lines) = privileged.ledger.take_lost_lines() {
        log.count_lost(Box::new(lost_lines));
    }
    let _watcher = watcher
        .stop()
        .and_then(|()| enter_sandbox(&settings, log))
        .and_then(|()| HostWatcher::start(link, shared_log))
        .map_err(failures::local)?;
    let mut result = run_login(request, &settings, counts, link, log, &names, privileged);
    result.counts.waited = conclusion::waited(counts, &result);
    Ok(conclude(&result, &settings, link, log))
}

/// Runs the login with the services of this machine and of the settings.
fn run_login(
    request: &LoginRequest,
    settings: &Settings,
    counts: Counts,
    link: &Arc<ModuleLink>,
    log: &AuthLog,
    names: &NssCache,
    mut privileged: Privileged,
) -> LoginResult {
    let host = sys::host_name();
    let login = request.login(&host, privileged.session.as_deref());
    let services = Services {
        conversation: &mut &**link,
        names,
        directory: &mut Client::new(Arc::clone(&settings.ldap)),
        ledger: &mut privileged.ledger,
        carrier: &mut Twilio::new(&settings.twilio),
        log,
        permits: &mut privileged.permits,
        clock: &SystemClock,
    };
    login::authenticate(&login, settings, counts, services)
}

/// How long the module may have to wait between two messages.
fn max_wait(settings: &Settings) -> Duration {
    let refusal = settings.password.refuse_after.saturating_mul(2);
    settings
        .deadline
        .saturating_add(refusal)
        .saturating_add(SLACK)
}
