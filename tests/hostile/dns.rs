//! Dead name servers. The C library asks the second one after 5 s, and gives up after 10 s or more: the
//! product has to wait longer than that, and a server whose name is known must not wait for the others.

use crate::Case;
use crate::module::{ASKS, Login, SENT, Say, Seen, Someone, someone, with_ledger};
use lab::bench::Bench;
use lab::certs::{Certs, Identity};
use lab::nameserver::NameServer;
use lab::pamhost::{Transcript, code};
use lab::redis::{Options, Redis};
use lab::slapd::Slapd;
use lab::twilio::Twilio;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::dns::a_dead_first_name_server_keeps_nobody_out",
        a_dead_first_name_server_keeps_nobody_out,
    ),
    (
        "hostile::dns::without_any_name_server_the_local_ledger_counts",
        without_any_name_server_the_local_ledger_counts,
    ),
    (
        "hostile::dns::a_name_that_never_resolves_does_not_keep_the_next_server_waiting",
        a_name_that_never_resolves_does_not_keep_the_next_server_waiting,
    ),
    (
        "hostile::dns::the_log_names_the_name",
        the_log_names_the_name,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];
const LDAP: &str = "ldap.dns.example.org";
const SMS: &str = "sms.dns.example.org";
const REDIS: &str = "redis.dns.example.org";
const NEVER: &str = "never.dns.example.org";
const KEY: &str = "obviously-fake-key-of-the-lab-0123456789";

/// Servers that go by names, and two name servers, the first of them dead.
struct Ground {
    certs: Certs,
    slapd: Slapd,
    twilio: Twilio,
    redis: Redis,
    dead: NameServer,
    second: NameServer,
}

impl Ground {
    fn new(second: fn() -> NameServer) -> Self {
        let certs = Certs::with_names(&[LDAP, SMS, REDIS]);
        Self {
            slapd: Slapd::start(&certs),
            twilio: Twilio::start(&certs),
            redis: Redis::start_as(&Options {
                tls: Some((&certs, Identity::Good)),
                ..Options::default()
            }),
            dead: NameServer::silent(),
            second: second(),
            certs,
        }
    }

    fn login<'b>(&'b self, bench: &'b Bench, case: &'static str, who: &Someone) -> Login<'b> {
        self.slapd.add(&who.person);
        let login = with_ledger(bench, case, who).own_helper();
        let resolv = login.folder.join("resolv.conf");
        let nsswitch = login.folder.join("nsswitch.conf");
        let lines = self.dead.line() + &self.second.line();
        lab::scratch::write(&resolv, 0o644, lines);
        let names = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";
        lab::scratch::write(&nsswitch, 0o644, names);
        let ca = self.certs.ca().display().to_string();
        login
            .through(&self.twilio)
            .text("ldap.timeout", "5s")
            .text("twilio.timeout", "10s")
            .text("ldap.ca_file", &ca)
            .text("twilio.ca_file", &ca)
            .set("ldap.uris", &format!("[{:?}]", self.slapd.ldaps()))
            .host(|host| {
                host.with_over(&[
                    (&resolv, "/etc/resolv.conf"),
                    (&nsswitch, "/etc/nsswitch.conf"),
                ])
            })
    }

    /// The directory, by this name.
    fn ldaps(&self, name: &str) -> String {
        self.slapd.ldaps().replace("127.0.0.1", name)
    }

    /// With the ledger in Redis, by its name.
    fn by_redis<'b>(&'b self, login: Login<'b>) -> Login<'b> {
        let key = login.folder.join("key");
        lab::scratch::write(&key, 0o600, KEY);
        login
            .text(
                "ledger.redis",
                &format!("rediss://{REDIS}:{}", self.redis.tls_port()),
            )
            .text("ledger.key_file", key.to_str().expect("a path"))
            .text("ledger.ca_file", &self.certs.ca().display().to_string())
    }
}

fn took(seen: &Transcript) -> Duration {
    seen.results[0].1
}

/// A name that this machine knows has everything begun while its user types; for another one all three
/// names are looked up one after the other.
fn a_dead_first_name_server_keeps_nobody_out(bench: &Bench) {
    let ground = Ground::new(NameServer::answering);
    let strange = someone(bench, "dns-strange");
    let known = crate::module::known(bench, "dns-known").expect("a private machine");
    for (who, case, longest) in [(&strange, "dns-strange", 28), (&known, "dns-known", 14)] {
        let url = format!("https://{SMS}:{}", ground.twilio.port());
        let login = ground
            .login(bench, case, who)
            .set("ldap.uris", &format!("[{:?}]", ground.ldaps(LDAP)))
            .text("twilio.api_url", &url);
        let login = ground.by_redis(login);
        let seen = login.sees("the first name server is dead", &IN, &Seen::granted());
        assert!(took(&seen) > Duration::from_secs(4), "{:?}", took(&seen));
        assert!(
            took(&seen) < Duration::from_secs(longest),
            "{case} {:?}",
            took(&seen)
        );
    }
    for name in [LDAP, SMS, REDIS] {
        let asked = |server: &NameServer| server.queries().iter().any(|one| one == name);
        assert!(asked(&ground.dead) && asked(&ground.second), "{name}");
    }
}

fn without_any_name_server_the_local_ledger_counts(bench: &Bench) {
    let ground = Ground::new(NameServer::silent);
    let who = someone(bench, "dns-local");
    let login = ground.by_redis(ground.login(bench, "dns-local", &who));
    let log = ["failed stage=ledger reason=outage", "sent", "granted"];
    let want = Seen::new(&[code::SUCCESS], &[ASKS, SENT], &log, 1);
    login.sees("no name server answers", &IN, &want);
    let lines = bench.world().log();
    let lines = lines.lines_that_begin("pam_sms_otp(dns-local:auth): failed");
    assert!(
        lines[0].raw.contains(&format!("name lookup of {REDIS} ")),
        "{lines:?}"
    );
}

fn a_name_that_never_resolves_does_not_keep_the_next_server_waiting(bench: &Bench) {
    let ground = Ground::new(NameServer::silent);
    let who = someone(bench, "dns-next");
    let uris = [ground.ldaps(NEVER), ground.slapd.ldaps()];
    let login = ground
        .login(bench, "dns-next", &who)
        .set("ldap.uris", &format!("{uris:?}"));
    let seen = login.sees("the second is known", &IN, &Seen::granted());
    assert!(took(&seen) < Duration::from_secs(4), "{:?}", took(&seen));
}

fn the_log_names_the_name(bench: &Bench) {
    let ground = Ground::new(NameServer::silent);
    let who = someone(bench, "dns-named");
    let login = ground
        .login(bench, "dns-named", &who)
        .set("ldap.uris", &format!("[{:?}]", ground.ldaps(NEVER)));
    let line = "failed user=? stage=directory reason=outage";
    let want = Seen::new(&[code::AUTHINFO_UNAVAIL], &[ASKS], &[line], 0);
    let seen = login.sees("no name server answers", &IN, &want);
    assert!(
        login
            .newest_line()
            .contains(&format!("name lookup of {NEVER} "))
    );
    // A third of the deadline of 30 s.
    assert!(took(&seen) < Duration::from_secs(13), "{:?}", took(&seen));
}
