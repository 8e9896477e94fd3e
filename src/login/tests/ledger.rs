//! What the ledger makes of a login: limits, locks, remembered logins, new numbers.

use std::time::Duration;

use super::stage::{Do, PASSWORD, Seen, Told, after, tell};
use crate::{
    config::Settings,
    id::LoginId,
    ledger::{Error, model::Model},
};
use protocol::Code as Pam;

const LATER: LoginId = LoginId([0x0b, 0xad, 0xca, 0xfe]);

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// A login after the right password, with what is known from earlier ones.
fn login(ledger: &Model, change: fn(&mut Settings), answers: &[Do]) -> Seen {
    let mut script = vec![Do::Say(PASSWORD)];
    script.extend_from_slice(answers);
    tell(Told {
        ledger: ledger.clone(),
        change,
        script,
        ..Told::default()
    })
}

#[test]
fn a_wrong_password_is_no_business_of_the_ledgers() {
    let ledger = Model::default();
    for words in ["wrong", "", "locked", "expired", "cut"] {
        let seen = tell(Told {
            ledger: ledger.clone(),
            script: vec![Do::Say(words)],
            ..Told::default()
        });
        assert_eq!(seen.asked, 0, "{words}");
    }
    assert_eq!(login(&ledger, |_| {}, &[Do::Code(0)]).asked, 1);
}

#[test]
fn a_limit_says_when_to_try_again_and_which_it_was() {
    let ledger = Model::default();
    for _ in 0..5 {
        ledger.pass(seconds(60));
        assert_eq!(login(&ledger, |_| {}, &[Do::Code(0)]).pam, Pam::Success);
    }
    let seen = login(&ledger, |_| {}, &[]);
    assert_eq!(
        (seen.pam, seen.reason, seen.first),
        (Pam::MaxTries, "limited", Some("password"))
    );
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 11 minutes. (login 7f3a9c21)"
    );
    assert!(
        seen.detail.starts_with("5/15m SMS for this person"),
        "{}",
        seen.detail
    );
    assert!(seen.sms.is_empty());
    ledger.pass(seconds(11 * 60));
    assert_eq!(login(&ledger, |_| {}, &[Do::Code(0)]).pam, Pam::Success);
}

#[test]
fn inside_a_limit_a_living_code_goes_on() {
    let one: fn(&mut Settings) = |settings| settings.limits.sms[0].most = 1;
    let seen = login(&Model::default(), one, &[Do::Say("r"), Do::Code(0)]);
    assert_eq!((seen.pam, seen.sms.len()), (Pam::Success, 1));
    assert_eq!(
        seen.prompts[2],
        "Another SMS in 15 minutes. Verification code: "
    );
    // With a dead one it is the end.
    let seen = login(&Model::default(), one, &[after(300, Do::Code(0))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "limited"));
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 10 minutes. (login 7f3a9c21)"
    );
}

#[test]
fn two_sms_of_one_login_are_a_pause_apart() {
    let pause: fn(&mut Settings) = |settings| settings.limits.pause = seconds(30);
    let seen = login(
        &Model::default(),
        pause,
        &[after(5, Do::Say("r")), after(25, Do::Say("r")), Do::Code(0)],
    );
    assert_eq!((seen.pam, seen.sms.len()), (Pam::Success, 2));
    assert_eq!(
        seen.prompts[2..],
        [
            "Another SMS in 25 s. Verification code: ",
            "Code sent again. Verification code: "
        ]
    );
    assert_eq!(seen.counts.no_code, 1);
    let long: fn(&mut Settings) = |settings| {
        settings.limits.pause = seconds(300);
        settings.code.lifetime = seconds(5);
    };
    let seen = login(&Model::default(), long, &[after(5, Do::Say("r"))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "expired-code"));
}

