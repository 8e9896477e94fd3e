//! Hosts that the module must not disturb: they load it ten thousand times, use it in two threads or on both
//! sides of a fork, have no standard descriptors, few free ones, or a limit of a million.

use super::torture;
use crate::Case;
use crate::module::{ASKS, GRANTED, Login, PASSWORD, SENT, Say, Seen, Someone, someone};
use lab::Lab;
use lab::pamhost::{Answer, Message, PamHost, Step, Style, Transcript, code};
use rustix::process::Resource;
use std::path::Path;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::neighbour::loading_leaks_nothing",
        loading_leaks_nothing,
    ),
    (
        "hostile::neighbour::logins_leak_nothing",
        logins_leak_nothing,
    ),
    ("hostile::neighbour::two_threads", two_threads),
    (
        "hostile::neighbour::both_sides_of_a_fork",
        both_sides_of_a_fork,
    ),
    (
        "hostile::neighbour::a_host_with_openssl",
        a_host_with_openssl,
    ),
    (
        "hostile::neighbour::no_standard_descriptors",
        no_standard_descriptors,
    ),
    (
        "hostile::neighbour::few_free_descriptors",
        few_free_descriptors,
    ),
    (
        "hostile::neighbour::a_million_descriptors",
        a_million_descriptors,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

/// The allowed growth in bytes, independent of the number of rounds. The count of malloc is exact; the kernel
/// counts pages, which malloc requests at varying times.
const HEAP: u64 = 2 << 10;
const ANONYMOUS: u64 = 512 << 10;

/// Compares the memory before and after many rounds, following some rounds to warm up. `Login::sees` checks
/// threads, descriptors and children.
fn flat(login: Login<'_>, what: &str, many: u32, answers: &[Say], one: &Seen, warm: u32) {
    let rounds = (warm + many) as usize;
    let steps = [
        Step::Rounds(warm),
        Step::Measure,
        Step::Rounds(many),
        Step::Measure,
    ];
    // Memory in the tcache of malloc counts as used, and its size depends on earlier allocations: without the
    // tcache the count is exact.
    let exact = ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
    let login = login.host(|host| host.steps(&steps).env(exact.0, exact.1));
    let screen: Vec<&str> = one.screen().iter().map(String::as_str).collect();
    let log: Vec<&str> = one.log().iter().map(String::as_str).collect();
    let (screen, log) = (screen.repeat(rounds), log.repeat(rounds));
    let codes = one.codes().repeat(2);
    let want = Seen::new(&codes, &screen, &log, one.sms() * rounds);
    let seen = login.sees(what, &answers.repeat(rounds), &want);
    let [before, after] = &seen.notes[..] else {
        panic!("{what}: {:?}", seen.notes)
    };
    for (kind, most) in [("heap", HEAP), ("anonymous", ANONYMOUS)] {
        let bytes = [before, after].map(|note| note[kind].as_u64().expect("bytes"));
        let [before, after] = bytes;
        assert!(
            after <= before + most,
            "{what}: {kind} from {before} to {after}"
        );
    }
}

/// pam_start loads the module, and pam_end unloads it: without a helper, and with one that ends early.
fn loading_leaks_nothing(lab: &Lab) {
    let many = if torture() { 10_000 } else { 900 };
    let login = || Login::new(lab, "loads").user("no-such-user");
    let wrong = login();
    let line = format!("{} typo", wrong.product_line());
    let argument = "failed user=? stage=helper reason=bad-settings";
    let refused = Seen::at_once(code::SERVICE_ERR, argument);
    flat(wrong.line(line), "a typo", many, &[], &refused, 30);
    let line = format!(
        "{} config=/nowhere/sms_otp.toml",
        lab.product().module().display()
    );
    let line = format!("{line} helper={}", lab.product().helper().display());
    let settings = "failed user=? stage=settings reason=bad-settings";
    let refused = Seen::at_once(code::SERVICE_ERR, settings);
    flat(
        login().line(line),
        "no settings",
        many / 3,
        &[],
        &refused,
        30,
    );
}

fn logins_leak_nothing(lab: &Lab) {
    let many = if torture() { 10_000 } else { 50 };
    let ada = someone(lab, "whole-ada");
    let login = Login::new(lab, "whole")
        .of(&ada)
        .set("limits.sms", "[\"1000/1s\"]");
    flat(login, "whole", many, &IN, &Seen::granted(), 10);
}

/// Answers the prompts of two logins; the phone number identifies the user.
fn answer(lab: &Lab, users: &[&Someone], message: &Message) -> Answer {
    if message.style == Style::Hidden {
        return PASSWORD.into();
    }
    let tail = |someone: &&&Someone| message.text.contains(&someone.number[11..]);
    let who = users.iter().find(tail).expect("a number of theirs");
    lab.twilio()
        .wait_for_sms(&who.number, Duration::from_secs(10))
        .code()
        .into()
}

/// Runs two logins in one host, for two users, and checks the results of both.
fn two(lab: &Lab, case: &'static str, steps: impl Fn(&Someone, &Someone) -> Vec<Step>) {
    let (one, other) = (format!("{case}-one").leak(), format!("{case}-other").leak());
    let (one, other) = (someone(lab, one), someone(lab, other));
    let login = Login::new(lab, case).of(&one).own_helper();
    login.set_up();
    let host = PamHost::new(case, Some(&login.folder));
    let host = host.user(one.person.uid()).steps(&steps(&one, &other));
    let mut together = 0;
    let until = Instant::now() + Duration::from_secs(10);
    let seen: Transcript = host.run(|message| {
        // Waits at the first prompt until the other login has started.
        while together < 2 && Instant::now() < until {
            together = login.helpers().len();
        }
        answer(lab, &[&one, &other], message)
    });
    assert_eq!(together, 2, "{case}: they were not there at once");
    assert_eq!(seen.codes(), [code::SUCCESS; 2], "{case}: {seen:?}");
    assert_eq!(
        seen.before.changes(&seen.after),
        Vec::<String>::new(),
        "{case}"
    );
    assert_eq!(seen.stray, "", "{case}");
    for someone in [&one, &other] {
        assert_eq!(lab.twilio().sms_to(&someone.number).len(), 1, "{case}");
        let granted = format!("pam_sms_otp({case}:auth): granted");
        let name = format!("user={} ", someone.person.uid());
        let name = name.trim_end();
        lab.machine()
            .log()
            .wait_for(&[&granted, name], Duration::from_secs(10));
    }
    assert!(login.helpers().is_empty(), "{case}");
}

fn two_threads(lab: &Lab) {
    two(lab, "threads", |one, other| {
        let names = [one, other].map(|someone| someone.person.uid().to_owned());
        vec![Step::Concurrent(names.to_vec())]
    });
}

/// The handle is created before the fork, as in sshd; in the second run the module was also used before it.
fn both_sides_of_a_fork(lab: &Lab) {
    two(lab, "fork", |_, other| {
        vec![Step::Forked(other.person.uid().to_owned())]
    });
    let eve = someone(lab, "forks-eve");
    let fay = someone(lab, "forks-fay");
    let login = Login::new(lab, "forks").of(&eve);
    login.set_up();
    let host = PamHost::new("forks", Some(&login.folder)).user(eve.person.uid());
    let steps = [
        Step::Authenticate,
        Step::Forked(fay.person.uid().to_owned()),
    ];
    let seen = host
        .steps(&steps)
        .run(|message| answer(lab, &[&eve, &fay], message));
    assert_eq!(seen.codes(), [code::SUCCESS; 3], "{seen:?}");
    assert_eq!(lab.twilio().sms_to(&eve.number).len(), 2);
    assert_eq!(lab.twilio().sms_to(&fay.number).len(), 1);
}

fn a_host_with_openssl(lab: &Lab) {
    let gus = someone(lab, "openssl-gus");
    let login = Login::new(lab, "openssl")
        .of(&gus)
        .host(|host| host.with_property("openssl"));
    let seen = login.sees("in a handshake", &IN, &Seen::granted());
    let version = seen.notes.first().and_then(|note| note["version"].as_str());
    assert_eq!(version, Some("TLSv1.2"));
}

fn no_standard_descriptors(lab: &Lab) {
    let hal = someone(lab, "closed-hal");
    let login = || {
        Login::new(lab, "closed")
            .of(&hal)
            .host(|host| host.with_property("closed"))
    };
    let seen = login().sees("closed", &IN, &Seen::granted());
    assert_eq!(seen.before.fact("descriptor 0"), None, "they were open");
    let wrong = Seen::refused(code::AUTH_ERR, "denied reason=wrong-password");
    login().sees("closed", &[Say::Text("wrong")], &wrong);
    let again =
        login().host(|host| host.steps(&[Step::Authenticate, Step::Restart, Step::Authenticate]));
    let twice = Seen::new(
        &[code::SUCCESS; 2],
        &[ASKS, SENT].repeat(2),
        &GRANTED.repeat(2),
        2,
    );
    again.sees("twice", &[IN, IN].concat(), &twice);
}

const SYSTEM_ERR: i32 = 4;

/// The socket pair needs two descriptors.
fn few_free_descriptors(lab: &Lab) {
    let ivo = someone(lab, "crowded-ivo");
    for spare in 0..6 {
        // The first call loads the stack, for which libpam needs descriptors.
        let login = Login::new(lab, "crowded").of(&ivo).host(|host| {
            let steps = [Step::Credentials, Step::FewDescriptors(spare)];
            host.limit(Resource::Nofile, 64).steps(&steps)
        });
        let (transcript, seen) = login.run(&IN, usize::from(spare > 0));
        let last = transcript.codes()[1];
        assert_eq!(seen.codes()[0], code::SUCCESS, "{spare}");
        if spare > 1 {
            assert_eq!((last, seen.sms()), (code::SUCCESS, 1), "{spare}: {seen:?}");
            continue;
        }
        // libpam then has no descriptor for its audit record, and returns that error.
        let refused = matches!(last, SYSTEM_ERR | code::SERVICE_ERR);
        assert!(refused && seen.screen().is_empty(), "{spare}: {seen:?}");
        if spare == 1 {
            assert_eq!(seen.log(), ["failed user=? stage=helper reason=local"]);
        }
    }
}

/// No process loops up to the limit, and the helper inherits no descriptor with a high number.
fn a_million_descriptors(lab: &Lab) {
    let joe = someone(lab, "million-joe");
    let login = Login::new(lab, "million").of(&joe).own_helper();
    let login = login.host(|host| host.with_property("spread"));
    let arrived = login.arrived().len();
    let mut highest = Vec::new();
    let (transcript, seen) = login.run_with(2, |message| {
        for pid in login.helpers() {
            let folder = format!("/proc/{}/fd", pid.as_raw_nonzero());
            let open = std::fs::read_dir(Path::new(&folder)).expect("the helper is there");
            let numbers = open
                .flatten()
                .filter_map(|fd| fd.file_name().to_str()?.parse::<u32>().ok());
            highest.push(numbers.max().expect("descriptors"));
        }
        match message.style {
            Style::Hidden => PASSWORD.into(),
            _ => login.arrived()[arrived].code().into(),
        }
    });
    assert_eq!(seen, Seen::granted());
    let took = transcript.results[0].1;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(highest.len(), 2, "a helper at each prompt");
    assert!(highest.iter().all(|fd| *fd < 64), "{highest:?}");
}
