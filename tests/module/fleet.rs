//! One ledger for many hosts: a real Redis or Valkey.

use super::ledger::with_ledger;
use super::login::{
    ASKS, LATER, Login, NEW_PHONE, NOT_SENT, PASSWORD, SENT, Say, Seen, Someone, someone,
};
use super::storm::{Gate, many};
use crate::Case;
use lab::bench::Bench;
use lab::certs::Identity;
use lab::middle::{Fault, Middle};
use lab::pamhost::{Answer, Message, Style, code};
use lab::redis::{Options, Redis};
use rustix::process::Signal;

pub const CASES: &[Case] = &[
    ("module::fleet::many_hosts_one_count", many_hosts_one_count),
    ("module::fleet::at_once", at_once),
    ("module::fleet::out_of_reach", out_of_reach),
    ("module::fleet::a_new_number", a_new_number),
    (
        "module::fleet::denied_while_out_of_reach",
        denied_while_out_of_reach,
    ),
    ("module::fleet::it_refuses_us", it_refuses_us),
    ("module::fleet::by_a_local_socket", by_a_local_socket),
    (
        "module::fleet::stopped_in_the_middle",
        stopped_in_the_middle,
    ),
    (
        "module::fleet::a_failover_in_a_storm",
        a_failover_in_a_storm,
    ),
];

const IN: &[Say] = &[Say::Password, Say::Code];
const KNOCK: &[Say] = &[Say::Password];
const OUTAGE: &str = "failed stage=ledger reason=outage";
const KEY: &str = "obviously-fake-key-of-the-lab-0123456789";

/// A host of the fleet, with a ledger of its own besides.
pub fn host<'b>(bench: &'b Bench, case: &'static str, who: &Someone, redis: &str) -> Login<'b> {
    let login = with_ledger(bench, case, who);
    let key = login.folder.join("key");
    lab::scratch::write(&key, 0o600, KEY);
    login
        .text("ledger.redis", redis)
        .text("ledger.key_file", key.to_str().expect("a path"))
        .text("ledger.timeout", "2s")
}

pub fn plain(redis: &Redis) -> String {
    format!("redis://127.0.0.1:{}", redis.port())
}