#[test]
fn only_what_was_surely_not_sent_is_given_back() {
    for (user, left) in [(&b"refused"[..], 0), (b"alice", 1)] {
        let ledger = Model::default();
        let seen = tell(Told {
            user,
            ledger: ledger.clone(),
            carrier_lasts: 0,
            script: vec![Do::Say(PASSWORD)],
            ..Told::default()
        });
        assert_ne!(seen.pam, Pam::Success);
        let by = crate::deadline::Deadline::within(seconds(1));
        let overview = crate::ledger::Ledger::summary(&mut ledger.clone(), by).unwrap();
        assert_eq!(overview.sms, left);
    }
}

#[test]
fn wrong_codes_lock_and_each_further_one_doubles() {
    let two: fn(&mut Settings) = |settings| settings.limits.failures = 2;
    let ledger = Model::default();
    let seen = login(&ledger, two, &[Do::WrongCode, Do::WrongCode]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "locked"));
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 15 minutes. (login 7f3a9c21)"
    );
    let seen = login(&ledger, two, &[]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "locked", 0)
    );
    ledger.pass(seconds(15 * 60));
    let seen = login(&ledger, two, &[Do::WrongCode]);
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 30 minutes. (login 7f3a9c21)"
    );
    // A right one clears it.
    ledger.pass(seconds(30 * 60));
    assert_eq!(login(&ledger, two, &[Do::Code(0)]).pam, Pam::Success);
    let seen = login(&ledger, two, &[Do::WrongCode, Do::Code(0)]);
    assert_eq!(seen.pam, Pam::Success);
}

#[test]
fn in_the_end_only_an_administrator_unlocks() {
    let few: fn(&mut Settings) = |settings| {
        settings.limits.disable_after = 2;
        settings.code.tries = 2;
    };
    let ledger = Model::default();
    let seen = login(&ledger, few, &[Do::WrongCode, Do::WrongCode]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "wrong-code"));
    assert!(seen.detail.contains("sms-otp unlock"), "{}", seen.detail);
    ledger.pass(seconds(400 * 86400));
    let seen = login(&ledger, few, &[]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "locked"));
    assert_eq!(seen.text, "Too many wrong codes. (login 7f3a9c21)");
}

#[test]
fn hanging_up_at_the_prompt_takes_no_try_and_gives_none() {
    let two: fn(&mut Settings) = |settings| settings.limits.failures = 2;
    let ledger = Model::default();
    for _ in 0..3 {
        assert_eq!(login(&ledger, two, &[Do::HangUp]).reason, "abandoned");
    }
    assert_eq!(login(&ledger, two, &[Do::Code(0)]).pam, Pam::Success);
}

#[test]
fn a_try_that_cannot_be_counted_is_not_compared() {
    let ledger = Model::default();
    let broken = Error::Local {
        what: "the disk is full".into(),
        remedy: "make room".into(),
    };
    let seen = login(
        &ledger,
        |_| {},
        &[Do::Breaks(broken.clone(), Box::new(Do::Code(0)))],
    );
    assert_eq!((seen.pam, seen.reason), (Pam::ServiceErr, "local"));
    ledger.fail(None);
    let outage = Error::Outage("x:6379: timed out".into());
    let seen = login(
        &ledger,
        |_| {},
        &[Do::Breaks(outage, Box::new(Do::Code(0)))],
    );
    assert_eq!((seen.pam, seen.reason), (Pam::AuthinfoUnavail, "outage"));
    ledger.fail(Some(broken));
    let seen = login(&ledger, |_| {}, &[]);
    assert_eq!((seen.pam, seen.sms.len()), (Pam::ServiceErr, 0));
}

