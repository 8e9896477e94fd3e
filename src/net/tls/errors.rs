//! TLS errors in words: what happened and what to do, for each way in which rustls can refuse.
//!
//! No text of a library or a server is repeated: libraries format their enums with `Debug`, and names
//! in a certificate are the server's own text.
#![forbid(unsafe_code)]

use rustls::{AlertDescription, CertificateError, Error as Tls, PeerIncompatible};
use webpki::Error as Chain;

use crate::net::Error;

/// What happened, and what to do about it.
type Words = (&'static str, &'static str);

/// Whether a failure of TLS is a refusal, a fault of this machine, or an outage.
pub fn classify(place: &str, error: &Tls) -> Error {
    let refused = |what: String, remedy| Error::Refused {
        what: format!("{place}: {what}"),
        remedy,
    };
    match error {
        Tls::InvalidCertificate(why) => {
            let (what, remedy) = certificate(why);
            refused(format!("its certificate {what}"), remedy)
        }
        Tls::NoCertificatesPresented => refused(
            "it shows no certificate".to_owned(),
            "give the server a certificate and its key",
        ),
        Tls::InvalidCertRevocationList(_) => refused(
            "a revocation list of its CA cannot be used".to_owned(),
            REVOCATION,
        ),
        Tls::PeerIncompatible(why) => {
            let (what, remedy) = incompatible(why);
            refused(what.to_owned(), remedy)
        }
        Tls::AlertReceived(AlertDescription::InternalError) => {
            Error::Outage(format!("{place}: TLS alert internal_error"))
        }
        Tls::AlertReceived(AlertDescription::UserCanceled) => {
            Error::Outage(format!("{place}: TLS alert user_canceled"))
        }
        Tls::AlertReceived(alert) => {
            let ((what, remedy), number) = (self::alert(*alert), u8::from(*alert));
            refused(format!("{what} (TLS alert {number})"), remedy)
        }
        Tls::FailedToGetCurrentTime => Error::Local("TLS: no time of day".to_owned()),
        Tls::FailedToGetRandomBytes => Error::Local("TLS: no random numbers".to_owned()),
        other => Error::Outage(format!("{place}: {}", protocol(other))),
    }
}

const REVOCATION: &str =
    "have the certificate issued anew, and look at the CA's revocation service";
const MALFORMED: Words = (
    "is malformed",
    "have the server's certificate issued anew: it is not a valid X.509 certificate",
);
const CRITICAL: Words = (
    "has a critical extension that is not supported",
    "have the server's certificate issued without that extension",
);
const NO_SERVER: Words = (
    "is not a server's (serverAuth)",
    "have it issued with the extended key usage serverAuth",
);
const UNKNOWN: Words = (
    "was issued by a CA that is not trusted here",
    "set ca_file to its CA, or let the server send its whole chain; if neither fits, something on the way \
     intercepts TLS",
);
const ALGORITHM: Words = (
    "has a signature algorithm that is not accepted",
    "have it issued with SHA-256 or better and a key of RSA 2048 to 8192 bits, P-256, P-384 or Ed25519",
);
const LONG_CHAIN: Words = (
    "has a chain that is too long to verify",
    "let the server send its own certificate and the intermediate ones up to its CA, and no others",
);

/// What is wrong with a certificate.
fn certificate(error: &CertificateError) -> Words {
    use CertificateError as Why;
    #[allow(deprecated, reason = "the library may still use the variant")]
    match error {
        Why::BadEncoding => MALFORMED,
        Why::Expired | Why::ExpiredContext { .. } => (
            "has expired",
            "renew the server's certificate, or set this host's clock",
        ),
        Why::NotValidYet | Why::NotValidYetContext { .. } => (
            "is not valid yet",
            "set this host's clock, or that of the host that issued the certificate",
        ),
        Why::Revoked => (
            "has been revoked",
            "have the certificate issued anew with a new key",
        ),
        Why::UnknownRevocationStatus
        | Why::ExpiredRevocationList
        | Why::ExpiredRevocationListContext { .. }
        | Why::InvalidOcspResponse => ("has an unknown revocation status", REVOCATION),
        Why::UnhandledCriticalExtension => CRITICAL,
        Why::UnknownIssuer => UNKNOWN,
        // The cryptography does not say which of the two it is. A CA that was made anew has the same name
        // and another key.
        Why::BadSignature => (
            "is not signed by its CA's key, or an RSA key has a size that is not accepted",
            "set ca_file to the CA that issued it; keys must be RSA 2048 to 8192 bits, P-256, P-384 or Ed25519",
        ),
        Why::UnsupportedSignatureAlgorithm | Why::UnsupportedSignatureAlgorithmContext { .. } => {
            ALGORITHM
        }
        Why::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "has a signature that does not belong to its CA's kind of key",
            ALGORITHM.1,
        ),
        Why::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            "has no subjectAltName",
            "have it issued with a subjectAltName for this server; the common name does not count",
        ),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => (
            "is for another name",
            "write the server's address as the certificate has it, or have it issued for this name",
        ),
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => NO_SERVER,
        Why::Other(other) => match other.0.downcast_ref::<Chain>() {
            Some(why) => chain(why),
            None => UNVERIFIED,
        },
        _ => UNVERIFIED,
    }
}

