//! TLS: a stream on which every wait ends with a deadline.
#![forbid(unsafe_code)]

use std::{
    io,
    io::{Read, Write},
    sync::Arc,
};

use rustls::{CertificateError, ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;

use super::{Error, line::Line, printable};
use crate::deadline::Deadline;

/// A TLS connection to a server whose certificate has been verified.
#[derive(Debug)]
pub struct Secured {
    tls: ClientConnection,
    line: Line,
}

impl Secured {
    /// Shakes hands on an open line; `host` is whom the certificate must be for.
    pub(super) fn over(
        line: Line,
        host: &str,
        config: &Arc<ClientConfig>,
        by: Deadline,
    ) -> Result<Self, Error> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            Error::Local(format!(
                "{}: not a name that a certificate can be for",
                line.place()
            ))
        })?;
        let tls = ClientConnection::new(Arc::clone(config), name)
            .map_err(|error| classify(line.place(), &error))?;
        let mut stream = Self { tls, line };
        while stream.tls.is_handshaking() {
            stream.flush(by)?;
            if stream.fill(by)? == 0 {
                return Err(Error::Outage(format!(
                    "{}: closed the connection during the TLS handshake",
                    stream.line.place()
                )));
            }
        }
        stream.flush(by)?;
        Ok(stream)
    }

    /// Where it leads, for error texts.
    pub(super) fn place(&self) -> &str {
        self.line.place()
    }

    /// How many bytes have left so far, in whatever records.
    pub(super) const fn sent(&self) -> usize {
        self.line.sent()
    }

    /// See [`super::Stream::is_quiet`].
    pub(super) fn is_quiet(&mut self) -> bool {
        loop {
            // First what came with the handshake's last bytes.
            match self.tls.process_new_packets() {
                Ok(state) if !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0 => {}
                Ok(_) | Err(_) => return false,
            }
            match self.tls.read_tls(&mut self.line.arrived()) {
                Ok(some) if some > 0 => {}
                Ok(_) => return false,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Reads something. 0: the other side has ended the stream properly.
    pub fn read(&mut self, into: &mut [u8], by: Deadline) -> Result<usize, Error> {
        loop {
            match self.tls.reader().read(into) {
                Ok(some) => return Ok(some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.fill(by)?;
                    // A key update wants an answer (RFC 8446 section 4.6.3).
                    self.flush(by)?;
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Error::Outage(format!("{}: cut off", self.line.place())));
                }
                Err(error) => return Err(Error::io(self.line.place(), &error)),
            }
        }
    }

    /// Writes all of it.
    pub fn write_all(&mut self, bytes: &[u8], by: Deadline) -> Result<(), Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self
                .tls
                .writer()
                .write(rest)
                .map_err(|error| Error::io(self.line.place(), &error))?;
            self.flush(by)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends what rustls has ready, all records of a flight together.
    fn flush(&mut self, by: Deadline) -> Result<(), Error> {
        while self.tls.wants_write() {
            self.tls
                .write_tls(&mut self.line.until(by))
                .map_err(|error| Error::io(self.line.place(), &error))?;
        }
        Ok(())
    }

    /// Takes in what the server has sent. 0: it has closed.
    fn fill(&mut self, by: Deadline) -> Result<usize, Error> {
        let some = self
            .tls
            .read_tls(&mut self.line.until(by))
            .map_err(|error| Error::io(self.line.place(), &error))?;
        if let Err(error) = self.tls.process_new_packets() {
            // The alert tells the server's administrator why; whether it arrives is not our worry.
            let _ = self.flush(by);
            return Err(classify(self.line.place(), &error));
        }
        Ok(some)
    }
}

/// Whether a failure of TLS is one of trust, of this machine, or an outage.
pub(super) fn classify(place: &str, error: &rustls::Error) -> Error {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(why) => {
            Error::Untrusted(format!("{place}: its certificate {}", fault(why)))
        }
        Tls::NoCertificatesPresented => Error::Untrusted(format!("{place}: shows no certificate")),
        Tls::FailedToGetCurrentTime | Tls::FailedToGetRandomBytes => {
            Error::Local(format!("TLS: {error}"))
        }
        _ => Error::Outage(printable(&format!("{place}: TLS failed: {error}"))),
    }
}

/// What is wrong with a certificate, in our words: the names in it are the server's text.
fn fault(error: &CertificateError) -> String {
    use CertificateError as Fault;
    match error {
        Fault::Expired | Fault::ExpiredContext { .. } => "has expired",
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => {
            "is not valid yet, or this machine's clock is behind"
        }
        Fault::UnknownIssuer => "was issued by nobody who is trusted here",
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => "is for another name",
        Fault::InvalidPurpose | Fault::InvalidPurposeContext { .. } => "is not a server's",
        Fault::Revoked => "has been revoked",
        Fault::BadSignature => "is not signed by its issuer",
        Fault::BadEncoding => "cannot be read",
        other => {
            let why = printable(&other.to_string());
            return format!("does not verify: {why}");
        }
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_certificates_are_a_matter_of_trust() {
        use rustls::{AlertDescription, Error as Tls, PeerIncompatible};
        let kind = |error: Tls| match Error::io("x:1", &io::Error::other(error)) {
            Error::Outage(_) => "outage",
            Error::Untrusted(_) => "untrusted",
            Error::Local(_) => "local",
        };
        for error in [
            Tls::AlertReceived(AlertDescription::HandshakeFailure),
            Tls::AlertReceived(AlertDescription::CertificateRequired),
            Tls::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
            Tls::DecryptError,
        ] {
            assert_eq!(kind(error.clone()), "outage", "{error}");
        }
        let unknown = Tls::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(kind(unknown), "untrusted");
        assert_eq!(kind(Tls::NoCertificatesPresented), "untrusted");
        assert_eq!(kind(Tls::FailedToGetRandomBytes), "local");
    }

    #[test]
    fn a_servers_words_about_itself_are_not_repeated() {
        let error = rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("sms.example.org").unwrap(),
            presented: vec!["\u{1b}]0;evil\n.example.net".to_owned()],
        });
        let told = classify("sms.example.org:443", &error);
        assert_eq!(
            told,
            Error::Untrusted("sms.example.org:443: its certificate is for another name".into())
        );
    }
}
