//! What one PAM handle has seen. sudo and login ask again on the same handle, login for another
//! name; tries, SMS and waiting time count over all of it, for each name by itself.
#![forbid(unsafe_code)]

use pam::module::PamHandle;
use protocol::Code;

use crate::{journal::Trouble, libpam};

/// How the logins before this one went, for one name.
#[derive(Clone)]
pub enum Past {
    /// There were none.
    Nothing,
    /// What the last helper wants its successor to know.
    Counts(Vec<u8>),
    /// They ended for good: a further one is answered the same, at once.
    Ended(Code),
    /// A helper ended without a verdict, so nobody knows the counts.
    Broken,
}

/// What is kept on a handle.
#[derive(Clone, Default)]
pub struct Memory {
    /// The past of each name that was asked for.
    names: Vec<(Vec<u8>, Past)>,
    /// Whether a code prompt was shown, for any name.
    code_prompted: bool,
}

/// The past of a name.
pub fn recall(pamh: &PamHandle, user: &[u8]) -> Past {
    libpam::memory(pamh)
        .and_then(|memory| memory.names.iter().find(|(name, _)| name == user))
        .map_or(Past::Nothing, |(_, past)| past.clone())
}

/// Keeps the past of a name.
pub fn keep(pamh: &mut PamHandle, user: &[u8], past: Past) -> Result<(), Trouble> {
    let mut memory = libpam::memory(pamh).cloned().unwrap_or_default();
    memory.names.retain(|(name, _)| name != user);
    memory.names.push((user.to_vec(), past));
    store(pamh, memory)
}

/// Records, before it is shown, that there is a code prompt.
pub fn code_is_prompted(pamh: &mut PamHandle) -> Result<(), Trouble> {
    if was_code_prompted(pamh) {
        return Ok(());
    }
    let mut memory = libpam::memory(pamh).cloned().unwrap_or_default();
    memory.code_prompted = true;
    store(pamh, memory)
}

/// Whether a code prompt was shown on this handle.
pub fn was_code_prompted(pamh: &PamHandle) -> bool {
    libpam::memory(pamh).is_some_and(|memory| memory.code_prompted)
}

fn store(pamh: &mut PamHandle, memory: Memory) -> Result<(), Trouble> {
    libpam::set_memory(pamh, memory)
        .map_err(|_| Trouble::local("libpam could not keep this module's data"))
}
