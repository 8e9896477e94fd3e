//! The code prompt: what may be typed there, and what becomes of it.

use super::login::{ASKS, Login, NOT_SENT, RESENT, SENT, Say, Seen, TOO_MANY, someone};
use crate::Case;
use lab::bench::Bench;
use lab::pamhost::{SILENT, code};
use lab::twilio::Case as Answers;

pub const CASES: &[Case] = &[
    (
        "module::prompt::wrong_codes_are_counted",
        wrong_codes_are_counted,
    ),
    (
        "module::prompt::nothing_asks_for_the_same_code_again",
        nothing_asks_for_the_same_code_again,
    ),
    (
        "module::prompt::a_resend_that_fails_is_said_so",
        a_resend_that_fails_is_said_so,
    ),
    (
        "module::prompt::what_is_no_code_is_no_try",
        what_is_no_code_is_no_try,
    ),
    (
        "module::prompt::hanging_up_after_the_sms_is_noted",
        hanging_up_after_the_sms_is_noted,
    ),
    (
        "module::prompt::settings_change_digits_echo_and_tries",
        settings_change_digits_echo_and_tries,
    ),
    (
        "module::prompt::an_expired_code_is_replaced_once",
        an_expired_code_is_replaced_once,
    ),
    (
        "module::prompt::a_code_near_its_end_is_replaced",
        a_code_near_its_end_is_replaced,
    ),
    (
        "module::prompt::every_text_can_be_put_otherwise",
        every_text_can_be_put_otherwise,
    ),
    (
        "module::prompt::silence_leaves_the_prompts",
        silence_leaves_the_prompts,
    ),
];

const TWO_LEFT: &str = ">Wrong code, 2 tries left. SMS code: ";
const ONE_LEFT: &str = ">Wrong code, 1 try left. SMS code: ";
const NOT_A_CODE: &str = ">That is not a 6-digit code. SMS code: ";
const NO_RESEND: &str = ">No more SMS in this login. SMS code: ";
const EXPIRED: &str = ">The code has expired; a new one was sent. SMS code: ";

const WRONG_CODE: &str = "denied first=password reason=wrong-code";
const NO_CODE: &str = "denied first=password reason=no-code";
const ABANDONED: &str = "denied first=password reason=abandoned";

