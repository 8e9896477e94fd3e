//! `pam_ldap` of nss-pam-ldapd, whose daemon keeps its connections between logins, alone and followed by
//! `pam_duo`.

use super::duo::{self, Duo};
use super::unpacked;
use crate::contender::Contender;
use crate::testbed::{PASSWORD, Testbed};
use lab::process::Server;
use lab::scratch::write;
use lab::slapd::Slapd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Starts nslcd. The fixed paths of its settings and socket are private to this mount namespace.
pub fn nslcd(testbed: &Testbed) -> Result<Server, String> {
    let program = unpacked("sbin/nslcd")?;
    let conf = format!(
        "uri {}\nbase {}\nbinddn {}\nbindpw {}\ntls_reqcert demand\ntls_cacertfile {}\n\
         filter passwd (objectClass=inetOrgPerson)\nfilter shadow (objectClass=inetOrgPerson)\n",
        testbed.ldap_url(),
        Slapd::people(),
        Slapd::BIND_DN,
        Slapd::BIND_PASSWORD,
        testbed.lab().certs().ca().display(),
    );
    write(Path::new("/etc/nslcd.conf"), 0o600, conf);
    let _ = std::fs::create_dir("/run/nslcd");
    let output = testbed.folder().join("nslcd.log");
    let mut server = Server::start("nslcd", Command::new(program).arg("--nofork"), &output);
    server.wait_until(Duration::from_secs(10), || {
        Path::new("/run/nslcd/socket").exists()
    });
    Ok(server)
}

pub fn password(testbed: &Testbed) -> Result<Contender, String> {
    let module = unpacked("pam_ldap.so")?;
    let contender = Contender {
        name: "pam_ldap",
        service: "ldap",
        answer: |_, _, _| PASSWORD.to_owned(),
        by_sms: false,
        slow: false,
    };
    let stack = format!("auth required {}\n", module.display());
    testbed.stack(contender.service, &stack);
    Ok(contender)
}

pub fn with_duo(testbed: &Testbed, api: &Duo) -> Result<Contender, String> {
    let (ldap, duo) = (unpacked("pam_ldap.so")?, unpacked("pam_duo.so")?);
    let contender = Contender {
        name: "pam_ldap + pam_duo",
        service: "duo",
        answer: duo::answer,
        by_sms: true,
        slow: false,
    };
    let settings = testbed.folder().join("pam_duo.conf");
    let text = format!(
        "[duo]\nikey = DIFAKEFAKEFAKEFAKE00\nskey = fakefakefakefakefakefakefakefakefakefake\n\
         host = {}\ncafile = {}\nfailmode = secure\nautopush = no\n",
        api.host(),
        testbed.lab().certs().ca().display(),
    );
    write(&settings, 0o600, text);
    let stack = format!(
        "auth requisite {}\nauth required {} conf={}\n",
        ldap.display(),
        duo.display(),
        settings.display()
    );
    testbed.stack(contender.service, &stack);
    Ok(contender)
}
