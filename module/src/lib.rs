//! `pam_sms_otp.so`, the only part that sshd, sudo, su or login load.
//!
//! ```text
//!  libpam ──► lib (hooks) ──► arguments      the PAM line
//!                │      ├───► handle_state   what earlier calls on this PAM handle stored
//!                │      └───► login_log      the one log line that the module writes itself
//!                ▼
//!             session ──────► conversation   shows prompts and returns answers
//!                │
//!                ▼
//!             helper ───────► spawn          starts one helper process and its parent
//!                └──────────► child          waits for them and reaps them
//! ```
//!
//! The module uses no network, settings file, environment variable or thread. The helper decides the
//! login; the module shows what the helper sends, and returns its verdict. A failed allocation aborts
//! the host process, which serves one login; it grants nothing.

mod arguments;
mod child;
mod conversation;
mod error;
mod handle_state;
mod helper;
mod libpam;
mod login_log;
#[cfg(test)]
#[path = "../../fuzz/mutation.rs"]
mod mutation;
mod session;
mod spawn;
mod system;

#[cfg(fuzzing)]
pub use arguments::properties::arguments;

use std::{
    ffi::CStr,
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
    sync::Once,
};

use pam::{
    constants::{PamFlag, PamResultCode},
    module::{PamHandle, PamHooks},
};
use protocol::Code;

use crate::{
    arguments::Arguments, error::Error, handle_state::History, helper::Helper, login_log::LoginLog,
    session::Login,
};

struct SmsOtp;

pam::pam_hooks!(SmsOtp);

impl PamHooks for SmsOtp {
    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        // The default hook would print values to the host's stderr. This library contains its own copy
        // of the standard library, so the hook concerns no other code in the process.
        static QUIET: Once = Once::new();
        QUIET.call_once(|| set_hook(Box::new(|_| {})));
        let mut log = LoginLog::new(pamh);
        let result = catch_panic(|| authenticate(pamh, &args, flags, &mut log));
        result.unwrap_or_else(|error| {
            log.write(pamh, &error);
            PamResultCode::PAM_SERVICE_ERR
        })
    }

    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }
}

/// Calls `act` and returns a panic as an error.
fn catch_panic<T>(act: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|payload| {
        // Dropping the payload could panic again.
        std::mem::forget(payload);
        Err(Error::helper("the module panicked; please report it"))
    })
}

fn authenticate(
    pamh: &mut PamHandle,
    args: &[&CStr],
    flags: PamFlag,
    log: &mut LoginLog,
) -> Result<PamResultCode, Error> {
    let arguments = Arguments::parse(args)?;
    let Some(user) = libpam::user(pamh) else {
        return Ok(PamResultCode::PAM_CONV_ERR);
    };
    log.set_user(&user);
    let counts = match handle_state::history(pamh, &user) {
        History::None => Vec::new(),
        History::Counts(counts) => counts,
        History::Final(code) => return Ok(return_code(pamh, code)),
        History::Lost => {
            return Err(Error::helper_lost(
                "an earlier helper of this PAM handle ended without a verdict",
            ));
        }
    };
    let helper = Helper::start(&arguments.helper)?;
    // Replaced when the verdict arrives; whatever fails before that leaves the counts unknown.
    handle_state::set_history(pamh, &user, History::Lost)?;
    let login = Login {
        arguments: &arguments,
        flags,
        number: log.login,
        user: &user,
        counts: &counts,
    };
    let result = login.run(pamh, helper)?;
    let history = match result.code {
        Code::MaxTries | Code::AuthinfoUnavail => History::Final(result.code),
        Code::Success => History::None,
        Code::MaxTriesForNow
        | Code::Ignore
        | Code::AuthErr
        | Code::UserUnknown
        | Code::ServiceErr
        | Code::ConvErr => History::Counts(result.counts),
    };
    handle_state::set_history(pamh, &user, history)?;
    Ok(return_code(pamh, result.code))
}

/// Converts the code of the verdict to the return code of the hook.
fn return_code(pamh: &PamHandle, code: Code) -> PamResultCode {
    match code {
        Code::Success => PamResultCode::PAM_SUCCESS,
        Code::Ignore => PamResultCode::PAM_IGNORE,
        Code::AuthErr => PamResultCode::PAM_AUTH_ERR,
        Code::MaxTries | Code::MaxTriesForNow => PamResultCode::PAM_MAXTRIES,
        Code::UserUnknown => PamResultCode::PAM_USER_UNKNOWN,
        Code::AuthinfoUnavail if user_may_cause_outage(pamh) => PamResultCode::PAM_SERVICE_ERR,
        Code::AuthinfoUnavail => PamResultCode::PAM_AUTHINFO_UNAVAIL,
        Code::ServiceErr => PamResultCode::PAM_SERVICE_ERR,
        Code::ConvErr => PamResultCode::PAM_CONV_ERR,
    }
}

/// Whether the caller or the user could have caused an outage, which a stack may ignore
/// (`authinfo_unavail=ignore`). An ordinary user who runs a set-user-ID host can use up local ports or
/// freeze the helper. A user who has seen a code prompt has passed the first factor, and can wait for an
/// outage or use up the time limit with resends.
fn user_may_cause_outage(pamh: &PamHandle) -> bool {
    system::real_uid() != system::effective_uid() || handle_state::was_code_prompted(pamh)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("panic in drop");
        }
    }

    #[test]
    fn a_panic_in_the_hook_is_an_error() {
        assert!(catch_panic(|| Ok(())).is_ok());
        assert!(catch_panic::<()>(|| panic!("panic in the hook")).is_err());
        assert!(catch_panic::<()>(|| std::panic::panic_any(PanicsOnDrop)).is_err());
    }
}
