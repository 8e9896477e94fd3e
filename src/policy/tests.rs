//! Who may be asked for, and whose other names are refused.
#![forbid(unsafe_code)]

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
