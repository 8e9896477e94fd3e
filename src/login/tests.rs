//! The story, told by scripted people, directories and carriers. Everything here is in memory;
//! that the real ones behave the same is for the real runs to show.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use wire::Code as Pam;
use zeroize::Zeroizing;

use super::*;
use crate::{
    config::{self, Content, Files, Role, Unsafe},
    directory::Value,
};

const LOGIN: LoginId = LoginId([0x7f, 0x3a, 0x9c, 0x21]);
const PASSWORD: &str = "correct horse";
const NUMBER: &str = "+12025550142";

const SETTINGS: &str = r#"
[twilio]
twilio_sid = "AC00000000000000000000000000000000"
twilio_token = "obviously-fake"
from_number = "+15005550006"
[ldap]
uris = ["ldap://localhost"]
base = "dc=example,dc=org"
"#;

/// The only file there is.
struct OneFile(String);

impl Files for OneFile {
    fn read(&self, _: &str, _: Role) -> Result<Content, Unsafe> {
        Ok(Content {
            bytes: Zeroizing::new(self.0.clone().into_bytes()),
            stat: trust::Stat {
                mode: 0o100_600,
                uid: 0,
                gid: 0,
                size: 0,
            },
        })
    }
}

/// What the person does at the next prompt.
#[derive(Clone)]
enum Do {
    Say(&'static str),
    Bytes(Vec<u8>),
    /// The code of the n-th SMS, counted from 0.
    Code(usize),
    /// Another code than that.
    WrongCode,
    /// First lets time pass.
    After(u64, Box<Do>),
    HangUp,
    TooLong,
    Missing,
}

fn after(seconds: u64, then: Do) -> Do {
    Do::After(seconds, Box::new(then))
}

#[derive(Default)]
struct World {
    clock: Cell<u64>,
    sms: RefCell<Vec<String>>,
    seen: RefCell<Vec<String>>,
    binds: Cell<u32>,
    unsent: Cell<u32>,
}

struct Scripted<'a>(&'a World, std::vec::IntoIter<Do>);

impl Scripted<'_> {
    fn answer(&self, what: Do) -> Heard {
        let words = |text: &str| Heard::Words {
            words: Zeroizing::new(text.as_bytes().to_vec()),
            asked: true,
        };
        match what {
            Do::Say(text) => words(text),
            Do::Bytes(words) => Heard::Words {
                words: Zeroizing::new(words),
                asked: true,
            },
            Do::Code(sms) => words(&self.0.sms.borrow()[sms][..6]),
            Do::WrongCode => {
                let sms = self.0.sms.borrow();
                let wrong = ["111111", "222222", "333333"]
                    .into_iter()
                    .find(|wrong| sms.iter().all(|sms| !sms.starts_with(wrong)));
                words(wrong.unwrap())
            }
            Do::After(seconds, then) => {
                self.0.clock.set(self.0.clock.get() + seconds);
                self.answer(*then)
            }
            Do::HangUp => Heard::HungUp,
            Do::TooLong => Heard::TooLong,
            Do::Missing => Heard::Missing,
        }
    }
}

impl Person for Scripted<'_> {
    fn password(&mut self, prompt: &str) -> Heard {
        self.code(prompt, false)
    }

    fn code(&mut self, prompt: &str, _: bool) -> Heard {
        self.0.seen.borrow_mut().push(prompt.to_owned());
        let next = self.1.next().expect("nobody expected a further prompt");
        self.answer(next)
    }
}

struct Nss;

impl Names for Nss {
    fn uid(&self, name: &str) -> Result<Option<u32>, String> {
        match name {
            "root" => Ok(Some(0)),
            "broken" => Err("NSS is broken".into()),
            _ => Ok(None),
        }
    }

    fn name(&self, uid: u32) -> Result<Option<String>, String> {
        Ok((uid == 1000).then(|| "alice".into()))
    }
}

struct People<'a>(&'a World);

