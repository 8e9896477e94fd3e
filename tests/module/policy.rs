//! Who is to prove himself, and how long a refusal takes.

use super::login::{ASKS, Login, NOT_SENT, SENT, Say, Seen, TOO_MANY, someone};
use crate::Case;
use lab::bench::Bench;
use lab::listeners::Refused;
use lab::pamhost::code;
use lab::slapd::Person;
use lab::world::{Account, User};
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "module::policy::the_caller_proves_himself",
        the_caller_proves_himself,
    ),
    (
        "module::policy::a_caller_who_is_nobody_is_refused",
        a_caller_who_is_nobody_is_refused,
    ),
    (
        "module::policy::refusals_leave_after_the_same_time",
        refusals_leave_after_the_same_time,
    ),
    (
        "module::policy::what_is_wrong_here_leaves_at_once",
        what_is_wrong_here_leaves_at_once,
    ),
];

/// As su has it: the target's password was proved, the caller's phone is asked.
fn su<'b>(bench: &'b Bench, target: &str, caller: &Account) -> Login<'b> {
    Login::new(bench, "caller")
        .user(target)
        .text("service.caller.password.source", "stack")
        .text("service.caller.policy.subject", "caller")
        .host(|host| host.setuid_for(caller))
}

fn the_caller_proves_himself(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let account = bench.world().add(&User::new("caller-kai"));
    bench.world().add(&User::new("target-leo"));
    let kai = someone(bench, "caller-kai");
    let leo = someone(bench, "target-leo");
    for target in ["root", "target-leo"] {
        let login = su(bench, target, &account).number(&kai.number);
        login.sees(
            target,
            &[Say::Code],
            &Seen::new(
                &[code::SUCCESS],
                &[SENT],
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
                    ">Wrong code, 2 tries left. SMS code: ",
                    ">Wrong code, 1 try left. SMS code: ",
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
    assert!(bench.twilio().sms_to(&leo.number).is_empty());
    // The environment names nobody.
    let login = su(bench, "root", &account)
        .number(&kai.number)
        .host(|host| {
            host.env("USER", "target-leo")
                .env("LOGNAME", "target-leo")
                .env("SUDO_UID", "0")
        });
    let (seen, _) = login.run(&[Say::Code], 2);
    assert_eq!(seen.codes(), [code::SUCCESS]);
}

fn a_caller_who_is_nobody_is_refused(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let mia = bench.world().add(&User::new("caller-mia"));
    someone(bench, "target-of-mia");
    bench.world().add(&User::new("target-of-mia"));
    let other = |uid: u32| Account {
        name: String::new(),
        uid,
        gid: uid,
        home: mia.home.clone(),
    };
    let system = "denied reason=system-user";
    let told = "denied caller=caller-mia first=stack reason=no-such-user";
    // The target's password was proved when the directory is asked: then the person is told.
    let rows = [
        ("not in the directory", mia.clone(), &[NOT_SENT][..], told),
        ("root", other(0), &[], system),
        ("daemon", other(1), &[], system),
        ("nobody", other(65534), &[], system),
        ("no name", other(29_999), &[], "denied reason=no-such-user"),
    ];
    for (what, caller, screen, line) in rows {
        for target in ["root", "target-of-mia"] {
            let want = Seen::new(&[code::AUTH_ERR], screen, &[line], 0);
            su(bench, target, &caller).sees(what, &[Say::Code], &want);
        }
    }
}

/// A refusal that could tell names or passwords apart.
struct Refusal<'a> {
    what: &'static str,
    user: &'a str,
    says: &'a [Say],
    change: fn(Login) -> Login,
    code: i32,
    reason: &'a str,
}

fn refusals_leave_after_the_same_time(bench: &Bench) {
    someone(bench, "time-ned");
    someone(bench, "time-two");
    bench
        .slapd()
        .add(&Person::new("time-two").bind_answers(0, ""));
    let same: fn(Login) -> Login = |login| login;
    let row = |what, user, says, code, reason| Refusal {
        what,
        user,
        says,
        change: same,
        code,
        reason,
    };
    let typed: &[Say] = &[Say::Password];
    let rows = [
        row(
            "time-unknown",
            "time-nobody",
            typed,
            code::USER_UNKNOWN,
            "no-such-user",
        ),
        row(
            "time-system",
            "daemon",
            typed,
            code::USER_UNKNOWN,
            "system-user",
        ),
        row(
            "time-wrong",
            "time-ned",
            &[Say::Text("wrong")],
            code::AUTH_ERR,
            "wrong-password",
        ),
        row(
            "time-empty",
            "time-ned",
            &[Say::Text("")],
            code::AUTH_ERR,
            "wrong-password",
        ),
        row(
            "time-long",
            "time-ned",
            &[Say::Long(70_000)],
            code::AUTH_ERR,
            "wrong-password",
        ),
        row(
            "time-junk",
            "time-ned",
            &[Say::Text("\u{8}\n\r\u{7f}INCORRECT")],
            code::AUTH_ERR,
            "wrong-password",
        ),
        row("time-two", "time-two", typed, code::AUTH_ERR, "ambiguous"),
        Refusal {
            change: |login| login.arguments("use_first_pass"),
            ..row(
                "time-left",
                "time-ned",
                &[],
                code::AUTH_ERR,
                "wrong-password",
            )
        },
        Refusal {
            change: |login| login.arguments("password=ssh"),
            ..row(
                "time-ssh",
                "time-ned",
                &[],
                code::AUTH_ERR,
                "no-first-factor",
            )
        },
        Refusal {
            change: |login| login.set("ldap.uris", "[\"ldaps://127.0.0.1:1\"]"),
            ..row(
                "time-down",
                "time-ned",
                typed,
                code::AUTHINFO_UNAVAIL,
                "outage",
            )
        },
    ];
    // Each waits by itself: they wait together.
    let times: Vec<(&str, Duration)> = std::thread::scope(|scope| {
        let samples = |row: &Refusal| {
            let login = Login::new(bench, row.what)
                .user(row.user)
                .change(|settings| settings.without("password.refuse_after"));
            let login = (row.change)(login);
            let times = [(); 3].map(|()| {
                let (seen, _) = login.run(row.says, 1);
                assert_eq!(seen.codes(), [row.code], "{}", row.what);
                (row.what, seen.results[0].1)
            });
            if bench.without_world().is_none() {
                let (head, reason) = (
                    format!("pam_sms_otp({}:auth)", row.what),
                    format!("reason={}", row.reason),
                );
                let lines = bench.world().log().lines_with(&[&head, &reason]);
                assert_eq!(lines.len(), 3, "{}", row.what);
            }
            times
        };
        let threads: Vec<_> = rows
            .iter()
            .map(|row| scope.spawn(move || samples(row)))
            .collect();
        let ended = threads.into_iter().map(|t| t.join().expect("no panic"));
        ended.flatten().collect()
    });
    // Two seconds, give or take a quarter; on top of it what a busy machine takes.
    for (what, time) in &times {
        let millis = time.as_millis();
        assert!((1500..=4000).contains(&millis), "{what}: {millis} ms");
    }
    let shortest = times.iter().map(|(_, time)| time).min();
    let longest = times.iter().map(|(_, time)| time).max();
    assert!(
        longest
            .zip(shortest)
            .is_some_and(|(l, s)| *l - *s > Duration::from_millis(50))
    );
}

fn what_is_wrong_here_leaves_at_once(bench: &Bench) {
    let oli = someone(bench, "once-oli");
    let dead = Refused::new();
    let login = || {
        Login::new(bench, "once")
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
