//! Whom an administrator means.
#![forbid(unsafe_code)]

use super::Refused;
use crate::{
    config::Settings,
    deadline::Deadline,
    directory::{self, Found, ldap::Ldap},
    failure::Failure,
};

/// The name that the ledger knows somebody by: of a login name through the directory, as a login
/// finds it; of a DN as it stands, because the entry may be gone.
pub(super) fn find(settings: &Settings, user: &str, by: Deadline) -> Result<String, Refused> {
    if user.contains('=') {
        return Ok(directory::normalize_dn(user));
    }
    let refused = |failure: Failure| Refused(failure.detail());
    let mut ldap = Ldap::new(&settings.ldap).map_err(refused)?;
    let shown = user.escape_debug();
    match ldap.find(user, by).map_err(refused)? {
        Found::One(entry) => Ok(entry.person()),
        Found::None | Found::Elsewhere => Err(Refused(format!(
            "the directory knows nobody called {shown}: give the DN of an entry that is no more"
        ))),
        Found::Several => Err(Refused(format!(
            "the directory knows several called {shown}: give the DN of the one you mean"
        ))),
    }
}
