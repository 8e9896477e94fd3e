//! Who is to prove himself, whether something else has proved the first factor already, and whether
//! he needs a code. Asks NSS, never the network.
#![forbid(unsafe_code)]

mod origin;
#[cfg(test)]
mod tests;

pub use origin::{Origin, Traces};

use crate::{
    config::{Password, Policy, Source, Subject},
    id::LoginId,
};

/// `nobody`: never a person, whatever `min_uid` says.
const NOBODY: u32 = 65534;

/// No directory knows a longer name; `LOGIN_NAME_MAX` is 256.
const LONGEST_NAME: usize = 256;

/// Most names of one entry that are looked up.
const MAX_NAMES: usize = 8;

/// What NSS knows of users. `Err`: the look-up failed, which is not "there is none".
pub trait Names {
    /// The uid of a name.
    fn uid(&self, name: &str) -> Result<Option<u32>, String>;
    /// The name of a uid.
    fn name(&self, uid: u32) -> Result<Option<String>, String>;
}

/// The user who authenticates: a name that the directory may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    name: String,
    search_name: String,
    is_known: bool,
}

impl Person {
    /// The name as it was typed, or as NSS has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether NSS knows the name.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.is_known
    }
}

/// Why the directory is not asked, or its entry does not count. The texts say which case it is and
/// repeat no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAsked {
    /// A uid below `min_uid`, or 65534: a directory entry `uid=root` must not become root.
    SystemUser(String),
    /// Another spelling of such a name, or one beside it.
    SystemAlias(String),
    /// No name, or one that no directory can hold.
    NoName(String),
    /// NSS could not be asked.
    LookUp(String),
}

/// Resolves the user for whom the directory is asked. `search_name` takes domains off a name, as
/// the directory does.
pub fn person(
    policy: &Policy,
    user: &[u8],
    caller: u32,
    names: &dyn Names,
    search_name: impl Fn(&str) -> &str,
) -> Result<Person, NotAsked> {
    let (name, uid) = match policy.subject {
        Subject::User => {
            let name = typed(user).map_err(|why| NotAsked::NoName(why.to_owned()))?;
            (name.to_owned(), names.uid(name).map_err(NotAsked::LookUp)?)
        }
        Subject::Caller => {
            if let Some(why) = system(policy, caller) {
                return Err(NotAsked::SystemUser(why));
            }
            let name = names.name(caller).map_err(NotAsked::LookUp)?;
            let none = || NotAsked::NoName(format!("uid {caller} has no name"));
            (name.ok_or_else(none)?, Some(caller))
        }
    };
    if let Some(why) = uid.and_then(|uid| system(policy, uid)) {
        return Err(NotAsked::SystemUser(why));
    }
    let bare = search_name(&name);
    if bare != name {
        let uid = names.uid(bare).map_err(NotAsked::LookUp)?;
        if let Some(why) = uid.and_then(|uid| system(policy, uid)) {
            let why = format!("the name without its domain: {why}");
            return Err(NotAsked::SystemAlias(why));
        }
    }
    Ok(Person {
        search_name: bare.to_owned(),
        name,
        is_known: uid.is_some(),
    })
}

/// Checks the other names in the entry that a search has found, `others`: directories compare
/// names without regard to case, width or spaces, so that a typed name that NSS does not know may
/// find the entry of one that it knows. What they fold is not folded here: each name is looked up
/// as it stands.
pub fn check_names<'a>(
    policy: &Policy,
    person: &Person,
    others: impl Iterator<Item = &'a str>,
    names: &dyn Names,
) -> Result<(), NotAsked> {
    let is_other = |name: &&str| **name != *person.name && **name != *person.search_name;
    let mut others: Vec<_> = others.filter(is_other).collect();
    others.sort_unstable();
    others.dedup();
    if others.len() > MAX_NAMES {
        return Err(NotAsked::SystemAlias(format!(
            "{} other names in the entry (ldap.filter), and at most {MAX_NAMES} are looked up",
            others.len()
        )));
    }
    for name in others {
        let uid = names.uid(name).map_err(NotAsked::LookUp)?;
        if let Some(why) = uid.and_then(|uid| system(policy, uid)) {
            let why = format!("another name in the entry (ldap.filter): {why}");
            return Err(NotAsked::SystemAlias(why));
        }
    }
    Ok(())
}

/// A name that a directory can hold.
fn typed(user: &[u8]) -> Result<&str, &'static str> {
    match std::str::from_utf8(user) {
        Err(_) => Err("the name is not UTF-8"),
        Ok("") => Err("the name is empty"),
        Ok(name) if name.len() > LONGEST_NAME => Err("the name is longer than 256 bytes"),
        Ok(name) => Ok(name),
    }
}

/// Why this uid is a system user's, if it is.
fn system(policy: &Policy, uid: u32) -> Option<String> {
    if uid < policy.min_uid {
        Some(format!("uid {uid} is below policy.min_uid"))
    } else {
        (uid == NOBODY).then(|| format!("uid {uid} is never a person's"))
    }
}

/// sshd has proved a first factor in this very connection.
#[derive(Debug)]
#[must_use]
pub struct SshProof {
    login: LoginId,
}

/// The settings say that an earlier module of the stack has proved the first factor.
#[derive(Debug)]
#[must_use]
pub struct StackProof {
    login: LoginId,
}

impl SshProof {
    /// Reads sshd's `SSH_AUTH_INFO_0`: a line for each method that this connection has passed
    /// (`ExposeAuthInfo` in `sshd_config(5)` describes its form). Keyboard-interactive is not among those that
    /// count: it may have been this very module.
    #[must_use]
    pub fn read(ssh_auth_info: &[u8], login: LoginId) -> Option<Self> {
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

    /// The login it belongs to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }
}

impl StackProof {
    /// `password.source = "stack"`: the administrator vouches for the stack.
    #[must_use]
    pub fn read(settings: &Password, login: LoginId) -> Option<Self> {
        (settings.source == Source::Stack).then_some(Self { login })
    }

    /// The login it belongs to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }
}

/// A named exemption: this login needs no code.
#[derive(Debug)]
#[must_use]
pub struct Exemption {
    login: LoginId,
    earned_by: LoginId,
}

impl Exemption {
    /// `remember`: the same person came from the same place a while ago, and the ledger knows by
    /// which login. Without an origin there is none to be had.
    #[must_use]
    pub fn remembered(
        settings: &Policy,
        _: &Origin,
        login: LoginId,
        earned_by: LoginId,
    ) -> Option<Self> {
        settings.remember.map(|_| Self { login, earned_by })
    }

    /// The login it belongs to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }

    /// The login with a code that earned it.
    #[must_use]
    pub const fn earned_by(&self) -> LoginId {
        self.earned_by
    }

    /// As `reason=` names it in the log.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        "remembered"
    }
}
