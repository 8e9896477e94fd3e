//! A test CA, its certificates for servers on loopback, and certificates that must not verify.
#![forbid(unsafe_code)]

use crate::scratch::Scratch;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

/// The kind of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Signed by the test CA for `localhost`, 127.0.0.1 and ::1.
    Good,
    /// By the test CA, expired.
    Expired,
    /// By the test CA, not valid yet.
    Early,
    /// By the test CA, for another name.
    WrongName,
    /// For the right names, by an unknown CA.
    OtherCa,
    /// For the right names, self-signed.
    SelfSigned,
}

impl Identity {
    pub const ALL: [Self; 6] = [
        Self::Good,
        Self::Expired,
        Self::Early,
        Self::WrongName,
        Self::OtherCa,
        Self::SelfSigned,
    ];

    fn file_name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::WrongName => "wrong-name",
            Self::OtherCa => "other-ca",
            Self::SelfSigned => "self-signed",
        }
    }
}

/// The certificate and key of a server, as PEM files.
#[derive(Clone, Debug)]
pub struct ServerCert {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl ServerCert {
    /// Returns the configuration of a rustls server.
    pub fn config(&self) -> Arc<ServerConfig> {
        let cert = CertificateDer::from_pem_file(&self.cert).expect("our certificate in PEM");
        let key = PrivateKeyDer::from_pem_file(&self.key).expect("our key in PEM");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring's protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .expect("a certificate and its key");
        Arc::new(config)
    }
}

/// The CA and all server certificates. They are created for each run and removed after it.
#[derive(Debug)]
pub struct Certs {
    folder: Scratch,
}

impl Certs {
    pub fn new() -> Self {
        Self::with_names(&[])
    }

    /// Adds names and addresses to the servers' certificates.
    pub fn with_names(more: &[&str]) -> Self {
        let certs = Self {
            folder: Scratch::new("certs"),
        };
        let ca = new_ca("Lab CA");
        let other = new_ca("Another CA");
        certs.folder.write("ca.pem", 0o644, ca.1.as_bytes());
        certs
            .folder
            .write("untrusted-ca.pem", 0o644, other.1.as_bytes());
        for identity in Identity::ALL {
            let signer = if identity == Identity::OtherCa {
                &other.0
            } else {
                &ca.0
            };
            let (cert, key) = server(identity, signer, more);
            certs
                .folder
                .write(format!("{}.pem", identity.file_name()), 0o644, cert);
            certs
                .folder
                .write(format!("{}.key", identity.file_name()), 0o600, key);
        }
        certs
    }

    /// Returns the CA that clients trust.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Returns the CA of [`Identity::OtherCa`], which no client trusts.
    pub fn other_ca(&self) -> PathBuf {
        self.folder.join("untrusted-ca.pem")
    }

    pub fn server(&self, identity: Identity) -> ServerCert {
        let name = identity.file_name();
        ServerCert {
            cert: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Default for Certs {
    fn default() -> Self {
        Self::new()
    }
}

fn new_ca(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().expect("a key for the CA");
    let mut params = CertificateParams::new([]).expect("a CA has no host name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let pem = params
        .self_signed(&key)
        .expect("the CA's own certificate")
        .pem();
    (Issuer::new(params, key), pem)
}

fn server(
    identity: Identity,
    signer: &Issuer<'static, KeyPair>,
    more: &[&str],
) -> (String, String) {
    let names = match identity {
        Identity::WrongName => vec!["api.elsewhere.example".to_owned()],
        _ => ["localhost", "127.0.0.1", "::1"]
            .iter()
            .chain(more)
            .map(ToString::to_string)
            .collect(),
    };
    let mut params = CertificateParams::new(names).expect("names for a server");
    params
        .distinguished_name
        .push(DnType::CommonName, "lab server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = OffsetDateTime::now_utc();
    let (from, to) = match identity {
        Identity::Expired => (-30, -1),
        Identity::Early => (1, 30),
        _ => (-1, 30),
    };
    params.not_before = now + Duration::days(from);
    params.not_after = now + Duration::days(to);
    let key = KeyPair::generate().expect("a key for a server");
    let cert = match identity {
        Identity::SelfSigned => params.self_signed(&key),
        _ => params.signed_by(&key, signer),
    };
    (
        cert.expect("a server's certificate").pem(),
        key.serialize_pem(),
    )
}
