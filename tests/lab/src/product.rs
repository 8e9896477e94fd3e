//! The product under test: module, helper and command, built as for a release.
#![forbid(unsafe_code)]

use crate::scratch::{Scratch, copy_program, set_mode};
use std::path::{Path, PathBuf};
use std::process::Command;

const MODULE: &str = "libpam_sms_otp.so";
/// Its installed name: libpam logs the lines of a module under its file name.
const INSTALLED: &str = "pam_sms_otp.so";
const HELPER: &str = "sms-otp-helper";
const COMMAND: &str = "sms-otp";

/// Copies of the built files in a directory that only root may write to. The module requires that of its
/// files, and the repository may be writable by others.
#[derive(Debug)]
pub struct Product {
    folder: Scratch,
}

impl Product {
    /// Returns the directory of the built files. Builds them first if cargo runs this program, so that no
    /// old build is tested. `LAB_PRODUCT` names another directory.
    ///
    /// # Errors
    /// What is missing.
    pub fn find() -> Result<PathBuf, String> {
        if let Some(folder) = std::env::var_os("LAB_PRODUCT") {
            return complete(PathBuf::from(folder));
        }
        // target/debug/deps/main-… or target/debug/demo
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let target = program
            .ancestors()
            .find(|folder| is_target(folder))
            .ok_or("this program is not in a target directory: set LAB_PRODUCT")?;
        if let Some(cargo) = std::env::var_os("CARGO") {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let built = Command::new(cargo)
                .args([
                    "build",
                    "--release",
                    "--quiet",
                    "-p",
                    "sms-otp",
                    "-p",
                    "pam_sms_otp",
                ])
                .arg("--target-dir")
                .arg(target)
                .current_dir(root)
                .status();
            if !built.is_ok_and(|status| status.success()) {
                return Err("the release does not build".to_owned());
            }
        }
        complete(target.join("release"))
    }

    /// Copies the files from the directory that [`Product::find`] returned.
    pub fn take(from: &Path) -> Self {
        let folder = Scratch::new("product");
        for (name, installed) in [(MODULE, INSTALLED), (HELPER, HELPER), (COMMAND, COMMAND)] {
            let copy = folder.join(installed);
            copy_program(&from.join(name), &copy);
            set_mode(&copy, 0o755);
        }
        Self { folder }
    }

    pub fn module(&self) -> PathBuf {
        self.folder.join(INSTALLED)
    }

    pub fn helper(&self) -> PathBuf {
        self.folder.join(HELPER)
    }

    pub fn command(&self) -> PathBuf {
        self.folder.join(COMMAND)
    }

    /// Returns the module and its first arguments, for a line of a PAM stack.
    pub fn line(&self, settings: &Path) -> String {
        self.line_with(settings, &self.helper())
    }

    /// As [`Self::line`], with another helper.
    pub fn line_with(&self, settings: &Path, helper: &Path) -> String {
        format!(
            "{} config={} helper={}",
            self.module().display(),
            settings.display(),
            helper.display()
        )
    }
}

fn complete(folder: PathBuf) -> Result<PathBuf, String> {
    for name in [MODULE, HELPER, COMMAND] {
        if !folder.join(name).is_file() {
            return Err(format!(
                "{} is missing: run `cargo build --release --workspace`",
                folder.join(name).display()
            ));
        }
    }
    Ok(folder)
}

/// Whether a directory is a target directory: cargo writes the first file if it created the directory
/// itself, and the second into all.
fn is_target(folder: &Path) -> bool {
    ["CACHEDIR.TAG", ".rustc_info.json"]
        .iter()
        .any(|mark| folder.join(mark).exists())
}
