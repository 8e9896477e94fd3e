//! What has to be opened or looked up before the sandbox is entered.
#![forbid(unsafe_code)]

use super::{nss_cache::NssCache, request::LoginRequest};
use crate::{
    auth_log::AuthLog,
    config::{self, Settings},
    ledger::{self, FallbackStore},
    net,
    prefetch::Permits,
    sys,
};

/// What only root may open, or what has a path that the sandbox does not allow.
pub struct Privileged {
    pub ledger: FallbackStore,
    pub permits: Permits,
    pub session: Option<String>,
}

impl Privileged {
    pub fn open(request: &LoginRequest, settings: &Settings, names: &mut NssCache) -> Self {
        let message = request.message;
        if settings.policy.subject == config::Subject::Caller {
            names.look_up_caller(message.caller);
        }
        if settings.needs_system_roots() {
            net::preload_system_roots();
        }
        Self {
            ledger: FallbackStore::open(&settings.ledger),
            // Without this file no connection is opened early. The ledger, in the same directory, reports why.
            permits: Permits::new(ledger::permits(&settings.ledger).ok()),
            session: sys::terminal_session(message.pid),
        }
    }
}

/// Enters the sandbox. This process must have one thread only, because Landlock restricts the calling thread.
pub fn enter_sandbox(settings: &Settings, log: &AuthLog) -> Result<(), String> {
    let sandbox = sys::Sandbox::probe(settings.ports())?;
    if let Some(missing) = sandbox.unreported() {
        log.sandbox(&missing);
    }
    sandbox.enforce()
}
