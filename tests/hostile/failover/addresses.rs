//! One host name with two addresses, and a server at each.

use super::{IN, port};
use crate::module::{ASKS, Login, NOT_SENT, Seen, Someone, someone, with_ledger};
use lab::Lab;
use lab::certs::{Certs, Identity};
use lab::fault_proxy::{Fault, FaultProxy};
use lab::pamhost::code;
use lab::redis::{Options, Redis};
use lab::slapd::Slapd;
use lab::twilio::Twilio;
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Once;
use std::time::Duration;

pub(super) const NAME: &str = "several.example.org";
/// The two addresses, in the order of use.
pub(super) const FIRST: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 77, 0, 3);

const KEY: &str = "obviously-fake-key-of-the-lab-0123456789";

/// A directory, a carrier and a Redis whose certificates have the name.
pub(super) struct Servers {
    pub(super) certs: Certs,
    pub(super) slapd: Slapd,
    twilio: Twilio,
    redis: Redis,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Directory,
    Carrier,
    Ledger,
}

const KINDS: [Kind; 3] = [Kind::Directory, Kind::Carrier, Kind::Ledger];

impl Servers {
    pub(super) fn new() -> Self {
        static NAMED: Once = Once::new();
        NAMED.call_once(|| {
            // /etc/hosts is private to this mount namespace.
            let hosts = std::fs::OpenOptions::new().append(true).open("/etc/hosts");
            let lines = format!("{FIRST} {NAME}\n{SECOND} {NAME}\n");
            let written = hosts.and_then(|mut hosts| hosts.write_all(lines.as_bytes()));
            written.expect("/etc/hosts");
        });
        let certs = Certs::with_names(&[NAME]);
        let slapd = Slapd::start(&certs);
        let twilio = Twilio::start(&certs);
        let redis = Redis::start_as(&Options {
            tls: Some((&certs, Identity::Good)),
            ..Options::default()
        });
        Self {
            certs,
            slapd,
            twilio,
            redis,
        }
    }

    fn server_port(&self, kind: Kind) -> u16 {
        match kind {
            Kind::Directory => port(&self.slapd.ldaps()),
            Kind::Carrier => self.twilio.port(),
            Kind::Ledger => self.redis.tls_port(),
        }
    }

    /// Returns a login that reaches its server of this kind by the name.
    pub(super) fn login<'b>(
        &'b self,
        lab: &'b Lab,
        case: &'static str,
        who: &Someone,
        kind: Kind,
        port: u16,
    ) -> Login<'b> {
        let ca = self.certs.ca().display().to_string();
        let login = with_ledger(lab, case, who);
        match kind {
            Kind::Directory => login
                .set("ldap.uris", &format!("[\"ldaps://{NAME}:{port}\"]"))
                .text("ldap.timeout", "2s")
                .text("ldap.ca_file", &ca),
            Kind::Carrier => login
                .through(&self.twilio)
                .text("twilio.api_url", &format!("https://{NAME}:{port}"))
                .text("twilio.timeout", "2s")
                .text("twilio.ca_file", &ca),
            Kind::Ledger => {
                let key = login.folder.join("key");
                lab::scratch::write(&key, 0o600, KEY);
                login
                    .text("ledger.redis", &format!("rediss://{NAME}:{port}"))
                    .text("ledger.key_file", key.to_str().expect("a path"))
                    .text("ledger.timeout", "3s")
                    .text("ledger.unreachable", "deny")
                    .text("ledger.ca_file", &ca)
            }
        }
    }
}

/// Starts a proxy at the second address; returns it with its port.
pub(super) fn second(to: u16) -> (FaultProxy, u16) {
    let middle = FaultProxy::at((SECOND, 0).into(), to, 1, Fault::None);
    let port = middle.port();
    (middle, port)
}

fn first(port: u16, to: u16, fault: Fault) -> FaultProxy {
    FaultProxy::at((FIRST, port).into(), to, 1, fault)
}

/// If the first address refuses, is silent, closes the connection, has no TLS or a certificate that does not
/// verify, the login uses the next one, which may be another machine.
pub fn an_unusable_address_fails_over(lab: &Lab) {
    let servers = Servers::new();
    let cases = ["several-ldap", "several-sms", "several-redis"];
    std::thread::scope(|scope| {
        for (kind, case) in KINDS.into_iter().zip(cases) {
            let servers = &servers;
            scope.spawn(move || {
                let who = someone(lab, case);
                servers.slapd.add(&who.person);
                let bad: Vec<Twilio> = [Identity::Expired, Identity::OtherCa, Identity::WrongName]
                    .map(|identity| Twilio::start_as(&servers.certs, identity))
                    .into();
                let real = servers.server_port(kind);
                let mut firsts = vec![
                    (real, Fault::Silent),
                    (real, Fault::Close),
                    (real, Fault::Reset),
                    (real, Fault::Truncate),
                    (real, Fault::Garbage),
                ];
                firsts.extend(bad.iter().map(|bad| (bad.port(), Fault::None)));
                for (to, fault) in firsts {
                    let what = format!("{kind:?}: {fault:?}");
                    let (second, port) = second(real);
                    let first = first(port, to, fault);
                    let login = servers.login(lab, case, &who, kind, port);
                    let seen = login.sees(&what, &IN, &Seen::granted());
                    assert!(first.accepted() > 0, "{what}: it was not tried first");
                    assert_eq!(second.accepted(), 1, "{what}");
                    assert!(seen.results[0].1 < Duration::from_secs(12), "{what}");
                }
                let (_second, port) = second(real);
                let login = servers.login(lab, case, &who, kind, port);
                login.sees(&format!("{kind:?}: refused"), &IN, &Seen::granted());
                for bad in &bad {
                    assert!(bad.requests().is_empty(), "{kind:?}: it received a request");
                }
            });
        }
    });
    assert_eq!(servers.twilio.requests().len(), 9, "one request per login");
}

/// A PAM stack may ignore an outage. An attacker with a bad certificate who blocks the other address must not
/// be taken for an outage.
pub fn a_bad_certificate_is_refused_whatever_else_is_down(lab: &Lab) {
    let servers = Servers::new();
    let who = someone(lab, "several-bad");
    servers.slapd.add(&who.person);
    let bad = Twilio::start_as(&servers.certs, Identity::OtherCa);
    for kind in KINDS {
        let (line, screen): (_, &[&str]) = match kind {
            Kind::Directory => ("failed user=? stage=directory reason=refused", &[ASKS]),
            Kind::Carrier => ("failed stage=twilio reason=refused", &[ASKS, NOT_SENT]),
            Kind::Ledger => ("failed stage=ledger reason=refused", &[ASKS, NOT_SENT]),
        };
        let want = Seen::new(&[code::SERVICE_ERR], screen, &[line], 0);
        for down in [Fault::Close, Fault::Silent] {
            for bad_comes_first in [true, false] {
                let (to, fault) = (bad.port(), down.clone());
                let (at_first, at_second) = if bad_comes_first {
                    (Fault::None, fault)
                } else {
                    (fault, Fault::None)
                };
                let second = FaultProxy::at((SECOND, 0).into(), to, 1, at_second);
                let first = first(second.port(), to, at_first);
                let login = servers.login(lab, "several-bad", &who, kind, second.port());
                login.sees(&format!("{kind:?} {down:?} {bad_comes_first}"), &IN, &want);
                assert!(first.accepted() > 0 && second.accepted() > 0);
            }
        }
    }
    assert!(bad.requests().is_empty());
}
