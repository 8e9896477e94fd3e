//! The origin of a login, as far as it can be trusted: `remember` applies to one origin.
#![forbid(unsafe_code)]

use std::net::IpAddr;

/// What the host process and the kernel report about the origin of a login.
#[derive(Debug, Clone, Copy)]
pub struct OriginSources<'a> {
    /// sshd's `SSH_AUTH_INFO_0`.
    pub ssh_auth_info: &'a [u8],
    /// `PAM_RHOST`, empty if it is not set.
    pub rhost: &'a str,
    /// `PAM_RUSER`, empty if it is not set.
    pub ruser: &'a [u8],
    /// Real uid of the caller.
    pub caller: u32,
    /// The terminal session of the host process: boot id, session id, start time of its leader.
    pub session: Option<&'a str>,
}

/// An SSH key, an address or a local session. Not `PAM_TTY`: su takes it from its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Returns the first available of: the SSH keys of this connection; the address in `PAM_RHOST`, if it
    /// is a literal (a name is controlled by the client's own name server); without a remote host, the
    /// session.
    #[must_use]
    pub fn from_sources(sources: &OriginSources<'_>) -> Option<Self> {
        let keys = keys(sources.ssh_auth_info);
        if !keys.is_empty() {
            return Some(Self(format!("key {}", keys.join(" "))));
        }
        if !sources.rhost.is_empty() {
            return address(sources.rhost).map(|address| Self(format!("address {address}")));
        }
        let session = sources.session?;
        let user = if sources.ruser.is_empty() {
            format!("uid {}", sources.caller)
        } else {
            format!("user {}", sources.ruser.escape_ascii())
        };
        Some(Self(format!("session {session} {user}")))
    }

    /// Returns the text that a remembered login is stored under: target user, service and origin. User and
    /// service are quoted, so that two different pairs never have the same text.
    #[must_use]
    pub fn key(&self, user: &[u8], service: &str) -> String {
        format!(
            "{:?} {service:?} {}",
            user.escape_ascii().to_string(),
            self.0
        )
    }
}

/// Returns the keys of `publickey TYPE BASE64` lines. Of two keys, both are required again.
fn keys(ssh_auth_info: &[u8]) -> Vec<String> {
    ssh_auth_info
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"publickey "))
        .map(|key| key.escape_ascii().to_string())
        .collect()
}

/// Parses an address and returns it in canonical form: `::ffff:192.0.2.7` is 192.0.2.7. A zone
/// (`fe80::1%eth0`) matters for a link-local address only.
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

    const LOCAL: OriginSources<'_> = OriginSources {
        ssh_auth_info: b"",
        rhost: "",
        ruser: b"",
        caller: 1000,
        session: Some("boot 7 42"),
    };

    fn of(sources: OriginSources<'_>) -> Option<String> {
        Origin::from_sources(&sources).map(|origin| origin.0)
    }

    fn from(rhost: &str) -> Option<String> {
        of(OriginSources { rhost, ..LOCAL })
    }

    #[test]
    fn a_key_takes_precedence_over_an_address_and_that_over_a_session() {
        let info = b"keyboard-interactive\npublickey ssh-ed25519 AAAA\n";
        let key = OriginSources {
            ssh_auth_info: info,
            rhost: "192.0.2.7",
            ..LOCAL
        };
        assert_eq!(of(key).as_deref(), Some("key ssh-ed25519 AAAA"));
        let password = OriginSources {
            ssh_auth_info: b"password\n",
            ..key
        };
        assert_eq!(of(password).as_deref(), Some("address 192.0.2.7"));
        assert_eq!(of(LOCAL).as_deref(), Some("session boot 7 42 uid 1000"));
        let ruser = OriginSources {
            ruser: b"bob 1",
            ..LOCAL
        };
        assert_eq!(of(ruser).as_deref(), Some("session boot 7 42 user bob 1"));
    }

    #[test]
    fn of_two_keys_both_are_required() {
        let keys = |info| {
            of(OriginSources {
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
    fn only_an_address_literal_is_an_origin() {
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
    fn a_local_login_without_a_session_has_no_origin() {
        let daemon = OriginSources {
            session: None,
            ..LOCAL
        };
        assert_eq!(of(daemon), None);
    }

    #[test]
    fn different_users_and_services_have_different_keys() {
        let origin = Origin::from_sources(&LOCAL).unwrap();
        assert_ne!(origin.key(b"a\" \"b", "c"), origin.key(b"a", "b\" \"c"));
        assert_ne!(origin.key(b"a", "sudo"), origin.key(b"a", "sudo-i"));
        assert_ne!(origin.key(b"\xff", "su"), origin.key(b"\xfe", "su"));
    }
}
