//! `[ldap]`: the servers, what protects the connection to each, and the service account.
#![forbid(unsafe_code)]

use super::{
    super::{
        Error, Fault, Ldap, LdapUri, Security,
        address::{LdapAddress, is_loopback},
        table::LdapKeys,
        value_types::{ldap::PlainNumbers, secret::Kind},
    },
    Located, Resolver,
};
use crate::{phone::Plain, secret::Secret};

/// Ports below this one are reserved for root by default (ip(7)).
const PRIVILEGED_PORTS: u16 = 1024;

impl Resolver<'_> {
    pub fn ldap(&self, keys: &LdapKeys, section: Option<usize>) -> Result<Ldap, Error> {
        let uris = self.uris(keys, section)?;
        let base = self
            .require(keys.base.as_ref(), section, "ldap.base")?
            .value
            .clone();
        let plain_numbers = self.plain_numbers(keys)?;
        let bind = self.service_account(keys)?;
        let ca_file = self.ca_bundle(keys.ca_file.as_ref())?;
        self.valid(keys.build(uris, ca_file, bind, base, plain_numbers))
    }

    fn plain_numbers(&self, keys: &LdapKeys) -> Result<Plain, Error> {
        match (&keys.plain_numbers, &keys.default_region) {
            (Some(plain), Some(region)) if plain.value == PlainNumbers::International => {
                Err(self.conflict(plain.spot(), region.spot()))
            }
            (_, region) => Ok(match self.valid(keys.plain_numbers())? {
                PlainNumbers::International => Plain::International,
                PlainNumbers::National => {
                    Plain::National(region.as_ref().map(|region| region.value))
                }
            }),
        }
    }

    /// Returns DN and password; `None`: the search is anonymous.
    fn service_account(&self, keys: &LdapKeys) -> Result<Option<(String, Secret)>, Error> {
        let password = self.secret_source(
            keys.bind_password.as_ref(),
            keys.bind_password_file.as_ref(),
        )?;
        match (&keys.bind_dn, password) {
            (Some(dn), Some(password)) => {
                let password = self.secret(&password, Kind::Line)?;
                Ok(Some((dn.value.clone(), password)))
            }
            (None, None) => Ok(None),
            (Some(dn), None) => Err(self.requires(dn.spot(), "ldap.bind_password_file")),
            (None, Some(password)) => Err(self.requires(password.spot(), "ldap.bind_dn")),
        }
    }

    /// Returns the first port that a local user can bind while its server is down, and would receive the
    /// passwords. The kernel's setting can lower it, but not raise it: after another boot it may have its
    /// default again.
    fn first_unprivileged_port(&self) -> u16 {
        let start = self.files.unprivileged_port_start();
        start.map_or(PRIVILEGED_PORTS, |start| start.min(PRIVILEGED_PORTS))
    }

    /// Returns the servers, each with what protects the passwords that are sent to it.
    fn uris(&self, keys: &LdapKeys, section: Option<usize>) -> Result<Vec<LdapUri>, Error> {
        let uris = self.require(keys.uris.as_ref(), section, "ldap.uris")?;
        let start_tls = self.valid(keys.start_tls())?;
        if let Some(set) = keys.start_tls.as_ref().filter(|_| start_tls) {
            let is_ldap = |uri: &LdapAddress| matches!(uri, LdapAddress::Ldap { .. });
            if !uris.value.iter().any(is_ldap) {
                return Err(self.error_at(set.spot(), Fault::NothingToProtect));
            }
        }
        let uris_with_security = uris.value.iter().map(|uri| {
            let (host, port, security) = match uri {
                LdapAddress::Ldapi(path) => return Ok(LdapUri::Unix(path.clone())),
                LdapAddress::Ldaps { host, port } => (host, *port, Security::Tls),
                LdapAddress::Ldap { host, port } if start_tls => (host, *port, Security::StartTls),
                LdapAddress::Ldap { host, port } => {
                    self.check_unencrypted(uris, host, *port)?;
                    (host, *port, Security::Loopback)
                }
            };
            Ok(LdapUri::Tcp {
                host: host.clone(),
                port,
                security,
            })
        });
        uris_with_security.collect()
    }

    /// Without TLS, only a server on this host is accepted, on a port that only root can bind.
    fn check_unencrypted<T>(&self, uris: &Located<T>, host: &str, port: u16) -> Result<(), Error> {
        let below = self.first_unprivileged_port();
        let fault = if !is_loopback(host) {
            Fault::Unencrypted
        } else if port >= below {
            Fault::UnprivilegedPort { below }
        } else {
            return Ok(());
        };
        Err(self.error_at(uris.spot(), fault))
    }
}
