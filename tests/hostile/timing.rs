//! The time of prompt and refusal reveals nothing about user names: it does not depend on why a login is refused
//! before the first factor is verified.
//!
//! All kinds are measured at the same times, so that load affects all of them. The distributions are compared
//! with a bound that is exceeded by chance once in a million.

mod ssh;

use super::torture;
use crate::Case;
use crate::module::PASSWORD;
use crate::module::login::Login;
use lab::Lab;
use lab::fake_ldap::{FakeLdap, Script};
use lab::machine::User;
use lab::pamhost::{At, code};
use lab::statistics::{chance_distance, distance, histogram, percentile};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::timing::refusals_take_the_same_time",
        refusals_take_the_same_time,
    ),
    (
        "hostile::timing::refusals_through_sshd_take_the_same_time",
        refusals_through_sshd_take_the_same_time,
    ),
];

/// The delay of each response of the directory. Known users, who are searched for while they type, wait for one
/// response, others for three, or for none.
const TAKES: Duration = Duration::from_millis(100);

const REFUSE_AFTER: &str = "700ms";

/// The password that sshd passes for a user that it does not accept.
const JUNK: &str = "\u{8}\n\r\u{7f}INCORRECT";

/// One kind of refusal.
struct Kind {
    name: &'static str,
    user: &'static str,
    /// The result of the bind, if the directory has an entry.
    entry: Option<u8>,
    password: &'static str,
    pam: i32,
}

const fn kind(
    name: &'static str,
    user: &'static str,
    entry: Option<u8>,
    password: &'static str,
    pam: i32,
) -> Kind {
    Kind {
        name,
        user,
        entry,
        password,
        pam,
    }
}

/// `timing-here` has an account on this machine, so the search starts while the user types.
const KINDS: &[Kind] = &[
    kind(
        "wrong password",
        "timing-here",
        Some(49),
        "wrong",
        code::AUTH_ERR,
    ),
    kind(
        "wrong password, not on this machine",
        "timing-there",
        Some(49),
        "wrong",
        code::AUTH_ERR,
    ),
    kind("locked", "timing-here", Some(19), PASSWORD, code::AUTH_ERR),
    kind(
        "not in the directory",
        "timing-here",
        None,
        PASSWORD,
        code::USER_UNKNOWN,
    ),
    kind(
        "nowhere",
        "timing-nowhere",
        None,
        PASSWORD,
        code::USER_UNKNOWN,
    ),
    kind("system user", "root", Some(0), PASSWORD, code::USER_UNKNOWN),
    kind("empty password", "timing-here", Some(0), "", code::AUTH_ERR),
    kind("sshd's junk", "timing-here", Some(0), JUNK, code::AUTH_ERR),
];

/// The names of the kinds, and their times.
type Kinds = [(String, Vec<Duration>)];

/// The times of one kind.
#[derive(Default, Clone)]
struct Times {
    prompt: Vec<Duration>,
    refusal: Vec<Duration>,
}

fn refusals_take_the_same_time(lab: &Lab) {
    lab.machine().add(&User::new("timing-here"));
    let rounds = if torture() { 250 } else { 12 };
    let times = measure(lab, KINDS, REFUSE_AFTER, rounds);
    let names = || KINDS.iter().map(|kind| kind.name.to_owned());
    let prompts: Vec<_> = names()
        .zip(times.iter().map(|t| t.prompt.clone()))
        .collect();
    let refusals: Vec<_> = names()
        .zip(times.iter().map(|t| t.refusal.clone()))
        .collect();
    if torture() {
        let through_sshd = ssh::measure(lab, 60);
        write_document(&prompts, &refusals, &through_sshd);
        all_alike("sshd", &through_sshd);
    }
    let least = Duration::from_millis(700 * 3 / 4);
    for (name, times) in &refusals {
        let early = times.iter().find(|time| **time < least);
        assert_eq!(early, None, "{name}");
    }
    all_alike("prompt", &prompts);
    all_alike("refusal", &refusals);
    // Control: without `refuse_after` the times reveal the kind.
    let two = [&KINDS[1], &KINDS[7]].map(|kind| Kind { ..*kind });
    let times = measure(lab, &two, "0s", 8);
    let found = distance(&times[0].refusal, &times[1].refusal);
    assert!(found > 0.9, "{found}");
}

/// A few rounds compare the screens, and detect refusals without a delay; the long form is a part of
/// [`refusals_take_the_same_time`].
fn refusals_through_sshd_take_the_same_time(lab: &Lab) {
    if !torture() {
        ssh::measure(lab, 2);
    }
}

