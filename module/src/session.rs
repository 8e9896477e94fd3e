//! Runs one login: sends the request to the helper, shows its prompts and texts, and returns its
//! verdict.
#![forbid(unsafe_code)]

use std::time::Duration;

use pam::{
    constants::{PAM_SILENT, PamFlag},
    items,
    module::PamHandle,
};
use protocol::{Code, FromHelper, Header, Request, Style, Verdict, limits};
use zeroize::Zeroize;

use crate::{
    arguments::Arguments,
    conversation,
    error::Error,
    handle_state,
    helper::{Helper, Loss},
    libpam, spawn, system,
};

/// The maximum wait for one message, whatever limit the helper sets.
const MAX_WAIT: Duration = Duration::from_secs(10 * 60);

/// The maximum number of messages of one login. A login needs far fewer: a password prompt, and one
/// prompt per attempt and resend.
const MAX_MESSAGES: u32 = 256;

/// The result of one login.
pub(crate) struct LoginResult {
    pub(crate) code: Code,
    pub(crate) counts: Vec<u8>,
}

/// One call of `pam_authenticate(3)`.
pub(crate) struct Login<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) flags: PamFlag,
    pub(crate) number: [u8; 4],
    pub(crate) user: &'a [u8],
    /// The counts of earlier logins on this handle.
    pub(crate) counts: &'a [u8],
}

impl Login<'_> {
    /// Runs the login to its verdict.
    pub(crate) fn run(&self, pamh: &mut PamHandle, helper: Helper) -> Result<LoginResult, Error> {
        let request = self.request(pamh)?;
        // If this fails, the helper has ended, and its last message or exit status shows why.
        let _ = helper.send(&request);
        match self.exchange(pamh, &helper) {
            Ok(result) => {
                helper.shutdown();
                Ok(result)
            }
            Err(Failure::Loss(loss)) => Err(helper.exit_report(&loss)),
            Err(Failure::Error(error)) => Err(error),
        }
    }

    /// Processes the helper's messages until its verdict.
    fn exchange(&self, pamh: &mut PamHandle, helper: &Helper) -> Result<LoginResult, Failure> {
        let mut wait = Duration::from_millis(u64::from(protocol::FIRST_WAIT_MS));
        let mut buffer = [0; protocol::MAX_FROM_HELPER];
        for _ in 0..MAX_MESSAGES {
            let message = helper.receive(&mut buffer, wait)?;
            let Ok((wait_ms, message)) = FromHelper::decode(message) else {
                return Err(malformed(pamh, message).into());
            };
            wait = Duration::from_millis(u64::from(wait_ms)).min(MAX_WAIT);
            match message {
                FromHelper::KeepAlive => {}
                FromHelper::ShowError(text) => conversation::show_error(pamh, self.flags, text),
                FromHelper::ShowInfo(text) => conversation::show_info(pamh, self.flags, text),
                FromHelper::Prompt(style, prompt) => self.prompt(pamh, helper, style, prompt)?,
                FromHelper::Verdict(Verdict { code, counts }) => {
                    self.check_user(pamh)?;
                    let counts = counts.to_vec();
                    buffer.zeroize();
                    return Ok(LoginResult { code, counts });
                }
                FromHelper::VersionMismatch => return Err(version_mismatch(pamh).into()),
                FromHelper::SpawnError(error) => {
                    return Err(spawn::describe(error, &self.arguments.helper).into());
                }
            }
        }
        Err(Error::helper("too many messages from the helper").into())
    }

    fn prompt(
        &self,
        pamh: &mut PamHandle,
        helper: &Helper,
        style: Style,
        prompt: &str,
    ) -> Result<(), Error> {
        match style {
            Style::Password => {}
            Style::Hidden | Style::Visible => handle_state::set_code_prompted(pamh)?,
        }
        let answer = conversation::prompt(pamh, style, prompt, self.arguments.use_first_pass);
        self.check_user(pamh)?;
        // If this fails, the helper has ended. It may have sent a verdict before, which is received next.
        let _ = helper.send(&answer);
        Ok(())
    }

    /// Checks that `PAM_USER` is still the user of this login: the host grants access to the user that
    /// `PAM_USER` names in the end.
    fn check_user(&self, pamh: &PamHandle) -> Result<(), Error> {
        if libpam::is_same_user(pamh, self.user) {
            return Ok(());
        }
        Err(Error::helper(
            "PAM_USER was changed during this login, by the application or another module",
        ))
    }

    fn request(&self, pamh: &mut PamHandle) -> Result<Vec<u8>, Error> {
        // One byte above the limit, to detect a value that is too long.
        let ssh_auth_info = libpam::pam_variable(
            pamh,
            c"SSH_AUTH_INFO_0",
            limits::MAX_SSH_AUTH_INFO.saturating_add(1),
        );
        if ssh_auth_info.len() > limits::MAX_SSH_AUTH_INFO {
            return Err(Error::helper("SSH_AUTH_INFO_0 is longer than 64 KB"));
        }
        let service = service(pamh);
        let tag = system::program_name();
        if service.len() > limits::MAX_SERVICE || tag.len() > limits::MAX_SERVICE {
            return Err(Error::helper(
                "the PAM service name is longer than 256 bytes",
            ));
        }
        let rhost = match pamh.get_item::<items::RHost>() {
            Ok(Some(rhost)) => prefix(rhost.to_bytes(), limits::MAX_NAME),
            _ => Vec::new(),
        };
        let ruser = match pamh.get_item::<items::RUser>() {
            Ok(Some(ruser)) => prefix(ruser.to_bytes(), limits::MAX_NAME),
            _ => Vec::new(),
        };
        let request = Request {
            login: self.number,
            caller: system::real_uid(),
            pid: std::process::id(),
            debug: self.arguments.debug,
            silent: self.flags & PAM_SILENT != 0,
            source: self.arguments.source,
            tag: &tag,
            config: self.arguments.config.to_bytes(),
            service: &service,
            user: self.user,
            rhost: &rhost,
            ruser: &ruser,
            ssh_auth_info: &ssh_auth_info,
            counts: self.counts,
        };
        Ok(request.encode())
    }
}

/// Why a login has no verdict.
enum Failure {
    Loss(Loss),
    Error(Error),
}

impl From<Loss> for Failure {
    fn from(loss: Loss) -> Self {
        Self::Loss(loss)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn service(pamh: &PamHandle) -> Vec<u8> {
    match pamh.get_item::<items::Service>() {
        // One byte above the limit, to detect a value that is too long.
        Ok(Some(service)) => prefix(service.to_bytes(), limits::MAX_SERVICE.saturating_add(1)),
        _ => Vec::new(),
    }
}

/// Copies at most `max` bytes: the host does not limit the length of a PAM item.
fn prefix(text: &[u8], max: usize) -> Vec<u8> {
    text.get(..max).unwrap_or(text).to_vec()
}

fn malformed(pamh: &PamHandle, message: &[u8]) -> Error {
    match Header::decode(message) {
        Ok(header) if !protocol::is_supported(header.version) => version_mismatch(pamh),
        _ => Error::helper("malformed message from the helper"),
    }
}

/// A package upgrade replaces the helper while a running host still has the old module mapped.
fn version_mismatch(pamh: &PamHandle) -> Error {
    let mut detail = String::from("module and helper are of different versions: restart ");
    detail.push_str(&String::from_utf8_lossy(&service(pamh)));
    Error::helper(detail)
}
