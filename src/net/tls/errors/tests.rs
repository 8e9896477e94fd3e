//! Texts for servers that TLS refuses, and for servers that refuse this client.
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
fn refusals_and_protocol_errors_are_distinguished() {
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

/// The form in which a read or write of a connection returns it.
#[test]
fn a_tls_error_inside_an_io_error_is_found() {
    let inner = Tls::AlertReceived(AlertDescription::ProtocolVersion);
    let error = Error::io("x:1", &std::io::Error::other(inner));
    assert_eq!(
        error.to_string(),
        "x:1: the server supports neither TLS 1.2 nor TLS 1.3 (TLS alert 70)"
    );
}

#[test]
fn text_from_the_certificate_is_not_repeated() {
    let name = |presented: &[&str]| {
        Tls::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: rustls_pki_types::ServerName::try_from("sms.example.org").unwrap(),
            presented: presented.iter().map(ToString::to_string).collect(),
        })
    };
    let text = |error: &Tls| classify("sms.example.org:443", error).to_string();
    assert_eq!(
        text(&name(&["\u{1b}]0;evil\n.example.net"])),
        "sms.example.org:443: its certificate is for another name"
    );
    assert_eq!(
        text(&name(&[])),
        "sms.example.org:443: its certificate has no subjectAltName"
    );
}

/// Libraries format their enums with `Debug`: `CaUsedAsEndEntity`, `UnsupportedCertVersion`.
#[test]
fn no_type_name_of_a_library_is_repeated() {
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
        let classified = classify("x", &error);
        let remedy = match &classified {
            Error::Refused { remedy, .. } => remedy,
            Error::Outage(_) | Error::ClosedEarly(_) | Error::Late(_) | Error::Local(_) => "",
        };
        let text = format!("{classified}: {remedy}");
        let is_camel = |word: &str| {
            let mut letters = word.chars();
            letters.next().is_some_and(char::is_uppercase)
                && letters.next().is_some_and(char::is_lowercase)
                && letters.any(char::is_uppercase)
        };
        // ChaCha20 is in a text of this module.
        let words = text.split(|c: char| !c.is_alphanumeric());
        let camel = words.filter(|word| is_camel(word) && *word != "ChaCha20");
        assert_eq!(camel.count(), 0, "{text}");
        assert!(
            !text.contains("does not verify") || text.contains("openssl"),
            "{text}"
        );
    }
}
