//! What the module stores on a PAM handle. sudo and login authenticate several times on one handle,
//! login for another user name too: attempts, SMS and waiting time count over all these calls, per
//! user name.

use pam::module::PamHandle;
use protocol::Code;

use crate::error::Error;

/// Includes the version, so that the data under this key has the type of this build.
const KEY: &str = concat!("pam_sms_otp ", env!("CARGO_PKG_VERSION"));

/// How the earlier logins on this handle ended, for one user name.
#[derive(Clone)]
pub(crate) enum History {
    /// There were none.
    None,
    /// The counts that the last helper passes to the next one.
    Counts(Vec<u8>),
    /// They ended with a final code, which is returned again at once.
    Final(Code),
    /// A helper ended without a verdict, so the counts are unknown.
    Lost,
}

/// The data stored on one handle.
#[derive(Clone, Default)]
struct HandleState {
    /// The history of each user name.
    users: Vec<(Vec<u8>, History)>,
    /// Whether a code prompt was shown, for any user name.
    code_prompted: bool,
}

/// Returns the history of a user name.
pub(crate) fn history(pamh: &PamHandle, user: &[u8]) -> History {
    load(pamh)
        .and_then(|state| state.users.iter().find(|(name, _)| name == user))
        .map_or(History::None, |(_, history)| history.clone())
}

/// Stores the history of a user name.
pub(crate) fn set_history(
    pamh: &mut PamHandle,
    user: &[u8],
    history: History,
) -> Result<(), Error> {
    let mut state = load(pamh).cloned().unwrap_or_default();
    state.users.retain(|(name, _)| name != user);
    state.users.push((user.to_vec(), history));
    store(pamh, state)
}

/// Records that a code prompt is about to be shown.
pub(crate) fn set_code_prompted(pamh: &mut PamHandle) -> Result<(), Error> {
    if was_code_prompted(pamh) {
        return Ok(());
    }
    let mut state = load(pamh).cloned().unwrap_or_default();
    state.code_prompted = true;
    store(pamh, state)
}

/// Whether a code prompt was shown on this handle.
pub(crate) fn was_code_prompted(pamh: &PamHandle) -> bool {
    load(pamh).is_some_and(|state| state.code_prompted)
}

fn load(pamh: &PamHandle) -> Option<&HandleState> {
    // SAFETY: only `store` sets data under this key, and always a `HandleState`.
    unsafe { pamh.get_data::<HandleState>(KEY) }.ok()
}

/// Replaces the stored data; libpam frees the previous value.
fn store(pamh: &mut PamHandle, state: HandleState) -> Result<(), Error> {
    pamh.set_data(KEY, Box::new(state))
        .map_err(|_| Error::local("pam_set_data(3) failed"))
}
