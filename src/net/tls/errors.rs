//! Texts and remedies for TLS errors.
//!
//! No text of a library or a server is repeated: libraries format their enums with `Debug`, and the names in a
//! certificate are text from the server.
#![forbid(unsafe_code)]

use rustls::{AlertDescription, CertificateError, Error as Tls, PeerIncompatible};
use webpki::Error as Chain;

use crate::net::Error;

/// What happened, and what the administrator can do.
type Text = (&'static str, &'static str);

/// Classifies a TLS error as a refusal, a local error or an outage.
pub fn classify(peer: &str, error: &Tls) -> Error {
    let refused = |what: String, remedy| Error::Refused {
        what: format!("{peer}: {what}"),
        remedy,
    };
    match error {
        Tls::InvalidCertificate(reason) => {
            let (what, remedy) = certificate(reason);
            refused(format!("its certificate {what}"), remedy)
        }
        Tls::NoCertificatesPresented => refused(
            "the server sent no certificate".to_owned(),
            "configure a certificate and its key in the server",
        ),
        Tls::InvalidCertRevocationList(_) => refused(
            "the revocation list of its CA is invalid".to_owned(),
            REVOCATION,
        ),
        Tls::PeerIncompatible(reason) => {
            let (what, remedy) = incompatible(reason);
            refused(what.to_owned(), remedy)
        }
        Tls::AlertReceived(AlertDescription::InternalError) => {
            Error::Outage(format!("{peer}: TLS alert internal_error"))
        }
        Tls::AlertReceived(AlertDescription::UserCanceled) => {
            Error::Outage(format!("{peer}: TLS alert user_canceled"))
        }
        Tls::AlertReceived(alert) => {
            let ((what, remedy), number) = (self::alert(*alert), u8::from(*alert));
            refused(format!("{what} (TLS alert {number})"), remedy)
        }
        Tls::FailedToGetCurrentTime => Error::Local("TLS: no time of day".to_owned()),
        Tls::FailedToGetRandomBytes => Error::Local("TLS: no random numbers".to_owned()),
        other => Error::Outage(format!("{peer}: {}", protocol(other))),
    }
}

const REVOCATION: &str = "reissue the certificate, and check the CA's revocation service";
const MALFORMED: Text = (
    "is malformed",
    "reissue the server's certificate: it is not a valid X.509 certificate",
);
const CRITICAL: Text = (
    "has a critical extension that is not supported",
    "reissue the server's certificate without that extension",
);
const NO_SERVER: Text = (
    "is not valid for servers (serverAuth)",
    "reissue it with the extended key usage serverAuth",
);
const UNKNOWN: Text = (
    "was issued by an untrusted CA",
    "set ca_file to its CA, or configure the server to send its whole chain; otherwise a device on the \
     network may intercept TLS",
);
const ALGORITHM: Text = (
    "has an unsupported signature algorithm",
    "reissue it with SHA-256 or better and a key of RSA 2048 to 8192 bits, P-256, P-384 or Ed25519",
);
const LONG_CHAIN: Text = (
    "has a chain that is too long to verify",
    "configure the server to send its certificate and the intermediate ones up to its CA, and no others",
);

/// Describes an invalid certificate.
fn certificate(error: &CertificateError) -> Text {
    use CertificateError as Reason;
    #[allow(deprecated, reason = "the library may still use the variant")]
    match error {
        Reason::BadEncoding => MALFORMED,
        Reason::Expired | Reason::ExpiredContext { .. } => (
            "has expired",
            "renew the server's certificate, or correct this host's clock",
        ),
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => (
            "is not valid yet",
            "correct this host's clock, or that of the host that issued the certificate",
        ),
        Reason::Revoked => ("has been revoked", "reissue the certificate with a new key"),
        Reason::UnknownRevocationStatus
        | Reason::ExpiredRevocationList
        | Reason::ExpiredRevocationListContext { .. }
        | Reason::InvalidOcspResponse => ("has an unknown revocation status", REVOCATION),
        Reason::UnhandledCriticalExtension => CRITICAL,
        Reason::UnknownIssuer => UNKNOWN,
        // The two causes cannot be distinguished. A CA that was created again has the same name and another
        // key.
        Reason::BadSignature => (
            "is not signed by its CA's key, or has an RSA key of an unsupported size",
            "set ca_file to the CA that issued it; keys must be RSA 2048 to 8192 bits, P-256, P-384 or Ed25519",
        ),
        Reason::UnsupportedSignatureAlgorithm
        | Reason::UnsupportedSignatureAlgorithmContext { .. } => ALGORITHM,
        Reason::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "has a signature that does not match the type of its CA's key",
            ALGORITHM.1,
        ),
        Reason::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            "has no subjectAltName",
            "reissue it with a subjectAltName for this server; the common name is not used",
        ),
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => (
            "is for another name",
            "use a name of the certificate in the server's address, or reissue it for this name",
        ),
        Reason::InvalidPurpose | Reason::InvalidPurposeContext { .. } => NO_SERVER,
        Reason::Other(other) => match other.0.downcast_ref::<Chain>() {
            Some(reason) => chain(reason),
            None => UNVERIFIED,
        },
        _ => UNVERIFIED,
    }
}

