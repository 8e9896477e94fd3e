//! Marker files of the helper in `/run` of the real machine.
//!
//! The helper creates one for each part of the sandbox that this kernel lacks, so that it is logged once.
//! Where root cannot have a test machine (in a container without `CAP_SYS_ADMIN`) some cases run on the
//! real one, and the files they create are removed afterwards.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "pam_sms_otp.no-";

/// The marker files at the start of a run. Dropping it removes those that were created since.
#[derive(Debug)]
pub struct MarkerFiles {
    folder: PathBuf,
    before: BTreeSet<PathBuf>,
}

impl MarkerFiles {
    pub fn of_this_machine() -> Self {
        Self::within(Path::new("/run"))
    }

    fn within(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            before: marker_files(folder),
        }
    }
}

impl Drop for MarkerFiles {
    fn drop(&mut self) {
        for file in marker_files(&self.folder).difference(&self.before) {
            // Without the permission to remove it, this run has not created it.
            let _ = fs::remove_file(file);
        }
    }
}

fn marker_files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(PREFIX.as_bytes())
        })
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn existing_files_stay() {
        let folder = Scratch::new("marker-files");
        let old = folder.write("pam_sms_otp.no-landlock", 0o644, "");
        let other = folder.write("other", 0o644, "");
        let files = MarkerFiles::within(folder.path());
        let new = folder.write("pam_sms_otp.no-user", 0o644, "");
        drop(files);
        assert_eq!(
            [&old, &other, &new].map(|path| path.exists()),
            [true, true, false]
        );
    }
}