/// What others have guessed is shown to the user who has given the code, and only then cleared.
#[test]
fn guesses_of_others_are_shown_once() {
    let ledger = Model::default();
    let guess = |wrong: usize| {
        let script = vec![Do::WrongCode; wrong];
        let seen = login(&ledger, REMEMBER, &[&script[..], &[Do::HangUp]].concat());
        assert_eq!(seen.reason, "abandoned");
        ledger.pass(seconds(300));
    };
    let granted = |told: Told, script: &[Do]| {
        ledger.pass(seconds(300));
        let seen = tell(Told {
            ledger: ledger.clone(),
            script: [&[Do::Say(PASSWORD)], script].concat(),
            ..told
        });
        assert_eq!(seen.pam, Pam::Success);
        let texts = seen.order.iter().rev().take(2).rev();
        texts.cloned().collect::<Vec<_>>()
    };
    let plain = Told::default;
    let none = ["Wrong code, 2 tries left. Verification code: "];
    // A slip of one's own is no guess.
    let slip = &[Do::WrongCode, Do::Code(0)][..];
    assert_eq!(granted(plain(), slip)[1..], none);
    guess(2);
    guess(1);
    let silent = Told {
        silent: true,
        ..plain()
    };
    assert_eq!(granted(silent, slip)[1..], none);
    let remembering = |told| Told {
        change: REMEMBER,
        ..told
    };
    let gone = Told {
        host_is_gone: true,
        ..remembering(plain())
    };
    let three = "3 wrong codes were entered since your last login.";
    assert_eq!(granted(gone, slip)[1], three);
    // Nobody has given a code in a remembered login.
    assert_eq!(granted(remembering(plain()), &[])[1], "bind");
    assert_eq!(granted(plain(), slip), [three, "clear guesses"]);
    assert_eq!(granted(plain(), slip)[1..], none);
    guess(1);
    let one = "1 wrong code was entered since your last login.";
    assert_eq!(granted(plain(), slip), [one, "clear guesses"]);
    // Wrong codes of a login that is refused are no one's but a stranger's.
    ledger.pass(seconds(900));
    assert_eq!(login(&ledger, |_| {}, &[Do::Code(0)]).reason, "granted");
}

const REMEMBER: fn(&mut Settings) = |settings| settings.policy.remember = Some(seconds(900));

#[test]
fn a_login_is_remembered_for_its_place_and_for_so_long() {
    let ledger = Model::default();
    let from = |rhost, service, change: fn(&mut Settings), script: &[Do]| {
        tell(Told {
            ledger: ledger.clone(),
            id: LATER,
            rhost,
            service,
            change,
            script: script.to_vec(),
            ..Told::default()
        })
    };
    assert_eq!(login(&ledger, REMEMBER, &[Do::Code(0)]).pam, Pam::Success);
    let password = [Do::Say(PASSWORD)];
    let code = [Do::Say(PASSWORD), Do::Code(0)];
    let seen = from("192.0.2.7", "sshd", REMEMBER, &password);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::Success, "remembered", 0)
    );
    for (rhost, service, change) in [
        ("192.0.2.8", "sshd", REMEMBER),
        ("client.example.org", "sshd", REMEMBER),
        ("", "sshd", REMEMBER),
        ("192.0.2.7", "cockpit", REMEMBER),
        ("192.0.2.7", "sshd", |_: &mut Settings| {}),
    ] {
        assert_eq!(from(rhost, service, change, &code).reason, "granted");
        ledger.pass(seconds(300));
    }
    assert_eq!(from("192.0.2.7", "sshd", REMEMBER, &code).reason, "granted");
}

#[test]
fn behind_a_stack_a_remembered_login_is_left_to_it() {
    let ledger = Model::default();
    let stacked = |script: &[Do]| {
        tell(Told {
            ledger: ledger.clone(),
            more_settings: "[password]\nsource = \"stack\"",
            change: REMEMBER,
            script: script.to_vec(),
            ..Told::default()
        })
    };
    assert_eq!(stacked(&[Do::Code(0)]).pam, Pam::Success);
    let seen = stacked(&[]);
    assert_eq!((seen.pam, seen.reason), (Pam::Ignore, "remembered"));
    assert_eq!((seen.text.as_str(), seen.sms.len()), ("", 0));
}

