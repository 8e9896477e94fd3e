//! Whom we trust: certificates from a file to a TLS configuration, once in a process.
#![forbid(unsafe_code)]

use std::{
    fs, io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::Error;

/// Where distributions keep the certificates they trust: Debian, Arch, Alpine · Fedora, RHEL ·
/// openSUSE · everyone's old habit. `SSL_CERT_FILE` is nobody's business here: whoever starts a
/// setuid program could name his own.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// PEM; `None`: the system's.
type Bundle = Option<Arc<[u8]>>;

/// A configuration that is there, or is being made by who came first.
type Made = Arc<OnceLock<Result<Arc<ClientConfig>, Error>>>;

/// Reading a system's bundle costs more than a login besides: directory, Twilio and ledger share
/// what is made of one. There are as many as the settings name, three at most.
static MADE: Mutex<Vec<(Bundle, Made)>> = Mutex::new(Vec::new());

/// What TLS needs: the roots of `ca` (PEM), else of the system's bundle. ring is the provider. Read
/// by who first asks for it; whoever asks meanwhile waits, and only for his own. What failed may be
/// over when the next one asks: it is not kept.
pub fn tls_config(ca: Option<&Arc<[u8]>>) -> Result<Arc<ClientConfig>, Error> {
    once(ca, || read(ca))
}

fn once(
    ca: Option<&Arc<[u8]>>,
    read: impl FnOnce() -> Result<Arc<ClientConfig>, Error>,
) -> Result<Arc<ClientConfig>, Error> {
    let made = made(ca);
    let config = made.get_or_init(read).clone();
    if config.is_err() {
        let mut all = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, other)| !Arc::ptr_eq(other, &made));
    }
    config
}

fn made(ca: Option<&Arc<[u8]>>) -> Made {
    let mut all = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = all.iter().find(|(of, _)| of.as_ref() == ca);
    if let Some((_, made)) = known {
        return Arc::clone(made);
    }
    let made = Made::default();
    all.push((ca.cloned(), Arc::clone(&made)));
    made
}

fn read(ca: Option<&Arc<[u8]>>) -> Result<Arc<ClientConfig>, Error> {
    let roots = match ca {
        Some(pem) => roots(pem, "the CA file")?,
        None => system_roots(&SYSTEM_BUNDLES)?,
    };
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_| Error::Local("TLS: no usable cipher suite".to_owned()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
    // One process makes one connection to each server, and a ticket that outlived it would have to
    // be kept where the next login, of anybody, finds it: a secret for what is done while the
    // person types anyway.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The system's bundle, and where it lies: read before there are walls, behind which not every such
/// place lies.
static TAKEN: OnceLock<(Vec<u8>, String)> = OnceLock::new();

/// Reads the system's bundle ahead of who will want it. What is in it is looked at only then, and so
/// is why it could not be read.
pub fn take_system_roots() {
    if let Ok(taken) = bundle(&SYSTEM_BUNDLES) {
        let _ = TAKEN.set(taken);
    }
}

fn system_roots(bundles: &[&str]) -> Result<RootCertStore, Error> {
    match TAKEN.get() {
        Some((pem, path)) => roots(pem, path),
        None => bundle(bundles).and_then(|(pem, path)| roots(&pem, &path)),
    }
}

/// The first of `bundles` that exists.
fn bundle(bundles: &[&str]) -> Result<(Vec<u8>, String), Error> {
    for path in bundles {
        match fs::read(path) {
            Ok(pem) => return Ok((pem, (*path).to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Local(format!("{path}: {error}"))),
        }
    }
    Err(Error::Local(
        "this machine has no CA certificates: install ca-certificates, or set ca_file".to_owned(),
    ))
}

/// The usable certificates of a bundle. Some are always odd (old encodings, comments), and those
/// are passed over; to be left with none is an error, and never means "trust nobody" in silence.
fn roots(pem: &[u8], name: &str) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let (usable, _odd) = store.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err(Error::Local(format!(
            "{name} holds no usable certificate in PEM form"
        )));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::net_server::TestCa;

    #[test]
    fn a_bundle_without_a_usable_certificate_is_a_local_fault() {
        let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let half = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for pem in ["", "no PEM at all", odd, half] {
            let error = tls_config(Some(&Arc::from(pem.as_bytes()))).unwrap_err();
            let expected = "the CA file holds no usable certificate in PEM form";
            assert_eq!(error, Error::Local(expected.to_owned()), "{pem:?}");
        }
    }

    #[test]
    fn odd_certificates_beside_usable_ones_are_passed_over() {
        let good = TestCa::new().pem();
        let odd = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        let other =
            "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n";
        let bundle = format!("# a comment\n{odd}{other}\n{good}{odd}");
        assert_eq!(roots(bundle.as_bytes(), "x").unwrap().len(), 1);
    }

    #[test]
    fn system_bundles_are_tried_in_order_and_never_in_silence() {
        let folder = std::env::temp_dir().join(format!("sms-otp-roots-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let text = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let (missing, empty, good) = (text("missing"), text("empty"), text("good"));
        fs::write(&empty, "").unwrap();
        fs::write(&good, TestCa::new().pem()).unwrap();

        assert_eq!(system_roots(&[&missing, &good, &empty]).unwrap().len(), 1);
        for bad in [
            vec![missing.as_str()],
            vec![&missing, &empty, &good],
            vec![folder.to_str().unwrap(), &good],
        ] {
            let error = system_roots(&bad).unwrap_err();
            assert!(matches!(error, Error::Local(_)), "{error:?}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn nothing_is_kept_for_resumption_and_both_versions_are_spoken() {
        let config = tls_config(Some(&Arc::from(TestCa::new().pem().as_bytes()))).unwrap();
        assert!(format!("{:?}", config.resumption).contains("NoClientSessionStorage"));
        assert!(!config.enable_early_data);
        assert!(config.alpn_protocols.is_empty());
    }

    #[test]
    fn the_same_certificates_are_read_once() {
        let pem = TestCa::new().pem();
        let of = |pem: &str| tls_config(Some(&Arc::from(pem.as_bytes()))).unwrap();
        let first = of(&pem);
        assert!(Arc::ptr_eq(&first, &of(&pem)));
        assert!(!Arc::ptr_eq(&first, &of(&TestCa::new().pem())));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let pem = pem.clone();
                std::thread::spawn(move || tls_config(Some(&Arc::from(pem.as_bytes()))).unwrap())
            })
            .collect();
        for thread in threads {
            assert!(Arc::ptr_eq(&first, &thread.join().unwrap()));
        }
    }

    #[test]
    fn a_failure_is_not_kept() {
        let pem: Arc<[u8]> = TestCa::new().pem().into_bytes().into();
        let failure = || Err(Error::Local("no descriptor is left".to_owned()));
        assert!(once(Some(&pem), failure).is_err());
        let first = tls_config(Some(&pem)).unwrap();
        // From now on it is there, and nobody reads.
        assert!(Arc::ptr_eq(&first, &once(Some(&pem), failure).unwrap()));
    }
}
