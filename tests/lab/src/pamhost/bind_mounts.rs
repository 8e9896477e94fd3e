//! A host that sees other files in place of some of the machine's.
#![forbid(unsafe_code)]

use super::PamHost;
use crate::process::program;
use std::path::Path;

impl PamHost {
    /// Mounts each file over another one, for the host and its children only. The propagation is left
    /// unchanged: the test machine is private already, and in a chroot `/` may not be a mount point.
    pub fn with_bind_mounts(self, files: &[(&Path, &str)]) -> Self {
        let mount = program("mount").display().to_string();
        let mounts: String = files
            .iter()
            .map(|(from, to)| format!("{mount} --bind {} {to} && ", from.display()))
            .collect();
        let (unshare, sh) = (program("unshare"), program("sh"));
        let (unshare, sh) = (unshare.display().to_string(), sh.display().to_string());
        let script = format!("{mounts}exec \"$@\"");
        let (mount, unchanged) = ("--mount", "--propagation=unchanged");
        self.through(&[&unshare, mount, unchanged, &sh, "-c", &script, "sh"])
    }
}
