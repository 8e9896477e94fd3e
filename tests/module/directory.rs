//! The directory: how it may be reached, and every way in which it is not.

use super::login::{Login, PASSWORD, Say, Seen, someone};
use crate::Case;
use lab::bench::Bench;
use lab::certs::Identity;
use lab::listeners::{Behavior, Listener, Refused};
use lab::middle::{Fault, Middle};
use lab::pamhost::code;
use lab::slapd::{Person, Slapd};
use lab::twilio::Twilio;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "module::directory::every_protected_way_works",
        every_protected_way_works,
    ),
    (
        "module::directory::anonymous_may_search",
        anonymous_may_search,
    ),
    (
        "module::directory::the_next_uri_is_asked",
        the_next_uri_is_asked,
    ),
    (
        "module::directory::what_is_out_of_reach_is_an_outage",
        what_is_out_of_reach_is_an_outage,
    ),
    (
        "module::directory::what_refuses_us_is_ours_to_repair",
        what_refuses_us_is_ours_to_repair,
    ),
    (
        "module::directory::a_service_account_that_may_not_bind_is_told_in_words",
        a_service_account_that_may_not_bind_is_told_in_words,
    ),
    (
        "module::directory::a_certificate_that_does_not_verify_is_refused",
        a_certificate_that_does_not_verify_is_refused,
    ),
    (
        "module::directory::a_slow_bind_is_not_repeated",
        a_slow_bind_is_not_repeated,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

fn outage() -> Seen {
    let line = "failed user=? stage=directory reason=outage";
    Seen::refused(code::AUTHINFO_UNAVAIL, line)
}

fn refused() -> Seen {
    let line = "failed user=? stage=directory reason=refused";
    Seen::refused(code::SERVICE_ERR, line)
}

fn uris(list: &[&str]) -> String {
    format!("{list:?}")
}

fn every_protected_way_works(bench: &Bench) {
    let joe = someone(bench, "way-joe");
    let slapd = bench.slapd();
    let mut ways = vec![
        ("ldaps", slapd.ldaps(), "false"),
        ("ldap on loopback", slapd.ldap(), "false"),
        ("StartTLS", slapd.ldap(), "true"),
        ("ldapi", slapd.ldapi(), "false"),
    ];
    if let Some(v6) = slapd.ldaps_v6() {
        ways.push(("ldaps over IPv6", v6, "false"));
    }
    for (what, uri, start_tls) in ways {
        let login = Login::new(bench, "way")
            .of(&joe)
            .set("ldap.uris", &uris(&[&uri]))
            .set("ldap.start_tls", start_tls);
        let before = slapd.binds(&joe.person.dn());
        login.sees(what, &IN, &Seen::granted());
        assert_eq!(slapd.binds(&joe.person.dn()) - before, 1, "{what}");
        let wrong = Seen::refused(code::AUTH_ERR, "denied reason=wrong-password");
        login.sees(what, &[Say::Text("wrong")], &wrong);
    }
}

fn anonymous_may_search(bench: &Bench) {
    let number = bench.number();
    let kim = Person::new("open-kim").password(PASSWORD).phone(&number);
    bench.slapd().add(&kim.clone().open());
    let login = |base: &str| {
        Login::new(bench, "open")
            .user("open-kim")
            .number(&number)
            .change(|settings| {
                settings
                    .without("ldap.bind_dn")
                    .without("ldap.bind_password")
            })
            .text("ldap.base", base)
    };
    login(&Slapd::open()).sees("open", &IN, &Seen::granted());
    // Where anonymous may not look, OpenLDAP finds nobody.
    let nobody = "denied user=? reason=no-such-user";
    let unknown = Seen::refused(code::USER_UNKNOWN, nobody);
    login(&Slapd::people()).sees("closed", &IN, &unknown);
}

fn the_next_uri_is_asked(bench: &Bench) {
    let lea = someone(bench, "next-lea");
    let good = bench.slapd().ldaps();
    let dead = Refused::new();
    let dead = format!("ldaps://127.0.0.1:{}", dead.port());
    let garbage = Listener::start(Behavior::Garbage);
    let garbage = format!("ldaps://127.0.0.1:{}", garbage.port());
    let closes = Listener::start(Behavior::Closes);
    let closes = format!("ldaps://127.0.0.1:{}", closes.port());
    let silent = Listener::start(Behavior::Silent);
    let silent = format!("ldaps://127.0.0.1:{}", silent.port());
    for (what, list) in [
        ("closed port", vec![&*dead, &*good]),
        ("three of them", vec![&*dead, &*closes, &*garbage, &*good]),
        ("the good one first", vec![&*good, &*dead]),
    ] {
        let login = Login::new(bench, "next")
            .of(&lea)
            .set("ldap.uris", &uris(&list));
        let before = bench.slapd().binds(&lea.person.dn());
        login.sees(what, &IN, &Seen::granted());
        assert_eq!(bench.slapd().binds(&lea.person.dn()) - before, 1, "{what}");
    }
    let login = Login::new(bench, "next")
        .of(&lea)
        .set("ldap.uris", &uris(&[&silent, &good]))
        .text("ldap.timeout", "1s");
    login.sees("silent", &IN, &Seen::granted());
}

fn what_is_out_of_reach_is_an_outage(bench: &Bench) {
    let max = someone(bench, "reach-max");
    let dead = Refused::new();
    let mut ports = vec![("closed port", dead.port())];
    let listeners = [
        Behavior::Silent,
        Behavior::Closes,
        Behavior::Resets,
        Behavior::Garbage,
        Behavior::Flood,
    ]
    .map(|manner| (manner, Listener::start(manner)));
    let names: Vec<String> = listeners.iter().map(|(m, _)| format!("{m:?}")).collect();
    for (name, (_, listener)) in names.iter().zip(&listeners) {
        ports.push((name, listener.port()));
    }
    for (what, port) in ports {
        for (scheme, start_tls) in [("ldaps", "false"), ("ldap", "true"), ("ldap", "false")] {
            let uri = format!("{scheme}://127.0.0.1:{port}");
            let login = Login::new(bench, "reach")
                .of(&max)
                .set("ldap.uris", &uris(&[&uri]))
                .set("ldap.start_tls", start_tls)
                .text("ldap.timeout", "500ms");
            let what = format!("{what} {scheme} {start_tls}");
            let seen = login.sees(&what, &IN, &outage());
            let (_, took) = seen.results[0];
            assert!(took < Duration::from_secs(5), "{what}: {took:?}");
        }
    }
    let login = Login::new(bench, "reach")
        .of(&max)
        .text("ldap.timeout", "500ms")
        .set("ldap.uris", &uris(&["ldapi://%2Fnowhere%2Fldapi"]));
    login.sees("no socket", &IN, &outage());
    let login = Login::new(bench, "reach")
        .of(&max)
        .set("ldap.uris", &uris(&["ldaps://directory.invalid"]));
    login.sees("no such host", &IN, &outage());
    assert_eq!(bench.slapd().binds(&max.person.dn()), 0);
}

fn what_refuses_us_is_ours_to_repair(bench: &Bench) {
    let ned = someone(bench, "ours-ned");
    let login = || Login::new(bench, "ours").of(&ned);
    let rows = [
        (
            "wrong password of the service account",
            login().text("ldap.bind_password", "wrong"),
        ),
        (
            "no such service account",
            login().text("ldap.bind_dn", "cn=nobody,dc=example,dc=org"),
        ),
        ("no DN", login().text("ldap.bind_dn", "who?")),
        (
            "no such base",
            login().text("ldap.base", "ou=nowhere,dc=example,dc=org"),
        ),
        (
            "another tree",
            login().text("ldap.base", "dc=example,dc=net"),
        ),
    ];
    for (what, login) in rows {
        login.sees(what, &IN, &refused());
    }
    assert_eq!(bench.slapd().binds(&ned.person.dn()), 0);
}

/// By a real server's password policy, and by what Active Directory says.
fn a_service_account_that_may_not_bind_is_told_in_words(bench: &Bench) {
    let who = someone(bench, "service-may");
    let slapd = Slapd::start(bench.certs());
    slapd.add(&who.person);
    slapd.replace_of_the_service_account("pwdChangedTime", &["20200101000000Z"]);
    let expired = format!("cn=expired,ou=policies,{}", lab::slapd::SUFFIX);
    let says = |login: Login, words: [&str; 2]| {
        login.sees(words[0], &IN, &refused());
        let detail = login.newest_field("detail");
        for words in words {
            assert!(detail.contains(words), "{detail}");
        }
    };
    for (attribute, value, words) in [
        (
            "pwdPolicySubentry",
            &*expired,
            ["the password has expired", "exempt the account"],
        ),
        (
            "pwdReset",
            "TRUE",
            ["the password must be changed", "once as that account"],
        ),
        (
            "pwdAccountLockedTime",
            "000001010000Z",
            ["the account is locked", "Unlock the account"],
        ),
    ] {
        slapd.replace_of_the_service_account(attribute, &[value]);
        let login = Login::new(bench, "service")
            .of(&who)
            .set("ldap.uris", &uris(&[&slapd.ldaps()]));
        says(login, words);
        slapd.replace_of_the_service_account(attribute, &[]);
    }
    let ad = |data: &str| {
        let text = "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data ";
        format!("{text}{data}, v4563\0")
    };
    for (code, text, words) in [
        (
            49,
            ad("533"),
            ["the account is disabled", "Enable the account"],
        ),
        (
            49,
            ad("773"),
            ["the password must be changed", "bind_dn once"],
        ),
        (
            8,
            "BindSimple: Transport encryption required.".to_owned(),
            ["the server requires TLS", "start_tls = true"],
        ),
        (
            13,
            String::new(),
            ["the server requires TLS", "start_tls = true"],
        ),
    ] {
        let server = Middle::in_the_clear(
            port(&bench.slapd().ldap()),
            1,
            Fault::Says(bind_response(code, &text)),
        );
        let uri = format!("ldap://{}", server.address());
        let login = Login::new(bench, "service").of(&who);
        says(login.set("ldap.uris", &uris(&[&uri])), words);
    }
    assert_eq!(slapd.binds(&who.person.dn()), 0);
}

/// The answer to message 1, a bind.
fn bind_response(code: u8, text: &str) -> Vec<u8> {
    let length = |bytes: usize| u8::try_from(bytes).expect("a short text");
    let mut result = vec![0x0a, 1, code, 0x04, 0, 0x04, length(text.len())];
    result.extend(text.as_bytes());
    let mut message = vec![2, 1, 1, 0x61, length(result.len())];
    message.extend(result);
    let mut whole = vec![0x30, 0x81, length(message.len())];
    whole.extend(message);
    whole
}

fn a_certificate_that_does_not_verify_is_refused(bench: &Bench) {
    let oda = someone(bench, "certs-oda");
    for identity in Identity::ALL {
        if identity == Identity::Good {
            continue;
        }
        // Any server of TLS shows its certificate before a word of LDAP.
        let server = Twilio::start_as(bench.certs(), identity);
        let uri = format!("ldaps://127.0.0.1:{}", server.port());
        let login = Login::new(bench, "certs")
            .of(&oda)
            .set("ldap.uris", &uris(&[&uri]));
        login.sees(&format!("{identity:?}"), &IN, &refused());
        assert_eq!(server.connections().1, 0, "{identity:?}");
    }
    let other = Login::new(bench, "certs")
        .of(&oda)
        .change(|settings| settings.without("ldap.ca_file"));
    other.sees("our CA is not the system's", &IN, &refused());
    assert_eq!(bench.slapd().binds(&oda.person.dn()), 0);

    let strange = Slapd::start_as(bench.certs(), Identity::WrongName);
    strange.add(&oda.person);
    for (uri, start_tls) in [(strange.ldaps(), "false"), (strange.ldap(), "true")] {
        let login = Login::new(bench, "certs")
            .of(&oda)
            .set("ldap.uris", &uris(&[&uri]))
            .set("ldap.start_tls", start_tls);
        login.sees(&uri, &IN, &refused());
    }
    assert_eq!(
        strange.binds(Slapd::BIND_DN),
        0,
        "our password was not shown"
    );
}

fn a_slow_bind_is_not_repeated(bench: &Bench) {
    let number = bench.number();
    let slow = Person::new("slow-pia").bind_takes(3, 0).phone(&number);
    bench.slapd().add(&slow);
    let login = Login::new(bench, "slow")
        .user("slow-pia")
        .number(&number)
        .set(
            "ldap.uris",
            &uris(&[&bench.slapd().ldaps(), &bench.slapd().ldap()]),
        )
        .text("ldap.timeout", "1s");
    let line = "failed stage=directory reason=outage";
    let seen = login.sees("late", &IN, &Seen::refused(code::AUTHINFO_UNAVAIL, line));
    assert!(seen.results[0].1 < Duration::from_secs(3));
    assert_eq!(bench.slapd().binds(&slow.dn()), 1);
}

/// The port of an address in settings.
fn port(uri: &str) -> u16 {
    let port = uri.rsplit(':').next().expect("a port");
    port.parse().expect("a number")
}
