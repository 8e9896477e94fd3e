//! How settings and flags change what a user sees.

use super::login::{ASKS, GRANTED, Login, SENT, Say, Seen, Someone, TOO_MANY, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::{SILENT, code};

pub const CASES: &[Case] = &[
    (
        "module::texts::settings_change_digits_echo_and_tries",
        settings_change_digits_echo_and_tries,
    ),
    (
        "module::texts::every_text_can_be_changed",
        every_text_can_be_changed,
    ),
    (
        "module::texts::with_pam_silent_only_prompts_are_shown",
        with_pam_silent_only_prompts_are_shown,
    ),
];

use Say::{Code, Password, Text, WrongCode};

const WRONG_CODE: &str = "denied first=password reason=wrong-code";

fn settings_change_digits_echo_and_tries(lab: &Lab) {
    let fay = someone(lab, "own-fay");
    let login = || Login::new(lab, "own").of(&fay);
    let hidden = "*Code sent to PHONE. Verification code: ";
    let says = [Password, Code];
    login().set("code.echo", "false").sees(
        "echo",
        &says,
        &Seen::new(&[code::SUCCESS], &[ASKS, hidden], GRANTED, 1),
    );
    for (digits, text) in [(8, "an 8"), (10, "a 10")] {
        let login = login().set("code.digits", &digits.to_string());
        let not = format!(">That is not {text}-digit code. Verification code: ");
        login.sees(
            text,
            &[Password, Text("123456"), Code],
            &Seen::new(&[code::SUCCESS], &[ASKS, SENT, &not], GRANTED, 1),
        );
        let sms = login.arrived();
        assert_eq!(sms.last().map(|sms| sms.code().len()), Some(digits));
    }
    login().set("service.own.code.tries", "1").sees(
        "one try",
        &[Password, WrongCode],
        &Seen::new(
            &[code::MAXTRIES],
            &[ASKS, SENT, TOO_MANY],
            &["sent", WRONG_CODE],
            1,
        ),
    );
}

fn every_text_can_be_changed(lab: &Lab) {
    let ida = someone(lab, "texts-ida");
    texts_for_all_services(lab, &ida);
    texts_of_one_service(lab, &ida);
}

fn texts_for_all_services(lab: &Lab, ida: &Someone) {
    let login = Login::new(lab, "texts")
        .of(ida)
        .rhost("192.0.2.7")
        .text("messages.password", "Pass for {user} at {service}: ")
        .text("messages.code", "Code, {left} left: ")
        .text("messages.sent", "Sent to {phone}, good for {minutes}.")
        .text("messages.resent", "Again.")
        .text("messages.wrong", "No.")
        .text("messages.not_a_code", "What?")
        .text("messages.no_resend", "Enough.")
        .text(
            "messages.too_many",
            "Out, {user} from {rhost}. (login {login})",
        )
        .text(
            "messages.sms",
            "{code} opens {service} for {user} {phone} \u{2713}",
        )
        .sms(&format!(
            "{{}} opens texts for texts-ida +44*******{} \u{2713}",
            &ida.number[11..]
        ));
    login.sees(
        "changed texts",
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
                "!Out, texts-ida from 192.0.2.7. (login LOGIN)",
            ],
            &["sent", "sent", "sent", WRONG_CODE],
            3,
        ),
    );
}

/// A service's own texts take precedence.
fn texts_of_one_service(lab: &Lab, ida: &Someone) {
    let own = Login::new(lab, "texts")
        .of(ida)
        .text("messages.sent", "For all.")
        .text("service.texts.messages.sent", "For one.")
        .text("messages.guesses", "{left} typed for {user}.");
    own.sees(
        "service",
        &[Password, Code],
        &Seen::new(
            &[code::SUCCESS],
            &[
                ASKS,
                ">For one. Verification code: ",
                "-3 wrong codes were typed for texts-ida.",
            ],
            GRANTED,
            1,
        ),
    );
}

fn with_pam_silent_only_prompts_are_shown(lab: &Lab) {
    let jan = someone(lab, "silent-jan");
    let login = Login::new(lab, "silent")
        .of(&jan)
        .host(|host| host.flags(SILENT));
    let prompts = [
        ASKS,
        SENT,
        ">Wrong code, 2 tries left. Verification code: ",
        ">Wrong code, 1 try left. Verification code: ",
    ];
    login.sees(
        "no final message",
        &[Password, WrongCode, WrongCode, WrongCode],
        &Seen::new(&[code::MAXTRIES], &prompts, &["sent", WRONG_CODE], 1),
    );
}
