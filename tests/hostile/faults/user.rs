//! What the user types at the prompts, and logins without a system log.

use super::ground::row;
use super::{LOCAL, Row};
use crate::module::{ASKS, NO_CODE, SENT, Say, Seen, TOO_MANY};
use lab::pamhost::code;
use lab::scratch::write;

const TWO_LEFT: &str = ">Wrong code, 2 tries left. Verification code: ";
const ONE_LEFT: &str = ">Wrong code, 1 try left. Verification code: ";
const NOT_A_CODE: &str = ">That is not a 6-digit code. Verification code: ";

pub fn rows<'b>() -> Vec<Row<'b>> {
    let mut rows = at_the_password();
    rows.extend(at_the_code());
    rows.extend(without_a_log());
    rows
}

fn at_the_password<'b>() -> Vec<Row<'b>> {
    let wrong = |line: &str| Seen::new(&[code::AUTH_ERR], &[ASKS], &[line], 0);
    // sshd's junk is refused without asking the directory, so the user name is not confirmed (`user=?`).
    let not_asked = wrong("denied user=? reason=wrong-password");
    let wrong = wrong("denied reason=wrong-password");
    let cancelled = "denied user=? reason=cancelled";
    let cancelled = Seen::new(&[code::CONV_ERR], &[ASKS], &[cancelled], 0);
    [
        ("hang-up", Say::HangUp, &cancelled),
        ("no answer in the response", Say::Null, &cancelled),
        ("empty", Say::Text(""), &wrong),
        ("oversized", Say::Long(100_000), &wrong),
        ("garbage", Say::Bytes(b"\xff\xfe\x1b[2J"), &wrong),
        (
            "sshd's junk",
            Say::Text("\u{8}\n\r\u{7f}INCORRECT"),
            &not_asked,
        ),
    ]
    .map(|(what, say, want)| row("prompt: password", what, &[say], want, Into::into))
    .into()
}

fn at_the_code<'b>() -> Vec<Row<'b>> {
    let abandoned = Seen::new(
        &[code::CONV_ERR],
        &[ASKS, SENT],
        &["sent", "denied first=password reason=abandoned"],
        1,
    );
    let no_code = Seen::new(
        &[code::MAXTRIES],
        &[ASKS, SENT, NOT_A_CODE, NOT_A_CODE, NO_CODE],
        &["sent", "denied first=password reason=no-code"],
        1,
    );
    let repeated = Seen::new(
        &[code::MAXTRIES],
        &[ASKS, SENT, NO_CODE],
        &["sent", "denied first=password reason=no-code"],
        1,
    );
    let wrong = Seen::new(
        &[code::MAXTRIES],
        &[ASKS, SENT, TWO_LEFT, ONE_LEFT, TOO_MANY],
        &["sent", "denied first=password reason=wrong-code"],
        1,
    );
    [
        ("prompt: code", "hang-up", Say::HangUp, &abandoned),
        (
            "prompt: code",
            "no answer in the response",
            Say::Null,
            &abandoned,
        ),
        ("prompt: code", "oversized", Say::Long(100_000), &no_code),
        (
            "prompt: code",
            "garbage",
            Say::Bytes(b"\xff\xfe\x1b[2J"),
            &no_code,
        ),
        (
            "prompt: code",
            "digits of another script",
            Say::Text("١٢٣٤٥٦"),
            &no_code,
        ),
        ("prompt: code", "the password", Say::Password, &repeated),
        ("compare", "another code", Say::WrongCode, &wrong),
    ]
    .map(|(stage, what, say, want)| {
        row(
            stage,
            what,
            &[Say::Password, say, say, say],
            want,
            |login| login.set("limits.failures", "100").into(),
        )
    })
    .into()
}

/// `/dev/log` is not a socket, and no login is granted for that reason. `module::hosts::a_login_needs_no_system_log`
/// shows that a login with the right code is granted.
fn without_a_log<'b>() -> Vec<Row<'b>> {
    let wrong = Seen::new(&[code::AUTH_ERR], &[ASKS], &[], 0);
    let gone = Seen::new(&[code::CONV_ERR], &[ASKS, SENT], &[], 1);
    let bad = Seen::new(&[LOCAL], &[], &[], 0);
    [
        ("a wrong password", &[Say::Text("wrong")][..], "300s", wrong),
        ("a hang-up", &[Say::Password, Say::HangUp], "300s", gone),
        ("bad settings", &[], "1ms", bad),
    ]
    .map(|(what, answers, lifetime, want)| {
        row("log: no socket", what, answers, &want, move |login| {
            let not_a_socket = super::ledger::fresh(&login);
            write(&not_a_socket, 0o666, "");
            login
                .text("code.lifetime", lifetime)
                .host(|host| host.with_bind_mounts(&[(&not_a_socket, "/dev/log")]))
                .into()
        })
    })
    .into()
}
