//! Who is to prove himself, whether something else has proved the first factor already, and whether
//! he needs a code. Asks NSS, never the network.
#![forbid(unsafe_code)]

mod origin;

pub use origin::{Origin, Traces};

use crate::{
    config::{Password, Policy, Source, Subject},
    id::LoginId,
};

/// `nobody`: never a person, whatever `min_uid` says.
const NOBODY: u32 = 65534;

/// No directory knows a longer name; `LOGIN_NAME_MAX` is 256.
const LONGEST_NAME: usize = 256;

/// What NSS knows of users. `Err`: the look-up failed, which is not "there is none".
pub trait Names {
    /// The uid of a name.
    fn uid(&self, name: &str) -> Result<Option<u32>, String>;
    /// The name of a uid.
    fn name(&self, uid: u32) -> Result<Option<String>, String>;
}

/// Who proves himself: a name that the directory may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    name: String,
    is_known: bool,
}

impl Person {
    /// His name, as the directory is asked for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether NSS knows him.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.is_known
    }
}

/// Why the directory is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAsked {
    /// A uid below `min_uid`, or 65534: a directory entry `uid=root` must not become root.
    SystemUser,
    /// No name, or one that no directory can hold.
    NoName,
    /// NSS could not be asked.
    LookUp(String),
}

/// Whom to ask the directory for.
pub fn person(
    policy: &Policy,
    user: &[u8],
    caller: u32,
    names: &dyn Names,
) -> Result<Person, NotAsked> {
    let system = |uid| uid < policy.min_uid || uid == NOBODY;
    let (name, uid) = match policy.subject {
        Subject::User => {
            let name = std::str::from_utf8(user).map_err(|_| NotAsked::NoName)?;
            if name.is_empty() || name.len() > LONGEST_NAME {
                return Err(NotAsked::NoName);
            }
            (name.to_owned(), names.uid(name).map_err(NotAsked::LookUp)?)
        }
        Subject::Caller if system(caller) => return Err(NotAsked::SystemUser),
        Subject::Caller => {
            let name = names.name(caller).map_err(NotAsked::LookUp)?;
            (name.ok_or(NotAsked::NoName)?, Some(caller))
        }
    };
    match uid {
        Some(uid) if system(uid) => Err(NotAsked::SystemUser),
        _ => Ok(Person {
            name,
            is_known: uid.is_some(),
        }),
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Hosts;

    impl Names for Hosts {
        fn uid(&self, name: &str) -> Result<Option<u32>, String> {
            match name {
                "root" => Ok(Some(0)),
                "daemon" => Ok(Some(999)),
                "alice" => Ok(Some(1000)),
                "nobody" => Ok(Some(65534)),
                "broken" => Err("nss".into()),
                _ => Ok(None),
            }
        }

        fn name(&self, uid: u32) -> Result<Option<String>, String> {
            match uid {
                0 => Ok(Some("root".into())),
                1000 => Ok(Some("alice".into())),
                4000 => Err("nss".into()),
                _ => Ok(None),
            }
        }
    }

    fn ask(subject: Subject, user: &[u8], caller: u32) -> Result<Person, NotAsked> {
        let policy = Policy {
            min_uid: 1000,
            subject,
            remember: None,
            new_phone: std::time::Duration::ZERO,
        };
        person(&policy, user, caller, &Hosts)
    }

    #[test]
    fn system_users_are_never_the_directorys() {
        for name in ["root", "daemon", "nobody"] {
            assert_eq!(
                ask(Subject::User, name.as_bytes(), 1000),
                Err(NotAsked::SystemUser)
            );
        }
        assert_eq!(ask(Subject::Caller, b"alice", 0), Err(NotAsked::SystemUser));
    }

    #[test]
    fn people_are_asked_for_whether_nss_knows_them_or_not() {
        for name in ["alice", "bob", "*)(uid=*"] {
            let person = ask(Subject::User, name.as_bytes(), 0).unwrap();
            assert_eq!(person.name(), name);
        }
        assert_eq!(ask(Subject::Caller, b"root", 1000).unwrap().name(), "alice");
    }

    #[test]
    fn a_name_that_is_none_is_not_asked_for() {
        for name in [&b""[..], b"\xff\xfe", &[b'a'; 257]] {
            assert_eq!(ask(Subject::User, name, 0), Err(NotAsked::NoName));
        }
        assert!(ask(Subject::User, &[b'a'; 256], 0).is_ok());
        assert_eq!(ask(Subject::Caller, b"root", 5000), Err(NotAsked::NoName));
    }

    #[test]
    fn a_look_up_that_fails_is_not_a_name_that_is_not_there() {
        assert!(matches!(
            ask(Subject::User, b"broken", 0),
            Err(NotAsked::LookUp(_))
        ));
        assert!(matches!(
            ask(Subject::Caller, b"root", 4000),
            Err(NotAsked::LookUp(_))
        ));
    }

    #[test]
    fn only_a_method_that_sshd_has_proved_counts() {
        let proves = |info: &[u8]| SshProof::read(info, LoginId([1; 4])).is_some();
        assert!(proves(b"publickey ssh-ed25519 AAAA\n"));
        assert!(proves(b"keyboard-interactive\npassword\n"));
        assert!(proves(b"gssapi-with-mic alice@EXAMPLE.ORG"));
        assert!(proves(b"hostbased ssh-rsa AAAA client.example.org alice\n"));
        for none in [
            &b""[..],
            b"\n",
            b"keyboard-interactive\n",
            b"none publickey\n",
            b"publickeys ssh-rsa\n",
            b" publickey ssh-rsa\n",
            b"PUBLICKEY ssh-rsa\n",
            b"keyboard-interactive publickey",
        ] {
            assert!(!proves(none));
        }
    }
}