#[test]
fn a_lock_forgets() {
    let strict: fn(&mut Settings) = |settings| {
        REMEMBER(settings);
        settings.limits.failures = 1;
    };
    let ledger = Model::default();
    assert_eq!(login(&ledger, strict, &[Do::Code(0)]).pam, Pam::Success);
    let elsewhere = tell(Told {
        ledger: ledger.clone(),
        rhost: "192.0.2.99",
        change: strict,
        script: vec![Do::Say(PASSWORD), Do::WrongCode],
        ..Told::default()
    });
    assert_eq!(elsewhere.reason, "locked");
    assert_eq!(login(&ledger, strict, &[]).reason, "locked");
    ledger.pass(seconds(900));
    assert_eq!(login(&ledger, strict, &[Do::Code(0)]).reason, "granted");
}

#[test]
fn a_new_number_is_told_forgets_and_waits() {
    let wait: fn(&mut Settings) = |settings| {
        REMEMBER(settings);
        settings.policy.new_phone = seconds(86400);
    };
    let ledger = Model::default();
    let moved = |change, script: &[Do]| {
        tell(Told {
            user: b"moved",
            ledger: ledger.clone(),
            change,
            script: script.to_vec(),
            ..Told::default()
        })
    };
    // His first number has nothing to wait for.
    let seen = login(&ledger, wait, &[Do::Code(0)]);
    assert_eq!((seen.pam, seen.changed.len()), (Pam::Success, 0));
    ledger.pass(seconds(1));
    let seen = moved(wait, &[Do::Say(PASSWORD)]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "new-phone", 0)
    );
    assert_eq!(seen.changed, ["+1*******77"]);
    assert_eq!(
        seen.text,
        "Your new phone number cannot be used yet. Ask your administrator. (login 7f3a9c21)"
    );
    // Told once; the old number is still his, and nothing is remembered.
    ledger.pass(seconds(60));
    assert!(moved(wait, &[Do::Say(PASSWORD)]).changed.is_empty());
    assert_eq!(login(&ledger, wait, &[Do::Code(0)]).reason, "granted");
    // That login has not seen the new number, so the wait begins anew.
    ledger.pass(seconds(86400));
    let seen = moved(wait, &[Do::Say(PASSWORD)]);
    assert_eq!((seen.reason, seen.changed.len()), ("new-phone", 1));
    ledger.pass(seconds(86400));
    let seen = moved(wait, &[Do::Say(PASSWORD), Do::Code(0)]);
    assert_eq!(seen.reason, "granted");
}

const WAIT: fn(&mut Settings) = |settings| settings.policy.new_phone = seconds(86400);

/// Alice's number of later.
fn moved(ledger: &Model, told: Told) -> Seen {
    tell(Told {
        user: b"moved",
        ledger: ledger.clone(),
        ..told
    })
}

/// Whoever can kill this process between the ledger's answer and the line, or between the line and what
/// the ledger is told, has the next login find the same number new.
#[test]
fn a_login_that_is_killed_hides_no_new_number() {
    let allow: fn(&mut Settings) = |_| {};
    for (new_phone, last, reason) in [
        (allow, &[Do::Say(PASSWORD), Do::HangUp][..], "abandoned"),
        (WAIT, &[Do::Say(PASSWORD)], "new-phone"),
    ] {
        let ledger = Model::default();
        assert_eq!(login(&ledger, new_phone, &[Do::Code(0)]).reason, "granted");
        for killed in ["phone changed", "mark announced"] {
            ledger.pass(seconds(2 * 86400));
            let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                moved(
                    &ledger,
                    Told {
                        change: new_phone,
                        panics: killed,
                        script: vec![Do::Say(PASSWORD)],
                        ..Told::default()
                    },
                );
            }));
            assert!(killed.is_err());
        }
        // It has not begun to wait, however long ago that was.
        ledger.pass(seconds(2 * 86400));
        let seen = moved(
            &ledger,
            Told {
                change: new_phone,
                script: last.to_vec(),
                ..Told::default()
            },
        );
        assert_eq!((seen.reason, seen.changed.len()), (reason, 1));
    }
}