fn entry(verified: &str, phone: &str) -> Entry {
    let value = |text: &str| vec![Value::Text(text.into())];
    Entry::new(
        "uid=alice,dc=example,dc=org".into(),
        value(verified),
        vec![value(phone), vec![]],
    )
}

impl Directory for People<'_> {
    fn find(&mut self, name: &str, _: Deadline) -> Result<Found, directory::Error> {
        match name {
            "alice" => Ok(Found::One(entry("TRUE", NUMBER))),
            "refused" => Ok(Found::One(entry("TRUE", "+12025550110"))),
            "unverified" => Ok(Found::One(entry("FALSE", NUMBER))),
            "unreadable" => Ok(Found::One(entry("TRUE", "ask my mother"))),
            "twins" => Ok(Found::Several),
            "down" => Err(directory::Error::Outage("down".into())),
            "misconfigured" => Err(directory::Error::Refused {
                what: "no".into(),
                remedy: "do",
            }),
            _ => Ok(Found::None),
        }
    }

    fn prove(
        &mut self,
        _: &Entry,
        password: &Secret,
        login: LoginId,
        _: Deadline,
    ) -> Result<PasswordProof, Unproved> {
        self.0.binds.set(self.0.binds.get() + 1);
        match password.reveal() {
            PASSWORD => Ok(PasswordProof::for_a_test(login)),
            "expired" => Err(Unproved::Expired("it has expired".into())),
            "locked" => Err(Unproved::Locked("it is locked".into())),
            "cut" => Err(Unproved::Error(directory::Error::Outage("cut".into()))),
            _ => Err(Unproved::Wrong),
        }
    }
}

/// Refuses one number; from the n-th SMS on is down.
struct Post<'a>(&'a World, usize);

impl Carrier for Post<'_> {
    fn send(
        &mut self,
        to: &Phone,
        text: &Secret,
        _: Duration,
        _: Deadline,
    ) -> Result<Sent, sms::Error> {
        let kind = if to.e164() == NUMBER && self.0.sms.borrow().len() < self.1 {
            self.0.sms.borrow_mut().push(text.reveal().to_owned());
            return Ok(Sent {
                sid: None,
                took: Duration::ZERO,
            });
        } else if to.e164() == NUMBER {
            sms::Kind::Outage
        } else {
            sms::Kind::NumberRefused
        };
        Err(sms::Error::new(kind, None, "refused", "do something"))
    }
}

struct Silent<'a>(&'a World);

impl Journal for Silent<'_> {
    fn known(&mut self) {}
    fn caller(&mut self, _: &str) {}
    fn proved(&mut self, _: &'static str) {}
    fn sent(&mut self, _: &Phone, _: &Sent) {}
    fn unsent(&mut self, _: &Failed) {
        self.0.unsent.set(self.0.unsent.get() + 1);
    }
    fn step(&mut self, _: &str) {}
}

struct Ticking<'a>(&'a World);

impl Clock for Ticking<'_> {
    fn now(&self) -> Moment {
        Moment::at(Duration::from_secs(1000 + self.0.clock.get()))
    }
}

/// A login to be told.
struct Told {
    user: &'static [u8],
    more_settings: &'static str,
    service: &'static str,
    ssh: &'static [u8],
    caller: u32,
    counts: Counts,
    carrier_lasts: usize,
    script: Vec<Do>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            user: b"alice",
            more_settings: "",
            service: "sshd",
            ssh: b"",
            caller: 0,
            counts: Counts::default(),
            carrier_lasts: usize::MAX,
            script: Vec::new(),
        }
    }
}

/// All that an outsider can see of it.
struct Seen {
    pam: Pam,
    reason: &'static str,
    first: Option<&'static str>,
    text: String,
    prompts: Vec<String>,
    sms: Vec<String>,
    binds: u32,
    unsent: u32,
    counts: Counts,
}

