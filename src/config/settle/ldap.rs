//! `[ldap]`: the directory's servers, and how they are asked.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{
    super::{
        Error, Fault, Grace, Ldap, LdapUri, Security,
        address::{LdapAddress, LdapAddresses, is_loopback},
        draft::{self, Slot},
        values::{ldap::PlainNumbers, secret::Kind},
    },
    Desk,
};
use crate::phone::Plain;

/// Ports below this one are root's by default (ip(7)).
const PRIVILEGED_PORTS: u16 = 1024;

impl Desk<'_> {
    pub fn ldap(&self, ldap: draft::Ldap, section: Option<usize>) -> Result<Ldap, Error> {
        let uris = self.uris(ldap.uris, ldap.start_tls, section)?;
        let base = self.need(ldap.base, section, "ldap.base")?.0;
        let plain_numbers = match (ldap.plain_numbers, ldap.default_region) {
            (Some(plain), Some(region)) if plain.value == PlainNumbers::International => {
                return Err(self.beside(plain.spot(), region.spot()));
            }
            (Some(plain), None) if plain.value == PlainNumbers::International => {
                Plain::International
            }
            (_, region) => Plain::National(region.map(|at| at.value)),
        };
        let kept = self.kept(ldap.bind_password, ldap.bind_password_file)?;
        let bind = match (ldap.bind_dn, kept) {
            (Some(dn), Some(kept)) => Some((dn.value.0, self.open(kept, Kind::Line)?)),
            (None, None) => None,
            (Some(dn), None) => {
                let other = "ldap.bind_password_file";
                return Err(self.at(dn.spot(), Fault::Without { other }));
            }
            (None, Some(kept)) => {
                let other = "ldap.bind_dn";
                return Err(self.at(kept.spot(), Fault::Without { other }));
            }
        };
        Ok(Ldap {
            uris,
            ca_file: self.bundle(ldap.ca_file)?,
            timeout: ldap.timeout.map_or(Duration::from_secs(5), |at| at.value.0),
            bind,
            base,
            filter: ldap.filter.map_or_else(
                || "(&(objectClass=person)(uid={user}))".into(),
                |at| at.value.0,
            ),
            verified_attribute: ldap
                .verified_attribute
                .map_or_else(|| "phoneNumberVerified".into(), |at| at.value.0),
            phone_attributes: ldap.phone_attributes.map_or_else(
                || vec!["mobile".into(), "telephoneNumber".into()],
                |at| at.value.0,
            ),
            grace: ldap.grace.map_or(Grace::Allow, |at| at.value),
            plain_numbers,
            strip_domains: ldap.strip_domains.map_or_else(Vec::new, |at| at.value.0),
            password_policy: ldap.password_policy.is_none_or(|at| at.value),
        })
    }

    /// The first port that a local user may take while its server is down, and would be sent the
    /// passwords. The kernel's setting can lower it, never raise it: another boot may have the default.
    fn first_unprivileged_port(&self) -> u16 {
        let start = self.files.unprivileged_port_start();
        start.map_or(PRIVILEGED_PORTS, |start| start.min(PRIVILEGED_PORTS))
    }

    /// The servers, each with what protects the passwords on their way.
    fn uris(
        &self,
        uris: Slot<LdapAddresses>,
        start_tls: Slot<bool>,
        section: Option<usize>,
    ) -> Result<Vec<LdapUri>, Error> {
        let line = uris.as_ref().map(|at| at.line);
        let uris = self.need(uris, section, "ldap.uris")?.0;
        let start_tls = start_tls.filter(|at| at.value);
        if let Some(at) = &start_tls {
            let plain = |uri: &LdapAddress| matches!(uri, LdapAddress::Ldap { .. });
            if !uris.iter().any(plain) {
                return Err(self.at(at.spot(), Fault::NothingToProtect));
            }
        }
        uris.into_iter()
            .map(|uri| match uri {
                LdapAddress::Ldapi(path) => Ok(LdapUri::Unix(path)),
                LdapAddress::Ldaps { host, port } => Ok(LdapUri::Tcp {
                    host,
                    port,
                    security: Security::Tls,
                }),
                LdapAddress::Ldap { host, port } => {
                    let security = if start_tls.is_some() {
                        Security::StartTls
                    } else if is_loopback(&host) {
                        let below = self.first_unprivileged_port();
                        if port >= below {
                            let fault = Fault::UnprivilegedPort { below };
                            return Err(self.error(line, "ldap.uris", fault));
                        }
                        Security::Loopback
                    } else {
                        return Err(self.error(line, "ldap.uris", Fault::InTheClear));
                    };
                    Ok(LdapUri::Tcp {
                        host,
                        port,
                        security,
                    })
                }
            })
            .collect()
    }
}
