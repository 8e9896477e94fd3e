//! How far the settings reach: to which ports, and by whose trust.
#![forbid(unsafe_code)]

use super::{LdapUri, Security, Settings};

impl Settings {
    /// The TCP ports that a login may connect to: those of the directories, of Twilio or the proxy
    /// before it, and of the fleet's ledger.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        let directories = self.ldap.uris.iter().filter_map(|uri| match uri {
            LdapUri::Tcp { port, .. } => Some(*port),
            LdapUri::Unix(_) => None,
        });
        let proxy = self.twilio.proxy.as_ref().map(|proxy| proxy.port);
        let carrier = proxy.unwrap_or(self.twilio.api_url.port);
        let ledger = self.ledger.redis.iter().flat_map(super::Redis::ports);
        let mut ports: Vec<_> = directories.chain([carrier]).chain(ledger).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Whether a server is trusted by what this machine trusts, for want of a CA file.
    #[must_use]
    pub fn trust_the_system(&self) -> bool {
        let has_tls = |uri: &LdapUri| match uri {
            LdapUri::Tcp { security, .. } => *security != Security::Loopback,
            LdapUri::Unix(_) => false,
        };
        let directory = self.ldap.ca_file.is_none() && self.ldap.uris.iter().any(has_tls);
        let carrier = self.twilio.ca_file.is_none() && self.twilio.api_url.tls;
        let ledger = self.ledger.redis.as_ref();
        directory || carrier || ledger.is_some_and(|redis| redis.ca_file.is_none() && redis.tls)
    }
}
