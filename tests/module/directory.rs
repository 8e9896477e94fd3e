//! Connections to the directory, and all the ways in which they fail.

use super::login::{Login, PASSWORD, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::certs::Identity;
use lab::fault_proxy::{Fault, FaultProxy};
use lab::listeners::{Behavior, Listener, Refused};
use lab::pamhost::code;
use lab::slapd::{LdapUser, Slapd};
use lab::twilio::Twilio;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "module::directory::each_secure_transport_works",
        each_secure_transport_works,
    ),
    (
        "module::directory::an_anonymous_search_works",
        an_anonymous_search_works,
    ),
    (
        "module::directory::the_next_uri_is_asked",
        the_next_uri_is_asked,
    ),
    (
        "module::directory::an_unreachable_directory_is_an_outage",
        an_unreachable_directory_is_an_outage,
    ),
    (
        "module::directory::a_refused_service_account_or_base_is_not_an_outage",
        a_refused_service_account_or_base_is_not_an_outage,
    ),
    (
        "module::directory::the_log_names_why_the_service_account_cannot_bind",
        the_log_names_why_the_service_account_cannot_bind,
    ),
    (
        "module::directory::an_invalid_certificate_is_refused",
        an_invalid_certificate_is_refused,
    ),
    (
        "module::directory::a_slow_bind_is_not_repeated",
        a_slow_bind_is_not_repeated,
    ),
];

const RIGHT: [Say; 2] = [Say::Password, Say::Code];

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

fn each_secure_transport_works(lab: &Lab) {
    let joe = someone(lab, "way-joe");
    let slapd = lab.slapd();
    let mut transports = vec![
        ("ldaps", slapd.ldaps(), "false"),
        ("ldap on loopback", slapd.ldap(), "false"),
        ("StartTLS", slapd.ldap(), "true"),
        ("ldapi", slapd.ldapi(), "false"),
    ];
    if let Some(v6) = slapd.ldaps_v6() {
        transports.push(("ldaps over IPv6", v6, "false"));
    }
    for (what, uri, start_tls) in transports {
        let login = Login::new(lab, "way")
            .of(&joe)
            .set("ldap.uris", &uris(&[&uri]))
            .set("ldap.start_tls", start_tls);
        let before = slapd.binds(&joe.person.dn());
        login.sees(what, &RIGHT, &Seen::granted());
        assert_eq!(slapd.binds(&joe.person.dn()) - before, 1, "{what}");
        let wrong = Seen::refused(code::AUTH_ERR, "denied reason=wrong-password");
        login.sees(what, &[Say::Text("wrong")], &wrong);
    }
}

fn an_anonymous_search_works(lab: &Lab) {
    let number = lab.number();
    let kim = LdapUser::new("open-kim").password(PASSWORD).phone(&number);
    lab.slapd().add(&kim.clone().open());
    let login = |base: &str| {
        Login::new(lab, "open")
            .user("open-kim")
            .number(&number)
            .change(|settings| {
                settings
                    .without("ldap.bind_dn")
                    .without("ldap.bind_password")
            })
            .text("ldap.base", base)
    };
    login(&Slapd::open()).sees("open", &RIGHT, &Seen::granted());
    // Where anonymous users may not search, OpenLDAP finds no entry.
    let line = "denied user=? reason=no-such-user";
    let unknown = Seen::refused(code::USER_UNKNOWN, line);
    login(&Slapd::people()).sees("closed", &RIGHT, &unknown);
}

fn the_next_uri_is_asked(lab: &Lab) {
    let lea = someone(lab, "next-lea");
    let good = lab.slapd().ldaps();
    let refusing = Refused::new();
    let refusing = format!("ldaps://127.0.0.1:{}", refusing.port());
    let garbage = Listener::start(Behavior::Garbage);
    let garbage = format!("ldaps://127.0.0.1:{}", garbage.port());
    let closes = Listener::start(Behavior::Closes);
    let closes = format!("ldaps://127.0.0.1:{}", closes.port());
    let silent = Listener::start(Behavior::Silent);
    let silent = format!("ldaps://127.0.0.1:{}", silent.port());
    for (what, list) in [
        ("closed port", vec![&*refusing, &*good]),
        (
            "three of them",
            vec![&*refusing, &*closes, &*garbage, &*good],
        ),
        ("the good one first", vec![&*good, &*refusing]),
    ] {
        let login = Login::new(lab, "next")
            .of(&lea)
            .set("ldap.uris", &uris(&list));
        let before = lab.slapd().binds(&lea.person.dn());
        login.sees(what, &RIGHT, &Seen::granted());
        assert_eq!(lab.slapd().binds(&lea.person.dn()) - before, 1, "{what}");
    }
    let login = Login::new(lab, "next")
        .of(&lea)
        .set("ldap.uris", &uris(&[&silent, &good]))
        .text("ldap.timeout", "1s");
    login.sees("silent", &RIGHT, &Seen::granted());
}

fn an_unreachable_directory_is_an_outage(lab: &Lab) {
    let max = someone(lab, "reach-max");
    let refusing = Refused::new();
    let mut ports = vec![("closed port", refusing.port())];
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
            let login = Login::new(lab, "reach")
                .of(&max)
                .set("ldap.uris", &uris(&[&uri]))
                .set("ldap.start_tls", start_tls)
                .text("ldap.timeout", "500ms");
            let what = format!("{what} {scheme} {start_tls}");
            let seen = login.sees(&what, &RIGHT, &outage());
            let (_, took) = seen.results[0];
            assert!(took < Duration::from_secs(5), "{what}: {took:?}");
        }
    }
    let login = Login::new(lab, "reach")
        .of(&max)
        .text("ldap.timeout", "500ms")
        .set("ldap.uris", &uris(&["ldapi://%2Fnowhere%2Fldapi"]));
    login.sees("no socket", &RIGHT, &outage());
    let login = Login::new(lab, "reach")
        .of(&max)
        .set("ldap.uris", &uris(&["ldaps://directory.invalid"]));
    login.sees("no such host", &RIGHT, &outage());
    assert_eq!(lab.slapd().binds(&max.person.dn()), 0);
}