/// What is typed after the password, and what is seen then.
type Row<'a> = (&'a str, &'a [Say], i32, &'a [&'a str], &'a [&'a str], usize);

fn all(login: &Login, rows: &[Row]) {
    for (what, typed, pam, screen, log, sms) in rows {
        let says = [&[Say::Password], *typed].concat();
        let screen = [&[ASKS], *screen].concat();
        let (arrived, asked) = (login.arrived().len(), login.requests());
        login.sees(what, &says, &Seen::new(&[*pam], &screen, log, *sms));
        assert_eq!(login.arrived().len() - arrived, *sms, "{what}");
        assert!(login.requests() - asked >= *sms, "{what}");
    }
}

fn wrong_codes_are_counted(bench: &Bench) {
    let ann = someone(bench, "tries-ann");
    let login = Login::new(bench, "tries").of(&ann);
    use Say::{Code, WrongCode};
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
            &[SENT, TWO_LEFT, ONE_LEFT],
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
    assert_eq!(bench.slapd().binds(&ann.person.dn()), 3);
}

fn nothing_asks_for_the_same_code_again(bench: &Bench) {
    let bob = someone(bench, "resend-bob");
    let login = Login::new(bench, "resend").of(&bob);
    use Say::{Code, FirstCode, Text, WrongCode};
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
            code::AUTH_ERR,
            &[SENT, RESENT, RESENT, NO_RESEND, NO_RESEND, NOT_SENT],
            &["sent", "sent", "sent", NO_CODE],
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
    assert_eq!(codes[2], codes[4]);
    let none = Login::new(bench, "resend")
        .of(&bob)
        .set("code.resends", "0");
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

fn a_resend_that_fails_is_said_so(bench: &Bench) {
    let cat = someone(bench, "unsent-cat");
    let refused = Answers::Refused {
        http: 500,
        code: 20500,
    };
    bench.twilio().on(&cat.number, &[Answers::Sent, refused]);
    let login = Login::new(bench, "unsent").of(&cat);
    let rows: &[Row] = &[(
        "the first code still counts",
        &[Say::Text(""), Say::Code],
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

fn what_is_no_code_is_no_try(bench: &Bench) {
    let dan = someone(bench, "no-code-dan");
    let login = Login::new(bench, "no-code").of(&dan);
    use Say::{Bytes, Code, Long, Password, Text, WrongCode};
    let ends: &[&str] = &[SENT, NOT_A_CODE, NOT_A_CODE, NOT_SENT];
    let log: &[&str] = &["sent", NO_CODE];
    let rows: &[Row] = &[
        (
            "letters",
            &[Text("abcdef"), Text("12345x"), Text("help")],
            code::AUTH_ERR,
            ends,
            log,
            1,
        ),
        (
            "too few, too many",
            &[Text("12345"), Text("1234567"), Text("0")],
            code::AUTH_ERR,
            ends,
            log,
            1,
        ),
        (
            "10,000 characters",
            &[Long(10_000), Long(70_000), Long(10_000)],
            code::AUTH_ERR,
            ends,
            log,
            1,
        ),
        (
            "the password fed back",
            &[Password, Password, Password],
            code::AUTH_ERR,
            ends,
            log,
            1,
        ),
        (
            "bytes",
            &[
                Bytes(b"\xff\xfe"),
                Bytes("１２３４５６".as_bytes()),
                Text("\u{1b}[2J"),
            ],
            code::AUTH_ERR,
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

fn hanging_up_after_the_sms_is_noted(bench: &Bench) {
    let eve = someone(bench, "hang-eve");
    let login = Login::new(bench, "hang").of(&eve);
    let log: &[&str] = &["sent", ABANDONED];
    let rows: &[Row] = &[
        ("hangs up", &[Say::HangUp], code::CONV_ERR, &[SENT], log, 1),
        (
            "no answer in it",
            &[Say::Null],
            code::CONV_ERR,
            &[SENT],
            log,
            1,
        ),
        (
            "hangs up later",
            &[Say::WrongCode, Say::HangUp],
            code::CONV_ERR,
            &[SENT, TWO_LEFT],
            log,
            1,
        ),
    ];
    all(&login, rows);
    let killed = Seen::new(&[], &[ASKS, SENT], log, 1);
    let seen = login.sees("killed", &[Say::Password, Say::Die], &killed);
    assert_eq!(seen.killed_by, Some(9));
}

fn settings_change_digits_echo_and_tries(bench: &Bench) {
    let fay = someone(bench, "own-fay");
    let login = || Login::new(bench, "own").of(&fay);
    let hidden = "*Code sent to PHONE. SMS code: ";
    let says = [Say::Password, Say::Code];
    login().set("code.echo", "false").sees(
        "echo",
        &says,
        &Seen::new(&[code::SUCCESS], &[ASKS, hidden], &["sent", "granted"], 1),
    );
    for (digits, text) in [(8, "an 8"), (10, "a 10")] {
        let login = login().set("code.digits", &digits.to_string());
        let not = format!(">That is not {text}-digit code. SMS code: ");
        login.sees(
            text,
            &[Say::Password, Say::Text("123456"), Say::Code],
            &Seen::new(
                &[code::SUCCESS],
                &[ASKS, SENT, &not],
                &["sent", "granted"],
                1,
            ),
        );
        let sms = login.arrived();
        assert_eq!(sms.last().map(|sms| sms.code().len()), Some(digits));
    }
    login().set("service.own.code.tries", "1").sees(
        "one try",
        &[Say::Password, Say::WrongCode],
        &Seen::new(
            &[code::MAXTRIES],
            &[ASKS, SENT, TOO_MANY],
            &["sent", WRONG_CODE],
            1,
        ),
    );
}

fn an_expired_code_is_replaced_once(bench: &Bench) {
    let gus = someone(bench, "expiry-gus");
    let login = Login::new(bench, "expiry")
        .of(&gus)
        .lifetime(5)
        .set("code.resends", "1");
    let rows: &[Row] = &[(
        "twice too late",
        // The right code, too late, is no try; a new one comes; too late again is the end.
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
        &[Say::CodeAfter(6), Say::FirstCode, Say::Code],
        code::SUCCESS,
        &[SENT, EXPIRED, TWO_LEFT],
        &["sent", "sent", "granted"],
        2,
    )];
    all(&login, rows);
}

fn a_code_near_its_end_is_replaced(bench: &Bench) {
    let hal = someone(bench, "near-hal");
    let login = Login::new(bench, "near").of(&hal).lifetime(59);
    let rows: &[Row] = &[(
        "less than a minute left",
        &[Say::Text("r"), Say::FirstCode, Say::Code],
        code::SUCCESS,
        &[SENT, EXPIRED, TWO_LEFT],
        &["sent", "sent", "granted"],
        2,
    )];
    all(&login, rows);
}

fn every_text_can_be_put_otherwise(bench: &Bench) {
    let ida = someone(bench, "texts-ida");
    let login = Login::new(bench, "texts")
        .of(&ida)
        .host(|host| host.item("rhost", "192.0.2.7"))
        .text("messages.password", "Pass for {user} at {service}: ")
        .text("messages.code", "Code, {left} left: ")
        .text("messages.sent", "Sent to {phone}, good for {minutes}.")
        .text("messages.resent", "Again.")
        .text("messages.wrong", "No.")
        .text("messages.not_a_code", "What?")
        .text("messages.no_resend", "Enough.")
        .text("messages.too_many", "Out, {user} from {rhost}. {login}")
        .text(
            "messages.sms",
            "{code} opens {service} for {user} {phone} \u{2713}",
        )
        .sms(&format!(
            "{{}} opens texts for texts-ida +44*******{} \u{2713}",
            &ida.number[11..]
        ));
    use Say::{Password, Text, WrongCode};
    login.sees(
        "ours",
        &[
            Password,
            Text(""),
            Text("x"),
            Text(""),
            Text(""),
            WrongCode,
            WrongCode,
            WrongCode,
        ],
        &Seen::new(
            &[code::MAXTRIES],
            &[
                "*Pass for texts-ida at texts: ",
                ">Sent to PHONE, good for 5. Code, 3 tries left: ",
                ">Again. Code, 3 tries left: ",
                ">What? Code, 3 tries left: ",
                ">Again. Code, 3 tries left: ",
                ">Enough. Code, 3 tries left: ",
                ">No. Code, 2 tries left: ",
                ">No. Code, 1 try left: ",
                "!Out, texts-ida from 192.0.2.7. LOGIN",
            ],
            &["sent", "sent", "sent", WRONG_CODE],
            3,
        ),
    );
    // A service's own words win.
    let own = Login::new(bench, "texts")
        .of(&ida)
        .text("messages.sent", "For all.")
        .text("service.texts.messages.sent", "For one.");
    own.sees(
        "service",
        &[Password, Say::Code],
        &Seen::new(
            &[code::SUCCESS],
            &[ASKS, ">For one. SMS code: "],
            &["sent", "granted"],
            1,
        ),
    );
}

fn silence_leaves_the_prompts(bench: &Bench) {
    let jan = someone(bench, "silent-jan");
    let login = Login::new(bench, "silent")
        .of(&jan)
        .host(|host| host.flags(SILENT));
    use Say::WrongCode;
    let rows: &[Row] = &[(
        "no last words",
        &[WrongCode, WrongCode, WrongCode],
        code::MAXTRIES,
        &[SENT, TWO_LEFT, ONE_LEFT],
        &["sent", WRONG_CODE],
        1,
    )];
    all(&login, rows);
}
