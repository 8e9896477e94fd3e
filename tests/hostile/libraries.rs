//! What the libraries under the helper are known to do, and that it cannot hurt the host. The table
//! of hazards is `docs/libraries.md`; here are the runs that the rest of the tests did not have.

mod servers;

use crate::Case;
use crate::module::login::{ASKS, GRANTED, Login, PASSWORD, SENT, Say, Seen, Someone, someone};
use lab::bench::Bench;
use lab::pamhost::{Answer, Style, code};
use lab::process::program;
use servers::{Cut, Nonsense, Side};
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::libraries::a_server_that_goes_kills_nobody",
        a_server_that_goes_kills_nobody,
    ),
    (
        "hostile::libraries::nonsense_of_a_verified_directory_costs_one_login",
        nonsense_of_a_verified_directory_costs_one_login,
    ),
    (
        "hostile::libraries::a_look_up_that_hangs_outlives_no_login",
        a_look_up_that_hangs_outlives_no_login,
    ),
    (
        "hostile::libraries::a_secret_in_a_broken_line_is_not_repeated",
        a_secret_in_a_broken_line_is_not_repeated,
    ),
    (
        "hostile::libraries::codes_drawn_at_once_differ",
        codes_drawn_at_once_differ,
    ),
    (
        "hostile::libraries::a_helper_has_nobody_to_print_to",
        a_helper_has_nobody_to_print_to,
    ),
    (
        "hostile::libraries::a_name_that_is_no_text_is_nobody",
        a_name_that_is_no_text_is_nobody,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];
const OUTAGE: &str = "failed user=? stage=directory reason=outage";

/// A write into a connection that the other end has closed raises SIGPIPE, which ends a program that
/// did not ask otherwise. The connection is cut everywhere on the way to the code, in both ways that
/// TCP has.
fn a_server_that_goes_kills_nobody(bench: &Bench) {
    let kim = someone(bench, "pipe-kim");
    let cuts = Mutex::new(cuts());
    let (outages, granted) = (Mutex::new(0), Mutex::new(0));
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (cuts, outages, granted, kim) = (&cuts, &outages, &granted, &kim);
            scope.spawn(move || {
                let case: &'static str = format!("pipe-{worker}").leak();
                loop {
                    let Some((side, after, how)) = cuts.lock().expect("the cuts").pop() else {
                        return;
                    };
                    let relay = servers::cutting(&bench.slapd().ldaps(), side, after, how);
                    let login = Login::new(bench, case).of(kim);
                    let login = login.set("ldap.uris", &format!("[\"{relay}\"]"));
                    let (transcript, seen) = login.run(&[Say::Password, Say::HangUp], 1);
                    let what = format!("{how:?} after {after} bytes of the {side:?}: {seen:?}");
                    assert_eq!(transcript.killed_by, None, "{what}");
                    if seen.codes() == [code::CONV_ERR] {
                        *granted.lock().expect("a count") += 1;
                    } else {
                        // A helper that had died would be reason=helper.
                        assert_eq!(seen.codes(), [code::AUTHINFO_UNAVAIL], "{what}");
                        assert!(
                            seen.log()[0].ends_with("stage=directory reason=outage"),
                            "{what}"
                        );
                        *outages.lock().expect("a count") += 1;
                    }
                }
            });
        }
    });
    let (outages, granted) = (
        outages.into_inner().expect("it"),
        granted.into_inner().expect("it"),
    );
    assert!(outages > 20, "{outages} of them were cut off");
    assert!(granted > 0, "none was cut off late enough to come through");
    the_signal_is_ignored(bench, &kim);
}

/// No cut comes so that the helper writes twice behind it, which is what raises the signal. Were it
/// raised, it would be ignored.
fn the_signal_is_ignored(bench: &Bench, who: &Someone) {
    let login = Login::new(bench, "pipe").of(who).own_helper();
    let (_, seen) = login.run_with(1, |_| {
        let [helper] = login.helpers()[..] else {
            panic!("not one helper");
        };
        let status = std::fs::read_to_string(format!("/proc/{}/status", helper.as_raw_nonzero()));
        let status = status.expect("the helper's status");
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.map(str::trim).expect("its signals");
        let ignored = u64::from_str_radix(ignored, 16).expect("a mask");
        assert_ne!(ignored & 1 << (libc::SIGPIPE - 1), 0, "{status}");
        Answer::HangUp
    });
    assert_eq!(seen.codes(), [code::CONV_ERR]);
}