/// The rights that `docs/ledger.md` gives, and TLS. A login sends little: scripts are known by then.
fn many_hosts_one_count(bench: &Bench) {
    let documented =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ledger.md"));
    let documented = documented.expect("docs/ledger.md");
    let acl = documented
        .lines()
        .find(|line| line.starts_with("user sms_otp "));
    let acl = acl
        .expect("an ACL line in docs/ledger.md")
        .replace("SECRET", "obviously-fake");
    let redis = Redis::start_as(&Options {
        users: Some(&format!("user default off\n{acl}\n")),
        tls: Some((bench.certs(), Identity::Good)),
        ..Options::default()
    });
    let middle = Middle::start(redis.tls_port(), 0, Fault::None);
    let url = format!("rediss://127.0.0.1:{}", middle.port());
    let alice = someone(bench, "fleet-alice");
    let on = |case| {
        let login = host(bench, case, &alice, &url);
        let password = login.folder.join("redis-password");
        lab::scratch::write(&password, 0o600, "obviously-fake");
        login
            .text(
                "ledger.ca_file",
                bench.certs().ca().to_str().expect("a path"),
            )
            .text("ledger.redis_user", "sms_otp")
            .text(
                "ledger.redis_password_file",
                password.to_str().expect("a path"),
            )
            .set("limits.sms", "[\"2/1h\"]")
            .text("policy.remember", "1h")
            .rhost("192.0.2.7")
    };
    let (one, other) = (on("fleet-one"), on("fleet-other"));
    one.sees("on one host", IN, &Seen::granted());
    let seen = Seen::new(&[code::SUCCESS], &[ASKS, SENT], &["sent", "granted"], 1);
    let before = middle.sent();
    other.sees("on another, which is another service", IN, &seen);
    let sent = middle.sent() - before;
    assert!(sent < 8 * 1024, "{sent} bytes");
    let skipped = Seen::new(&[code::SUCCESS], &[ASKS], &["skipped reason=remembered"], 0);
    one.sees("remembered", KNOCK, &skipped);
    let config = one.config();
    let config = config.to_str().expect("a path");
    let (code, _, error) =
        bench.sms_otp(&["--config", config, "unlock", "fleet-alice", "--forget"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let limited = "denied first=password reason=limited";
    other.sees(
        "no third",
        KNOCK,
        &Seen::unsent(code::MAXTRIES, LATER, limited),
    );
    let (code, text, error) = bench.sms_otp(&["--config", config, "status", "fleet-alice"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(
        text.contains("the shared ledger") && text.contains("2 of 2/1h"),
        "{text}"
    );
}

fn knock(message: &Message) -> Answer {
    match message.style {
        Style::Hidden => PASSWORD.into(),
        _ => Answer::HangUp,
    }
}

fn at_once(bench: &Bench) {
    let redis = Redis::start();
    let bob = someone(bench, "fleet-bob");
    let login = many(host(bench, "fleet-at-once", &bob, &plain(&redis)))
        .set("limits.sms", "[\"5/1h\"]")
        .text("ledger.timeout", "20s")
        .text("deadline", "2m");
    let codes = login.storm(200, knock);
    assert_eq!(login.arrived().len(), 5, "{codes:?}");
    let limited = codes.iter().filter(|code| **code == code::MAXTRIES).count();
    assert_eq!(limited, 195, "{codes:?}");
}

/// This host's own counts meanwhile, by itself, and loudly.
fn out_of_reach(bench: &Bench) {
    let redis = Redis::start();
    let carol = someone(bench, "fleet-carol");
    let login = host(bench, "fleet-down", &carol, &plain(&redis)).set("limits.sms", "[\"1/1h\"]");
    login.sees("in reach", IN, &Seen::granted());
    redis.signal(Signal::STOP);
    let login = login.text("ledger.timeout", "300ms");
    let lines = [OUTAGE, "sent", "granted"];
    login.sees(
        "silent",
        IN,
        &Seen::new(&[code::SUCCESS], &[ASKS, SENT], &lines, 1),
    );
    let lines = [OUTAGE, "denied first=password reason=limited"];
    let seen = Seen::new(&[code::MAXTRIES], &[ASKS, LATER], &lines, 0);
    login.sees("its own count", KNOCK, &seen);
    redis.signal(Signal::CONT);
}

/// What one host has logged another one need not; by itself it would, and the number waits there, too.
fn a_new_number(bench: &Bench) {
    let redis = Redis::start();
    let mut nora = someone(bench, "fleet-nora");
    let on = |case| {
        host(bench, case, &nora, &plain(&redis))
            .text("policy.new_phone", "1h")
            .text("ledger.timeout", "300ms")
    };
    let (one, other) = (on("fleet-new-one"), on("fleet-new-other"));
    one.sees("here", IN, &Seen::granted());
    other.sees("and there", IN, &Seen::granted());
    nora.number = bench.number();
    bench
        .slapd()
        .replace(&nora.person, "mobile", &[&nora.number]);
    let (one, other) = (one.of(&nora), other.of(&nora));
    let denied = "denied first=password reason=new-phone";
    let refused = |lines: &[&str]| Seen::new(&[code::MAXTRIES], &[ASKS, NEW_PHONE], lines, 0);
    one.sees("a new one", KNOCK, &refused(&["phone-changed", denied]));
    other.sees("is known there", KNOCK, &refused(&[denied]));
    redis.signal(Signal::STOP);
    let lines = [OUTAGE, "phone-changed", denied];
    other.sees("by itself", KNOCK, &refused(&lines));
    redis.signal(Signal::CONT);
}

fn denied_while_out_of_reach(bench: &Bench) {
    let redis = Redis::start();
    let url = plain(&redis);
    drop(redis);
    let dave = someone(bench, "fleet-dave");
    let login = host(bench, "fleet-deny", &dave, &url).text("ledger.unreachable", "deny");
    login.sees(
        "refused",
        KNOCK,
        &Seen::unsent(code::AUTHINFO_UNAVAIL, NOT_SENT, OUTAGE),
    );
    let own = super::ledger::folder(&login).join("ledger");
    assert!(!own.exists(), "this host's own was not asked for");
}

/// Whoever refuses us is not out of reach, and nothing counts in its place.
/// Behind the sandbox, as a user of its own, the helper reaches a socket that everybody may connect to; where
/// another user could listen it does not even try.
fn by_a_local_socket(bench: &Bench) {
    let folder = bench.folder("fleet-socket");
    let path = folder.join("redis.sock");
    let lines = [
        format!("unixsocket {}", path.display()),
        "unixsocketperm 777".to_owned(),
    ];
    let redis = Redis::start_as(&Options {
        lines: &lines,
        ..Options::default()
    });
    redis.until("a socket", || path.exists());
    let kim = someone(bench, "fleet-kim");
    let url = format!("redis+unix://{}", path.display());
    let login = host(bench, "fleet-local", &kim, &url).text("ledger.unreachable", "deny");
    login.sees("in", IN, &Seen::granted());
    drop(redis);
    let seen = Seen::unsent(code::AUTHINFO_UNAVAIL, NOT_SENT, OUTAGE);
    login.sees("its server is down", KNOCK, &seen);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&folder, Some(4711), None).expect("root may chown");
        let line = "failed user=? stage=settings reason=bad-settings";
        let seen = Seen::at_once(code::SERVICE_ERR, line);
        login.sees("in a folder of another user's", &[], &seen);
    }
}

fn it_refuses_us(bench: &Bench) {
    let redis = Redis::start_as(&Options {
        users: Some("user default on >other-password ~* +@all\n"),
        ..Options::default()
    });
    let erin = someone(bench, "fleet-erin");
    let refused = "failed stage=ledger reason=refused";
    let seen = Seen::unsent(code::SERVICE_ERR, NOT_SENT, refused);
    let login = host(bench, "fleet-refused", &erin, &plain(&redis));
    login.sees("without a password", KNOCK, &seen);
    let password = login.folder.join("redis-password");
    lab::scratch::write(&password, 0o600, "obviously-wrong");
    let password = password.to_str().expect("a path").to_owned();
    let login = login.text("ledger.redis_password_file", &password);
    login.sees("with a wrong one", KNOCK, &seen);
    let untrusted = Redis::start_as(&Options {
        tls: Some((bench.certs(), Identity::Expired)),
        ..Options::default()
    });
    let url = format!("rediss://127.0.0.1:{}", untrusted.tls_port());
    let login = host(bench, "fleet-expired", &erin, &url).text(
        "ledger.ca_file",
        bench.certs().ca().to_str().expect("a path"),
    );
    login.sees("with a certificate that has expired", KNOCK, &seen);
}

/// What cannot be counted there is counted here, and what neither can count is not compared.
fn stopped_in_the_middle(bench: &Bench) {
    let frank = someone(bench, "fleet-frank");
    for (case, unreachable, code, log) in [
        (
            "fleet-gone",
            "local",
            code::SUCCESS,
            &["sent", OUTAGE, "granted"][..],
        ),
        (
            "fleet-gone-deny",
            "deny",
            code::SERVICE_ERR,
            &["sent", OUTAGE],
        ),
    ] {
        let redis = Redis::start();
        let login = host(bench, case, &frank, &plain(&redis))
            .text("ledger.unreachable", unreachable)
            .text("ledger.timeout", "500ms");
        let (_, seen) = login.run_with(log.len(), |message| match message.style {
            Style::Hidden => PASSWORD.into(),
            Style::Shown => {
                redis.signal(Signal::KILL);
                let sms = login.arrived();
                sms.last().expect("an SMS").code().into()
            }
            _ => Answer::HangUp,
        });
        assert_eq!(
            (seen.codes(), seen.log()),
            (&[code][..], &owned(log)[..]),
            "{case}"
        );
    }
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

/// The master dies while logins come in: no more SMS than are allowed, and the locks stand.
fn a_failover_in_a_storm(bench: &Bench) {
    let master = Redis::start();
    let replica = Redis::replica_of(&master);
    let sentinel = Redis::sentinel_of(&master, 1);
    let url = format!(
        "redis+sentinel://127.0.0.1:{}/lab:{},{}",
        sentinel.port(),
        master.port(),
        replica.port()
    );
    let on = |case, who: &Someone| {
        many(host(bench, case, who, &url))
            .text("ledger.timeout", "10s")
            .text("ledger.unreachable", "deny")
            .text("deadline", "1m")
            .set("limits.sms", "[\"5/1h\"]")
            .set("limits.failures", "1")
    };
    let (grace, henry) = (someone(bench, "fleet-grace"), someone(bench, "fleet-henry"));
    let locked = on("fleet-locked", &henry);
    let (_, seen) = locked.run(&[Say::Password, Say::WrongCode], 2);
    assert_eq!(seen.log()[1], "denied first=password reason=locked");
    let login = on("fleet-failover", &grace);
    // Half of them type their passwords when the master is dead.
    let dead = Gate::default();
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            login.storm(100, |message| {
                if message.style == Style::Hidden {
                    dead.hold_every_other();
                }
                knock(message)
            })
        });
        let arrived = || !login.arrived().is_empty();
        replica.until("an SMS", arrived);
        master.signal(Signal::KILL);
        dead.open();
        let codes = storm.join().expect("the storm");
        assert!(!codes.contains(&code::SUCCESS));
        assert!((1..=5).contains(&login.arrived().len()), "{codes:?}");
        assert!(codes.contains(&code::MAXTRIES), "{codes:?}");
    });
    replica.until("a new master", || {
        replica.ask(&["ROLE"]).starts_with("master")
    });
    let seen = Seen::unsent(code::MAXTRIES, LATER, "denied first=password reason=locked");
    locked.sees("on the new master", KNOCK, &seen);
}
