//! The account that an administrator names.
#![forbid(unsafe_code)]

use super::report::CommandError;
use crate::{
    config::Settings,
    deadline::Deadline,
    directory::{self, Found, ldap::Ldap},
    failure::Failure,
};

/// Resolves a user to the normalized DN by which the ledger stores accounts. A login name is searched in the
/// directory, as in a login. A DN is taken as it is, because its entry may be deleted.
pub fn resolve(settings: &Settings, user: &str, by: Deadline) -> Result<String, CommandError> {
    if user.contains('=') {
        return Ok(directory::normalize_dn(user));
    }
    let error = |failure: Failure| CommandError(failure.detail());
    let mut ldap = Ldap::new(&settings.ldap).map_err(error)?;
    let shown = user.escape_debug();
    match ldap.find(user, by).map_err(error)? {
        Found::One(entry) => Ok(entry.normalized_dn()),
        Found::None | Found::Elsewhere => Err(CommandError(format!(
            "the directory has no entry for {shown}: of a deleted entry, give the DN"
        ))),
        Found::Several => Err(CommandError(format!(
            "the directory has several entries for {shown}: give the DN of one of them"
        ))),
    }
}