fn tell(told: Told) -> Seen {
    let world = World::default();
    let files = OneFile(format!("{SETTINGS}{}", told.more_settings));
    let settings = config::load(&files, "/settings", told.service, None).expect("good settings");
    let clock = Ticking(&world);
    let request = Request {
        id: LOGIN,
        user: told.user,
        rhost: "192.0.2.7",
        service: told.service,
        host: "web1",
        caller: told.caller,
        ssh_auth_info: told.ssh,
        started: clock.now(),
    };
    let mut person = Scripted(&world, told.script.into_iter());
    let cast = Cast {
        person: &mut person,
        names: &Nss,
        directory: &mut People(&world),
        carrier: &mut Post(&world, told.carrier_lasts),
        journal: &mut Silent(&world),
        clock: &clock,
    };
    let ended = run(&request, &settings, told.counts, cast);
    assert!(person.1.next().is_none(), "a further prompt was expected");
    let reason = match &ended.outcome {
        Outcome::Granted(granted) => {
            assert_eq!(granted.login(), LOGIN);
            "granted"
        }
        Outcome::Denied(denied) => denied.reason(),
        Outcome::Failed(failed) => failed.fault.reason(),
    };
    Seen {
        pam: ended.outcome.pam(),
        reason,
        first: ended.first,
        text: ended.text.unwrap_or_default(),
        prompts: world.seen.take(),
        sms: world.sms.take(),
        binds: world.binds.get(),
        unsent: world.unsent.get(),
        counts: ended.counts,
    }
}

fn script(script: &[Do]) -> Seen {
    tell(Told {
        script: script.to_vec(),
        ..Told::default()
    })
}

/// With the right password first.
fn codes(answers: &[Do]) -> Seen {
    let mut all = vec![Do::Say(PASSWORD)];
    all.extend_from_slice(answers);
    script(&all)
}

#[test]
fn a_right_password_and_a_right_code_open() {
    let seen = codes(&[Do::Code(0)]);
    assert_eq!(
        (seen.pam, seen.reason, seen.first),
        (Pam::Success, "granted", Some("password"))
    );
    assert_eq!(
        seen.prompts,
        ["Password: ", "Code sent to +1*******42. SMS code: "]
    );
    assert_eq!((seen.sms.len(), seen.binds, seen.counts.wrong), (1, 1, 0));
    assert!(seen.sms[0].ends_with(
        " is your login code for web1. It expires in 5 minutes. Not you? Change your password."
    ));
    assert_eq!(seen.text, "");
}

