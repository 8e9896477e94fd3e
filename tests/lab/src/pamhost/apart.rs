//! A host with a few files of its own in the place of the machine's.
#![forbid(unsafe_code)]

use super::PamHost;
use crate::process::program;
use std::path::Path;

impl PamHost {
    /// Runs the host where each of these lies over the other, for it and its children alone. The
    /// machine is a private one already, and in a chroot `/` is no mount whose propagation could be
    /// changed.
    pub fn with_over(self, files: &[(&Path, &str)]) -> Self {
        let mount = program("mount").display().to_string();
        let mounts: String = files
            .iter()
            .map(|(from, to)| format!("{mount} --bind {} {to} && ", from.display()))
            .collect();
        let (unshare, sh) = (program("unshare"), program("sh"));
        let (unshare, sh) = (unshare.display().to_string(), sh.display().to_string());
        let script = format!("{mounts}exec \"$@\"");
        let (alone, unchanged) = ("--mount", "--propagation=unchanged");
        self.through(&[&unshare, alone, unchanged, &sh, "-c", &script, "sh"])
    }
}
