//! OpenSSL servers without a common TLS parameter.
#![forbid(unsafe_code)]

use std::{fs, time::Duration};

use lab::{
    certs::{Certs, Identity, ServerCert},
    openssl_server::{OpensslServer, self_signed},
    scratch::Scratch,
};

use super::*;
use crate::{
    deadline::Deadline,
    net::{Lookup, Stream, tls_config},
};

/// Sends a request with a client that trusts this CA.
fn connect(ca: &std::path::Path, certificate: &ServerCert, options: &[&str]) -> String {
    let server = OpensslServer::start(certificate, options);
    let by = Deadline::within(Duration::from_secs(10));
    let addresses = Lookup::begin("127.0.0.1", server.port()).wait(by).unwrap();
    let config = tls_config(Some(&Arc::from(fs::read(ca).unwrap()))).unwrap();
    let end = Stream::open(&addresses, Some(&config), by, |mut stream, by| {
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n", by)?;
        stream.read(&mut [0; 64], by)
    });
    match end {
        Ok(some) => format!("in ({})", some > 0),
        Err(Error::Refused { what, remedy }) => {
            assert!(remedy.len() > 20, "{remedy}");
            what.replace(&format!("127.0.0.1:{}: ", server.port()), "")
        }
        Err(error) => panic!("{options:?}: {error:?}"),
    }
}

#[test]
fn versions_ciphers_and_client_certificates() {
    let certs = Certs::new();
    let good = certs.server(Identity::Good);
    let result = |options: &[&str]| connect(&certs.ca(), &good, options);
    assert_eq!(result(&[]), "in (true)");
    assert_eq!(
        result(&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]),
        "the server supports neither TLS 1.2 nor TLS 1.3 (TLS alert 70)"
    );
    let none = "the server accepts no cipher suite of this client, or requires a client certificate (TLS alert 40)";
    for options in [
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"][..],
        &["-groups", "P-521"],
        &["-tls1_2", "-Verify", "1"],
    ] {
        assert_eq!(result(options), none, "{options:?}");
    }
    // The alert arrives after the client's side of the handshake.
    assert_eq!(
        result(&["-tls1_3", "-Verify", "1"]),
        "the server requires a client certificate (TLS alert 116)"
    );
}

#[test]
fn keys_and_algorithms() {
    let folder = Scratch::new("self-signed");
    let result = |options: &[&str]| {
        let own = self_signed(&folder, options);
        connect(&own.cert, &own, &["-cipher", "DEFAULT:@SECLEVEL=0"])
    };
    assert_eq!(result(&["-newkey", "rsa:2048"]), "in (true)");
    assert_eq!(
        result(&["-newkey", "rsa:1024"]),
        "its certificate is not signed by its CA's key, or has an RSA key of an unsupported size"
    );
    assert_eq!(
        result(&["-newkey", "rsa:2048", "-sha1"]),
        "its certificate has an unsupported signature algorithm"
    );
}
