//! One ledger shared by several hosts, in a real Redis or Valkey.

use super::ledger::with_ledger;
use super::login::{
    ASKS, LATER, Login, NEW_PHONE, NOT_SENT, PASSWORD, SENT, Say, Seen, Someone, someone,
};
use super::storm::{Gate, many};
use crate::Case;
use lab::Lab;
use lab::certs::Identity;
use lab::fault_proxy::{Fault, FaultProxy};
use lab::pamhost::{Answer, Message, Style, code};
use lab::redis::{Options, Redis};
use rustix::process::Signal;

pub const CASES: &[Case] = &[
    (
        "module::shared_ledger::hosts_share_one_count",
        hosts_share_one_count,
    ),
    (
        "module::shared_ledger::concurrent_logins",
        concurrent_logins,
    ),
    ("module::shared_ledger::out_of_reach", out_of_reach),
    ("module::shared_ledger::new_number", new_number),
    (
        "module::shared_ledger::denied_while_out_of_reach",
        denied_while_out_of_reach,
    ),
    (
        "module::shared_ledger::refused_connections",
        refused_connections,
    ),
    (
        "module::shared_ledger::by_a_local_socket",
        by_a_local_socket,
    ),
    (
        "module::shared_ledger::killed_during_a_login",
        killed_during_a_login,
    ),
    (
        "module::shared_ledger::failover_during_many_logins",
        failover_during_many_logins,
    ),
];

const IN: &[Say] = &[Say::Password, Say::Code];
const PASSWORD_ONLY: &[Say] = &[Say::Password];
const OUTAGE: &str = "failed stage=ledger reason=outage";
const KEY: &str = "obviously-fake-key-of-the-lab-0123456789";

