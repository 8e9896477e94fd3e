//! What a helper that root starts outside of a private machine leaves on the real one: a mark in `/run`
//! for each wall that it lacks, which is said once. Where root cannot have a private machine (in a
//! container without `CAP_SYS_ADMIN`) the module's own cases run all the same.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const MARK: &str = "pam_sms_otp.no-";

/// Dropped, it takes away what has come since.
#[derive(Debug)]
pub struct Marks {
    folder: PathBuf,
    before: BTreeSet<PathBuf>,
}

impl Marks {
    pub fn of_this_machine() -> Self {
        Self::within(Path::new("/run"))
    }

    fn within(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            before: marks(folder),
        }
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        for mark in marks(&self.folder).difference(&self.before) {
            // Whoever may not has not made it.
            let _ = fs::remove_file(mark);
        }
    }
}

fn marks(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(MARK.as_bytes())
        })
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn what_was_there_stays() {
        let folder = Scratch::new("marks");
        let old = folder.write("pam_sms_otp.no-landlock", 0o644, "");
        let other = folder.write("other", 0o644, "");
        let marks = Marks::within(folder.path());
        let new = folder.write("pam_sms_otp.no-user", 0o644, "");
        drop(marks);
        assert_eq!(
            [&old, &other, &new].map(|path| path.exists()),
            [true, true, false]
        );
    }
}