/// Everything that ends before the first factor is proved: silent, without an SMS.
#[test]
fn before_the_first_factor_nothing_is_said_and_nothing_sent() {
    let cases: &[(&[u8], Do, Pam, &str, u32)] = &[
        (
            b"alice",
            Do::Say("wrong"),
            Pam::AuthErr,
            "wrong-password",
            1,
        ),
        (b"alice", Do::Say(""), Pam::AuthErr, "wrong-password", 0),
        (b"alice", Do::Missing, Pam::AuthErr, "wrong-password", 0),
        (b"alice", Do::TooLong, Pam::AuthErr, "wrong-password", 0),
        (
            b"alice",
            Do::Bytes(b"\xff\xfe".to_vec()),
            Pam::AuthErr,
            "wrong-password",
            0,
        ),
        (
            b"alice",
            Do::Bytes(b"\x08\n\r\x7fINCORRECT\x08\n".to_vec()),
            Pam::AuthErr,
            "wrong-password",
            0,
        ),
        (
            b"down",
            Do::Bytes(b"\x08\n\r".to_vec()),
            Pam::AuthErr,
            "wrong-password",
            0,
        ),
        (
            b"alice",
            Do::Say("expired"),
            Pam::AuthErr,
            "password-expired",
            1,
        ),
        (
            b"alice",
            Do::Say("locked"),
            Pam::AuthErr,
            "directory-locked",
            1,
        ),
        (b"alice", Do::Say("cut"), Pam::AuthinfoUnavail, "outage", 1),
        (b"alice", Do::HangUp, Pam::ConvErr, "cancelled", 0),
        (
            b"nobody-knows",
            Do::Say(PASSWORD),
            Pam::UserUnknown,
            "no-such-user",
            0,
        ),
        (
            b"\xff\xfe",
            Do::Say(PASSWORD),
            Pam::UserUnknown,
            "no-such-user",
            0,
        ),
        (
            b"root",
            Do::Say(PASSWORD),
            Pam::UserUnknown,
            "system-user",
            0,
        ),
        (b"twins", Do::Say(PASSWORD), Pam::AuthErr, "ambiguous", 0),
        (
            b"down",
            Do::Say(PASSWORD),
            Pam::AuthinfoUnavail,
            "outage",
            0,
        ),
        (
            b"misconfigured",
            Do::Say(PASSWORD),
            Pam::ServiceErr,
            "refused",
            0,
        ),
        (b"broken", Do::Say(PASSWORD), Pam::ServiceErr, "local", 0),
    ];
    for (user, answer, pam, reason, binds) in cases {
        let seen = tell(Told {
            user,
            script: vec![answer.clone()],
            ..Told::default()
        });
        assert_eq!((seen.pam, seen.reason, seen.binds), (*pam, *reason, *binds));
        assert_eq!(seen.prompts, ["Password: "], "{reason}");
        assert_eq!(
            (seen.text.as_str(), seen.first, seen.sms.len()),
            ("", None, 0),
            "{reason}"
        );
    }
}

#[test]
fn after_the_first_factor_the_person_is_told_plainly() {
    let not_verified = "No verified phone number on file. Ask your administrator. (login 7f3a9c21)";
    let not_sent = "The code could not be sent. Try again later. (login 7f3a9c21)";
    for (user, pam, reason, text) in [
        (
            &b"unverified"[..],
            Pam::AuthErr,
            "not-verified",
            not_verified,
        ),
        (b"unreadable", Pam::AuthErr, "no-number", not_verified),
        (b"refused", Pam::AuthErr, "number-refused", not_sent),
    ] {
        let seen = tell(Told {
            user,
            script: vec![Do::Say(PASSWORD)],
            ..Told::default()
        });
        assert_eq!(
            (seen.pam, seen.reason, seen.text.as_str()),
            (pam, reason, text)
        );
        assert_eq!((seen.first, seen.sms.len()), (Some("password"), 0));
    }
}

#[test]
fn wrong_codes_are_counted_until_the_tries_are_used_up() {
    let seen = codes(&[Do::WrongCode, Do::WrongCode, Do::WrongCode]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "wrong-code"));
    assert_eq!(
        seen.prompts[2..],
        [
            "Wrong code, 2 tries left. SMS code: ",
            "Wrong code, 1 try left. SMS code: "
        ]
    );
    assert_eq!(seen.text, "Too many wrong codes. (login 7f3a9c21)");
    assert_eq!((seen.counts.wrong, seen.sms.len()), (3, 1));

    let seen = codes(&[Do::WrongCode, Do::WrongCode, Do::Code(0)]);
    assert_eq!((seen.pam, seen.counts.wrong), (Pam::Success, 2));
}

#[test]
fn what_is_no_code_is_no_try_and_the_third_ends_it() {
    let long: Vec<u8> = vec![b'1'; 10_000];
    let seen = codes(&[Do::Say(PASSWORD), Do::Bytes(long), Do::Code(0)]);
    assert_eq!((seen.pam, seen.counts.wrong), (Pam::Success, 0));
    assert_eq!(seen.prompts[2], "That is not a 6-digit code. SMS code: ");

    let seen = codes(&[Do::Say("letters"), Do::TooLong, Do::Bytes(vec![0xff])]);
    assert_eq!(
        (seen.pam, seen.reason, seen.counts.no_code),
        (Pam::AuthErr, "no-code", 3)
    );
    assert_eq!(seen.sms.len(), 1);
}

