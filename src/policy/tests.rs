//! Which users are searched for, and which other names are refused.
#![forbid(unsafe_code)]

use super::*;

struct Nss;

impl Names for Nss {
    fn uid(&self, name: &str) -> Result<Option<u32>, String> {
        match name {
            "root" => Ok(Some(0)),
            "daemon" => Ok(Some(999)),
            "alice" => Ok(Some(1000)),
            "overflow" => Ok(Some(65534)),
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

/// Removes the domain `@d`.
fn without_domain(name: &str) -> &str {
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

fn resolve(subject: Subject, user: &[u8], caller: u32) -> Result<Identity, IdentityError> {
    resolve_user(&policy(subject), user, caller, &Nss, without_domain)
}

#[test]
fn system_users_are_not_searched_for() {
    for name in ["root", "daemon", "overflow"] {
        let refused = resolve(Subject::User, name.as_bytes(), 1000);
        assert!(
            matches!(refused, Err(IdentityError::SystemUser(_))),
            "{name}"
        );
    }
    let why = |resolved| match resolved {
        Err(IdentityError::SystemUser(why)) => why,
        other => panic!("{other:?}"),
    };
    let root = why(resolve(Subject::Caller, b"alice", 0));
    assert_eq!(root, "uid 0 is below policy.min_uid");
    let overflow = why(resolve(Subject::User, b"overflow", 0));
    assert_eq!(overflow, "uid 65534 is the overflow uid");
}

#[test]
fn users_are_searched_for_even_if_nss_does_not_have_them() {
    for name in ["alice", "bob", "*)(uid=*"] {
        let identity = resolve(Subject::User, name.as_bytes(), 0).unwrap();
        assert_eq!(identity.name(), name);
    }
    assert_eq!(
        resolve(Subject::Caller, b"root", 1000).unwrap().name(),
        "alice"
    );
}

#[test]
fn an_invalid_name_is_not_searched_for() {
    let invalid = |why: &str| Err(IdentityError::InvalidName(why.to_owned()));
    for (name, why) in [
        (&b""[..], "the name is empty"),
        (b"\xff\xfe", "the name is not UTF-8"),
        (&[b'a'; 257], "the name is longer than 256 bytes"),
    ] {
        assert_eq!(resolve(Subject::User, name, 0), invalid(why));
    }
    assert!(resolve(Subject::User, &[b'a'; 256], 0).is_ok());
    let unnamed = resolve(Subject::Caller, b"root", 5000);
    assert_eq!(unnamed, invalid("uid 5000 has no name"));
}

#[test]
fn a_name_without_its_domain_is_checked_too() {
    for name in ["root@d", "daemon@d", "overflow@d"] {
        let refused = resolve(Subject::User, name.as_bytes(), 1000);
        assert!(
            matches!(refused, Err(IdentityError::SystemAlias(_))),
            "{name}"
        );
    }
    let failed = resolve(Subject::User, b"broken@d", 0);
    assert!(matches!(failed, Err(IdentityError::Lookup(_))));
    // The caller's name as well: in NSS, names may have a domain.
    let refused = resolve(Subject::Caller, b"alice", 2000);
    assert!(matches!(refused, Err(IdentityError::SystemAlias(_))));
    let alice = resolve(Subject::User, b"alice@d", 0).unwrap();
    assert_eq!((alice.name(), alice.is_known()), ("alice@d", false));
    // Another domain is part of the name.
    assert!(resolve(Subject::User, b"root@e", 0).is_ok());
}

#[test]
fn other_names_of_the_entry_are_looked_up_unchanged() {
    let check = |typed: &str, others: &[&str]| {
        let identity = resolve(Subject::User, typed.as_bytes(), 0).unwrap();
        let others = others.iter().copied();
        check_names(&policy(Subject::User), &identity, others, &Nss)
    };
    for (typed, others) in [
        ("ROOT", &["root"][..]),
        ("root ", &["root"]),
        ("\u{ff52}oot", &["x", "root"]),
        ("bob", &["bob", "daemon"]),
        ("bob", &["overflow", "bob"]),
        ("bob@d", &["root"]),
    ] {
        let refused = check(typed, others);
        assert!(
            matches!(refused, Err(IdentityError::SystemAlias(_))),
            "{typed}"
        );
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
    assert!(matches!(failed, Err(IdentityError::Lookup(_))));
}

#[test]
fn too_many_other_names_are_refused() {
    let identity = resolve(Subject::User, b"bob", 0).unwrap();
    let with_names = |many: usize| {
        let mut others: Vec<_> = (0..many).map(|at| format!("b{at}")).collect();
        others.extend(["bob", "b0", "b0"].map(str::to_owned));
        let others = others.iter().map(String::as_str);
        check_names(&policy(Subject::User), &identity, others, &Nss)
    };
    assert_eq!(with_names(MAX_NAMES), Ok(()));
    assert!(matches!(
        with_names(MAX_NAMES + 1),
        Err(IdentityError::SystemAlias(_))
    ));
}

#[test]
fn a_failed_lookup_is_not_an_unknown_name() {
    assert!(matches!(
        resolve(Subject::User, b"broken", 0),
        Err(IdentityError::Lookup(_))
    ));
    assert!(matches!(
        resolve(Subject::Caller, b"root", 4000),
        Err(IdentityError::Lookup(_))
    ));
}

#[test]
fn only_methods_that_sshd_verifies_are_accepted() {
    let accepted = |info: &[u8]| SshProof::parse(info, LoginId([1; 4])).is_some();
    assert!(accepted(b"publickey ssh-ed25519 AAAA\n"));
    assert!(accepted(b"keyboard-interactive\npassword\n"));
    assert!(accepted(b"gssapi-with-mic alice@EXAMPLE.ORG"));
    assert!(accepted(
        b"hostbased ssh-rsa AAAA client.example.org alice\n"
    ));
    for refused in [
        &b""[..],
        b"\n",
        b"keyboard-interactive\n",
        b"none publickey\n",
        b"publickeys ssh-rsa\n",
        b" publickey ssh-rsa\n",
        b"PUBLICKEY ssh-rsa\n",
        b"keyboard-interactive publickey",
    ] {
        assert!(!accepted(refused));
    }
}
