//! What the settings need of the sandbox: the ports of servers, and the CA certificates of the system.
#![forbid(unsafe_code)]

use super::{LdapUri, Security, Settings};

impl Settings {
    /// Returns the TCP ports that a login may connect to: those of the directory servers, of Twilio or its
    /// proxy, and of the shared ledger.
    #[must_use]
    pub(crate) fn ports(&self) -> Vec<u16> {
        let directories = self.ldap.uris.iter().filter_map(|uri| match uri {
            LdapUri::Tcp { port, .. } => Some(*port),
            LdapUri::Unix(_) => None,
        });
        let proxy = self.twilio.proxy.as_ref().map(|proxy| proxy.port);
        let twilio = proxy.unwrap_or(self.twilio.api_url.port);
        let ledger = self.ledger.redis.iter().flat_map(super::Redis::ports);
        let mut ports: Vec<_> = directories.chain([twilio]).chain(ledger).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Whether the certificate of a server is verified with the CA certificates of the system.
    #[must_use]
    pub(crate) fn needs_system_roots(&self) -> bool {
        let has_tls = |uri: &LdapUri| match uri {
            LdapUri::Tcp { security, .. } => *security != Security::Loopback,
            LdapUri::Unix(_) => false,
        };
        let directory = self.ldap.ca_file.is_none() && self.ldap.uris.iter().any(has_tls);
        let twilio = self.twilio.ca_file.is_none() && self.twilio.api_url.tls;
        let ledger = self.ledger.redis.as_ref();
        directory || twilio || ledger.is_some_and(|redis| redis.ca_file.is_none() && redis.tls)
    }
}
