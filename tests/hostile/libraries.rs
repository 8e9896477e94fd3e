//! Known hazards of the libraries of the helper, and that they cannot affect the host. `docs/libraries.md` lists
//! them; these are the cases that no other test covers.

mod servers;

use crate::Case;
use crate::module::login::{ASKS, GRANTED, Login, PASSWORD, SENT, Say, Seen, Someone, someone};
use lab::Lab;
use lab::pamhost::{Answer, Style, code};
use lab::process::program;
use servers::{Cut, Malformed, Side};
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::libraries::a_closed_connection_kills_no_process",
        a_closed_connection_kills_no_process,
    ),
    (
        "hostile::libraries::malformed_ber_of_a_verified_directory_costs_one_login",
        malformed_ber_of_a_verified_directory_costs_one_login,
    ),
    (
        "hostile::libraries::a_hanging_lookup_ends_with_its_login",
        a_hanging_lookup_ends_with_its_login,
    ),
    (
        "hostile::libraries::a_secret_in_a_malformed_line_is_not_logged",
        a_secret_in_a_malformed_line_is_not_logged,
    ),
    (
        "hostile::libraries::codes_of_parallel_logins_differ",
        codes_of_parallel_logins_differ,
    ),
    (
        "hostile::libraries::a_panic_of_the_helper_is_not_printed",
        a_panic_of_the_helper_is_not_printed,
    ),
    (
        "hostile::libraries::a_name_that_is_not_utf8_is_unknown",
        a_name_that_is_not_utf8_is_unknown,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];
const OUTAGE: &str = "failed user=? stage=directory reason=outage";

