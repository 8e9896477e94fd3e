//! Twilio's connection, open before it is needed.

use super::login::{Login, PASSWORD, Seen, Someone, known, someone};
use crate::Case;
use lab::bench::Bench;
use lab::listeners::{Behavior, Listener};
use lab::pamhost::{Answer, Style, code};
use lab::twilio::{Disconnect, Twilio};
use std::cell::Cell;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "module::preconnect::it_is_open_before_the_password_is_typed",
        it_is_open_before_the_password_is_typed,
    ),
    (
        "module::preconnect::for_names_that_this_host_knows_and_unless_told_not_to",
        for_names_that_this_host_knows_and_unless_told_not_to,
    ),
    (
        "module::preconnect::one_that_ended_meanwhile_is_replaced_and_sends_once",
        one_that_ended_meanwhile_is_replaced_and_sends_once,
    ),
    (
        "module::preconnect::one_that_failed_costs_nothing",
        one_that_failed_costs_nothing,
    ),
    (
        "module::preconnect::no_prompt_and_no_end_waits_for_it",
        no_prompt_and_no_end_waits_for_it,
    ),
];

/// Waits for something that is about to happen.
fn wait_for(what: &str, happened: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < until, "{what}");
        sleep(Duration::from_millis(2));
    }
}

/// Logs in by a stand-in of his own; at the password prompt something happens first.
fn logs_in(login: &Login<'_>, twilio: &Twilio, who: &Someone, at_prompt: impl Fn()) {
    let (_, seen) = login.run_with(2, |message| match message.style {
        Style::Hidden => {
            at_prompt();
            PASSWORD.into()
        }
        Style::Shown => {
            let sms = twilio.wait_for_sms(&who.number, Duration::from_secs(5));
            sms.code().into()
        }
        Style::Error | Style::Info => Answer::HangUp,
    });
    assert_eq!(seen, Seen::granted(), "{}", login.case);
}

fn it_is_open_before_the_password_is_typed(bench: &Bench) {
    let Some(ada) = known(bench, "early-ada") else {
        return;
    };
    let twilio = Twilio::start(bench.certs());
    let login = Login::new(bench, "early").of(&ada).through(&twilio);
    logs_in(&login, &twilio, &ada, || {
        wait_for("a connection", || twilio.connections() == (1, 1));
        assert!(twilio.requests().is_empty(), "nothing is asked yet");
    });
    // The SMS went out on it.
    assert_eq!(twilio.connections(), (1, 1));
    assert_eq!(twilio.requests().len(), 1);
}

fn for_names_that_this_host_knows_and_unless_told_not_to(bench: &Bench) {
    let stranger = someone(bench, "early-bob");
    let mut rows = vec![("unknown to this host", &stranger, "true")];
    let known = known(bench, "early-cyd");
    if let Some(cyd) = &known {
        rows.push(("preconnect = false", cyd, "false"));
    }
    for (what, who, preconnect) in rows {
        let twilio = Twilio::start(bench.certs());
        let login = Login::new(bench, "early-not")
            .of(who)
            .through(&twilio)
            .set("twilio.preconnect", preconnect);
        let typed = Cell::new(Instant::now());
        logs_in(&login, &twilio, who, || {
            sleep(Duration::from_millis(200));
            typed.set(Instant::now());
        });
        let opened = twilio.opened();
        assert_eq!(opened.len(), 1, "{what}");
        assert!(opened[0] > typed.get(), "{what}");
    }
}

fn one_that_ended_meanwhile_is_replaced_and_sends_once(bench: &Bench) {
    let Some(dan) = known(bench, "early-dan") else {
        return;
    };
    for how in Disconnect::ALL {
        let twilio = Twilio::start(bench.certs());
        let login = Login::new(bench, "early-end").of(&dan).through(&twilio);
        twilio.disconnect_next(how);
        logs_in(&login, &twilio, &dan, || {
            wait_for("the connection's end", || twilio.disconnected() == 1);
        });
        assert_eq!(twilio.connections(), (2, 2), "{how:?}");
        let asked: Vec<usize> = twilio.requests().iter().map(|r| r.connection).collect();
        assert_eq!(asked, [2], "{how:?}: asked once, on the second connection");
    }
}

fn one_that_failed_costs_nothing(bench: &Bench) {
    let Some(eve) = known(bench, "early-eve") else {
        return;
    };
    let twilio = Twilio::down(bench.certs());
    let login = Login::new(bench, "early-down").of(&eve).through(&twilio);
    logs_in(&login, &twilio, &eve, || {
        // Nobody sees a connection that is refused.
        sleep(Duration::from_millis(200));
        twilio.come_up();
    });
    assert_eq!(twilio.connections(), (1, 1));
    assert_eq!(twilio.requests().len(), 1);
}

fn no_prompt_and_no_end_waits_for_it(bench: &Bench) {
    let Some(fay) = known(bench, "early-fay") else {
        return;
    };
    let silent = Listener::start(Behavior::Silent);
    let url = format!("https://127.0.0.1:{}", silent.port());
    let login = Login::new(bench, "early-silent")
        .of(&fay)
        .text("twilio.api_url", &url)
        .own_helper();
    let (_, seen) = login.run_with(1, |_| {
        wait_for("a connection", || silent.accepted() == 1);
        Answer::HangUp
    });
    let line = "denied reason=cancelled";
    assert_eq!(seen, Seen::refused(code::CONV_ERR, line));
    assert_eq!(login.helpers(), []);
}