#[test]
fn the_same_code_is_sent_again_within_the_resends() {
    let seen = codes(&[Do::Say(""), Do::Say("r"), Do::Say("R"), Do::Code(0)]);
    assert_eq!(seen.pam, Pam::Success);
    let prompts = [
        "Code sent again. SMS code: ",
        "Code sent again. SMS code: ",
        "No more SMS in this login. SMS code: ",
    ];
    assert_eq!(seen.prompts[2..], prompts);
    assert_eq!(seen.sms.len(), 3);
    assert!(seen.sms.iter().all(|sms| sms[..6] == seen.sms[0][..6]));

    let seen = codes(&[
        Do::Say(""),
        Do::Say(""),
        Do::Say(""),
        Do::Say(""),
        Do::Say(""),
    ]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::AuthErr, "no-code", 3)
    );
}

#[test]
fn in_the_last_minute_a_new_code_is_sent() {
    let seen = codes(&[after(241, Do::Say("r")), after(100, Do::Code(1))]);
    assert_eq!(seen.pam, Pam::Success);
    assert_eq!(
        seen.prompts[2],
        "The code has expired; a new one was sent. SMS code: "
    );
    assert_ne!(seen.sms[0], seen.sms[1]);

    let seen = codes(&[after(239, Do::Say("r")), Do::Code(0)]);
    assert!(seen.sms[1].contains("expires in 2 minutes") && seen.sms[1][..6] == seen.sms[0][..6]);
}

#[test]
fn an_expired_code_is_no_try_and_is_replaced() {
    let seen = codes(&[after(300, Do::Code(0)), Do::Code(0), Do::Code(1)]);
    // The old code is a wrong one by now.
    assert_eq!(
        (seen.pam, seen.counts.wrong, seen.sms.len()),
        (Pam::Success, 1, 2)
    );
    let prompts = [
        "The code has expired; a new one was sent. SMS code: ",
        "Wrong code, 2 tries left. SMS code: ",
    ];
    assert_eq!(seen.prompts[2..], prompts);
}

#[test]
fn an_expired_code_without_a_resend_left_ends_it() {
    let late = || after(300, Do::Say("123456"));
    let seen = codes(&[late(), late(), late()]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "expired-code", 3)
    );
    assert_eq!(seen.text, "The code has expired. (login 7f3a9c21)");

    let seen = codes(&[late(), late(), after(300, Do::Say("r"))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "expired-code"));
}

#[test]
fn a_resend_that_fails_leaves_the_living_code() {
    let seen = tell(Told {
        carrier_lasts: 1,
        script: vec![Do::Say(PASSWORD), Do::Say("r"), Do::Code(0)],
        ..Told::default()
    });
    assert_eq!((seen.pam, seen.unsent), (Pam::Success, 1));
    assert_eq!(seen.prompts[2], "No more SMS in this login. SMS code: ");

    let seen = tell(Told {
        carrier_lasts: 1,
        script: vec![Do::Say(PASSWORD), after(300, Do::Code(0))],
        ..Told::default()
    });
    assert_eq!((seen.pam, seen.reason), (Pam::AuthinfoUnavail, "outage"));
}

#[test]
fn who_hangs_up_after_the_sms_has_abandoned_it() {
    for end in [Do::HangUp, Do::Missing] {
        let seen = codes(&[end]);
        assert_eq!(
            (seen.pam, seen.reason, seen.first),
            (Pam::ConvErr, "abandoned", Some("password"))
        );
        assert_eq!(seen.text, "");
    }
}

