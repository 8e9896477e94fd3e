//! The module's request, as the rest of the helper needs it.
#![forbid(unsafe_code)]

use super::failures;
use crate::{
    auth_log::LogContext,
    config::{self, Settings},
    deadline::Moment,
    failure::Failure,
    id::LoginId,
    login,
};

/// A request, its texts as UTF-8, and when it came.
pub struct LoginRequest<'a> {
    pub message: &'a protocol::Request<'a>,
    service: String,
    rhost: String,
    tag: String,
    /// The path of the settings. It is not converted with losses: that would be another path.
    config: Option<String>,
    received: Moment,
}

impl<'a> LoginRequest<'a> {
    pub fn new(message: &'a protocol::Request<'a>) -> Self {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            message,
            service: lossy(message.service),
            rhost: lossy(message.rhost),
            tag: lossy(message.tag),
            config: String::from_utf8(message.config.to_vec()).ok(),
            received: Moment::now(),
        }
    }

    pub fn log_context(&self) -> LogContext<'_> {
        LogContext {
            login: LoginId(self.message.login),
            service: &self.service,
            user: self.message.user,
            rhost: &self.rhost,
            tag: &self.tag,
            pid: self.message.pid,
            debug: self.message.debug,
        }
    }

    /// Loads the settings of this service.
    pub fn load_settings(&self) -> Result<Settings, Failure> {
        let source = self.message.source.map(|source| match source {
            protocol::Source::Ldap => config::Source::Ldap,
            protocol::Source::Ssh => config::Source::Ssh,
            protocol::Source::Auto => config::Source::Auto,
            protocol::Source::Stack => config::Source::Stack,
        });
        let path = self.config.as_deref();
        let path = path.ok_or_else(failures::config_path_not_utf8)?;
        config::load(&config::Disk, path, &self.service, source).map_err(|error| {
            let what = format!("{error}: {}", error.remedy());
            if error.is_local() {
                failures::unreadable_settings(what)
            } else {
                failures::bad_settings(what)
            }
        })
    }

    /// The login that is requested, on this host and in this terminal session.
    pub fn login<'l>(&'l self, host: &'l str, session: Option<&'l str>) -> login::Request<'l> {
        login::Request {
            id: LoginId(self.message.login),
            user: self.message.user,
            rhost: &self.rhost,
            ruser: self.message.ruser,
            session,
            service: &self.service,
            host,
            caller: self.message.caller,
            ssh_auth_info: self.message.ssh_auth_info,
            silent: self.message.silent,
            started: self.received,
        }
    }
}
