//! The directory has the properties that the cases need, checked with OpenLDAP's own tools.
use super::*;
use std::process::Output;
use std::time::Instant;

fn tool(certs: &Certs, name: &str, arguments: &[&str]) -> Output {
    Command::new(program(name))
        .env("LDAPTLS_CACERT", certs.ca())
        .args(["-x", "-o", "nettimeout=5"])
        .args(arguments)
        .output()
        .unwrap()
}

/// Binds as this user with `-e ppolicy`; the exit code is the LDAP result code.
fn bind(certs: &Certs, slapd: &Slapd, user: &LdapUser, password: &str) -> (Option<i32>, String) {
    let (url, dn) = (slapd.ldaps(), user.dn());
    let output = tool(
        certs,
        "ldapwhoami",
        &["-e", "ppolicy", "-H", &url, "-D", &dn, "-w", password],
    );
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn binds_searches_policies_and_scripted_answers() {
    let certs = Certs::new();
    let mut slapd = Slapd::start(&certs);
    let alice = LdapUser::new("alice")
        .password("right horse")
        .phone("+44 7700 900001");
    slapd.add(&alice);
    assert_eq!(bind(&certs, &slapd, &alice, "right horse").0, Some(0));
    assert_eq!(bind(&certs, &slapd, &alice, "wrong").0, Some(49));
    assert_eq!(slapd.binds(&alice.dn()), 2);

    let people = Slapd::people();
    let service = [
        "-D",
        Slapd::BIND_DN,
        "-w",
        Slapd::BIND_PASSWORD,
        "-b",
        &people,
    ];
    let mut urls = vec![vec!["-H".to_owned(), slapd.ldaps()]];
    urls.push(vec!["-H".to_owned(), slapd.ldap(), "-ZZ".to_owned()]);
    urls.extend(slapd.ldaps_v6().map(|url| vec!["-H".to_owned(), url]));
    for url in urls {
        let mut arguments: Vec<&str> = url.iter().map(String::as_str).collect();
        arguments.extend(service);
        arguments.extend(["-LLL", "(uid=alice)"]);
        let found = tool(&certs, "ldapsearch", &arguments);
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        assert!(
            found.contains("phoneNumberVerified: TRUE"),
            "{url:?}: {found}"
        );
        assert!(
            found.contains("mobile: +44 7700 900001"),
            "{url:?}: {found}"
        );
        assert!(!found.contains("userPassword"), "{url:?}: {found}");
    }

    slapd.add(
        &LdapUser::new("open")
            .password("x")
            .phone("+447700900002")
            .open(),
    );
    let (url, open) = (slapd.ldaps(), Slapd::open());
    let search = |base: &str| tool(&certs, "ldapsearch", &["-H", &url, "-LLL", "-b", base]);
    assert!(String::from_utf8_lossy(&search(&open).stdout).contains("+447700900002"));
    assert!(!String::from_utf8_lossy(&search(&people).stdout).contains("alice"));

    let rows = [
        (LdapUser::new("old").expired(), 49, "expired"),
        (LdapUser::new("grace").grace(), 0, "2 grace logins remain"),
        (LdapUser::new("reset").must_change(), 0, "must be changed"),
        (LdapUser::new("locked").locked(), 49, "locked"),
        (LdapUser::new("busy").bind_result(51, "later"), 51, "later"),
        (LdapUser::new("unwilling").bind_result(53, ""), 53, ""),
        (
            LdapUser::new("ad").bind_result(49, "80090308: data 775, v4563"),
            49,
            "data 775",
        ),
    ];
    for (user, code, text) in rows {
        let user = user.password("right horse");
        slapd.add(&user);
        let (found, output) = bind(&certs, &slapd, &user, "right horse");
        assert_eq!(found, Some(code), "{}: {output}", user.uid());
        assert!(
            output.to_lowercase().contains(text),
            "{}: {output}",
            user.uid()
        );
    }

    assert_eq!(
        bind(&certs, &slapd, &LdapUser::new("unknown"), "x").0,
        Some(49)
    );
    let slow = LdapUser::new("slow")
        .password("right horse")
        .bind_delay(1, 52);
    slapd.add(&slow);
    let start = Instant::now();
    assert_eq!(bind(&certs, &slapd, &slow, "right horse").0, Some(52));
    assert!(start.elapsed() >= Duration::from_secs(1));
    let mut arguments = vec!["-H", &url, "-LLL"];
    arguments.extend(service);
    arguments.push("(&(objectClass=person)(uid=busy))");
    let found = tool(&certs, "ldapsearch", &arguments);
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(
        found.contains("dn: uid=busy,ou=scripted,ou=people"),
        "{found}"
    );

    slapd.replace(&alice, "phoneNumberVerified", &["TRUE", "FALSE"]);
    slapd.replace(&alice, "mobile", &[]);
    slapd.remove(&alice);
    assert_eq!(bind(&certs, &slapd, &alice, "right horse").0, Some(49));
    slapd.stop();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, slapd.tls_port)).is_err());
}

#[test]
fn netscape_controls_can_be_enabled() {
    let certs = Certs::new();
    let slapd = Slapd::start_netscape(&certs);
    let reset = LdapUser::new("reset").password("right horse").must_change();
    slapd.add(&reset);
    assert_eq!(bind(&certs, &slapd, &reset, "right horse").0, Some(0));
}

/// `pwdChangedTime` of slapo-ppolicy(5): a new entry has none here, the first change of the password sets it.
#[test]
fn the_time_of_a_password_change_is_returned_if_requested() {
    let certs = Certs::new();
    let slapd = Slapd::start(&certs);
    let alice = LdapUser::new("alice").password("right horse");
    slapd.add(&alice);
    let (url, people) = (slapd.ldaps(), Slapd::people());
    let asked = |attribute| {
        let service = ["-D", Slapd::BIND_DN, "-w", Slapd::BIND_PASSWORD];
        let search = ["-b", &people, "-LLL", "(uid=alice)", attribute];
        let arguments = [&["-H", &url], &service[..], &search].concat();
        let found = tool(&certs, "ldapsearch", &arguments);
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        assert!(found.contains("dn: uid=alice"), "{found}");
        found.contains("pwdChangedTime: ")
    };
    assert!(!asked("pwdChangedTime"));
    slapd.replace(&alice, "userPassword", &["another horse"]);
    assert!(asked("pwdChangedTime"));
    assert!(!asked("*"));
}

#[test]
fn names_and_values_may_contain_any_bytes() {
    let certs = Certs::new();
    let slapd = Slapd::start(&certs);
    let odd = LdapUser::new("o'neil, (*) \\ é")
        .password("pässwörd \u{1f511}")
        .verified_text("42");
    slapd.add(&odd);
    assert_eq!(bind(&certs, &slapd, &odd, "pässwörd \u{1f511}").0, Some(0));
}

#[test]
fn hostile_certificates_are_refused_by_a_real_client() {
    let certs = Certs::new();
    let slapd = Slapd::start_as(&certs, Identity::WrongName);
    let alice = LdapUser::new("alice").password("right horse");
    slapd.add(&alice);
    assert_eq!(bind(&certs, &slapd, &alice, "right horse").0, Some(255));
}
