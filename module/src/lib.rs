//! `pam_sms_otp.so`: all that sshd, sudo, su or login load.
//!
//! ```text
//!  libpam ──► lib (hooks) ──► arguments      what the PAM line says
//!                │      ├───► memory         what this PAM handle has seen
//!                │      └───► journal        the one line this module logs itself
//!                ▼
//!             relay ────────► conversation   prompts through, answers back
//!                │
//!                ▼
//!             helper ───────► birth          one helper process and its parent, started and reaped
//! ```
//!
//! An allocation failure ends the host process, which is that of one login: it grants nothing.
//!
//! No network, no settings file, no environment, no thread: the story of the login is told in the
//! helper, and this side only shows what it is asked to show and reports its verdict.

mod arguments;
mod birth;
mod conversation;
mod helper;
mod journal;
mod libpam;
mod memory;
#[cfg(test)]
#[path = "../../fuzz/mutation.rs"]
mod mutation;
mod relay;
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
    arguments::Arguments,
    helper::Helper,
    journal::{Line, Trouble},
    memory::Past,
};

struct SmsOtp;

pam::pam_hooks!(SmsOtp);

impl PamHooks for SmsOtp {
    fn sm_authenticate(pamh: &mut PamHandle, args: Vec<&CStr>, flags: PamFlag) -> PamResultCode {
        // The default hook would print values to the host's stderr. This library has a standard
        // library, and so a hook, of its own: nobody else's panics come by here.
        static QUIET: Once = Once::new();
        QUIET.call_once(|| set_hook(Box::new(|_| {})));
        let mut line = Line::begin(pamh);
        let ended = caught(|| authenticate(pamh, &args, flags, &mut line));
        ended.unwrap_or_else(|trouble| {
            line.failed(pamh, &trouble);
            PamResultCode::PAM_SERVICE_ERR
        })
    }

    fn sm_setcred(_: &mut PamHandle, _: Vec<&CStr>, _: PamFlag) -> PamResultCode {
        PamResultCode::PAM_SUCCESS
    }
}

/// Does something that may panic, which is one more way to fail.
fn caught<T>(act: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|payload| {
        // Dropping a payload may panic once more.
        std::mem::forget(payload);
        Err(Trouble::helper("the module panicked; please report it"))
    })
}

fn authenticate(
    pamh: &mut PamHandle,
    args: &[&CStr],
    flags: PamFlag,
    line: &mut Line,
) -> Result<PamResultCode, Trouble> {
    let arguments = Arguments::read(args)?;
    let Some(user) = libpam::user(pamh) else {
        return Ok(PamResultCode::PAM_CONV_ERR);
    };
    line.is_of(&user);
    let counts = match memory::recall(pamh, &user) {
        Past::Nothing => Vec::new(),
        Past::Counts(counts) => counts,
        Past::Ended(code) => return Ok(told(pamh, code)),
        Past::Broken => {
            return Err(Trouble::lost(
                "an earlier helper of this PAM handle ended without a verdict",
            ));
        }
    };
    let helper = Helper::start(&arguments.helper)?;
    // From here until a verdict is in, this handle and name count as broken, whatever happens.
    memory::keep(pamh, &user, Past::Broken)?;
    let ended = relay::run(pamh, &arguments, flags, line, helper, &user, &counts)?;
    let past = match ended.code {
        Code::MaxTries | Code::AuthinfoUnavail => Past::Ended(ended.code),
        Code::Success => Past::Nothing,
        Code::MaxTriesForNow
        | Code::Ignore
        | Code::AuthErr
        | Code::UserUnknown
        | Code::ServiceErr
        | Code::ConvErr => Past::Counts(ended.counts),
    };
    memory::keep(pamh, &user, past)?;
    Ok(told(pamh, ended.code))
}

/// What libpam is told.
fn told(pamh: &PamHandle, code: Code) -> PamResultCode {
    match code {
        Code::Success => PamResultCode::PAM_SUCCESS,
        Code::Ignore => PamResultCode::PAM_IGNORE,
        Code::AuthErr => PamResultCode::PAM_AUTH_ERR,
        Code::MaxTries | Code::MaxTriesForNow => PamResultCode::PAM_MAXTRIES,
        Code::UserUnknown => PamResultCode::PAM_USER_UNKNOWN,
        Code::AuthinfoUnavail if may_be_caused(pamh) => PamResultCode::PAM_SERVICE_ERR,
        Code::AuthinfoUnavail => PamResultCode::PAM_AUTHINFO_UNAVAIL,
        Code::ServiceErr => PamResultCode::PAM_SERVICE_ERR,
        Code::ConvErr => PamResultCode::PAM_CONV_ERR,
    }
}

/// Whether the caller or the user could have brought an outage about, which a stack may forgive
/// (`authinfo_unavail=ignore`). An ordinary user who runs a set-user-ID host can use up local ports
/// or freeze the helper; a user who has seen a code prompt has the first factor, and can wait for
/// an outage or use up the deadline with resends.
fn may_be_caused(pamh: &PamHandle) -> bool {
    system::is_run_by_another() || memory::was_code_prompted(pamh)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Again;

    impl Drop for Again {
        fn drop(&mut self) {
            panic!("once more");
        }
    }

    #[test]
    fn a_panic_in_the_hook_is_a_failure() {
        assert!(caught(|| Ok(())).is_ok());
        assert!(caught::<()>(|| panic!("an odd item")).is_err());
        assert!(caught::<()>(|| std::panic::panic_any(Again)).is_err());
    }
}