#[test]
fn one_handle_has_one_set_of_counts() {
    let told = |counts, script| {
        tell(Told {
            counts,
            script,
            ..Told::default()
        })
    };
    // Two wrong codes before: one try is left.
    let before = Counts {
        wrong: 2,
        sms: 1,
        ..Counts::default()
    };
    let seen = told(before, vec![Do::Say(PASSWORD), Do::WrongCode]);
    assert_eq!(
        (seen.pam, seen.reason, seen.counts.sms),
        (Pam::MaxTries, "wrong-code", 2)
    );
    // All SMS are used: none goes out.
    let before = Counts {
        sms: 3,
        ..Counts::default()
    };
    let seen = told(before, vec![Do::Say(PASSWORD)]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "limited", 0)
    );
    // The first SMS of a further login is a resend.
    let before = Counts {
        sms: 2,
        no_code: 2,
        ..Counts::default()
    };
    let seen = told(before, vec![Do::Say(PASSWORD), Do::Say("r")]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::AuthErr, "no-code", 1)
    );
}

#[test]
fn what_sshd_has_proved_is_a_first_factor() {
    let ssh = |source, ssh, script: &[Do]| {
        tell(Told {
            more_settings: source,
            ssh,
            script: script.to_vec(),
            ..Told::default()
        })
    };
    let (only, auto) = (
        "[password]\nsource = \"ssh\"",
        "[password]\nsource = \"auto\"",
    );
    let key = b"publickey ssh-ed25519 AAAA\n";
    for source in [only, auto] {
        let seen = ssh(source, key, &[Do::Code(0)]);
        assert_eq!(
            (seen.pam, seen.first, seen.binds),
            (Pam::Success, Some("ssh"), 0)
        );
        assert_eq!(seen.prompts.len(), 1);
    }
    let seen = ssh(only, b"", &[]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::AuthErr, "no-first-factor", 0)
    );
    let seen = ssh(
        auto,
        b"keyboard-interactive\n",
        &[Do::Say(PASSWORD), Do::Code(0)],
    );
    assert_eq!((seen.pam, seen.first), (Pam::Success, Some("password")));
}

#[test]
fn the_caller_proves_himself_where_the_stack_has_proved_the_target() {
    let caller = |caller, script: &[Do]| {
        tell(Told {
            user: b"root",
            caller,
            more_settings: "[password]\nsource = \"stack\"\n[policy]\nsubject = \"caller\"",
            script: script.to_vec(),
            ..Told::default()
        })
    };
    let seen = caller(1000, &[Do::Code(0)]);
    assert_eq!(
        (seen.pam, seen.first, seen.binds),
        (Pam::Success, Some("stack"), 0)
    );
    for (uid, reason) in [
        (0, "system-user"),
        (65534, "system-user"),
        (4711, "no-such-user"),
    ] {
        let seen = caller(uid, &[]);
        assert_eq!(
            (seen.pam, seen.reason, seen.sms.len()),
            (Pam::AuthErr, reason, 0)
        );
    }
}

#[test]
fn proofs_of_different_logins_open_nothing() {
    let other = LoginId([9; 4]);
    let now = Moment::at(Duration::from_secs(1));
    let code = Code::draw(6, Duration::from_secs(60), LOGIN, now).unwrap();
    let crate::code::Answer::Code(typed) = crate::code::read(code.digits().as_bytes(), 6) else {
        panic!("a code is a code");
    };
    let Ok(second) = code.check(&typed, now) else {
        panic!("the right code is right");
    };
    let first = First::Password(PasswordProof::for_a_test(other));
    assert!(Granted::new(LOGIN, &first, &second).is_none());
    assert!(Granted::new(other, &first, &second).is_none());
    let first = First::Stack(StackProof::by_settings(LOGIN));
    assert!(Granted::new(LOGIN, &first, &second).is_some());
}

#[test]
fn waiting_is_added_up_over_a_handle() {
    let before = Counts {
        waited: Duration::from_secs(7),
        ..Counts::default()
    };
    let seen = tell(Told {
        counts: before,
        script: vec![after(20, Do::Say(PASSWORD)), after(30, Do::Code(0))],
        ..Told::default()
    });
    // Typing is not waiting, and this directory and carrier take no time.
    assert_eq!(seen.counts.waited, Duration::from_secs(7));
}
