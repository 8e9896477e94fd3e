//! Which user has to authenticate, and how long a refusal takes.

use super::login::{
    ASKS, GUESSES, Login, NOT_SENT, NOT_VERIFIED, SENT, Say, Seen, TOO_MANY, someone,
};
use crate::Case;
use lab::Lab;
use lab::listeners::Refused;
use lab::machine::{Account, User};
use lab::pamhost::code;
use lab::slapd::LdapUser;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "module::policy::the_caller_authenticates",
        the_caller_authenticates,
    ),
    (
        "module::policy::an_unknown_caller_is_refused",
        an_unknown_caller_is_refused,
    ),
    (
        "module::policy::refusals_return_after_the_same_time",
        refusals_return_after_the_same_time,
    ),
    (
        "module::policy::local_failures_return_at_once",
        local_failures_return_at_once,
    ),
];

/// As in su: the stack verified the target's password, and the code goes to the caller's phone.
fn su<'b>(lab: &'b Lab, service: &'static str, target: &str, caller: &Account) -> Login<'b> {
    Login::new(lab, service)
        .user(target)
        .text(&format!("service.{service}.password.source"), "stack")
        .text(&format!("service.{service}.policy.subject"), "caller")
        .host(|host| host.setuid_for(caller))
}

fn the_caller_authenticates(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let account = lab.machine().add(&User::new("caller-kai"));
    lab.machine().add(&User::new("target-leo"));
    let kai = someone(lab, "caller-kai");
    let leo = someone(lab, "target-leo");
    // The wrong codes of the first round are shown in the second.
    for (target, screen) in [("root", &[SENT][..]), ("target-leo", &[SENT, GUESSES][..])] {
        let login = su(lab, "caller", target, &account).number(&kai.number);
        login.sees(
            target,
            &[Say::Code],
            &Seen::new(
                &[code::SUCCESS],
                screen,
                &["sent caller=caller-kai", "granted caller=caller-kai"],
                1,
            ),
        );
        login.sees(
            target,
            &[Say::WrongCode, Say::WrongCode, Say::WrongCode],
            &Seen::new(
                &[code::MAXTRIES],
                &[
                    SENT,
                    ">Wrong code, 2 tries left. Verification code: ",
                    ">Wrong code, 1 try left. Verification code: ",
                    TOO_MANY,
                ],
                &[
                    "sent caller=caller-kai",
                    "denied caller=caller-kai first=stack reason=wrong-code",
                ],
                1,
            ),
        );
    }
    assert!(lab.twilio().sms_to(&leo.number).is_empty());
    // The environment is not used.
    let login = su(lab, "caller", "root", &account)
        .number(&kai.number)
        .host(|host| {
            host.env("USER", "target-leo")
                .env("LOGNAME", "target-leo")
                .env("SUDO_UID", "0")
        });
    let (seen, _) = login.run(&[Say::Code], 2);
    assert_eq!(seen.codes(), [code::SUCCESS]);
}

fn an_unknown_caller_is_refused(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let mia = lab.machine().add(&User::new("caller-mia"));
    someone(lab, "target-of-mia");
    lab.machine().add(&User::new("target-of-mia"));
    let other = |uid: u32| Account {
        name: String::new(),
        uid,
        gid: uid,
        home: mia.home.clone(),
    };
    let system = "denied reason=system-user";
    let line = "denied caller=caller-mia first=stack reason=no-such-user";
    // The stack has verified a password, so the refusal has a text.
    let rows = [
        (
            "not in the directory",
            mia.clone(),
            &[NOT_VERIFIED][..],
            line,
        ),
        ("root", other(0), &[], system),
        ("daemon", other(1), &[], system),
        ("nobody", other(65534), &[], system),
        ("no name", other(29_999), &[], "denied reason=no-such-user"),
    ];
    for (what, caller, screen, line) in rows {
        for target in ["root", "target-of-mia"] {
            let want = Seen::new(&[code::AUTH_ERR], screen, &[line], 0);
            su(lab, "nobodys", target, &caller).sees(what, &[Say::Code], &want);
        }
    }
}

/// A refusal that could reveal a name or a password.
struct Refusal {
    what: &'static str,
    user: &'static str,
    says: &'static [Say],
    change: fn(Login) -> Login,
    code: i32,
    reason: &'static str,
}

const fn row(
    what: &'static str,
    user: &'static str,
    says: &'static [Say],
    code: i32,
    reason: &'static str,
) -> Refusal {
    let change: fn(Login) -> Login = |login| login;
    Refusal {
        what,
        user,
        says,
        change,
        code,
        reason,
    }
}

const NED: &str = "time-ned";
const TYPED: &[Say] = &[Say::Password];
const JUNK: &[Say] = &[Say::Text("\u{8}\n\r\u{7f}INCORRECT")];