const UNVERIFIED: Text = (
    "does not verify",
    "check it and its chain with `openssl verify -x509_strict`",
);

/// Describes an invalid certificate or chain for which rustls has no error of its own.
fn chain(error: &Chain) -> Text {
    match error {
        Chain::CaUsedAsEndEntity => (
            "is a CA certificate (basicConstraints CA:TRUE)",
            "issue a certificate for the server with that CA; a self-signed one needs CA:FALSE",
        ),
        Chain::EndEntityUsedAsCa => (
            "was issued by a certificate that is not a CA certificate",
            "reissue it with a CA (basicConstraints CA:TRUE)",
        ),
        Chain::NameConstraintViolation => (
            "is for a name that its CA must not certify (nameConstraints)",
            "reissue it with a CA without this constraint",
        ),
        Chain::PathLenConstraintViolated => (
            "has more intermediate CAs than allowed (pathLenConstraint)",
            "reissue it with a CA that permits them",
        ),
        Chain::MaximumPathDepthExceeded
        | Chain::MaximumPathBuildCallsExceeded
        | Chain::MaximumSignatureChecksExceeded
        | Chain::MaximumNameConstraintComparisonsExceeded => LONG_CHAIN,
        Chain::UnsupportedCertVersion => (
            "is not of X.509 version 3",
            "reissue it as version 3, with a subjectAltName for this server",
        ),
        Chain::UnsupportedCriticalExtension => CRITICAL,
        Chain::EmptyEkuExtension => NO_SERVER,
        Chain::BadDer
        | Chain::BadDerTime
        | Chain::TrailingData(_)
        | Chain::ExtensionValueInvalid
        | Chain::InvalidNetworkMaskConstraint
        | Chain::InvalidSerialNumber
        | Chain::MalformedDnsIdentifier
        | Chain::MalformedExtensions
        | Chain::MalformedNameConstraint
        | Chain::SignatureAlgorithmMismatch => MALFORMED,
        _ => UNVERIFIED,
    }
}

const VERSION: Text = (
    "the server supports neither TLS 1.2 nor TLS 1.3",
    "enable TLS 1.2 or 1.3 in the server",
);
const CIPHERS: Text = (
    "the server has no cipher suite, key exchange or signature algorithm in common with this client",
    "enable ECDHE with AES-GCM or ChaCha20 and the curves X25519, P-256 or P-384 in the server, and disable client certificates",
);
const CLIENT: Text = (
    "the server requires a client certificate",
    "configure the server to accept clients without a certificate; there is no setting for one",
);

/// Describes a parameter without a common value.
const fn incompatible(error: &PeerIncompatible) -> Text {
    use PeerIncompatible as Reason;
    match error {
        Reason::ServerDoesNotSupportTls12Or13
        | Reason::ServerTlsVersionIsDisabledByOurConfig
        | Reason::SupportedVersionsExtensionRequired => VERSION,
        _ => CIPHERS,
    }
}

/// Describes a fatal alert from a server. This client never sends a certificate, so an alert about one means
/// that the server requires one.
const fn alert(alert: AlertDescription) -> Text {
    use AlertDescription as Alert;
    match alert {
        Alert::ProtocolVersion => VERSION,
        Alert::HandshakeFailure | Alert::InsufficientSecurity => (
            "the server accepts no cipher suite of this client, or requires a client certificate",
            CIPHERS.1,
        ),
        Alert::CertificateRequired
        | Alert::NoCertificate
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA => CLIENT,
        Alert::AccessDenied => (
            "the server denies access",
            "check the server's access rules",
        ),
        Alert::UnrecognisedName => (
            "the server does not serve this name (SNI)",
            "use a name of the server in its address",
        ),
        _ => (
            "the server refuses the TLS handshake",
            "see the server's log for the reason of this alert",
        ),
    }
}

/// Describes a protocol error, which is an outage.
const fn protocol(error: &Tls) -> &'static str {
    match error {
        Tls::InvalidMessage(_) => "the received bytes are not TLS",
        Tls::DecryptError => "a TLS record was damaged in transit",
        Tls::PeerSentOversizedRecord => "a TLS record is too long",
        Tls::InappropriateMessage { .. }
        | Tls::InappropriateHandshakeMessage { .. }
        | Tls::PeerMisbehaved(_) => "the server violates the TLS protocol",
        _ => "TLS failed",
    }
}

#[cfg(test)]
mod tests;
