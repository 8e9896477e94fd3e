//! Twilio: the result of each response, and its requests.

use super::login::{ASKS, BAD_NUMBER, Login, NOT_SENT, SENT, STOPPED, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::certs::Identity;
use lab::listeners::{Behavior, Listener, Refused};
use lab::pamhost::code;
use lab::twilio::cases::{self, RetryAfter, TABLE};
use lab::twilio::{Case as Response, Twilio};
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "module::carrier::each_response_has_its_result",
        each_response_has_its_result,
    ),
    (
        "module::carrier::retry_after_is_waited_for_within_the_deadline",
        retry_after_is_waited_for_within_the_deadline,
    ),
    (
        "module::carrier::an_unreachable_server_is_an_outage",
        an_unreachable_server_is_an_outage,
    ),
    (
        "module::carrier::a_certificate_that_does_not_verify_is_refused",
        a_certificate_that_does_not_verify_is_refused,
    ),
    (
        "module::carrier::token_and_api_key_authenticate",
        token_and_api_key_authenticate,
    ),
    (
        "module::carrier::wrong_account_settings_are_refused",
        wrong_account_settings_are_refused,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

/// The result of a row of the fake Twilio's table.
enum Outcome {
    /// The SMS was sent, and its identifier is unknown.
    SentUnread,
    /// PAM code, reason, Twilio's error code.
    Fails(i32, &'static str, Option<u32>),
}
use Outcome::{Fails, SentUnread};

const fn number(error: u32) -> Outcome {
    Fails(code::MAXTRIES, "number-refused", Some(error))
}

const fn account(error: u32) -> Outcome {
    Fails(code::SERVICE_ERR, "refused", Some(error))
}

const ACCOUNT: Outcome = Fails(code::SERVICE_ERR, "refused", None);
const LIMITED: Outcome = Fails(code::MAXTRIES, "limited", Some(20429));
const OUTAGE: Outcome = Fails(code::AUTHINFO_UNAVAIL, "outage", None);

#[rustfmt::skip]
const OUTCOMES: &[(u8, Outcome)] = &[
    (1, account(20003)), (2, account(20404)), (3, account(20005)),
    // The deadline of these logins is shorter than the Retry-After of 5, 6 and 7.
    (4, LIMITED), (5, LIMITED), (6, LIMITED), (7, LIMITED), (8, LIMITED),
    (9, account(20003)), (10, number(21635)),
    (11, number(21211)), (12, account(21212)), (13, number(21408)), (14, account(21606)),
    (15, number(21608)), (16, number(21610)), (17, number(21612)), (18, number(21614)),
    (19, account(21617)), (20, account(21703)), (21, account(30034)), (22, account(30450)),
    (23, account(99_999)), (24, ACCOUNT), (25, number(21211)), (26, number(21211)), (27, ACCOUNT),
    (28, ACCOUNT), (29, ACCOUNT),
    (30, account(30034)), (31, account(30450)), (32, number(21610)), (33, ACCOUNT),
    (34, SentUnread), (35, SentUnread), (36, SentUnread), (37, SentUnread), (38, SentUnread),
    (39, SentUnread),
    (60, Fails(code::AUTHINFO_UNAVAIL, "outage", Some(20500))), (61, OUTAGE), (62, OUTAGE),
    (63, OUTAGE), (64, ACCOUNT), (65, ACCOUNT), (66, ACCOUNT), (67, ACCOUNT), (68, OUTAGE), (69, OUTAGE),
    (70, ACCOUNT),
    (71, SentUnread), (72, ACCOUNT), (73, SentUnread), (74, OUTAGE), (75, OUTAGE), (76, OUTAGE),
    (77, OUTAGE), (78, OUTAGE), (79, OUTAGE), (80, OUTAGE),
];

fn fails(pam: i32, reason: &str, error: Option<u32>, arrived: usize) -> Seen {
    let text = match (reason, error) {
        ("number-refused", Some(21610)) => STOPPED,
        ("number-refused", _) => BAD_NUMBER,
        _ => NOT_SENT,
    };
    let error = error.map_or(String::new(), |error| format!(" error={error}"));
    let line = format!("failed stage=twilio reason={reason}{error}");
    Seen::new(&[pam], &[ASKS, text], &[&line], arrived)
}

fn each_response_has_its_result(lab: &Lab) {
    let rows: Vec<u8> = TABLE.iter().map(|row| row.0).collect();
    let known: Vec<u8> = OUTCOMES.iter().map(|row| row.0).collect();
    assert_eq!(rows, known, "each row has an outcome");
    for ((digits, what, response), (_, outcome)) in TABLE.iter().zip(OUTCOMES) {
        let user = lab::slapd::LdapUser::new(&format!("answer-{digits}"))
            .password(super::login::PASSWORD)
            .phone(&cases::number(*digits));
        lab.slapd().add(&user);
        let login = Login::new(lab, "answer")
            .user(user.uid())
            .number(&cases::number(*digits))
            .text("deadline", "6s")
            .text("twilio.timeout", "2s");
        let unread = ["sent sid=?", "granted"];
        let want = match outcome {
            SentUnread => Seen::new(&[code::SUCCESS], &[ASKS, SENT], &unread, 1),
            Fails(pam, reason, error) => {
                fails(*pam, reason, *error, usize::from(response.delivers()))
            }
        };
        let seen = login.sees(what, &IN, &want);
        let (_, took) = seen.results[0];
        assert!(took < Duration::from_secs(6), "{what}: {took:?}");
        assert_eq!(login.requests(), 1, "{what}: one request");
    }
}

fn retry_after_is_waited_for_within_the_deadline(lab: &Lab) {
    let busy = |retry| Response::Busy(retry);
    let soon = busy(RetryAfter::Text("1"));
    let limited = fails(code::MAXTRIES, "limited", Some(20429), 0);
    // Twilio's responses in order, the result, and the number of requests.
    let rows: [(&str, &[Response], Seen, usize); 6] = [
        ("a second", &[soon, Response::Sent], Seen::granted(), 2),
        (
            "a date",
            &[busy(RetryAfter::Date(2)), Response::Sent],
            Seen::granted(),
            2,
        ),
        (
            "at once",
            &[busy(RetryAfter::Text("0")), Response::Sent],
            Seen::granted(),
            2,
        ),
        ("twice", &[soon, soon, Response::Sent], Seen::granted(), 3),
        (
            "then a refusal",
            &[
                soon,
                Response::Refused {
                    http: 400,
                    code: 21610,
                },
            ],
            fails(code::MAXTRIES, "number-refused", Some(21610), 0),
            2,
        ),
        ("always", &[soon], limited, 4),
    ];
    std::thread::scope(|scope| {
        for (index, (what, responses, want, requests)) in rows.iter().enumerate() {
            // These logins mostly wait, so they run in parallel.
            let cases = [
                "later-0", "later-1", "later-2", "later-3", "later-4", "later-5",
            ];
            let case = cases[index];
            scope.spawn(move || {
                let who = someone(lab, case);
                lab.twilio().on(&who.number, responses);
                let login = Login::new(lab, case).of(&who).text("deadline", "20s");
                login.sees(what, &IN, want);
                assert_eq!(login.requests(), *requests, "{what}");
            });
        }
    });
}

fn an_unreachable_server_is_an_outage(lab: &Lab) {
    let rae = someone(lab, "out-rae");
    let outage = fails(code::AUTHINFO_UNAVAIL, "outage", None, 0);
    let login = |scheme: &str, port: u16| {
        Login::new(lab, "out")
            .of(&rae)
            .text("twilio.timeout", "1s")
            .text("twilio.api_url", &format!("{scheme}://127.0.0.1:{port}"))
    };
    let closed = Refused::new();
    login("https", closed.port()).sees("closed port", &IN, &outage);
    for behavior in [
        Behavior::Silent,
        Behavior::Closes,
        Behavior::Resets,
        Behavior::Garbage,
        Behavior::Flood,
    ] {
        for scheme in ["https", "http"] {
            let listener = Listener::start(behavior);
            let login = login(scheme, listener.port());
            let what = format!("{behavior:?} {scheme}");
            let seen = login.sees(&what, &IN, &outage);
            assert!(seen.results[0].1 < Duration::from_secs(5), "{what}");
            // A second connection is allowed before a request was sent, and not after it.
            let max = if scheme == "https" { 2 } else { 1 };
            assert!((1..=max).contains(&listener.accepted()), "{what}");
        }
    }
    let lost = Login::new(lab, "out")
        .of(&rae)
        .text("twilio.api_url", "https://twilio.invalid");
    lost.sees("no such host", &IN, &outage);
    assert_eq!(login("https", 1).requests(), 0);
}

fn a_certificate_that_does_not_verify_is_refused(lab: &Lab) {
    let sue = someone(lab, "twilio-certs-sue");
    let refused = fails(code::SERVICE_ERR, "refused", None, 0);
    for identity in Identity::ALL {
        if identity == Identity::Good {
            continue;
        }
        let server = Twilio::start_as(lab.certs(), identity);
        let login = Login::new(lab, "twilio-certs")
            .of(&sue)
            .text("twilio.api_url", &server.url());
        login.sees(&format!("{identity:?}"), &IN, &refused);
        assert!(server.requests().is_empty(), "{identity:?}");
    }
    let login = Login::new(lab, "twilio-certs")
        .of(&sue)
        .change(|settings| settings.without("twilio.ca_file"));
    login.sees("the test CA is not a CA of the system", &IN, &refused);
}

fn token_and_api_key_authenticate(lab: &Lab) {
    let tom = someone(lab, "account-tom");
    let account = lab.twilio().account();
    let login = || Login::new(lab, "account").of(&tom);
    let key = login()
        .change(|settings| settings.without("twilio.twilio_token"))
        .text("twilio.api_key_sid", &account.key_sid)
        .text("twilio.api_key_secret", &account.key_secret);
    key.sees("API key", &IN, &Seen::granted());
    let service = login()
        .change(|settings| settings.without("twilio.from_number"))
        .text("twilio.messaging_service_sid", &account.service);
    service.sees("Messaging Service", &IN, &Seen::granted());
    let sms = service.arrived();
    let sms = sms.last().expect("an SMS");
    assert_eq!(sms.service.as_ref(), Some(&account.service));
    assert_eq!(sms.from, None);
    assert_eq!(service.arrived()[0].from.as_ref(), Some(&account.from));

    // Secrets in separate files, read at each login.
    let token = service.folder.join("token");
    lab::scratch::write(&token, 0o600, format!("{}\n", account.token));
    let file = login()
        .change(|settings| settings.without("twilio.twilio_token"))
        .text("twilio.twilio_token_file", &token.display().to_string());
    file.sees("token in a file", &IN, &Seen::granted());
    lab::scratch::set_mode(&token, 0o644);
    let line = "failed user=? stage=settings reason=bad-settings";
    let refused = Seen::at_once(code::SERVICE_ERR, line);
    file.sees("token file readable by all", &IN, &refused);
    for (what, content) in [
        (
            "token with its name",
            format!("TWILIO_TOKEN={}\n", account.token),
        ),
        ("token in quotes", format!("\"{}\"\n", account.token)),
        (
            "token after a byte order mark",
            format!("\u{feff}{}\n", account.token),
        ),
    ] {
        lab::scratch::write(&token, 0o600, content);
        file.sees(what, &IN, &refused);
    }
    lab::scratch::write(&token, 0o600, "00000000000000000000000000000000");
    let refused = fails(code::SERVICE_ERR, "refused", Some(20003), 0);
    file.sees("token that was changed", &IN, &refused);
}

fn wrong_account_settings_are_refused(lab: &Lab) {
    let uma = someone(lab, "accounts-uma");
    let login = || Login::new(lab, "accounts").of(&uma);
    let sid = "AC00000000000000000000000000000000";
    let service = "MG00000000000000000000000000000000";
    let rows = [
        ("token", login().text("twilio.twilio_token", "wrong"), 20003),
        ("account", login().text("twilio.twilio_sid", sid), 20003),
        (
            "sender",
            login().text("twilio.from_number", "+12025550198"),
            21606,
        ),
        (
            "service",
            login()
                .change(|settings| settings.without("twilio.from_number"))
                .text("twilio.messaging_service_sid", service),
            21701,
        ),
    ];
    for (what, login, error) in rows {
        let refused = fails(code::SERVICE_ERR, "refused", Some(error), 0);
        login.sees(what, &IN, &refused);
    }
}
