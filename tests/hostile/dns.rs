//! Name servers that are down. The C library queries the second one after 5 s, and gives up after 10 s or more:
//! the product has to wait longer, and a server whose name was resolved must not wait for the others.

use crate::Case;
use crate::module::{ASKS, Login, SENT, Say, Seen, Someone, someone, with_ledger};
use lab::Lab;
use lab::certs::{Certs, Identity};
use lab::nameserver::NameServer;
use lab::pamhost::{Transcript, code};
use lab::redis::{Options, Redis};
use lab::slapd::Slapd;
use lab::twilio::Twilio;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::dns::logins_succeed_if_the_first_name_server_is_down",
        logins_succeed_if_the_first_name_server_is_down,
    ),
    (
        "hostile::dns::without_a_name_server_the_local_ledger_is_used",
        without_a_name_server_the_local_ledger_is_used,
    ),
    (
        "hostile::dns::the_next_server_does_not_wait_for_a_name_that_never_resolves",
        the_next_server_does_not_wait_for_a_name_that_never_resolves,
    ),
    (
        "hostile::dns::the_log_contains_the_name",
        the_log_contains_the_name,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];
const LDAP: &str = "ldap.dns.example.org";
const SMS: &str = "sms.dns.example.org";
const REDIS: &str = "redis.dns.example.org";
const NEVER: &str = "never.dns.example.org";
const KEY: &str = "obviously-fake-key-of-the-lab-0123456789";

/// Servers with names, and two name servers, the first of which is down.
struct Setup {
    certs: Certs,
    slapd: Slapd,
    twilio: Twilio,
    redis: Redis,
    down: NameServer,
    second: NameServer,
}

impl Setup {
    fn new(second: fn() -> NameServer) -> Self {
        let certs = Certs::with_names(&[LDAP, SMS, REDIS]);
        Self {
            slapd: Slapd::start(&certs),
            twilio: Twilio::start(&certs),
            redis: Redis::start_as(&Options {
                tls: Some((&certs, Identity::Good)),
                ..Options::default()
            }),
            down: NameServer::silent(),
            second: second(),
            certs,
        }
    }

    fn login<'b>(&'b self, lab: &'b Lab, case: &'static str, who: &Someone) -> Login<'b> {
        self.slapd.add(&who.person);
        let login = with_ledger(lab, case, who).own_helper();
        let resolv = login.folder.join("resolv.conf");
        let nsswitch = login.folder.join("nsswitch.conf");
        let lines = self.down.line() + &self.second.line();
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
                host.with_bind_mounts(&[
                    (&resolv, "/etc/resolv.conf"),
                    (&nsswitch, "/etc/nsswitch.conf"),
                ])
            })
    }

    /// Returns the URL of the directory with this name.
    fn ldaps(&self, name: &str) -> String {
        self.slapd.ldaps().replace("127.0.0.1", name)
    }

    /// Sets the ledger to Redis, with its name.
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

/// For a user of this machine all lookups start while they type; for another one the three names are looked up
/// one after the other.
fn logins_succeed_if_the_first_name_server_is_down(lab: &Lab) {
    let setup = Setup::new(NameServer::answering);
    let unknown = someone(lab, "dns-strange");
    let known = crate::module::known(lab, "dns-known").expect("a private machine");
    for (who, case, max) in [(&unknown, "dns-strange", 28), (&known, "dns-known", 14)] {
        let url = format!("https://{SMS}:{}", setup.twilio.port());
        let login = setup
            .login(lab, case, who)
            .set("ldap.uris", &format!("[{:?}]", setup.ldaps(LDAP)))
            .text("twilio.api_url", &url);
        let login = setup.by_redis(login);
        let seen = login.sees("the first name server is down", &IN, &Seen::granted());
        assert!(took(&seen) > Duration::from_secs(4), "{:?}", took(&seen));
        assert!(
            took(&seen) < Duration::from_secs(max),
            "{case} {:?}",
            took(&seen)
        );
    }
    for name in [LDAP, SMS, REDIS] {
        let has_query = |server: &NameServer| server.queries().iter().any(|one| one == name);
        assert!(has_query(&setup.down) && has_query(&setup.second), "{name}");
    }
}

fn without_a_name_server_the_local_ledger_is_used(lab: &Lab) {
    let setup = Setup::new(NameServer::silent);
    let who = someone(lab, "dns-local");
    let login = setup.by_redis(setup.login(lab, "dns-local", &who));
    let log = ["failed stage=ledger reason=outage", "sent", "granted"];
    let want = Seen::new(&[code::SUCCESS], &[ASKS, SENT], &log, 1);
    login.sees("no name server answers", &IN, &want);
    let lines = lab.machine().log();
    let lines = lines.lines_that_begin("pam_sms_otp(dns-local:auth): failed");
    assert!(
        lines[0].raw.contains(&format!("name lookup of {REDIS} ")),
        "{lines:?}"
    );
}

fn the_next_server_does_not_wait_for_a_name_that_never_resolves(lab: &Lab) {
    let setup = Setup::new(NameServer::silent);
    let who = someone(lab, "dns-next");
    let uris = [setup.ldaps(NEVER), setup.slapd.ldaps()];
    let login = setup
        .login(lab, "dns-next", &who)
        .set("ldap.uris", &format!("{uris:?}"));
    let seen = login.sees("the second server has an address", &IN, &Seen::granted());
    assert!(took(&seen) < Duration::from_secs(4), "{:?}", took(&seen));
}

fn the_log_contains_the_name(lab: &Lab) {
    let setup = Setup::new(NameServer::silent);
    let who = someone(lab, "dns-named");
    let login = setup
        .login(lab, "dns-named", &who)
        .set("ldap.uris", &format!("[{:?}]", setup.ldaps(NEVER)));
    let line = "failed user=? stage=directory reason=outage";
    let want = Seen::new(&[code::AUTHINFO_UNAVAIL], &[ASKS], &[line], 0);
    let seen = login.sees("no name server answers", &IN, &want);
    assert!(
        login
            .newest_line()
            .contains(&format!("name lookup of {NEVER} "))
    );
    // The limit is a third of the deadline of 30 s.
    assert!(took(&seen) < Duration::from_secs(13), "{:?}", took(&seen));
}
