//! The search that runs while the password is typed, and changes of the directory during that time.

use super::login::{ASKS, Login, PASSWORD, Seen, known};
use crate::Case;
use lab::Lab;
use lab::pamhost::{Answer, Style, code};
use lab::slapd::Slapd;
use lab::twilio::Sms;
use std::cell::RefCell;
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "module::background::the_search_runs_while_the_password_is_typed",
        the_search_runs_while_the_password_is_typed,
    ),
    (
        "module::background::with_an_existing_first_factor_it_runs_once",
        with_an_existing_first_factor_it_runs_once,
    ),
    (
        "module::background::a_directory_that_restarts_meanwhile_is_connected_again",
        a_directory_that_restarts_meanwhile_is_connected_again,
    ),
    (
        "module::background::a_directory_that_starts_meanwhile_is_used",
        a_directory_that_starts_meanwhile_is_used,
    ),
    (
        "module::background::a_silent_directory_delays_neither_the_prompt_nor_the_end",
        a_silent_directory_delays_neither_the_prompt_nor_the_end,
    ),
];

/// Returns how often a name was searched for.
fn searches(slapd: &Slapd, name: &str) -> usize {
    let wanted = format!("(uid={name})");
    let is_search = |line: &&str| line.contains(" SRCH base=") && line.contains(&wanted);
    slapd.log().lines().filter(is_search).count()
}