/// Runs all kinds in parallel, `rounds` times.
fn measure(lab: &Lab, kinds: &[Kind], refuse_after: &str, rounds: usize) -> Vec<Times> {
    let logins: Vec<_> = kinds
        .iter()
        .map(|kind| login(lab, kind, refuse_after))
        .collect();
    let mut times = vec![Times::default(); kinds.len()];
    for _ in 0..rounds {
        let round: Vec<_> = std::thread::scope(|scope| {
            let runs: Vec<_> = kinds
                .iter()
                .zip(&logins)
                .map(|(kind, (_, login))| scope.spawn(|| once(kind, login)))
                .collect();
            runs.into_iter()
                .map(|run| run.join().expect("a login"))
                .collect()
        });
        for (times, (prompt, refusal)) in times.iter_mut().zip(round) {
            times.prompt.push(prompt);
            times.refusal.push(refusal);
        }
    }
    times
}

/// A login of this kind, with a directory of its own.
fn login<'b>(lab: &'b Lab, kind: &Kind, refuse_after: &str) -> (FakeLdap, Login<'b>) {
    let ldap = FakeLdap::start();
    let number = lab.number();
    ldap.set_script(Script {
        takes: TAKES,
        dn: kind
            .entry
            .map(|_| b"uid=timing,dc=example,dc=org".to_vec())
            .unwrap_or_default(),
        attributes: vec![
            (b"phoneNumberVerified".to_vec(), vec![b"TRUE".to_vec()]),
            (b"mobile".to_vec(), vec![number.clone().into_bytes()]),
        ],
        bind: (kind.entry.unwrap_or(0), Vec::new()),
        ..Script::default()
    });
    // A service and directory for each: they run in parallel.
    let case: &'static str = format!("timing-{}", kind.name.replace([' ', ',', '\''], "-")).leak();
    let login = Login::new(lab, case)
        .user(kind.user)
        .number(&number)
        .set("ldap.uris", &format!("[{:?}]", ldap.url()))
        .text("password.refuse_after", refuse_after)
        .host(lab::pamhost::PamHost::without_copies);
    (ldap, login)
}

/// The time until the prompt, and from the answer to the refusal.
fn once(kind: &Kind, login: &Login) -> (Duration, Duration) {
    login.set_up();
    let (mut start, mut prompt, mut end) = (None, None, None);
    let transcript = login.watched(
        |_| kind.password.into(),
        |at, _| {
            let now = Some(Instant::now());
            match at {
                At::Start => start = now,
                At::Prompt(_) => prompt = now,
                At::Result(_) => end = now,
                At::End => {}
            }
        },
    );
    assert_eq!(transcript.codes(), [kind.pam], "{}", kind.name);
    assert_eq!(transcript.texts(), ["Password: "], "{}", kind.name);
    let (start, prompt) = (start.expect("a start"), prompt.expect("a prompt"));
    (prompt - start, end.expect("an end") - prompt)
}

/// Compares each kind with all others together.
fn all_alike(what: &str, kinds: &Kinds) {
    for (name, times) in kinds {
        let others = kinds.iter().filter(|(other, _)| other != name);
        let others: Vec<Duration> = others.flat_map(|(_, times)| times.clone()).collect();
        let (found, bound) = (
            distance(times, &others),
            chance_distance(times.len(), others.len()),
        );
        assert!(
            found < bound,
            "{what}, {name}: {found} > {bound}\n{}",
            histogram(kinds)
        );
    }
}

/// Writes docs/timing.md.
fn write_document(prompts: &Kinds, refusals: &Kinds, through_sshd: &Kinds) {
    let text = include_str!("timing/head.md")
        .replace("@ROUNDS@", &prompts[0].1.len().to_string())
        .replace("@SSHD_ROUNDS@", &through_sshd[0].1.len().to_string())
        .replace("@PROMPTS@", &table(prompts))
        .replace("@REFUSALS@", &table(refusals))
        .replace("@SSHD@", &table(through_sshd));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/timing.md");
    std::fs::write(path, text).expect("docs/timing.md");
}

fn table(kinds: &Kinds) -> String {
    let mut text = "| refused because | 5 % below | median | 95 % below | distance | by chance |\n\
                    | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (name, times) in kinds {
        let others = kinds.iter().filter(|(other, _)| other != name);
        let others: Vec<Duration> = others.flat_map(|(_, times)| times.clone()).collect();
        let ms = |percent| percentile(times, percent).as_millis();
        let _ = writeln!(
            text,
            "| {name} | {} ms | {} ms | {} ms | {:.3} | {:.3} |",
            ms(5),
            ms(50),
            ms(95),
            distance(times, &others),
            chance_distance(times.len(), others.len()),
        );
    }
    format!("{text}\n```text\n{}```\n", histogram(kinds))
}