/// A line that the system log did not take announces nothing: where new numbers do not wait, the login
/// goes on, and each one tries again; where they do, the wait does not begin.
#[test]
fn what_the_log_did_not_take_is_not_announced() {
    let ledger = Model::default();
    assert_eq!(login(&ledger, |_| {}, &[Do::Code(0)]).reason, "granted");
    let unlogged = |change, log_is_full, script: &[Do]| {
        ledger.pass(seconds(2 * 86400));
        let told = Told {
            change,
            log_is_full,
            script: script.to_vec(),
            ..Told::default()
        };
        let seen = moved(&ledger, told);
        assert_eq!(seen.changed.len(), 1);
        let told = seen.order.iter().any(|what| what == "mark announced");
        assert_eq!(told, !log_is_full);
        seen.reason
    };
    let (password, code) = (Do::Say(PASSWORD), Do::Code(0));
    let script = [password.clone(), code];
    let allow: fn(&mut Settings) = |_| {};
    for _ in 0..2 {
        assert_eq!(unlogged(allow, true, &script), "granted");
        assert_eq!(unlogged(WAIT, true, &script[..1]), "new-phone");
    }
    assert_eq!(unlogged(allow, false, &script), "granted");
}

/// Where new numbers do not wait, the line comes before the SMS, and without it there is none.
#[test]
fn nothing_goes_to_a_number_before_it_is_told() {
    let ledger = Model::default();
    assert_eq!(login(&ledger, |_| {}, &[Do::Code(0)]).reason, "granted");
    ledger.pass(seconds(60));
    let outage = Error::Outage("x:6379: timed out".into());
    let broken = Error::Local {
        what: "the disk is full".into(),
        remedy: "make room".into(),
    };
    for (error, pam, reason) in [
        (outage, Pam::AuthinfoUnavail, "outage"),
        (broken, Pam::ServiceErr, "local"),
    ] {
        let seen = moved(
            &ledger,
            Told {
                breaks_after_log: Some(error),
                script: vec![Do::Say(PASSWORD)],
                ..Told::default()
            },
        );
        assert_eq!((seen.pam, seen.reason), (pam, reason));
        assert_eq!((seen.changed.len(), seen.sms.len()), (1, 0));
        ledger.fail(None);
    }
    let script = || Told {
        script: vec![Do::Say(PASSWORD), Do::Code(0)],
        ..Told::default()
    };
    let seen = moved(&ledger, script());
    let after_bind = seen.order.iter().skip_while(|what| *what != "bind");
    let steps: Vec<&str> = after_bind.map(String::as_str).skip(1).take(3).collect();
    assert_eq!(steps, ["phone changed", "mark announced", "send"]);
    // Once told, it is not asked about again.
    let seen = moved(&ledger, script());
    assert!(seen.reason == "granted" && seen.changed.is_empty());
    assert!(!seen.order.iter().any(|what| what == "mark announced"));
}

#[test]
fn a_number_outside_of_the_prefixes_gets_nothing() {
    for (prefix, pam, reason) in [
        ("+44", Pam::MaxTries, "prefix"),
        ("+1202", Pam::Success, "granted"),
    ] {
        let script: &[Do] = if prefix == "+44" { &[] } else { &[Do::Code(0)] };
        let mut told = Told {
            script: [&[Do::Say(PASSWORD)], script].concat(),
            ..Told::default()
        };
        told.change = if prefix == "+44" {
            |settings| settings.limits.allowed_prefixes = vec!["+44".into()]
        } else {
            |settings| settings.limits.allowed_prefixes = vec!["+44".into(), "+1202".into()]
        };
        let seen = tell(told);
        assert_eq!((seen.pam, seen.reason), (pam, reason));
    }
}