/// After how many bytes, whose, and how.
fn cuts() -> Vec<(Side, usize, Cut)> {
    let client = [0, 1, 5, 200].into_iter().chain((300..1200).step_by(45));
    let server = [1, 5].into_iter().chain((100..2500).step_by(60));
    let client = client.map(|after| (Side::Client, after));
    let server = server.map(|after| (Side::Server, after));
    let late = [(Side::Client, 100_000)];
    let places = client.chain(server).chain(late);
    places
        .flat_map(|(side, after)| [(side, after, Cut::Close), (side, after, Cut::Reset)])
        .collect()
}

/// Deep, huge and endless BER, behind a certificate that verifies: only then is anything read at all.
fn nonsense_of_a_verified_directory_costs_one_login(bench: &Bench) {
    std::thread::scope(|scope| {
        for (case, nonsense) in [
            ("ber-deep", Nonsense::Deep),
            ("ber-announced", Nonsense::Announced),
            ("ber-endless", Nonsense::Endless),
            ("ber-flood", Nonsense::Flood),
        ] {
            scope.spawn(move || {
                let lou = someone(bench, case);
                let server = servers::talking(bench.certs(), nonsense);
                let login = Login::new(bench, case).of(&lou).text("ldap.timeout", "3s");
                let login = login.set("ldap.uris", &format!("[\"{}\"]", server.uri));
                let want = Seen::refused(code::AUTHINFO_UNAVAIL, OUTAGE);
                login.sees(case, &[Say::Password], &want);
                // What the kernel buffers on the way is all that it could get rid of.
                let said = server.said();
                assert!(
                    (1..32 << 20).contains(&said),
                    "{case}: {said} bytes were taken"
                );
                // The next login of the same person is as ever.
                Login::new(bench, case)
                    .of(&lou)
                    .sees("then", &IN, &Seen::granted());
            });
        }
    });
}

/// libc's look-up has no time limit of ours and cannot be called off: the thread that waits for it
/// goes with its process.
fn a_look_up_that_hangs_outlives_no_login(bench: &Bench) {
    let may = someone(bench, "dns-may");
    // A name server that takes questions and gives no answer.
    let silent = UdpSocket::bind("127.83.79.1:53").expect("root may take port 53");
    let login = Login::new(bench, "dns").of(&may);
    let resolv = login.folder.join("resolv.conf");
    lab::scratch::write(
        &resolv,
        0o644,
        "nameserver 127.83.79.1\noptions timeout:30 attempts:5\n",
    );
    let nsswitch = login.folder.join("nsswitch.conf");
    lab::scratch::write(
        &nsswitch,
        0o644,
        "passwd: files\ngroup: files\nhosts: files dns\n",
    );
    let script = format!(
        "{0} --bind {1} /etc/resolv.conf && {0} --bind {2} /etc/nsswitch.conf && exec \"$@\"",
        program("mount").display(),
        resolv.display(),
        nsswitch.display()
    );
    let (unshare, sh) = (program("unshare"), program("sh"));
    let (unshare, sh) = (unshare.display().to_string(), sh.display().to_string());
    let (apart, unchanged) = ("--mount", "--propagation=unchanged");
    let login = login
        .own_helper()
        // A lookup has a third of it.
        .text("deadline", "6s")
        .set("ldap.uris", "[\"ldaps://directory.example.org\"]")
        .host(|host| host.through(&[&unshare, apart, unchanged, &sh, "-c", &script, "sh"]));
    let began = Instant::now();
    let want = Seen::refused(code::AUTHINFO_UNAVAIL, OUTAGE);
    login.sees("no answer", &[Say::Password], &want);
    // It was asked, and waited for as long as we wait, not as long as libc would.
    silent
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a time-out");
    let mut question = [0; 512];
    assert!(silent.recv(&mut question).is_ok_and(|length| length > 12));
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(20)).contains(&took),
        "{took:?}"
    );
    assert!(login.helpers().is_empty(), "a helper is still there");
}

