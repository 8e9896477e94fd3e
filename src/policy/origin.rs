//! Where a person comes from, as far as it can be trusted: what `remember` goes by.
#![forbid(unsafe_code)]

use std::net::IpAddr;

/// What the host and the kernel know of it.
#[derive(Debug, Clone, Copy)]
pub struct Traces<'a> {
    /// sshd's `SSH_AUTH_INFO_0`.
    pub ssh_auth_info: &'a [u8],
    /// `PAM_RHOST`, empty where it is not set.
    pub rhost: &'a str,
    /// `PAM_RUSER`, empty where it is not set.
    pub ruser: &'a [u8],
    /// Real uid of whoever calls.
    pub caller: u32,
    /// The terminal session that the host runs in: boot id, session id, start of its leader.
    pub session: Option<&'a str>,
}

/// An origin: an SSH key, an address or a local session. `PAM_TTY` is none: su takes it from its
/// stdin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// The SSH keys that this connection was opened with; else the address in `PAM_RHOST`, which
    /// must be a literal: a name is whatever the client's own name server says; else, where there
    /// is no remote host, the session. `None`: from nowhere in particular.
    #[must_use]
    pub fn of(traces: &Traces<'_>) -> Option<Self> {
        let keys = keys(traces.ssh_auth_info);
        if !keys.is_empty() {
            return Some(Self(format!("key {}", keys.join(" "))));
        }
        if !traces.rhost.is_empty() {
            return address(traces.rhost).map(|address| Self(format!("address {address}")));
        }
        let session = traces.session?;
        let who = if traces.ruser.is_empty() {
            format!("uid {}", traces.caller)
        } else {
            format!("user {}", traces.ruser.escape_ascii())
        };
        Some(Self(format!("session {session} {who}")))
    }

    /// What a login is remembered for: this target, this service, from here. Target and service
    /// are quoted, so that no name can run over into its neighbour.
    #[must_use]
    pub fn place(&self, user: &[u8], service: &str) -> String {
        format!(
            "{:?} {service:?} {}",
            user.escape_ascii().to_string(),
            self.0
        )
    }
}

/// The keys of `publickey TYPE BASE64` lines. With two of them, both must come again.
fn keys(ssh_auth_info: &[u8]) -> Vec<String> {
    ssh_auth_info
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"publickey "))
        .map(|key| key.escape_ascii().to_string())
        .collect()
}

/// An address in its one form: `::ffff:192.0.2.7` is 192.0.2.7, and a zone (`fe80::1%eth0`) says
/// only on which of our links a link-local one is.
fn address(rhost: &str) -> Option<String> {
    let (literal, zone) = rhost.split_once('%').unwrap_or((rhost, ""));
    let address = literal.parse::<IpAddr>().ok()?.to_canonical();
    match address {
        IpAddr::V6(link_local) if link_local.is_unicast_link_local() => {
            Some(format!("{address}%{}", zone.escape_default()))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Some(address.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: Traces<'_> = Traces {
        ssh_auth_info: b"",
        rhost: "",
        ruser: b"",
        caller: 1000,
        session: Some("boot 7 42"),
    };

    fn of(traces: Traces<'_>) -> Option<String> {
        Origin::of(&traces).map(|origin| origin.0)
    }

    fn from(rhost: &str) -> Option<String> {
        of(Traces { rhost, ..LOCAL })
    }

    #[test]
    fn a_key_goes_before_an_address_and_that_before_a_session() {
        let info = b"keyboard-interactive\npublickey ssh-ed25519 AAAA\n";
        let key = Traces {
            ssh_auth_info: info,
            rhost: "192.0.2.7",
            ..LOCAL
        };
        assert_eq!(of(key).as_deref(), Some("key ssh-ed25519 AAAA"));
        let password = Traces {
            ssh_auth_info: b"password\n",
            ..key
        };
        assert_eq!(of(password).as_deref(), Some("address 192.0.2.7"));
        assert_eq!(of(LOCAL).as_deref(), Some("session boot 7 42 uid 1000"));
        let ruser = Traces {
            ruser: b"bob 1",
            ..LOCAL
        };
        assert_eq!(of(ruser).as_deref(), Some("session boot 7 42 user bob 1"));
    }

    #[test]
    fn of_two_keys_both_count() {
        let keys = |info| {
            of(Traces {
                ssh_auth_info: info,
                ..LOCAL
            })
        };
        assert_ne!(
            keys(b"publickey a AAAA\npublickey b BBBB\n"),
            keys(b"publickey a AAAA\n")
        );
    }

    #[test]
    fn only_a_literal_is_an_origin() {
        for name in [
            "client.example.org",
            "localhost",
            "UNKNOWN",
            " ",
            "192.0.2",
            "1.2.3.4.5",
        ] {
            assert_eq!(from(name), None, "{name}");
        }
        assert_eq!(from("::ffff:192.0.2.7"), from("192.0.2.7"));
        assert_eq!(from("2001:DB8:0::1"), from("2001:db8::1"));
        assert_eq!(from("2001:db8::1%eth0"), from("2001:db8::1"));
        assert_ne!(from("fe80::1%eth0"), from("fe80::1%eth1"));
        assert_ne!(from("192.0.2.7"), from("192.0.2.70"));
    }

    #[test]
    fn without_a_session_a_local_login_comes_from_nowhere() {
        let daemon = Traces {
            session: None,
            ..LOCAL
        };
        assert_eq!(of(daemon), None);
    }

    #[test]
    fn no_name_runs_over_into_its_neighbour() {
        let origin = Origin::of(&LOCAL).unwrap();
        assert_ne!(origin.place(b"a\" \"b", "c"), origin.place(b"a", "b\" \"c"));
        assert_ne!(origin.place(b"a", "sudo"), origin.place(b"a", "sudo-i"));
        assert_ne!(origin.place(b"\xff", "su"), origin.place(b"\xfe", "su"));
    }
}