/// Returns a login on a host that shares the ledger and also has a local one.
pub fn host<'b>(lab: &'b Lab, case: &'static str, who: &Someone, redis: &str) -> Login<'b> {
    let login = with_ledger(lab, case, who);
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

/// Uses the ACL from `docs/ledger.md`, and TLS. A login sends few bytes, because the server has the
/// scripts.
fn hosts_share_one_count(lab: &Lab) {
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
        tls: Some((lab.certs(), Identity::Good)),
        ..Options::default()
    });
    let middle = FaultProxy::start(redis.tls_port(), 0, Fault::None);
    let url = format!("rediss://127.0.0.1:{}", middle.port());
    let alice = someone(lab, "shared-alice");
    let on = |case| {
        let login = host(lab, case, &alice, &url);
        let password = login.folder.join("redis-password");
        lab::scratch::write(&password, 0o600, "obviously-fake");
        login
            .text("ledger.ca_file", lab.certs().ca().to_str().expect("a path"))
            .text("ledger.redis_user", "sms_otp")
            .text(
                "ledger.redis_password_file",
                password.to_str().expect("a path"),
            )
            .set("limits.sms", "[\"2/1h\"]")
            .text("policy.remember", "1h")
            .rhost("192.0.2.7")
    };
    let (one, other) = (on("shared-one"), on("shared-other"));
    one.sees("on one host", IN, &Seen::granted());
    let seen = Seen::new(&[code::SUCCESS], &[ASKS, SENT], &["sent", "granted"], 1);
    let before = middle.sent();
    other.sees("on another host, for another service", IN, &seen);
    let sent = middle.sent() - before;
    assert!(sent < 8 * 1024, "{sent} bytes");
    let skipped = Seen::new(&[code::SUCCESS], &[ASKS], &["skipped reason=remembered"], 0);
    one.sees("remembered", PASSWORD_ONLY, &skipped);
    let config = one.config();
    let config = config.to_str().expect("a path");
    let (code, _, error) = lab.sms_otp(&["--config", config, "unlock", "shared-alice", "--forget"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let limited = "denied first=password reason=limited";
    other.sees(
        "no third",
        PASSWORD_ONLY,
        &Seen::unsent(code::MAXTRIES, LATER, limited),
    );
    let (code, text, error) = lab.sms_otp(&["--config", config, "status", "shared-alice"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(
        text.contains("the shared ledger") && text.contains("2 of 2/1h"),
        "{text}"
    );
}

fn answer_password(message: &Message) -> Answer {
    match message.style {
        Style::Hidden => PASSWORD.into(),
        _ => Answer::ConvErr,
    }
}

fn concurrent_logins(lab: &Lab) {
    let redis = Redis::start();
    let bob = someone(lab, "shared-bob");
    let login = many(host(lab, "shared-at-once", &bob, &plain(&redis)))
        .set("limits.sms", "[\"5/1h\"]")
        .text("ledger.timeout", "20s")
        .text("deadline", "2m");
    let codes = login.storm(200, answer_password);
    assert_eq!(login.arrived().len(), 5, "{codes:?}");
    let limited = codes.iter().filter(|code| **code == code::MAXTRIES).count();
    assert_eq!(limited, 195, "{codes:?}");
}

/// The local ledger counts during an outage, from zero, and each login logs the outage.
fn out_of_reach(lab: &Lab) {
    let redis = Redis::start();
    let carol = someone(lab, "shared-carol");
    let login = host(lab, "shared-down", &carol, &plain(&redis)).set("limits.sms", "[\"1/1h\"]");
    login.sees("reachable", IN, &Seen::granted());
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
    login.sees("the local count", PASSWORD_ONLY, &seen);
    redis.signal(Signal::CONT);
}

/// A new number is announced by one host only, unless the shared ledger is out of reach; the local ledger
/// makes it wait as well.
fn new_number(lab: &Lab) {
    let redis = Redis::start();
    let mut nora = someone(lab, "shared-nora");
    let on = |case| {
        host(lab, case, &nora, &plain(&redis))
            .text("policy.new_phone", "1h")
            .text("ledger.timeout", "300ms")
    };
    let (one, other) = (on("shared-new-one"), on("shared-new-other"));
    one.sees("on one host", IN, &Seen::granted());
    other.sees("on the other", IN, &Seen::granted());
    nora.number = lab.number();
    lab.slapd().replace(&nora.person, "mobile", &[&nora.number]);
    let (one, other) = (one.of(&nora), other.of(&nora));
    let denied = "denied first=password reason=new-phone";
    let refused = |lines: &[&str]| Seen::new(&[code::MAXTRIES], &[ASKS, NEW_PHONE], lines, 0);
    one.sees(
        "a new number",
        PASSWORD_ONLY,
        &refused(&["phone-changed", denied]),
    );
    other.sees(
        "known on the other host",
        PASSWORD_ONLY,
        &refused(&[denied]),
    );
    redis.signal(Signal::STOP);
    let lines = [OUTAGE, "phone-changed", denied];
    other.sees("by the local ledger", PASSWORD_ONLY, &refused(&lines));
    redis.signal(Signal::CONT);
}

fn denied_while_out_of_reach(lab: &Lab) {
    let redis = Redis::start();
    let url = plain(&redis);
    drop(redis);
    let dave = someone(lab, "shared-dave");
    let login = host(lab, "shared-deny", &dave, &url).text("ledger.unreachable", "deny");
    login.sees(
        "refused",
        PASSWORD_ONLY,
        &Seen::unsent(code::AUTHINFO_UNAVAIL, NOT_SENT, OUTAGE),
    );
    let own = super::ledger::folder(&login).join("ledger");
    assert!(!own.exists(), "the local ledger must not be created");
}

/// In its sandbox and under its own user, the helper connects to a socket with mode 777. If another user
/// could create the socket, the settings are refused.
fn by_a_local_socket(lab: &Lab) {
    let folder = lab.folder("shared-socket");
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
    let kim = someone(lab, "shared-kim");
    let url = format!("redis+unix://{}", path.display());
    let login = host(lab, "shared-local", &kim, &url).text("ledger.unreachable", "deny");
    login.sees("granted", IN, &Seen::granted());
    drop(redis);
    let seen = Seen::unsent(code::AUTHINFO_UNAVAIL, NOT_SENT, OUTAGE);
    login.sees("the server is down", PASSWORD_ONLY, &seen);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&folder, Some(4711), None).expect("root may chown");
        let line = "failed user=? stage=settings reason=bad-settings";
        let seen = Seen::at_once(code::SERVICE_ERR, line);
        login.sees("in a directory of another user", &[], &seen);
    }
}

/// A refusal by the server is not an outage: the local ledger does not count in its place.
fn refused_connections(lab: &Lab) {
    let redis = Redis::start_as(&Options {
        users: Some("user default on >other-password ~* +@all\n"),
        ..Options::default()
    });
    let erin = someone(lab, "shared-erin");
    let refused = "failed stage=ledger reason=refused";
    let seen = Seen::unsent(code::SERVICE_ERR, NOT_SENT, refused);
    let login = host(lab, "shared-refused", &erin, &plain(&redis));
    login.sees("without a password", PASSWORD_ONLY, &seen);
    let password = login.folder.join("redis-password");
    lab::scratch::write(&password, 0o600, "obviously-wrong");
    let password = password.to_str().expect("a path").to_owned();
    let login = login.text("ledger.redis_password_file", &password);
    login.sees("with a wrong one", PASSWORD_ONLY, &seen);
    let untrusted = Redis::start_as(&Options {
        tls: Some((lab.certs(), Identity::Expired)),
        ..Options::default()
    });
    let url = format!("rediss://127.0.0.1:{}", untrusted.tls_port());
    let login = host(lab, "shared-expired", &erin, &url)
        .text("ledger.ca_file", lab.certs().ca().to_str().expect("a path"));
    login.sees("with a certificate that has expired", PASSWORD_ONLY, &seen);
}

/// If the server is killed before the code is typed, the local ledger counts the attempt; with `deny` the
/// code is not compared.
fn killed_during_a_login(lab: &Lab) {
    let frank = someone(lab, "shared-frank");
    for (case, unreachable, code, log) in [
        (
            "shared-gone",
            "local",
            code::SUCCESS,
            &["sent", OUTAGE, "granted"][..],
        ),
        (
            "shared-gone-deny",
            "deny",
            code::SERVICE_ERR,
            &["sent", OUTAGE],
        ),
    ] {
        let redis = Redis::start();
        let login = host(lab, case, &frank, &plain(&redis))
            .text("ledger.unreachable", unreachable)
            .text("ledger.timeout", "500ms");
        let (_, seen) = login.run_with(log.len(), |message| match message.style {
            Style::Hidden => PASSWORD.into(),
            Style::Shown => {
                redis.signal(Signal::KILL);
                let sms = login.arrived();
                sms.last().expect("an SMS").code().into()
            }
            _ => Answer::ConvErr,
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

/// The master is killed during many logins: the limit on SMS holds, and locks remain.
fn failover_during_many_logins(lab: &Lab) {
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
        many(host(lab, case, who, &url))
            .text("ledger.timeout", "10s")
            .text("ledger.unreachable", "deny")
            .text("deadline", "1m")
            .set("limits.sms", "[\"5/1h\"]")
            .set("limits.failures", "1")
    };
    let (grace, henry) = (someone(lab, "shared-grace"), someone(lab, "shared-henry"));
    let locked = on("shared-locked", &henry);
    let (_, seen) = locked.run(&[Say::Password, Say::WrongCode], 2);
    assert_eq!(seen.log()[1], "denied first=password reason=locked");
    let login = on("shared-failover", &grace);
    // Half of the logins send their passwords after the master was killed.
    let killed = Gate::default();
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            login.storm(100, |message| {
                if message.style == Style::Hidden {
                    killed.hold_every_other();
                }
                answer_password(message)
            })
        });
        let arrived = || !login.arrived().is_empty();
        replica.until("an SMS", arrived);
        master.signal(Signal::KILL);
        killed.open();
        let codes = storm.join().expect("the storm");
        assert!(!codes.contains(&code::SUCCESS));
        assert!((1..=5).contains(&login.arrived().len()), "{codes:?}");
        assert!(codes.contains(&code::MAXTRIES), "{codes:?}");
    });
    replica.until("a new master", || {
        replica.ask(&["ROLE"]).starts_with("master")
    });
    let seen = Seen::unsent(code::MAXTRIES, LATER, "denied first=password reason=locked");
    locked.sees("on the new master", PASSWORD_ONLY, &seen);
}