/// A write to a connection that the peer has closed raises SIGPIPE, which by default ends the program. The
/// connection is closed at each point before the code prompt, with FIN and with RST.
fn a_closed_connection_kills_no_process(lab: &Lab) {
    let kim = someone(lab, "pipe-kim");
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
                    let relay = servers::cutting(&lab.slapd().ldaps(), side, after, how);
                    let login = Login::new(lab, case).of(kim);
                    let login = login.set("ldap.uris", &format!("[\"{relay}\"]"));
                    let (transcript, seen) = login.run(&[Say::Password, Say::HangUp], 1);
                    let what = format!("{how:?} after {after} bytes of the {side:?}: {seen:?}");
                    assert_eq!(transcript.killed_by, None, "{what}");
                    if seen.codes() == [code::CONV_ERR] {
                        *granted.lock().expect("a count") += 1;
                    } else {
                        // A helper that was killed would be reason=helper.
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
    the_signal_is_ignored(lab, &kim);
}

/// The signal needs two writes after the end of the connection, which does not happen here. It would be
/// ignored.
fn the_signal_is_ignored(lab: &Lab, who: &Someone) {
    let login = Login::new(lab, "pipe").of(who).own_helper();
    let (_, seen) = login.run_with(1, |_| {
        let [helper] = login.helpers()[..] else {
            panic!("no helper, or several");
        };
        let status = std::fs::read_to_string(format!("/proc/{}/status", helper.as_raw_nonzero()));
        let status = status.expect("the helper's status");
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.map(str::trim).expect("its signals");
        let ignored = u64::from_str_radix(ignored, 16).expect("a mask");
        assert_ne!(ignored & 1 << (libc::SIGPIPE - 1), 0, "{status}");
        Answer::ConvErr
    });
    assert_eq!(seen.codes(), [code::CONV_ERR]);
}

/// The points at which the connection is closed: which side, after how many bytes, and how.
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

/// Deeply nested, huge and endless BER from a directory whose certificate verifies: others are not read.
fn malformed_ber_of_a_verified_directory_costs_one_login(lab: &Lab) {
    std::thread::scope(|scope| {
        for (case, malformed) in [
            ("ber-deep", Malformed::Deep),
            ("ber-announced", Malformed::Announced),
            ("ber-endless", Malformed::Endless),
            ("ber-flood", Malformed::Flood),
        ] {
            scope.spawn(move || {
                let lou = someone(lab, case);
                let server = servers::malformed(lab.certs(), malformed);
                let login = Login::new(lab, case).of(&lou).text("ldap.timeout", "3s");
                let login = login.set("ldap.uris", &format!("[\"{}\"]", server.uri));
                let want = Seen::refused(code::AUTHINFO_UNAVAIL, OUTAGE);
                login.sees(case, &[Say::Password], &want);
                // The server can send only as much as the kernel buffers.
                let sent = server.sent();
                assert!(
                    (1..32 << 20).contains(&sent),
                    "{case}: {sent} bytes were accepted"
                );
                // The next login of the same user succeeds.
                Login::new(lab, case)
                    .of(&lou)
                    .sees("then", &IN, &Seen::granted());
            });
        }
    });
}

/// A lookup in libc has no time limit and cannot be cancelled: its thread ends with the process.
fn a_hanging_lookup_ends_with_its_login(lab: &Lab) {
    let may = someone(lab, "dns-may");
    // A name server that does not answer.
    let silent = UdpSocket::bind("127.83.79.1:53").expect("root may take port 53");
    let login = Login::new(lab, "dns").of(&may);
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
        // A lookup has a third of this time.
        .text("deadline", "6s")
        .set("ldap.uris", "[\"ldaps://directory.example.org\"]")
        .host(|host| host.through(&[&unshare, apart, unchanged, &sh, "-c", &script, "sh"]));
    let began = Instant::now();
    let want = Seen::refused(code::AUTHINFO_UNAVAIL, OUTAGE);
    login.sees("no answer", &[Say::Password], &want);
    // The server was queried, and the helper waited as long as its own limit, not as long as libc would.
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

/// The errors of the toml crate quote the line, which may contain a token.
fn a_secret_in_a_malformed_line_is_not_logged(lab: &Lab) {
    let ned = someone(lab, "broken-ned");
    let token = lab.twilio().account().token;
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
        let login = Login::new(lab, "broken").of(&ned).set(key, &value);
        // Every login checks that no log line contains the token.
        login.sees(what, &[Say::Password], &want);
    }
}

/// A random number generator in a process gives the same numbers to parent and forked child. Each helper is a
/// new program and gets random numbers from the kernel.
fn codes_of_parallel_logins_differ(lab: &Lab) {
    const MANY: usize = 16;
    let ola = someone(lab, "drawn-ola");
    let login = Login::new(lab, "drawn").of(&ola).set("code.digits", "10");
    let codes = login.storm(MANY, |message| match message.style {
        Style::Hidden => PASSWORD.into(),
        _ => Answer::ConvErr,
    });
    assert_eq!(codes, [code::CONV_ERR; MANY]);
    let drawn: BTreeSet<String> = login.arrived().iter().map(lab::twilio::Sms::code).collect();
    assert_eq!(drawn.len(), MANY, "{drawn:?}");
}

/// A panic message may contain values. The helper has no stderr, and no variable enables backtraces.
fn a_panic_of_the_helper_is_not_printed(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Only root can find the helper of a host process.
    }
    let pia = someone(lab, "print-pia");
    let login = Login::new(lab, "print").of(&pia).own_helper().host(|host| {
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

/// pam-bindings refuses a name that is not UTF-8; as bytes it is an unknown user name. The host lets the
/// modules prompt for it, as login once did.
fn a_name_that_is_not_utf8_is_unknown(lab: &Lab) {
    let answers = [Say::Bytes(b"\xff\xfe\x1b[2J"), Say::Password];
    let line = "denied user=? reason=no-such-user";
    let (_, seen) = Login::new(lab, "no-text").run(&answers, 1);
    assert_eq!((seen.codes(), seen.sms()), (&[code::USER_UNKNOWN][..], 0));
    assert_eq!(seen.log(), [line]);
    // The first prompt is that of libpam.
    assert_eq!(seen.screen()[1..], [ASKS]);
}
