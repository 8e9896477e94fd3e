//! The connection to Twilio that is opened before it is needed.

use super::login::{Login, PASSWORD, Seen, Someone, known, someone};
use crate::Case;
use lab::Lab;
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
        "module::preconnect::only_for_names_of_this_host_and_if_enabled",
        only_for_names_of_this_host_and_if_enabled,
    ),
    (
        "module::preconnect::a_closed_connection_is_replaced_and_the_text_is_sent_once",
        a_closed_connection_is_replaced_and_the_text_is_sent_once,
    ),
    (
        "module::preconnect::a_failed_connection_is_ignored",
        a_failed_connection_is_ignored,
    ),
    (
        "module::preconnect::neither_prompts_nor_the_end_wait_for_it",
        neither_prompts_nor_the_end_wait_for_it,
    ),
];

/// Waits until a condition is true.
fn wait_for(what: &str, is_true: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_true() {
        assert!(Instant::now() < until, "{what}");
        sleep(Duration::from_millis(2));
    }
}

/// Logs in with this fake Twilio; `at_prompt` is called at the password prompt.
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
        Style::Error | Style::Info => Answer::ConvErr,
    });
    assert_eq!(seen, Seen::granted(), "{}", login.case);
}

fn it_is_open_before_the_password_is_typed(lab: &Lab) {
    let Some(ada) = known(lab, "early-ada") else {
        return;
    };
    let twilio = Twilio::start(lab.certs());
    let login = Login::new(lab, "early").of(&ada).through(&twilio);
    logs_in(&login, &twilio, &ada, || {
        wait_for("a connection", || twilio.connections() == (1, 1));
        assert!(twilio.requests().is_empty(), "no request yet");
    });
    // The SMS was sent on it.
    assert_eq!(twilio.connections(), (1, 1));
    assert_eq!(twilio.requests().len(), 1);
}

fn only_for_names_of_this_host_and_if_enabled(lab: &Lab) {
    let unknown = someone(lab, "early-bob");
    let mut rows = vec![("unknown to this host", &unknown, "true")];
    let known = known(lab, "early-cyd");
    if let Some(cyd) = &known {
        rows.push(("preconnect = false", cyd, "false"));
    }
    for (what, who, preconnect) in rows {
        let twilio = Twilio::start(lab.certs());
        let login = Login::new(lab, "early-not")
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

fn a_closed_connection_is_replaced_and_the_text_is_sent_once(lab: &Lab) {
    let Some(dan) = known(lab, "early-dan") else {
        return;
    };
    for how in Disconnect::ALL {
        let twilio = Twilio::start(lab.certs());
        let login = Login::new(lab, "early-end").of(&dan).through(&twilio);
        twilio.disconnect_next(how);
        logs_in(&login, &twilio, &dan, || {
            wait_for("the connection's end", || twilio.disconnected() == 1);
        });
        assert_eq!(twilio.connections(), (2, 2), "{how:?}");
        let connections: Vec<usize> = twilio.requests().iter().map(|r| r.connection).collect();
        assert_eq!(
            connections,
            [2],
            "{how:?}: one request, on the second connection"
        );
    }
}

fn a_failed_connection_is_ignored(lab: &Lab) {
    let Some(eve) = known(lab, "early-eve") else {
        return;
    };
    let twilio = Twilio::down(lab.certs());
    let login = Login::new(lab, "early-down").of(&eve).through(&twilio);
    logs_in(&login, &twilio, &eve, || {
        // A refused connection cannot be observed.
        sleep(Duration::from_millis(200));
        twilio.come_up();
    });
    assert_eq!(twilio.connections(), (1, 1));
    assert_eq!(twilio.requests().len(), 1);
}

fn neither_prompts_nor_the_end_wait_for_it(lab: &Lab) {
    let Some(fay) = known(lab, "early-fay") else {
        return;
    };
    let silent = Listener::start(Behavior::Silent);
    let url = format!("https://127.0.0.1:{}", silent.port());
    let login = Login::new(lab, "early-silent")
        .of(&fay)
        .text("twilio.api_url", &url)
        .own_helper();
    let (_, seen) = login.run_with(1, |_| {
        wait_for("a connection", || silent.accepted() == 1);
        Answer::ConvErr
    });
    let line = "denied reason=cancelled";
    assert_eq!(seen, Seen::refused(code::CONV_ERR, line));
    assert_eq!(login.helpers(), []);
}