const UNVERIFIED: Words = (
    "does not verify",
    "check it and its chain with `openssl verify -x509_strict`",
);

/// What is wrong with a certificate or its chain, where rustls has no words of its own for it.
fn chain(error: &Chain) -> Words {
    match error {
        Chain::CaUsedAsEndEntity => (
            "is that of a CA (basicConstraints CA:TRUE)",
            "have that CA issue one for the server; a self-signed one must say CA:FALSE",
        ),
        Chain::EndEntityUsedAsCa => (
            "was issued by a certificate that is not a CA's",
            "have it issued by a CA (basicConstraints CA:TRUE)",
        ),
        Chain::NameConstraintViolation => (
            "is for a name that its CA may not certify (nameConstraints)",
            "have it issued by a CA that may certify this name",
        ),
        Chain::PathLenConstraintViolated => (
            "has more intermediate CAs than allowed (pathLenConstraint)",
            "have it issued by a CA that may do so",
        ),
        Chain::MaximumPathDepthExceeded
        | Chain::MaximumPathBuildCallsExceeded
        | Chain::MaximumSignatureChecksExceeded
        | Chain::MaximumNameConstraintComparisonsExceeded => LONG_CHAIN,
        Chain::UnsupportedCertVersion => (
            "is not of X.509 version 3",
            "have it issued as version 3, with a subjectAltName for this server",
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

const VERSION: Words = (
    "it has neither TLS 1.2 nor TLS 1.3",
    "enable TLS 1.2 or 1.3 in the server",
);
const CIPHERS: Words = (
    "it has no cipher suite, key exchange or signature algorithm in common with us",
    "enable ECDHE with AES-GCM or ChaCha20, the curves X25519, P-256 or P-384, and no client certificate",
);
const CLIENT: Words = (
    "it demands a client certificate",
    "let the server accept clients without a certificate; there is no setting for one",
);

/// What we and the server do not have in common.
const fn incompatible(error: &PeerIncompatible) -> Words {
    use PeerIncompatible as Why;
    match error {
        Why::ServerDoesNotSupportTls12Or13
        | Why::ServerTlsVersionIsDisabledByOurConfig
        | Why::SupportedVersionsExtensionRequired => VERSION,
        _ => CIPHERS,
    }
}

/// What a server's fatal alert says of us. We never send a client certificate, so that alerts about one
/// mean that it demands one.
const fn alert(alert: AlertDescription) -> Words {
    use AlertDescription as Alert;
    match alert {
        Alert::ProtocolVersion => VERSION,
        Alert::HandshakeFailure | Alert::InsufficientSecurity => (
            "it accepts none of our cipher suites, or demands a client certificate",
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
            "it denies access",
            "look at the server's rules for who may connect",
        ),
        Alert::UnrecognisedName => (
            "it has no server of this name (SNI)",
            "write the server's address by a name that it knows",
        ),
        _ => (
            "it refuses our TLS handshake",
            "look at the server's log for the reason of this alert",
        ),
    }
}

/// What is not TLS, or breaks its rules: an outage, as everything that is not the server's protocol.
const fn protocol(error: &Tls) -> &'static str {
    match error {
        Tls::InvalidMessage(_) => "what it sends is not TLS",
        Tls::DecryptError => "a TLS record was damaged on the way",
        Tls::PeerSentOversizedRecord => "a TLS record is too long",
        Tls::InappropriateMessage { .. }
        | Tls::InappropriateHandshakeMessage { .. }
        | Tls::PeerMisbehaved(_) => "it breaks the rules of TLS",
        _ => "TLS failed",
    }
}

#[cfg(test)]
mod tests;
