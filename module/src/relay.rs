//! One login: a helper is started, what it asks is asked, what it decides is returned.
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
    helper::{Helper, Loss},
    journal::{Line, Trouble},
    libpam, memory, system,
};

/// No helper may keep its host waiting longer than this, whatever it says.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 60);

/// No login takes as many messages: a password, and a prompt for each try and resend.
const MOST_MESSAGES: u32 = 256;

/// How a login ended.
pub struct Ended {
    pub code: Code,
    pub counts: Vec<u8>,
}

/// Runs one login.
pub fn run(
    pamh: &mut PamHandle,
    arguments: &Arguments,
    flags: PamFlag,
    line: &Line,
    helper: Helper,
    user: &[u8],
    counts: &[u8],
) -> Result<Ended, Trouble> {
    let request = request(pamh, arguments, flags, line, user, counts)?;
    // If it did not get the request, what it has said instead is more interesting.
    let _ = helper.send(&request);
    let ended = relay(pamh, arguments, flags, &helper, user);
    match ended {
        Ok(ended) => {
            helper.farewell();
            Ok(ended)
        }
        Err(Failure::Loss(loss)) => Err(helper.obituary(&loss)),
        Err(Failure::Trouble(trouble)) => Err(trouble),
    }
}

enum Failure {
    Loss(Loss),
    Trouble(Trouble),
}

fn relay(
    pamh: &mut PamHandle,
    arguments: &Arguments,
    flags: PamFlag,
    helper: &Helper,
    user: &[u8],
) -> Result<Ended, Failure> {
    let mut patience = Duration::from_millis(u64::from(protocol::FIRST_WAIT_MS));
    let mut buffer = [0; protocol::MAX_FROM_HELPER];
    for _ in 0..MOST_MESSAGES {
        let message = helper
            .receive(&mut buffer, patience)
            .map_err(Failure::Loss)?;
        let Ok((wait_ms, message)) = FromHelper::decode(message) else {
            return Err(Failure::Trouble(nonsense(pamh, message)));
        };
        patience = Duration::from_millis(u64::from(wait_ms)).min(LONGEST_WAIT);
        match message {
            FromHelper::KeepAlive => {}
            FromHelper::ShowError(text) => conversation::tell(pamh, flags, text),
            FromHelper::ShowInfo(text) => conversation::inform(pamh, flags, text),
            FromHelper::Prompt(style, prompt) => {
                match style {
                    Style::Password => {}
                    Style::Hidden | Style::Visible => {
                        memory::code_is_prompted(pamh).map_err(Failure::Trouble)?;
                    }
                }
                let answer = conversation::ask(pamh, style, prompt, arguments.use_first_pass);
                same_user(pamh, user).map_err(Failure::Trouble)?;
                // A helper that is gone may have left a verdict: it is read next.
                let _ = helper.send(&answer);
            }
            FromHelper::Verdict(Verdict { code, counts }) => {
                same_user(pamh, user).map_err(Failure::Trouble)?;
                let counts = counts.to_vec();
                buffer.zeroize();
                return Ok(Ended { code, counts });
            }
            FromHelper::VersionMismatch => return Err(Failure::Trouble(unspoken(pamh))),
            FromHelper::SpawnError(why) => {
                return Err(Failure::Trouble(crate::birth::describe(
                    why,
                    &arguments.helper,
                )));
            }
        }
    }
    Err(Failure::Trouble(Trouble::helper(
        "the helper talks without end",
    )))
}

/// Whoever proves himself is the one that we were asked about, and nobody else: the host lets in whom
/// `PAM_USER` names in the end.
fn same_user(pamh: &PamHandle, user: &[u8]) -> Result<(), Trouble> {
    if libpam::is_still(pamh, user) {
        return Ok(());
    }
    Err(Trouble::helper(
        "PAM_USER was changed in the middle of this login, by the application or another module",
    ))
}

fn request(
    pamh: &mut PamHandle,
    arguments: &Arguments,
    flags: PamFlag,
    line: &Line,
    user: &[u8],
    counts: &[u8],
) -> Result<Vec<u8>, Trouble> {
    // One byte more than is passed on, to see that it was not all.
    let ssh_auth_info = libpam::environment(
        pamh,
        c"SSH_AUTH_INFO_0",
        limits::MAX_SSH_AUTH_INFO.saturating_add(1),
    );
    if ssh_auth_info.len() > limits::MAX_SSH_AUTH_INFO {
        return Err(Trouble::helper("SSH_AUTH_INFO_0 is longer than 64 KB"));
    }
    let service = service(pamh);
    let tag = system::program_name();
    if service.len() > limits::MAX_SERVICE || tag.len() > limits::MAX_SERVICE {
        return Err(Trouble::helper(
            "the PAM service's name is longer than 256 bytes",
        ));
    }
    let rhost = match pamh.get_item::<items::RHost>() {
        Ok(Some(rhost)) => start(rhost.to_bytes(), limits::MAX_NAME),
        _ => Vec::new(),
    };
    let ruser = match pamh.get_item::<items::RUser>() {
        Ok(Some(ruser)) => start(ruser.to_bytes(), limits::MAX_NAME),
        _ => Vec::new(),
    };
    let request = Request {
        login: line.login,
        caller: system::real_uid(),
        pid: std::process::id(),
        debug: arguments.debug,
        silent: flags & PAM_SILENT != 0,
        source: arguments.source,
        tag: &tag,
        config: arguments.config.to_bytes(),
        service: &service,
        user,
        rhost: &rhost,
        ruser: &ruser,
        ssh_auth_info: &ssh_auth_info,
        counts,
    };
    Ok(request.encode())
}

fn service(pamh: &PamHandle) -> Vec<u8> {
    match pamh.get_item::<items::Service>() {
        // One byte more than is passed on, to see that it was not all.
        Ok(Some(service)) => start(service.to_bytes(), limits::MAX_SERVICE.saturating_add(1)),
        _ => Vec::new(),
    }
}

/// A copy of no more than is wanted of a text that may be as long as its host likes.
fn start(text: &[u8], longest: usize) -> Vec<u8> {
    text.get(..longest).unwrap_or(text).to_vec()
}

fn nonsense(pamh: &PamHandle, message: &[u8]) -> Trouble {
    match Header::decode(message) {
        Ok(header) if !protocol::is_supported(header.version) => unspoken(pamh),
        _ => Trouble::helper("the helper speaks nonsense"),
    }
}

/// A package upgrade replaces the helper under a host that still has the old module mapped.
fn unspoken(pamh: &PamHandle) -> Trouble {
    let mut detail = String::from("module and helper are of different versions: restart ");
    detail.push_str(&String::from_utf8_lossy(&service(pamh)));
    Trouble::helper(detail)
}