#[rustfmt::skip]
const REFUSALS: [Refusal; 10] = [
    row("time-unknown", "time-no-entry", TYPED, code::USER_UNKNOWN, "no-such-user"),
    row("time-system", "daemon", TYPED, code::USER_UNKNOWN, "system-user"),
    row("time-wrong", NED, &[Say::Text("wrong")], code::AUTH_ERR, "wrong-password"),
    row("time-empty", NED, &[Say::Text("")], code::AUTH_ERR, "wrong-password"),
    row("time-long", NED, &[Say::Long(70_000)], code::AUTH_ERR, "wrong-password"),
    row("time-junk", NED, JUNK, code::AUTH_ERR, "wrong-password"),
    row("time-two", "time-two", TYPED, code::AUTH_ERR, "ambiguous"),
    Refusal {
        change: |login| login.arguments("use_first_pass"),
        ..row("time-left", NED, &[], code::AUTH_ERR, "wrong-password")
    },
    Refusal {
        change: |login| login.arguments("password=ssh"),
        ..row("time-ssh", NED, &[], code::AUTH_ERR, "no-first-factor")
    },
    Refusal {
        change: |login| login.set("ldap.uris", "[\"ldaps://127.0.0.1:1\"]"),
        ..row("time-down", NED, TYPED, code::AUTHINFO_UNAVAIL, "outage")
    },
];

fn refusals_return_after_the_same_time(lab: &Lab) {
    someone(lab, NED);
    someone(lab, "time-two");
    let second = LdapUser::new("time-two").bind_result(0, "");
    lab.slapd().add(&second);
    // They only wait, so they run at the same time.
    let times: Vec<(&str, u128)> = std::thread::scope(|scope| {
        let threads: Vec<_> = REFUSALS
            .iter()
            .map(|row| scope.spawn(|| samples(lab, row)))
            .collect();
        let ended = threads.into_iter().map(|t| t.join().expect("no panic"));
        ended.flatten().collect()
    });
    // Two seconds, plus or minus a quarter, and the delays of a busy machine.
    for (what, millis) in &times {
        assert!((1500..=4000).contains(millis), "{what}: {millis} ms");
    }
    let all = || times.iter().map(|(_, millis)| *millis);
    let spread = all().max().zip(all().min()).map(|(max, min)| max - min);
    assert!(spread.is_some_and(|millis| millis > 50), "{spread:?}");
}

/// Three of these, one after the other: the milliseconds of each.
fn samples(lab: &Lab, row: &Refusal) -> [(&'static str, u128); 3] {
    let login = Login::new(lab, row.what)
        .user(row.user)
        .change(|settings| settings.without("password.refuse_after"));
    let login = (row.change)(login);
    let samples = [(); 3].map(|()| {
        let (seen, _) = login.run(row.says, 1);
        assert_eq!(seen.codes(), [row.code], "{}", row.what);
        (row.what, seen.results[0].1.as_millis())
    });
    if lab.machine_error().is_none() {
        let head = format!("pam_sms_otp({}:auth)", row.what);
        let reason = format!("reason={}", row.reason);
        let lines = lab.machine().log().lines_with(&[&head, &reason]);
        assert_eq!(lines.len(), 3, "{}", row.what);
    }
    samples
}

fn local_failures_return_at_once(lab: &Lab) {
    let oli = someone(lab, "once-oli");
    let dead = Refused::new();
    let login = || {
        Login::new(lab, "once")
            .of(&oli)
            .text("password.refuse_after", "10s")
    };
    let bad = "failed user=? stage=settings reason=bad-settings";
    let wrong = "failed user=? stage=directory reason=refused";
    let cancelled = "denied user=? reason=cancelled";
    let rows = [
        (
            "settings",
            login().set("code.digit", "6"),
            &[][..],
            Seen::at_once(code::SERVICE_ERR, bad),
        ),
        (
            "service account",
            login().text("ldap.bind_password", "wrong"),
            &[Say::Password],
            Seen::refused(code::SERVICE_ERR, wrong),
        ),
        (
            "hung up",
            login(),
            &[Say::HangUp],
            Seen::new(&[code::CONV_ERR], &[ASKS], &[cancelled], 0),
        ),
        (
            "after the password",
            login().text(
                "twilio.api_url",
                &format!("https://127.0.0.1:{}", dead.port()),
            ),
            &[Say::Password],
            Seen::new(
                &[code::AUTHINFO_UNAVAIL],
                &[ASKS, NOT_SENT],
                &["failed stage=twilio reason=outage"],
                0,
            ),
        ),
    ];
    for (what, login, says, want) in rows {
        let seen = login.sees(what, says, &want);
        assert!(seen.results[0].1 < Duration::from_secs(5), "{what}");
    }
}
