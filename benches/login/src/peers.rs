//! The other modules: they ask for a password or a second factor, are configured as their documentation
//! recommends, and use the same servers.

mod bson;
mod duo;
mod google;
mod ldap;
mod python;
mod unix;

use crate::contender::Contender;
use crate::testbed::Testbed;
use duo::Duo;
use lab::process::{Server, this_program};
use std::path::{Path, PathBuf};

/// The installed modules, and the servers that they need in addition to the testbed's. The servers stop
/// when it is dropped.
pub struct Peers {
    pub contenders: Vec<Contender>,
    /// The names of missing ones, with the reason.
    pub missing: Vec<(&'static str, String)>,
    nslcd: Option<Server>,
}

impl Peers {
    pub fn start(testbed: &Testbed) -> Self {
        let (nslcd, no_nslcd) = split(ldap::nslcd(testbed));
        let (mut contenders, mut missing) = (Vec::new(), Vec::new());
        let mut add = |name, contender: Result<Contender, String>| match contender {
            Ok(contender) => contenders.push(contender),
            Err(reason) => missing.push((name, reason)),
        };
        add("pam_unix", Ok(unix::password(testbed)));
        add("pam_google_authenticator", google::contender(testbed));
        if let Some(reason) = no_nslcd {
            add("pam_ldap", Err(reason));
        } else {
            add("pam_ldap", ldap::password(testbed));
            let api = Duo::start(testbed);
            add("pam_ldap + pam_duo", ldap::with_duo(testbed, &api));
        }
        add("Python", python::port(testbed));
        Self {
            contenders,
            missing,
            nslcd,
        }
    }

    /// Returns the pid of the daemon that serves a contender's logins.
    pub fn daemon(&self, contender: &Contender) -> Option<u32> {
        let uses_nslcd = matches!(contender.service, "ldap" | "duo");
        self.nslcd.as_ref().filter(|_| uses_nslcd).map(Server::pid)
    }
}

fn split<T>(result: Result<T, String>) -> (Option<T>, Option<String>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(reason) => (None, Some(reason)),
    }
}

/// Finds a file of an unpacked package by the end of its path. `tests/lab/packages bench` unpacks them
/// below the build directory.
fn unpacked(name: &str) -> Result<PathBuf, String> {
    let built = this_program().parent().and_then(Path::parent);
    let folder = built
        .ok_or("this program has no parent directory")?
        .join("peers");
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with(name) {
                return Ok(path);
            }
        }
    }
    Err(format!(
        "no {name} below {}: run `tests/lab/packages bench`",
        folder.display()
    ))
}