fn until(what: &str, is_true: impl Fn() -> bool) {
    let by = Instant::now() + Duration::from_secs(10);
    while !is_true() {
        assert!(Instant::now() < by, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Types password and code, and runs `meanwhile` while the password prompt is open.
fn type_both(login: &Login, mut meanwhile: impl FnMut()) -> Seen {
    let (_, seen) = login.run_with(2, |message| match message.style {
        Style::Hidden => {
            meanwhile();
            PASSWORD.into()
        }
        Style::Shown => login
            .arrived()
            .last()
            .map(Sms::code)
            .expect("an SMS")
            .into(),
        Style::Error | Style::Info => Answer::ConvErr,
    });
    seen
}

fn assert_granted(login: &Login, seen: &Seen) {
    let want = Seen::granted();
    assert_eq!(seen.codes(), want.codes(), "{}", login.case);
    assert_eq!(seen.screen(), want.screen(), "{}", login.case);
}

fn the_search_runs_while_the_password_is_typed(lab: &Lab) {
    let Some(ada) = known(lab, "ahead-ada") else {
        return;
    };
    let slapd = lab.slapd();
    let login = Login::new(lab, "ahead").of(&ada);
    let binds = || slapd.binds(&ada.person.dn());
    let seen = type_both(&login, || {
        until("the search", || searches(slapd, "ahead-ada") == 1);
        assert_eq!(binds(), 0);
    });
    assert_granted(&login, &seen);
    assert_eq!((searches(slapd, "ahead-ada"), binds()), (1, 1));
}

fn with_an_existing_first_factor_it_runs_once(lab: &Lab) {
    let Some(bob) = known(lab, "ahead-bob") else {
        return;
    };
    let slapd = lab.slapd();
    let key = "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA\n";
    let unix = "auth optional pam_unix.so nodelay\nauth required {}\n";
    let login = |arguments| {
        let login = Login::new(lab, "ahead-there").of(&bob);
        login.arguments(arguments)
    };
    for (what, login, prompts, bound) in [
        ("left", login("use_first_pass").stack(unix), 2, 1),
        (
            "ssh",
            login("password=ssh").host(|host| host.pam_env(key)),
            1,
            0,
        ),
        ("stack", login("password=stack"), 1, 0),
    ] {
        let before = (searches(slapd, "ahead-bob"), slapd.binds(&bob.person.dn()));
        let seen = type_both(&login, || {});
        assert_eq!(seen.codes(), [code::SUCCESS], "{what}");
        assert_eq!(seen.screen().len(), prompts, "{what}");
        let after = (searches(slapd, "ahead-bob"), slapd.binds(&bob.person.dn()));
        assert_eq!(after, (before.0 + 1, before.1 + bound), "{what}");
    }
    let none = Seen::at_once(code::AUTH_ERR, "denied reason=no-first-factor");
    let before = searches(slapd, "ahead-bob");
    login("password=ssh").sees("without a key", &[], &none);
    assert_eq!(searches(slapd, "ahead-bob"), before);
}

/// The idle connection has ended: it is replaced, and one bind is sent.
fn a_directory_that_restarts_meanwhile_is_connected_again(lab: &Lab) {
    let Some(cem) = known(lab, "ahead-cem") else {
        return;
    };
    for (what, start_tls) in [("TLS", false), ("StartTLS", true)] {
        let mut slapd = Slapd::start(lab.certs());
        slapd.add(&cem.person);
        let uri = if start_tls {
            slapd.ldap()
        } else {
            slapd.ldaps()
        };
        let login = Login::new(lab, "ahead-restart")
            .of(&cem)
            .set("ldap.uris", &format!("[{uri:?}]"))
            .set("ldap.start_tls", &start_tls.to_string());
        let seen = type_both(&login, || {
            until("the search", || searches(&slapd, "ahead-cem") == 1);
            slapd.restart();
        });
        assert_granted(&login, &seen);
        assert_eq!(searches(&slapd, "ahead-cem"), 2, "{what}");
        assert_eq!(slapd.binds(&cem.person.dn()), 1, "{what}");
    }
}

/// A search that failed before Enter is repeated.
fn a_directory_that_starts_meanwhile_is_used(lab: &Lab) {
    let Some(dot) = known(lab, "ahead-dot") else {
        return;
    };
    let mut slapd = Slapd::start(lab.certs());
    slapd.add(&dot.person);
    let login = Login::new(lab, "ahead-up")
        .of(&dot)
        .set("ldap.uris", &format!("[{:?}]", slapd.ldaps()));
    slapd.stop();
    let seen = type_both(&login, || slapd.restart());
    assert_granted(&login, &seen);
    assert_eq!(slapd.binds(&dot.person.dn()), 1);
}

/// Waits for a connection.
fn accept(listener: &TcpListener) -> TcpStream {
    let stream = RefCell::new(None);
    until("it connects", || {
        *stream.borrow_mut() = listener.accept().ok();
        stream.borrow().is_some()
    });
    stream.into_inner().expect("a connection").0
}

fn a_silent_directory_delays_neither_the_prompt_nor_the_end(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Only root can see which helper belongs to which process.
    }
    let Some(eve) = known(lab, "ahead-eve") else {
        return;
    };
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    silent.set_nonblocking(true).expect("not blocking");
    let port = silent.local_addr().expect("its address").port();
    let login = Login::new(lab, "ahead-silent")
        .of(&eve)
        .own_helper()
        .set("ldap.uris", &format!("[\"ldaps://127.0.0.1:{port}\"]"))
        .text("ldap.timeout", "2s");
    // Keeps the helper's connection open until the end of the case.
    let mut held = None;
    let (_, seen) = login.run_with(1, |message| {
        assert_eq!(message.style, Style::Hidden);
        let mut stream = accept(&silent);
        // The first message of the TLS handshake, and then neither data nor the end: it waits for a
        // response while the prompt is open.
        let mut hello = [0; 4096];
        stream.set_nonblocking(false).expect("blocking");
        assert!(stream.read(&mut hello).is_ok_and(|read| read > 0));
        stream.set_nonblocking(true).expect("not blocking");
        let more = stream.read(&mut hello).map_err(|e| e.kind());
        assert_eq!(more, Err(ErrorKind::WouldBlock));
        held = Some(stream);
        Answer::ConvErr
    });
    let line = "denied reason=cancelled";
    assert_eq!(seen, Seen::new(&[code::CONV_ERR], &[ASKS], &[line], 0));
    assert_eq!(login.helpers(), []);
    // The connection ended with its helper.
    let mut stream = held.expect("a connection");
    stream.set_nonblocking(false).expect("blocking");
    let end = stream.read(&mut [0; 4096]);
    assert!(!end.is_ok_and(|read| read > 0), "an end");
}
