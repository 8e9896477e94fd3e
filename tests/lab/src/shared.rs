//! The test environment: everything that the cases of one run share. Each part is started at its first use.
#![forbid(unsafe_code)]

use crate::certs::Certs;
use crate::machine::Machine;
use crate::marker_files::MarkerFiles;
use crate::product::Product;
use crate::scratch::Scratch;
use crate::settings::Settings;
use crate::slapd::Slapd;
use crate::twilio::Twilio;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The shared parts of a run. Dropping it stops what was started.
pub struct Lab {
    product: Result<PathBuf, String>,
    twilio: OnceLock<Twilio>,
    slapd: OnceLock<Slapd>,
    copies: OnceLock<Product>,
    certs: OnceLock<Certs>,
    folder: OnceLock<Scratch>,
    serial: AtomicU32,
    // Dropped last: the file system of the others belongs to it.
    machine: Result<Machine, String>,
    _marker_files: Option<MarkerFiles>,
}

impl Lab {
    /// Must be the first call in `main`: see [`Machine::enter`].
    pub fn set_up() -> Self {
        // Built before the namespace is entered: the build belongs to the real machine.
        let product = Product::find();
        let machine = Machine::enter();
        crate::interrupt::end_tidily().expect("a tidy end on Ctrl-C");
        Self::with(product, machine)
    }

    /// Creates an environment without any part, for listing the cases.
    pub fn bare() -> Self {
        Self::with(
            Err("nothing was built".to_owned()),
            Err("nothing is run".to_owned()),
        )
    }

    fn with(product: Result<PathBuf, String>, machine: Result<Machine, String>) -> Self {
        Self {
            _marker_files: machine.is_err().then(MarkerFiles::of_this_machine),
            product,
            machine,
            twilio: OnceLock::new(),
            slapd: OnceLock::new(),
            copies: OnceLock::new(),
            certs: OnceLock::new(),
            folder: OnceLock::new(),
            serial: AtomicU32::new(0),
        }
    }

    /// Why there is no private machine.
    pub fn machine_error(&self) -> Option<&str> {
        self.machine.as_ref().err().map(String::as_str)
    }

    pub fn machine(&self) -> &Machine {
        self.machine.as_ref().unwrap_or_else(|why| panic!("{why}"))
    }

    pub fn product(&self) -> &Product {
        let folder = self.product.as_ref().unwrap_or_else(|why| panic!("{why}"));
        self.copies.get_or_init(|| Product::take(folder))
    }

    pub fn certs(&self) -> &Certs {
        self.certs.get_or_init(Certs::new)
    }

    /// Adds names to the servers' certificates. Must be called before the first use of a certificate.
    pub fn more_names(&self, names: &[&str]) {
        let set = self.certs.set(Certs::with_names(names));
        set.expect("certificates were used before their names were set");
    }

    pub fn slapd(&self) -> &Slapd {
        self.slapd.get_or_init(|| Slapd::start(self.certs()))
    }

    /// Adds entries in LDIF to the directory. Must be called before the first use of the directory.
    pub fn add_entries(&self, ldif: &str) {
        let set = self.slapd.set(Slapd::start_with(self.certs(), ldif));
        set.expect("the directory was used before its entries were added");
    }

    pub fn twilio(&self) -> &Twilio {
        self.twilio.get_or_init(|| Twilio::start(self.certs()))
    }

    /// Returns a phone number that no other case of this run gets, from the range that Ofcom reserves for
    /// fiction.
    pub fn number(&self) -> String {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        assert!(serial < 1000, "+44 7700 900000 to 900999 are used up");
        format!("+447700900{serial:03}")
    }

    /// Returns settings for the shared directory and the fake Twilio.
    pub fn settings(&self) -> Settings {
        let ledger = self.folder("ledger").join("shared");
        Settings::for_lab(self.certs(), self.slapd(), self.twilio())
            .text("ledger.path", &ledger.display().to_string())
    }

    /// Runs the product's command; returns the exit code, stdout and stderr.
    pub fn sms_otp(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = std::process::Command::new(self.product().command());
        // The command must not need any environment variable.
        let output = command.args(words).env_clear().output().expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("an exit code");
        (code, text(output.stdout), text(output.stderr))
    }

    /// Returns the directory of one case.
    pub fn folder(&self, case: &str) -> PathBuf {
        self.folder
            .get_or_init(|| Scratch::new("cases"))
            .folder(case)
    }

    /// Writes a PAM stack into the directory of a case, for `pam_start_confdir`.
    pub fn stack(&self, folder: &Path, service: &str, text: &str) {
        crate::scratch::write(&folder.join(service), 0o644, text);
    }
}
