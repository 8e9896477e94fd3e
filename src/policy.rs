//! Decides who has to authenticate, whether another program has verified the first factor, and whether a
//! code is required. Uses NSS, never the network.
#![forbid(unsafe_code)]

mod origin;
#[cfg(test)]
mod tests;

pub use origin::{Origin, OriginSources};

use crate::{
    config::{Password, Policy, Source, Subject},
    id::LoginId,
};

/// The uid that Linux uses for ids without a mapping (the overflow uid). Never a user, whatever `min_uid` is.
const OVERFLOW_UID: u32 = 65534;

/// Longer names are not searched for: `LOGIN_NAME_MAX` is 256.
const MAX_NAME: usize = 256;

/// How many names of one entry are looked up.
const MAX_NAMES: usize = 8;

/// Users in NSS. `Err`: the lookup failed, as opposed to finding nothing.
pub trait Names {
    /// Looks up the uid of a name.
    fn uid(&self, name: &str) -> Result<Option<u32>, String>;

    /// Looks up the name of a uid.
    fn name(&self, uid: u32) -> Result<Option<String>, String>;
}

/// The user who authenticates, under a name that may be searched for in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    name: String,
    search_name: String,
    is_known: bool,
}

impl Identity {
    /// The name as typed, or, for a caller, as NSS has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the name exists in NSS.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.is_known
    }
}

/// Why a user is not searched for, or the entry found is not accepted. The texts give details and contain
/// no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityError {
    /// A uid below `min_uid`, or 65534: a directory entry `uid=root` must not become root.
    SystemUser(String),
    /// Another spelling of a system user's name, or an entry that also has such a name.
    SystemAlias(String),
    /// No name, or one that cannot be searched for.
    InvalidName(String),
    /// A lookup in NSS failed.
    Lookup(String),
}

/// Resolves the user to search for. `search_name` removes domains from a name as the directory search
/// does.
///
/// # Errors
/// The user is a system user, has no valid name, or cannot be looked up.
pub fn resolve_user(
    policy: &Policy,
    user: &[u8],
    caller: u32,
    names: &dyn Names,
    search_name: impl Fn(&str) -> &str,
) -> Result<Identity, IdentityError> {
    let (name, uid) = match policy.subject {
        Subject::User => {
            let name =
                parse_name(user).map_err(|why| IdentityError::InvalidName(why.to_owned()))?;
            (
                name.to_owned(),
                names.uid(name).map_err(IdentityError::Lookup)?,
            )
        }
        Subject::Caller => {
            if let Some(why) = system_user(policy, caller) {
                return Err(IdentityError::SystemUser(why));
            }
            let name = names.name(caller).map_err(IdentityError::Lookup)?;
            let none = || IdentityError::InvalidName(format!("uid {caller} has no name"));
            (name.ok_or_else(none)?, Some(caller))
        }
    };
    if let Some(why) = uid.and_then(|uid| system_user(policy, uid)) {
        return Err(IdentityError::SystemUser(why));
    }
    let searched = search_name(&name);
    if searched != name {
        let uid = names.uid(searched).map_err(IdentityError::Lookup)?;
        if let Some(why) = uid.and_then(|uid| system_user(policy, uid)) {
            let why = format!("the name without its domain: {why}");
            return Err(IdentityError::SystemAlias(why));
        }
    }
    Ok(Identity {
        search_name: searched.to_owned(),
        name,
        is_known: uid.is_some(),
    })
}

/// Checks the other names in the entry that a search has found. Directories ignore case, width and spaces
/// when they compare names, so that a name which NSS does not have may find the entry of a system user.
/// Each name is looked up exactly as the entry contains it.
///
/// # Errors
/// A name belongs to a system user, or cannot be looked up, or there are too many.
pub fn check_names<'a>(
    policy: &Policy,
    identity: &Identity,
    others: impl Iterator<Item = &'a str>,
    names: &dyn Names,
) -> Result<(), IdentityError> {
    let is_other = |name: &&str| **name != *identity.name && **name != *identity.search_name;
    let mut others: Vec<_> = others.filter(is_other).collect();
    others.sort_unstable();
    others.dedup();
    if others.len() > MAX_NAMES {
        return Err(IdentityError::SystemAlias(format!(
            "{} other names in the entry (ldap.filter); at most {MAX_NAMES} are looked up",
            others.len()
        )));
    }
    for name in others {
        let uid = names.uid(name).map_err(IdentityError::Lookup)?;
        if let Some(why) = uid.and_then(|uid| system_user(policy, uid)) {
            let why = format!("another name in the entry (ldap.filter): {why}");
            return Err(IdentityError::SystemAlias(why));
        }
    }
    Ok(())
}

/// Checks that a name can be searched for.
fn parse_name(user: &[u8]) -> Result<&str, &'static str> {
    match std::str::from_utf8(user) {
        Err(_) => Err("the name is not UTF-8"),
        Ok("") => Err("the name is empty"),
        Ok(name) if name.len() > MAX_NAME => Err("the name is longer than 256 bytes"),
        Ok(name) => Ok(name),
    }
}

/// Returns why this uid belongs to a system user, if it does.
fn system_user(policy: &Policy, uid: u32) -> Option<String> {
    if uid < policy.min_uid {
        Some(format!("uid {uid} is below policy.min_uid"))
    } else {
        (uid == OVERFLOW_UID).then(|| format!("uid {uid} is the overflow uid"))
    }
}

/// Proof that sshd has verified a first factor in this connection.
#[derive(Debug)]
#[must_use]
pub struct SshProof {
    login: LoginId,
}

/// The settings select `stack`: an earlier module of the stack verifies the first factor.
#[derive(Debug)]
#[must_use]
pub struct StackProof {
    login: LoginId,
}

impl SshProof {
    /// Parses sshd's `SSH_AUTH_INFO_0`, which has a line for each method that succeeded in this connection
    /// (`ExposeAuthInfo` in `sshd_config(5)` describes the format). Keyboard-interactive is not accepted: it
    /// may have been this module.
    #[must_use]
    pub fn parse(ssh_auth_info: &[u8], login: LoginId) -> Option<Self> {
        ssh_auth_info
            .split(|byte| *byte == b'\n')
            .filter_map(|line| line.split(|byte| *byte == b' ').next())
            .any(|method| {
                matches!(
                    method,
                    b"publickey" | b"hostbased" | b"gssapi-with-mic" | b"password"
                )
            })
            .then_some(Self { login })
    }

    /// The login that the proof belongs to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }
}

impl StackProof {
    /// Returns a proof if the administrator has set `password.source = "stack"`.
    #[must_use]
    pub fn from_settings(settings: &Password, login: LoginId) -> Option<Self> {
        (settings.source == Source::Stack).then_some(Self { login })
    }

    /// The login that the proof belongs to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }
}

/// A named exemption: this login requires no code.
#[derive(Debug)]
#[must_use]
pub struct Exemption {
    login: LoginId,
    earned_by: LoginId,
}

impl Exemption {
    /// An exemption by `remember`: the ledger has an earlier login of the same user from the same origin.
    /// There is no exemption without an origin.
    #[must_use]
    pub fn remembered(
        settings: &Policy,
        _: &Origin,
        login: LoginId,
        earned_by: LoginId,
    ) -> Option<Self> {
        settings.remember.map(|_| Self { login, earned_by })
    }

    /// The login that the proof belongs to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }

    /// The login with a code that earned it.
    #[must_use]
    pub const fn earned_by(&self) -> LoginId {
        self.earned_by
    }

    /// Returns the value of `reason=` in the log.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        "remembered"
    }
}
