//! Certificates that do not verify, sent by a real TLS server.
#![forbid(unsafe_code)]

use std::net::TcpListener;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, NameConstraints, date_time_ymd,
};
use rustls::{ServerConfig, crypto::ring, server::ResolvesServerCert, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::*;
use crate::{
    deadline::Deadline,
    net::{Lookup, Stream, tls_config},
    test_support::net_server::{Behavior, FakeServer},
};

const NAME: &str = "127.0.0.1";

/// Sends any chain: rustls's own resolver would refuse some of them.
#[derive(Debug)]
struct FixedChain(Arc<CertifiedKey>);

impl ResolvesServerCert for FixedChain {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<ServerConfig> {
    let der = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let key = ring::sign::any_supported_type(&der).unwrap();
    let resolver = FixedChain(Arc::new(CertifiedKey::new(chain, key)));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(
        config
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver)),
    )
}

/// Connects with a client that trusts this CA.
fn connect(ca: &str, chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let fake = FakeServer::on(
        listener,
        Some(server(chain, key)),
        vec![Behavior::CloseAfterHandshake],
    );
    let by = Deadline::within(std::time::Duration::from_secs(10));
    let addresses = Lookup::begin(NAME, fake.address.port()).wait(by).unwrap();
    let config = tls_config(Some(&Arc::from(ca.as_bytes()))).unwrap();
    let peer = format!("{NAME}:{}: ", fake.address.port());
    let end = Stream::open(&addresses, Some(&config), by, |_, _| Ok::<_, Error>(()));
    end.map_err(|error| match error {
        Error::Refused { what, remedy } => Error::Refused {
            what: what.replace(&peer, ""),
            remedy,
        },
        error => error,
    })
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params
}

struct Ca {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Creates a CA with changed parameters.
fn ca(change: impl FnOnce(&mut CertificateParams)) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = params(&[]);
    let name = format!("CA {:?}", key.public_key_raw());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let pem = params.self_signed(&key).unwrap().pem();
    Ca {
        pem,
        issuer: Issuer::new(params, key),
    }
}

/// Returns the result for a server's certificate that this CA has issued.
fn issued(by: &Ca, trusted: &Ca, change: impl FnOnce(&mut CertificateParams)) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = params(&[NAME]);
    change(&mut params);
    let leaf = params.signed_by(&key, &by.issuer).unwrap();
    what(connect(&trusted.pem, vec![leaf.der().clone()], &key))
}

fn what(end: Result<(), Error>) -> String {
    match end {
        Ok(()) => "in".to_owned(),
        Err(Error::Refused { what, remedy }) => {
            assert!(remedy.len() > 20, "{remedy}");
            what
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn dates_names_purposes_and_issuers() {
    let ours = ca(|_| ());
    let theirs = ca(|_| ());
    let narrow = ca(|params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
            excluded_subtrees: vec![GeneralSubtree::IpAddress(rcgen::CidrSubnet::V4(
                [127, 0, 0, 0],
                [255, 0, 0, 0],
            ))],
        });
    });
    assert_eq!(issued(&ours, &ours, |_| ()), "in");
    let result = |change: fn(&mut CertificateParams)| issued(&ours, &ours, change);
    let its = |what: &str| format!("its certificate {what}");
    assert_eq!(
        result(|params| params.not_after = date_time_ymd(2001, 1, 1)),
        its("has expired")
    );
    assert_eq!(
        result(|params| params.not_before = date_time_ymd(3000, 1, 1)),
        its("is not valid yet")
    );
    assert_eq!(
        result(|params| params.subject_alt_names.clear()),
        its("has no subjectAltName")
    );
    assert_eq!(
        result(|params| {
            let other = "ldap.example.org".try_into().unwrap();
            params.subject_alt_names = vec![rcgen::SanType::DnsName(other)];
        }),
        its("is for another name")
    );
    assert_eq!(
        result(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        its("is not valid for servers (serverAuth)")
    );
    assert_eq!(
        issued(&theirs, &ours, |_| ()),
        its("was issued by an untrusted CA")
    );
    assert_eq!(
        issued(&narrow, &narrow, |_| ()),
        its("is for a name that its CA must not certify (nameConstraints)")
    );
}

/// The default of `openssl req -x509`: the certificate is a CA certificate, and refused for a server.
#[test]
fn a_self_signed_certificate_must_not_be_a_ca_certificate() {
    let key = KeyPair::generate().unwrap();
    let mut params = params(&[NAME]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&key).unwrap();
    let end = connect(&own.pem(), vec![own.der().clone()], &key);
    assert_eq!(
        what(end),
        "its certificate is a CA certificate (basicConstraints CA:TRUE)"
    );
    // With the remedy applied.
    params.is_ca = IsCa::ExplicitNoCa;
    let own = params.self_signed(&key).unwrap();
    assert_eq!(
        what(connect(&own.pem(), vec![own.der().clone()], &key)),
        "in"
    );
}

#[test]
fn malformed_certificates_and_issuers_that_are_not_a_ca() {
    let key = KeyPair::generate().unwrap();
    let ours = ca(|_| ());
    let end = connect(&ours.pem, vec![CertificateDer::from(vec![0x30, 0])], &key);
    assert_eq!(what(end), "its certificate is malformed");

    let middle_key = KeyPair::generate().unwrap();
    let mut middle_params = params(&[]);
    middle_params
        .distinguished_name
        .push(DnType::CommonName, "no CA");
    middle_params.is_ca = IsCa::ExplicitNoCa;
    let middle = middle_params.signed_by(&middle_key, &ours.issuer).unwrap();
    let issuer = Issuer::new(middle_params, middle_key);
    let leaf = params(&[NAME]).signed_by(&key, &issuer).unwrap();
    let chain = vec![leaf.der().clone(), middle.der().clone()];
    assert_eq!(
        what(connect(&ours.pem, chain, &key)),
        "its certificate was issued by a certificate that is not a CA certificate"
    );
}
