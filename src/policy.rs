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
                2000 => Ok(Some("root@d".into())),
                4000 => Err("nss".into()),
                _ => Ok(None),
            }
        }
    }

    /// Takes `@d` off.
    fn bare(name: &str) -> &str {
        name.strip_suffix("@d").unwrap_or(name)
    }

    fn policy(subject: Subject) -> Policy {
        Policy {
            min_uid: 1000,
            subject,
            remember: None,
            new_phone: std::time::Duration::ZERO,
        }
    }

    fn ask(subject: Subject, user: &[u8], caller: u32) -> Result<Person, NotAsked> {
        person(&policy(subject), user, caller, &Hosts, bare)
    }

    #[test]
    fn system_users_are_never_the_directorys() {
        for name in ["root", "daemon", "nobody"] {
            let refused = ask(Subject::User, name.as_bytes(), 1000);
            assert!(matches!(refused, Err(NotAsked::SystemUser(_))), "{name}");
        }
        let why = |asked| match asked {
            Err(NotAsked::SystemUser(why)) => why,
            other => panic!("{other:?}"),
        };
        let root = why(ask(Subject::Caller, b"alice", 0));
        assert_eq!(root, "uid 0 is below policy.min_uid");
        let nobody = why(ask(Subject::User, b"nobody", 0));
        assert_eq!(nobody, "uid 65534 is never a person's");
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
        let no_name = |why: &str| Err(NotAsked::NoName(why.to_owned()));
        for (name, why) in [
            (&b""[..], "the name is empty"),
            (b"\xff\xfe", "the name is not UTF-8"),
            (&[b'a'; 257], "the name is longer than 256 bytes"),
        ] {
            assert_eq!(ask(Subject::User, name, 0), no_name(why));
        }
        assert!(ask(Subject::User, &[b'a'; 256], 0).is_ok());
        let nameless = ask(Subject::Caller, b"root", 5000);
        assert_eq!(nameless, no_name("uid 5000 has no name"));
    }

    #[test]
    fn a_name_without_its_domain_is_judged_too() {
        for name in ["root@d", "daemon@d", "nobody@d"] {
            let refused = ask(Subject::User, name.as_bytes(), 1000);
            assert!(matches!(refused, Err(NotAsked::SystemAlias(_))), "{name}");
        }
        let failed = ask(Subject::User, b"broken@d", 0);
        assert!(matches!(failed, Err(NotAsked::LookUp(_))));
        // The caller's as well: NSS may know people by names with a domain.
        let refused = ask(Subject::Caller, b"alice", 2000);
        assert!(matches!(refused, Err(NotAsked::SystemAlias(_))));
        let alice = ask(Subject::User, b"alice@d", 0).unwrap();
        assert_eq!((alice.name(), alice.is_known()), ("alice@d", false));
        // Another domain is part of the name.
        assert!(ask(Subject::User, b"root@e", 0).is_ok());
    }

    #[test]
    fn names_beside_the_typed_one_are_judged_as_they_stand() {
        let check = |typed: &str, others: &[&str]| {
            let person = ask(Subject::User, typed.as_bytes(), 0).unwrap();
            let others = others.iter().copied();
            check_names(&policy(Subject::User), &person, others, &Hosts)
        };
        for (typed, others) in [
            ("ROOT", &["root"][..]),
            ("root ", &["root"]),
            ("\u{ff52}oot", &["x", "root"]),
            ("bob", &["bob", "daemon"]),
            ("bob", &["nobody", "bob"]),
            ("bob@d", &["root"]),
        ] {
            let refused = check(typed, others);
            assert!(matches!(refused, Err(NotAsked::SystemAlias(_))), "{typed}");
        }
        for (typed, others) in [
            ("bob", &[][..]),
            ("bob", &["bob", "alice", "robert"]),
            ("Bob", &["bob"]),
            ("ROOT", &["Root", "root "]),
            ("bob@d", &["bob", "bob@d"]),
        ] {
            assert_eq!(check(typed, others), Ok(()), "{typed}");
        }
        let failed = check("bob", &["broken"]);
        assert!(matches!(failed, Err(NotAsked::LookUp(_))));
    }

    #[test]
    fn more_names_than_are_looked_up_are_refused() {
        let person = ask(Subject::User, b"bob", 0).unwrap();
        let named = |many: usize| {
            let mut others: Vec<_> = (0..many).map(|at| format!("b{at}")).collect();
            others.extend(["bob", "b0", "b0"].map(str::to_owned));
            let others = others.iter().map(String::as_str);
            check_names(&policy(Subject::User), &person, others, &Hosts)
        };
        assert_eq!(named(MAX_NAMES), Ok(()));
        assert!(matches!(
            named(MAX_NAMES + 1),
            Err(NotAsked::SystemAlias(_))
        ));
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