fn a_refused_service_account_or_base_is_not_an_outage(lab: &Lab) {
    let ned = someone(lab, "ours-ned");
    let login = || Login::new(lab, "ours").of(&ned);
    let rows = [
        (
            "wrong password of the service account",
            login().text("ldap.bind_password", "wrong"),
        ),
        (
            "no such service account",
            login().text("ldap.bind_dn", "cn=unknown,dc=example,dc=org"),
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
        login.sees(what, &RIGHT, &refused());
    }
    assert_eq!(lab.slapd().binds(&ned.person.dn()), 0);
}

/// By the password policy of a real server, and by the texts of Active Directory.
fn the_log_names_why_the_service_account_cannot_bind(lab: &Lab) {
    let who = someone(lab, "service-may");
    let slapd = Slapd::start(lab.certs());
    slapd.add(&who.person);
    slapd.replace_of_the_service_account("pwdChangedTime", &["20200101000000Z"]);
    let expired = format!("cn=expired,ou=policies,{}", lab::slapd::SUFFIX);
    let check = |login: Login, parts: [&str; 2]| {
        login.sees(parts[0], &RIGHT, &refused());
        let detail = login.newest_field("detail");
        for part in parts {
            assert!(detail.contains(part), "{detail}");
        }
    };
    for (attribute, value, parts) in [
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
        let login = Login::new(lab, "service")
            .of(&who)
            .set("ldap.uris", &uris(&[&slapd.ldaps()]));
        check(login, parts);
        slapd.replace_of_the_service_account(attribute, &[]);
    }
    let ad = |data: &str| {
        let text = "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data ";
        format!("{text}{data}, v4563\0")
    };
    for (code, text, parts) in [
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
        let server = FaultProxy::plain_ldap(
            port(&lab.slapd().ldap()),
            1,
            Fault::Reply(bind_response(code, &text)),
        );
        let uri = format!("ldap://{}", server.address());
        let login = Login::new(lab, "service").of(&who);
        check(login.set("ldap.uris", &uris(&[&uri])), parts);
    }
    assert_eq!(slapd.binds(&who.person.dn()), 0);
}

/// Encodes the response to message 1, a bind.
fn bind_response(code: u8, text: &str) -> Vec<u8> {
    let length = |bytes: usize| u8::try_from(bytes).expect("a short text");
    let mut result = vec![0x0a, 1, code, 0x04, 0, 0x04, length(text.len())];
    result.extend(text.as_bytes());
    let mut message = vec![2, 1, 1, 0x61, length(result.len())];
    message.extend(result);
    let mut encoded = vec![0x30, 0x81, length(message.len())];
    encoded.extend(message);
    encoded
}

fn an_invalid_certificate_is_refused(lab: &Lab) {
    let oda = someone(lab, "certs-oda");
    for identity in Identity::ALL {
        if identity == Identity::Good {
            continue;
        }
        // Any server of TLS shows its certificate before a word of LDAP.
        let server = Twilio::start_as(lab.certs(), identity);
        let uri = format!("ldaps://127.0.0.1:{}", server.port());
        let login = Login::new(lab, "certs")
            .of(&oda)
            .set("ldap.uris", &uris(&[&uri]));
        login.sees(&format!("{identity:?}"), &RIGHT, &refused());
        assert_eq!(server.connections().1, 0, "{identity:?}");
    }
    let other = Login::new(lab, "certs")
        .of(&oda)
        .change(|settings| settings.without("ldap.ca_file"));
    other.sees("our CA is not the system's", &RIGHT, &refused());
    assert_eq!(lab.slapd().binds(&oda.person.dn()), 0);

    let other_name = Slapd::start_as(lab.certs(), Identity::WrongName);
    other_name.add(&oda.person);
    for (uri, start_tls) in [(other_name.ldaps(), "false"), (other_name.ldap(), "true")] {
        let login = Login::new(lab, "certs")
            .of(&oda)
            .set("ldap.uris", &uris(&[&uri]))
            .set("ldap.start_tls", start_tls);
        login.sees(&uri, &RIGHT, &refused());
    }
    assert_eq!(
        other_name.binds(Slapd::BIND_DN),
        0,
        "the password of the service account was not sent"
    );
}

fn a_slow_bind_is_not_repeated(lab: &Lab) {
    let number = lab.number();
    let slow = LdapUser::new("slow-pia").bind_delay(3, 0).phone(&number);
    lab.slapd().add(&slow);
    let login = Login::new(lab, "slow")
        .user("slow-pia")
        .number(&number)
        .set(
            "ldap.uris",
            &uris(&[&lab.slapd().ldaps(), &lab.slapd().ldap()]),
        )
        .text("ldap.timeout", "1s");
    let line = "failed stage=directory reason=outage";
    let seen = login.sees("late", &RIGHT, &Seen::refused(code::AUTHINFO_UNAVAIL, line));
    assert!(seen.results[0].1 < Duration::from_secs(3));
    assert_eq!(lab.slapd().binds(&slow.dn()), 1);
}

/// The port of an address in settings.
fn port(uri: &str) -> u16 {
    let port = uri.rsplit(':').next().expect("a port");
    port.parse().expect("a number")
}
