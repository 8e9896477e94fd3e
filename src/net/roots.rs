//! Trusted CA certificates and the TLS configurations with them, each read once per process.
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

/// The files with the system's CA certificates: Debian, Arch, Alpine · Fedora, RHEL · openSUSE · others.
/// `SSL_CERT_FILE` is not read: the caller of a setuid program could set it to their own file.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The PEM bytes; `None`: those of the system.
type Bundle = Option<Arc<[u8]>>;

/// A configuration, or one that another thread is creating.
type Entry = Arc<OnceLock<Result<Arc<ClientConfig>, Error>>>;

/// All configurations, at most three. Reading the system's bundle takes longer than the rest of a login, so
/// directory, Twilio and ledger share a configuration.
static CACHE: Mutex<Vec<(Bundle, Entry)>> = Mutex::new(Vec::new());

/// Returns a TLS configuration with the CA certificates of `ca` (PEM), or of the system. ring is the crypto
/// provider. The first caller reads the certificates; other callers for the same ones wait. An error is not
/// kept, since the next attempt may succeed.
pub fn tls_config(ca: Option<&Arc<[u8]>>) -> Result<Arc<ClientConfig>, Error> {
    cached(ca, || read(ca))
}

fn cached(
    ca: Option<&Arc<[u8]>>,
    read: impl FnOnce() -> Result<Arc<ClientConfig>, Error>,
) -> Result<Arc<ClientConfig>, Error> {
    let entry = entry(ca);
    let config = entry.get_or_init(read).clone();
    if config.is_err() {
        let mut all = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(_, other)| !Arc::ptr_eq(other, &entry));
    }
    config
}

fn entry(ca: Option<&Arc<[u8]>>) -> Entry {
    let mut all = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = all.iter().find(|(of, _)| of.as_ref() == ca);
    if let Some((_, entry)) = known {
        return Arc::clone(entry);
    }
    let entry = Entry::default();
    all.push((ca.cloned(), Arc::clone(&entry)));
    entry
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
    // A process opens one connection per server. A session ticket for the next process would have to be
    // stored where logins of all users can read it: a new secret, to save time while the user types.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The system's bundle and its path, read before the sandbox, in which not all of these files are accessible.
static PRELOADED: OnceLock<(Vec<u8>, String)> = OnceLock::new();

/// Reads the system's bundle for later use. It is parsed, and an error reported, when it is needed.
pub fn preload_system_roots() {
    if let Ok(bundle) = bundle(&SYSTEM_BUNDLES) {
        let _ = PRELOADED.set(bundle);
    }
}

fn system_roots(bundles: &[&str]) -> Result<RootCertStore, Error> {
    match PRELOADED.get() {
        Some((pem, path)) => roots(pem, path),
        None => bundle(bundles).and_then(|(pem, path)| roots(&pem, &path)),
    }
}

/// Reads the first of these files that exists.
fn bundle(bundles: &[&str]) -> Result<(Vec<u8>, String), Error> {
    for path in bundles {
        match fs::read(path) {
            Ok(pem) => return Ok((pem, (*path).to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::Local(format!("{path}: {error}"))),
        }
    }
    Err(Error::Local(
        "no CA certificates on this machine: install ca-certificates, or set ca_file".to_owned(),
    ))
}

/// Parses a bundle. Certificates that cannot be parsed (old encodings, comments) are skipped; a bundle without
/// a usable certificate is an error.
fn roots(pem: &[u8], name: &str) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let (usable, _ignored) = store.add_parsable_certificates(certificates);
    if usable == 0 {
        return Err(Error::Local(format!(
            "{name} contains no usable certificate in PEM format"
        )));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::net_server::TestCa;

    #[test]
    fn a_bundle_without_a_usable_certificate_is_a_local_error() {
        let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let half = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for pem in ["", "no PEM at all", odd, half] {
            let error = tls_config(Some(&Arc::from(pem.as_bytes()))).unwrap_err();
            let expected = "the CA file contains no usable certificate in PEM format";
            assert_eq!(error, Error::Local(expected.to_owned()), "{pem:?}");
        }
    }

    #[test]
    fn unusable_certificates_are_skipped() {
        let good = TestCa::new().pem();
        let odd = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        let other =
            "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n";
        let bundle = format!("# a comment\n{odd}{other}\n{good}{odd}");
        assert_eq!(roots(bundle.as_bytes(), "x").unwrap().len(), 1);
    }

    #[test]
    fn system_bundles_are_tried_in_order_and_errors_are_reported() {
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
    fn there_is_no_session_resumption_no_early_data_and_no_alpn() {
        let config = tls_config(Some(&Arc::from(TestCa::new().pem().as_bytes()))).unwrap();
        assert!(format!("{:?}", config.resumption).contains("NoClientSessionStorage"));
        assert!(!config.enable_early_data);
        assert!(config.alpn_protocols.is_empty());
    }

    #[test]
    fn equal_certificates_are_read_once() {
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
    fn an_error_is_not_cached() {
        let pem: Arc<[u8]> = TestCa::new().pem().into_bytes().into();
        let failure = || Err(Error::Local("no descriptor is left".to_owned()));
        assert!(cached(Some(&pem), failure).is_err());
        let first = tls_config(Some(&pem)).unwrap();
        // A cached configuration is returned without reading.
        assert!(Arc::ptr_eq(&first, &cached(Some(&pem), failure).unwrap()));
    }
}
