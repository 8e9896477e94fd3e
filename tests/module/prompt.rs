//! The code prompt: what may be typed, and the result.

use super::login::{ASKS, GUESSES, Login, NO_CODE, RESENT, SENT, Say, Seen, TOO_MANY, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::code;
use lab::twilio::Case as Answers;

pub const CASES: &[Case] = &[
    (
        "module::prompt::wrong_codes_are_counted",
        wrong_codes_are_counted,
    ),
    (
        "module::prompt::an_empty_answer_sends_the_same_code_again",
        an_empty_answer_sends_the_same_code_again,
    ),
    (
        "module::prompt::a_failed_resend_is_shown",
        a_failed_resend_is_shown,
    ),
    (
        "module::prompt::input_that_is_not_a_code_is_not_a_try",
        input_that_is_not_a_code_is_not_a_try,
    ),
    (
        "module::prompt::disconnecting_after_the_sms_is_logged",
        disconnecting_after_the_sms_is_logged,
    ),
    (
        "module::prompt::an_expired_code_is_replaced_once",
        an_expired_code_is_replaced_once,
    ),
    (
        "module::prompt::a_code_near_its_end_is_replaced",
        a_code_near_its_end_is_replaced,
    ),
];

use Say::{Bytes, Code, FirstCode, HangUp, Long, Null, Password, Text, WrongCode};

const TWO_LEFT: &str = ">Wrong code, 2 tries left. Verification code: ";
const ONE_LEFT: &str = ">Wrong code, 1 try left. Verification code: ";
const NOT_A_CODE: &str = ">That is not a 6-digit code. Verification code: ";
const NO_RESEND: &str = ">No more SMS in this login. Verification code: ";
const EXPIRED: &str = ">The code has expired; a new one was sent. Verification code: ";

const WRONG_CODE: &str = "denied first=password reason=wrong-code";
const ENDED: &str = "denied first=password reason=no-code";
const ABANDONED: &str = "denied first=password reason=abandoned";

/// What is typed after the password, and what is visible then.
type Row<'a> = (&'a str, &'a [Say], i32, &'a [&'a str], &'a [&'a str], usize);

fn all(login: &Login, rows: &[Row]) {
    for (what, typed, pam, screen, log, sms) in rows {
        let says = [&[Password], *typed].concat();
        let screen = [&[ASKS], *screen].concat();
        let (arrived, asked) = (login.arrived().len(), login.requests());
        login.sees(what, &says, &Seen::new(&[*pam], &screen, log, *sms));
        assert_eq!(login.arrived().len() - arrived, *sms, "{what}");
        assert!(login.requests() - asked >= *sms, "{what}");
    }
}

fn wrong_codes_are_counted(lab: &Lab) {
    let ann = someone(lab, "tries-ann");
    let login = Login::new(lab, "tries").of(&ann);
    let granted = &["sent", "granted"];
    let rows: &[Row] = &[
        (
            "three",
            &[WrongCode, WrongCode, WrongCode, Code],
            code::MAXTRIES,
            &[SENT, TWO_LEFT, ONE_LEFT, TOO_MANY],
            &["sent", WRONG_CODE],
            1,
        ),
        (
            "two, then right",
            &[WrongCode, WrongCode, Code],
            code::SUCCESS,
            &[SENT, TWO_LEFT, ONE_LEFT, GUESSES],
            granted,
            1,
        ),
        (
            "one, then right",
            &[WrongCode, Code],
            code::SUCCESS,
            &[SENT, TWO_LEFT],
            granted,
            1,
        ),
    ];
    all(&login, rows);
    assert_eq!(lab.slapd().binds(&ann.person.dn()), 3);
}

fn an_empty_answer_sends_the_same_code_again(lab: &Lab) {
    let bob = someone(lab, "resend-bob");
    let login = Login::new(lab, "resend").of(&bob);
    let nothing = Text("");
    let rows: &[Row] = &[
        (
            "nothing",
            &[nothing, Code],
            code::SUCCESS,
            &[SENT, RESENT],
            &["sent", "sent", "granted"],
            2,
        ),
        (
            "r, and the first SMS is as good",
            &[Text("r"), Text("R"), FirstCode],
            code::SUCCESS,
            &[SENT, RESENT, RESENT],
            &["sent", "sent", "sent", "granted"],
            3,
        ),
        (
            "blanks",
            &[Text(" - "), Code],
            code::SUCCESS,
            &[SENT, RESENT],
            &["sent", "sent", "granted"],
            2,
        ),
        (
            "more than there are",
            &[nothing, nothing, nothing, Code],
            code::SUCCESS,
            &[SENT, RESENT, RESENT, NO_RESEND],
            &["sent", "sent", "sent", "granted"],
            3,
        ),
        (
            "for ever",
            &[nothing, nothing, nothing, nothing, nothing, Code],
            code::MAXTRIES,
            &[SENT, RESENT, RESENT, NO_RESEND, NO_RESEND, NO_CODE],
            &["sent", "sent", "sent", ENDED],
            3,
        ),
        (
            "tries are not given back",
            &[WrongCode, nothing, WrongCode, nothing, WrongCode],
            code::MAXTRIES,
            &[SENT, TWO_LEFT, RESENT, ONE_LEFT, RESENT, TOO_MANY],
            &["sent", "sent", "sent", WRONG_CODE],
            3,
        ),
    ];
    all(&login, rows);
    let codes: Vec<String> = login.arrived().iter().map(lab::twilio::Sms::code).collect();
    assert_eq!(codes[0], codes[1]);
    // Twilio may delay it for the lifetime of the code, and no longer.
    let rows: &[Row] = &[(
        "later",
        &[Say::NothingAfter(2), Code],
        code::SUCCESS,
        &[SENT, RESENT, GUESSES],
        &["sent", "sent", "granted"],
        2,
    )];
    all(&login, rows);
    let last = login.arrived().pop().expect("an SMS");
    assert!(last.validity.is_some_and(|seconds| seconds <= 298));
    assert_eq!(codes[2], codes[4]);
    let none = Login::new(lab, "resend").of(&bob).set("code.resends", "0");
    let rows: &[Row] = &[(
        "none at all",
        &[nothing, Code],
        code::SUCCESS,
        &[SENT, NO_RESEND],
        &["sent", "granted"],
        1,
    )];
    all(&none, rows);
}

fn a_failed_resend_is_shown(lab: &Lab) {
    let cat = someone(lab, "unsent-cat");
    let refused = Answers::Refused {
        http: 500,
        code: 20500,
    };
    lab.twilio().on(&cat.number, &[Answers::Sent, refused]);
    let login = Login::new(lab, "unsent").of(&cat);
    let rows: &[Row] = &[(
        "the first code still counts",
        &[Text(""), Code],
        code::SUCCESS,
        &[SENT, NO_RESEND],
        &[
            "sent",
            "failed stage=twilio reason=outage error=20500",
            "granted",
        ],
        1,
    )];
    all(&login, rows);
}

fn input_that_is_not_a_code_is_not_a_try(lab: &Lab) {
    let dan = someone(lab, "no-code-dan");
    let login = Login::new(lab, "no-code").of(&dan);
    let ends: &[&str] = &[SENT, NOT_A_CODE, NOT_A_CODE, NO_CODE];
    let log: &[&str] = &["sent", ENDED];
    let rows: &[Row] = &[
        (
            "letters",
            &[Text("abcdef"), Text("12345x"), Text("help")],
            code::MAXTRIES,
            ends,
            log,
            1,
        ),
        (
            "too few, too many",
            &[Text("12345"), Text("1234567"), Text("0")],
            code::MAXTRIES,
            ends,
            log,
            1,
        ),
        (
            "10,000 characters",
            &[Long(10_000), Long(70_000), Long(10_000)],
            code::MAXTRIES,
            ends,
            log,
            1,
        ),
        (
            "64 KB, and a byte around it",
            &[Long(65_535), Long(65_536), Long(65_537)],
            code::MAXTRIES,
            ends,
            log,
            1,
        ),
        (
            "the password fed back",
            &[Password, Code],
            code::MAXTRIES,
            &[SENT, NO_CODE],
            log,
            1,
        ),
        (
            "the password pasted",
            &[Text("\u{1b}[200~correct horse, battery\u{1b}[201~"), Code],
            code::MAXTRIES,
            &[SENT, NO_CODE],
            log,
            1,
        ),
        (
            "the login name",
            &[Text("no-code-dan"), Code],
            code::MAXTRIES,
            &[SENT, NO_CODE],
            log,
            1,
        ),
        (
            "bytes",
            &[
                Bytes(b"\xff\xfe"),
                Bytes("١٢٣٤٥٦".as_bytes()),
                Text("\u{1b}[2J"),
            ],
            code::MAXTRIES,
            ends,
            log,
            1,
        ),
        (
            "two, then right",
            &[Text("what?"), Text("-12345"), Code],
            code::SUCCESS,
            &[SENT, NOT_A_CODE, NOT_A_CODE],
            &["sent", "granted"],
            1,
        ),
        (
            "tries are counted apart",
            &[WrongCode, Text("x"), WrongCode, Text("x"), WrongCode],
            code::MAXTRIES,
            &[SENT, TWO_LEFT, NOT_A_CODE, ONE_LEFT, NOT_A_CODE, TOO_MANY],
            &["sent", WRONG_CODE],
            1,
        ),
    ];
    all(&login, rows);
}

fn disconnecting_after_the_sms_is_logged(lab: &Lab) {
    let eve = someone(lab, "hang-eve");
    let login = Login::new(lab, "hang").of(&eve);
    let log: &[&str] = &["sent", ABANDONED];
    let rows: &[Row] = &[
        ("hangs up", &[HangUp], code::CONV_ERR, &[SENT], log, 1),
        ("no answer in it", &[Null], code::CONV_ERR, &[SENT], log, 1),
        (
            "hangs up later",
            &[WrongCode, HangUp],
            code::CONV_ERR,
            &[SENT, TWO_LEFT],
            log,
            1,
        ),
    ];
    all(&login, rows);
    let killed = Seen::new(&[], &[ASKS, SENT], log, 1);
    let seen = login.sees("killed", &[Password, Say::Die], &killed);
    assert_eq!(seen.killed_by, Some(9));
}

fn an_expired_code_is_replaced_once(lab: &Lab) {
    let gus = someone(lab, "expiry-gus");
    let login = Login::new(lab, "expiry")
        .of(&gus)
        .lifetime(5)
        .set("code.resends", "1");
    let rows: &[Row] = &[(
        "twice too late",
        // The right code after its lifetime is not a try and is replaced; the second time it ends the login.
        &[Say::CodeAfter(6), Say::CodeAfter(6)],
        code::MAXTRIES,
        &[SENT, EXPIRED, "!The code has expired. (login LOGIN)"],
        &["sent", "sent", "denied first=password reason=expired-code"],
        2,
    )];
    all(&login, rows);
    let sms = login.arrived();
    assert_ne!(sms[0].code(), sms[1].code());
    let rows: &[Row] = &[(
        "the new one is good, the old one is not",
        &[Say::CodeAfter(6), FirstCode, Code],
        code::SUCCESS,
        &[SENT, EXPIRED, TWO_LEFT],
        &["sent", "sent", "granted"],
        2,
    )];
    all(&login, rows);
}

fn a_code_near_its_end_is_replaced(lab: &Lab) {
    let hal = someone(lab, "near-hal");
    let login = Login::new(lab, "near").of(&hal).lifetime(59);
    let rows: &[Row] = &[(
        "less than a minute left",
        &[Text("r"), FirstCode, Code],
        code::SUCCESS,
        &[SENT, EXPIRED, TWO_LEFT],
        &["sent", "sent", "granted"],
        2,
    )];
    all(&login, rows);
}
