//! Servers that TLS refuses, or that refuse us: each has its sentence.
#![forbid(unsafe_code)]

mod certificates;
mod servers;

use std::sync::Arc;

use rustls::{CertRevocationListError, InvalidMessage, OtherError, PeerMisbehaved};

use super::*;

fn other(error: Chain) -> Tls {
    Tls::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Outage(_) | Error::ClosedEarly(_) => "outage",
        Error::Refused { .. } => "refused",
        Error::Late(_) | Error::Local(_) => "local",
    }
}

#[test]
fn what_the_server_does_not_want_is_refused_and_what_is_no_tls_is_an_outage() {
    use AlertDescription as Alert;
    let outages = [
        Tls::AlertReceived(Alert::InternalError),
        Tls::AlertReceived(Alert::UserCanceled),
        Tls::DecryptError,
        Tls::PeerSentOversizedRecord,
        Tls::InvalidMessage(InvalidMessage::InvalidContentType),
        Tls::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests),
        Tls::General("x".to_owned()),
    ];
    for error in outages {
        assert_eq!(kind(&classify("x:1", &error)), "outage", "{error}");
    }
    for alert in (0..=255).map(Alert::from) {
        if !matches!(alert, Alert::InternalError | Alert::UserCanceled) {
            let error = classify("x:1", &Tls::AlertReceived(alert));
            assert_eq!(kind(&error), "refused", "{error}");
        }
    }
    for error in [
        Tls::NoCertificatesPresented,
        Tls::InvalidCertificate(CertificateError::UnknownIssuer),
        Tls::InvalidCertRevocationList(CertRevocationListError::BadSignature),
        Tls::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
        Tls::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
    ] {
        assert_eq!(kind(&classify("x:1", &error)), "refused", "{error}");
    }
    for error in [Tls::FailedToGetRandomBytes, Tls::FailedToGetCurrentTime] {
        assert_eq!(kind(&classify("x:1", &error)), "local", "{error}");
    }
}

/// As it comes out of a connection's read or write.
#[test]
fn an_error_inside_an_input_or_output_error_is_found() {
    let inner = Tls::AlertReceived(AlertDescription::ProtocolVersion);
    let error = Error::io("x:1", &std::io::Error::other(inner));
    assert_eq!(
        error.to_string(),
        "x:1: it has neither TLS 1.2 nor TLS 1.3 (TLS alert 70)"
    );
}

#[test]
fn a_servers_words_about_itself_are_not_repeated() {
    let name = |presented: &[&str]| {
        Tls::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: rustls_pki_types::ServerName::try_from("sms.example.org").unwrap(),
            presented: presented.iter().map(ToString::to_string).collect(),
        })
    };
    let told = |error: &Tls| classify("sms.example.org:443", error).to_string();
    assert_eq!(
        told(&name(&["\u{1b}]0;evil\n.example.net"])),
        "sms.example.org:443: its certificate is for another name"
    );
    assert_eq!(
        told(&name(&[])),
        "sms.example.org:443: its certificate has no subjectAltName"
    );
}

/// Libraries write their enums with `Debug`: `CaUsedAsEndEntity`, `UnsupportedCertVersion`.
#[test]
fn no_name_of_a_librarys_type_is_told() {
    let errors = [
        other(Chain::CaUsedAsEndEntity),
        other(Chain::EndEntityUsedAsCa),
        other(Chain::NameConstraintViolation),
        other(Chain::PathLenConstraintViolated),
        other(Chain::MaximumPathDepthExceeded),
        other(Chain::UnsupportedCertVersion),
        other(Chain::UnsupportedCriticalExtension),
        other(Chain::EmptyEkuExtension),
        other(Chain::MalformedExtensions),
        other(Chain::UnsupportedNameType),
        Tls::InvalidCertificate(CertificateError::Revoked),
        Tls::InvalidCertificate(CertificateError::BadSignature),
        Tls::InvalidCertificate(CertificateError::UnhandledCriticalExtension),
        Tls::InvalidCertificate(CertificateError::ApplicationVerificationFailure),
        Tls::InvalidMessage(InvalidMessage::InvalidContentType),
        Tls::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare),
        Tls::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
        Tls::AlertReceived(AlertDescription::MissingExtension),
    ];
    for error in errors {
        let told = classify("x", &error);
        let remedy = match &told {
            Error::Refused { remedy, .. } => remedy,
            Error::Outage(_) | Error::ClosedEarly(_) | Error::Late(_) | Error::Local(_) => "",
        };
        let text = format!("{told}: {remedy}");
        let is_camel = |word: &str| {
            let mut letters = word.chars();
            letters.next().is_some_and(char::is_uppercase)
                && letters.next().is_some_and(char::is_lowercase)
                && letters.any(char::is_uppercase)
        };
        // Its own words name ChaCha20.
        let words = text.split(|c: char| !c.is_alphanumeric());
        let camel = words.filter(|word| is_camel(word) && *word != "ChaCha20");
        assert_eq!(camel.count(), 0, "{text}");
        assert!(
            !text.contains("does not verify") || text.contains("openssl"),
            "{text}"
        );
    }
}