/// toml quotes the line that it cannot read, and that line may hold a token.
fn a_secret_in_a_broken_line_is_not_repeated(bench: &Bench) {
    let ned = someone(bench, "broken-ned");
    let token = bench.twilio().account().token;
    let line = "failed user=? stage=settings reason=bad-settings";
    let want = Seen::at_once(code::SERVICE_ERR, line);
    for (what, key, value) in [
        ("not closed", "twilio.twilio_token", format!("\"{token}")),
        ("no quotes", "twilio.twilio_token", token.clone()),
        ("a list", "twilio.twilio_token", format!("[\"{token}\"]")),
        (
            "a table",
            "twilio.twilio_token",
            format!("{{ a = \"{token}\" }}"),
        ),
        (
            "an escape",
            "twilio.twilio_token",
            format!("\"{token}\\q\""),
        ),
        (
            "a control character",
            "twilio.twilio_token",
            format!("\"{token}\u{1b}\""),
        ),
        (
            "something behind",
            "twilio.twilio_token",
            format!("\"x\" {token}"),
        ),
        (
            "under a key that is none",
            "twilio.token",
            format!("\"{token}\""),
        ),
        (
            "under one of another kind",
            "code.digits",
            format!("\"{token}\""),
        ),
        ("as an address", "twilio.api_url", format!("\"{token}\"")),
        ("as a number", "twilio.from_number", format!("\"{token}\"")),
        ("as a file", "twilio.ca_file", format!("\"{token}\"")),
        ("as a duration", "deadline", format!("\"{token}\"")),
        ("as a list's value", "limits.sms", format!("[\"{token}\"]")),
        ("as a key", &format!("twilio.{token}"), "1".to_owned()),
    ] {
        let login = Login::new(bench, "broken").of(&ned).set(key, &value);
        // That no line holds the token is looked at in every login.
        login.sees(what, &[Say::Password], &want);
    }
}

/// A generator that lives in a process gives parent and forked child the same numbers. Each helper is
/// a program of its own and asks the kernel.
fn codes_drawn_at_once_differ(bench: &Bench) {
    const MANY: usize = 16;
    let ola = someone(bench, "drawn-ola");
    let login = Login::new(bench, "drawn").of(&ola).set("code.digits", "10");
    let codes = login.storm(MANY, |message| match message.style {
        Style::Hidden => PASSWORD.into(),
        _ => Answer::HangUp,
    });
    assert_eq!(codes, [code::CONV_ERR; MANY]);
    let drawn: BTreeSet<String> = login.arrived().iter().map(lab::twilio::Sms::code).collect();
    assert_eq!(drawn.len(), MANY, "{drawn:?}");
}

/// A panic's message may hold values. In the helper it has nowhere to go, and no variable says how
/// much of it there should be.
fn a_helper_has_nobody_to_print_to(bench: &Bench) {
    if bench.without_world().is_some() {
        return; // Root alone sees which process is whose helper.
    }
    let pia = someone(bench, "print-pia");
    let login = Login::new(bench, "print")
        .of(&pia)
        .own_helper()
        .host(|host| {
            host.env("RUST_BACKTRACE", "full")
                .env("RUST_MIN_STACK", "x")
        });
    let mut looked = 0;
    let (_, seen) = login.run_with(2, |message| {
        let helpers = login.helpers();
        let [helper] = helpers[..] else {
            panic!("{helpers:?}");
        };
        let proc = Path::new("/proc").join(helper.as_raw_nonzero().to_string());
        for number in 0..3 {
            let at = std::fs::read_link(proc.join(format!("fd/{number}"))).expect("a descriptor");
            assert_eq!(at, Path::new("/dev/null"), "descriptor {number}");
        }
        assert_eq!(std::fs::read(proc.join("environ")).expect("it"), b"");
        looked += 1;
        match message.style {
            Style::Hidden => PASSWORD.into(),
            _ => login.arrived().last().expect("an SMS").code().into(),
        }
    });
    assert_eq!(seen, Seen::new(&[code::SUCCESS], &[ASKS, SENT], GRANTED, 1));
    assert_eq!(looked, 2);
}

/// pam-bindings refuses a name that is not UTF-8; read as bytes, it is a name that nobody has. The
/// host leaves it to the modules to ask, as login once did.
fn a_name_that_is_no_text_is_nobody(bench: &Bench) {
    let says = [Say::Bytes(b"\xff\xfe\x1b[2J"), Say::Password];
    let line = "denied user=? reason=no-such-user";
    let (_, seen) = Login::new(bench, "no-text").run(&says, 1);
    assert_eq!((seen.codes(), seen.sms()), (&[code::USER_UNKNOWN][..], 0));
    assert_eq!(seen.log(), [line]);
    // The first question is libpam's, in its own words.
    assert_eq!(seen.screen()[1..], [ASKS]);
}
