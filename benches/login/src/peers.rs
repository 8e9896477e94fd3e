//! What it is measured beside: other modules that ask for a password or a second factor, set up as
//! their own documentation says, on the same servers.

pub mod bson;
pub mod duo;
pub mod google;
mod ldap;
mod python;
mod unix;

use crate::contender::Contender;
use crate::ground::Ground;
use duo::Duo;
use lab::process::{Server, this_program};
use std::path::{Path, PathBuf};

/// The peers that are here, and the servers that they need beside those of the ground. Dropped, it
/// stops what it started.
pub struct Peers {
    pub here: Vec<Contender>,
    /// Name and reason.
    pub missing: Vec<(&'static str, String)>,
    nslcd: Option<Server>,
}

impl Peers {
    pub fn start(ground: &Ground) -> Self {
        let (nslcd, no_nslcd) = apart(ldap::nslcd(ground));
        let (mut here, mut missing) = (Vec::new(), Vec::new());
        let mut take = |name, contender: Result<Contender, String>| match contender {
            Ok(contender) => here.push(contender),
            Err(why) => missing.push((name, why)),
        };
        take("pam_unix", Ok(unix::password(ground)));
        take("pam_google_authenticator", google::contender(ground));
        if let Some(why) = no_nslcd {
            take("pam_ldap", Err(why));
        } else {
            take("pam_ldap", ldap::password(ground));
            let api = Duo::start(ground);
            take("pam_ldap + pam_duo", ldap::with_duo(ground, &api));
        }
        take("Python", python::port(ground));
        Self {
            here,
            missing,
            nslcd,
        }
    }

    /// What works for a contender beside its host, and outlives its logins.
    pub fn daemon(&self, contender: &Contender) -> Option<u32> {
        let asked = matches!(contender.service, "ldap" | "duo");
        self.nslcd.as_ref().filter(|_| asked).map(Server::pid)
    }
}

fn apart<T>(result: Result<T, String>) -> (Option<T>, Option<String>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(why) => (None, Some(why)),
    }
}

/// A file of an unpacked package by the end of its path: `tests/lab/packages bench` puts them beside
/// what is built.
fn unpacked(name: &str) -> Result<PathBuf, String> {
    let built = this_program().parent().and_then(Path::parent);
    let folder = built.ok_or("this program lies nowhere")?.join("peers");
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
