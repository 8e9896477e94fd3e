//! `make install` and `make uninstall`, into a folder.

use crate::Case;
use lab::Lab;
use lab::process::{program, run};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn cases() -> Vec<Case> {
    vec![(
        "install::installs_and_removes_everything",
        puts_all_in_its_place,
    )]
}

const FIXED: &[(&str, u32)] = &[
    ("lib/security/pam_sms_otp.so", 0o644),
    ("usr/libexec/pam_sms_otp/helper", 0o755),
    ("usr/sbin/sms-otp", 0o755),
    (SETTINGS, 0o600),
    ("usr/lib/sysusers.d/pam_sms_otp.conf", 0o644),
    ("usr/share/man/man5/sms_otp.toml.5", 0o644),
    ("usr/share/man/man8/pam_sms_otp.8", 0o644),
    ("usr/share/man/man8/sms-otp.8", 0o644),
    ("usr/share/doc/pam-sms-otp/README.md", 0o644),
    ("usr/share/doc/pam-sms-otp/CHANGELOG.md", 0o644),
    ("usr/share/doc/pam-sms-otp/SECURITY.md", 0o644),
    ("usr/share/doc/pam-sms-otp/CONTRIBUTING.md", 0o644),
    ("usr/share/doc/pam-sms-otp/LICENSE-APACHE", 0o644),
    ("usr/share/doc/pam-sms-otp/LICENSE-MIT", 0o644),
    ("usr/share/doc/pam-sms-otp/sms_otp.toml", 0o644),
];
const SETTINGS: &str = "etc/security/sms_otp.toml";
const DOCUMENTS: &str = "usr/share/doc/pam-sms-otp";

fn puts_all_in_its_place(lab: &Lab) {
    let into = lab.folder("install");
    // Installs what was built already: `make` would build it again with other paths.
    let built = lab.folder("install-built").join("release");
    fs::create_dir_all(&built).expect("a folder for what was built");
    let product = lab.product();
    for (file, name) in [
        (product.module(), "libpam_sms_otp.so"),
        (product.command(), "sms-otp"),
    ] {
        fs::copy(file, built.join(name)).expect("a copy");
    }
    fs::copy(product.helper(), built.join("sms-otp-helper")).expect("a copy");

    make("install", &into, &built);
    let mut expected: BTreeMap<String, u32> = FIXED
        .iter()
        .map(|(path, mode)| ((*path).to_owned(), *mode))
        .collect();
    for (from, to) in [("pam.d", "/pam.d"), ("docs", "/docs")] {
        for entry in fs::read_dir(repository().join(from)).expect("a folder of documents") {
            let name = entry.expect("a document").file_name();
            let name = name.to_str().expect("a name in ASCII");
            expected.insert(format!("{DOCUMENTS}{to}/{name}"), 0o644);
        }
    }
    assert_eq!(files(&into), expected);
    links_lead_somewhere(&into.join(DOCUMENTS));

    let module = fs::read(into.join("lib/security/pam_sms_otp.so")).expect("the module");
    for path in [
        "/usr/libexec/pam_sms_otp/helper",
        "/etc/security/sms_otp.toml",
    ] {
        let found = module
            .windows(path.len())
            .any(|part| part == path.as_bytes());
        assert!(found, "the module does not look at {path}");
    }

    // Settings belong to the administrator.
    fs::write(into.join(SETTINGS), "# mine\n").expect("other settings");
    make("install", &into, &built);
    make("uninstall", &into, &built);
    assert_eq!(files(&into), BTreeMap::from([(SETTINGS.to_owned(), 0o600)]));
    let mine = fs::read_to_string(into.join(SETTINGS)).expect("the settings");
    assert_eq!(mine, "# mine\n");
}

/// Links between documents also work in the installed documents.
fn links_lead_somewhere(documents: &Path) {
    let mut followed = 0;
    for file in files(documents).keys() {
        let from = documents.join(file);
        if from.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&from).expect("a document");
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next());
        for link in links.filter(|link| !link.is_empty() && !link.contains("://")) {
            let to = from.with_file_name(link);
            assert!(
                to.exists(),
                "{file} leads to {link}, which is not installed"
            );
            followed += 1;
        }
    }
    assert!(followed > 30, "only {followed} links");
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn make(target: &str, into: &Path, built: &Path) {
    let places = [
        "PREFIX=/usr",
        "LIBEXECDIR=/usr/libexec",
        "PAMDIR=/lib/security",
        "SYSCONFDIR=/etc",
        // Nothing is built.
        "CARGO=true",
    ];
    run(Command::new(program("make"))
        .arg("-C")
        .arg(repository())
        .arg(target)
        .args(places)
        .arg(format!("DESTDIR={}", into.display()))
        .arg(format!("BUILT={}", built.display())));
}

/// Every file below the folder, and its mode.
fn files(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(&inner).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let mode = entry
                .metadata()
                .expect("a file's mode")
                .permissions()
                .mode()
                & 0o7777;
            let name = path.strip_prefix(folder).expect("a file in there");
            found.insert(name.to_str().expect("a name in ASCII").to_owned(), mode);
        }
    }
    found
}
