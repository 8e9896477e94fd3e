//! A real slapd with temporary data, on loopback and on a local socket.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;
mod user;

pub use user::LdapUser;

use crate::certs::{Certs, Identity};
use crate::ports;
use crate::process::{Server, program, run};
use crate::scratch::Scratch;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The suffix of the directory.
pub const SUFFIX: &str = "dc=example,dc=org";

const ROOT_PASSWORD: &str = "lab-root";

/// A running slapd.
#[derive(Debug)]
pub struct Slapd {
    // Stopped before its directory is removed.
    server: Server,
    /// Its output before the last restart.
    earlier: String,
    folder: Scratch,
    tls_port: u16,
    plain_port: u16,
    v6_port: Option<u16>,
    serial: AtomicU32,
}

impl Slapd {
    pub const BIND_DN: &str = "cn=pam,dc=example,dc=org";
    pub const BIND_PASSWORD: &str = "pam-service-password";

    /// Starts a directory with a certificate that clients accept.
    pub fn start(certs: &Certs) -> Self {
        Self::start_as(certs, Identity::Good)
    }

    /// Starts a directory with this certificate.
    pub fn start_as(certs: &Certs, identity: Identity) -> Self {
        Self::launch(certs, identity, "", "")
    }

    /// Starts a directory with further entries in LDIF.
    pub fn start_with(certs: &Certs, entries: &str) -> Self {
        Self::launch(certs, Identity::Good, "", entries)
    }

    /// Starts a directory that reports password states with Netscape's controls
    /// (2.16.840.1.113730.3.4.4 and .5).
    pub fn start_netscape(certs: &Certs) -> Self {
        Self::launch(certs, Identity::Good, "ppolicy_send_netscape_controls", "")
    }

    fn launch(certs: &Certs, identity: Identity, netscape: &str, entries: &str) -> Self {
        let folder = Scratch::new("slapd");
        folder.folder("db");
        folder.folder("scripted");
        // A copy: Ubuntu's AppArmor profile applies to the installed path, and would deny the temporary directory.
        let slapd = folder.join("slapd");
        crate::scratch::copy_program(&program("slapd"), &slapd);
        let conf = folder.join("slapd.conf");
        fs::write(
            &conf,
            configuration(certs, identity, netscape, folder.path()),
        )
        .expect("slapd.conf in the scratch folder");
        let base = include_str!("slapd/base.ldif")
            .replace("@SUFFIX@", SUFFIX)
            .replace("@PAMPW@", Self::BIND_PASSWORD);
        let base = folder.write("base.ldif", 0o600, base + "\n" + entries);
        run(Command::new(&slapd)
            .args(["-T", "add", "-q", "-f"])
            .arg(&conf)
            .arg("-l")
            .arg(base));
        folder.write("rootpw", 0o600, ROOT_PASSWORD);

        let tls_port = ports::free(Ipv4Addr::LOCALHOST.into()).expect("a port on 127.0.0.1");
        let plain_port = ports::low()
            .local_addr()
            .expect("a port on 127.0.0.1")
            .port();
        let v6_port = ports::free(Ipv6Addr::LOCALHOST.into());
        let server = serve(&folder, tls_port, plain_port, v6_port);
        let slapd = Self {
            server,
            earlier: String::new(),
            folder,
            tls_port,
            plain_port,
            v6_port,
            serial: AtomicU32::new(0),
        };
        let unit = format!("dn: ou=scripted,ou=people,{SUFFIX}\nou: scripted\n");
        slapd.change("ldapadd", &(unit + "objectClass: organizationalUnit\n"));
        slapd
    }

    /// Returns `ldaps://127.0.0.1:…`.
    pub fn ldaps(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls_port)
    }

    /// Returns `ldaps://[::1]:…` if the machine has IPv6.
    pub fn ldaps_v6(&self) -> Option<String> {
        self.v6_port.map(|port| format!("ldaps://[::1]:{port}"))
    }

    /// Returns `ldap://127.0.0.1:…`, for StartTLS.
    pub fn ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.plain_port)
    }

    /// Returns `ldapi://%2F…`, the local socket.
    pub fn ldapi(&self) -> String {
        socket_url(&self.folder)
    }

    /// Returns the base that the service account searches.
    pub fn people() -> String {
        format!("ou=people,{SUFFIX}")
    }

    /// Returns the base that anonymous clients may search.
    pub fn open() -> String {
        format!("ou=open,{SUFFIX}")
    }

    /// Adds a user.
    pub fn add(&self, user: &LdapUser) {
        self.change("ldapadd", &user.ldif());
    }

    pub fn remove(&self, user: &LdapUser) {
        self.change(
            "ldapmodify",
            &format!("dn: {}\nchangetype: delete\n", user.dn()),
        );
    }

    /// Replaces all values of an attribute; without values it is removed.
    pub fn replace(&self, user: &LdapUser, attribute: &str, values: &[&str]) {
        let mut text = format!(
            "dn: {}\nchangetype: modify\nreplace: {attribute}\n",
            user.dn()
        );
        for value in values {
            text.push_str(&format!("{attribute}: {value}\n"));
        }
        self.change("ldapmodify", &text);
    }

    /// Replaces all values of an attribute of the service account.
    pub fn replace_of_the_service_account(&self, attribute: &str, values: &[&str]) {
        let dn = Self::BIND_DN;
        let mut text = format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n");
        for value in values {
            text.push_str(&format!("{attribute}: {value}\n"));
        }
        self.change("ldapmodify", &text);
    }

    fn change(&self, tool: &str, ldif: &str) {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let file = self
            .folder
            .write(format!("change-{serial}.ldif"), 0o600, ldif);
        run(Command::new(program(tool))
            // "relax" permits an administrator to set operational attributes; -M reaches entries for which
            // the retcode overlay would otherwise answer.
            .args(["-x", "-M", "-e", "relax", "-H", &socket_url(&self.folder)])
            .args(["-D", &format!("cn=admin,{SUFFIX}"), "-y"])
            .arg(self.folder.join("rootpw"))
            .arg("-f")
            .arg(file));
    }

    /// Returns slapd's log of connections, binds and searches.
    pub fn log(&self) -> String {
        format!("{}{}", self.earlier, self.server.output())
    }

    /// Returns the number of bind requests for this DN.
    pub fn binds(&self, dn: &str) -> usize {
        let wanted = format!(" BIND dn=\"{dn}\" method=");
        self.log()
            .lines()
            .filter(|line| line.contains(&wanted))
            .count()
    }

    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Restarts it on the same ports with the same data. All connections are closed.
    pub fn restart(&mut self) {
        self.server.stop();
        self.earlier = self.log();
        self.server = serve(&self.folder, self.tls_port, self.plain_port, self.v6_port);
    }

    /// Stops the server; its ports refuse connections afterwards.
    pub fn stop(&mut self) {
        self.server.stop();
    }
}

/// Starts the server and waits until it accepts connections.
fn serve(folder: &Scratch, tls_port: u16, plain_port: u16, v6_port: Option<u16>) -> Server {
    let mut urls = format!(
        "ldaps://127.0.0.1:{tls_port}/ ldap://127.0.0.1:{plain_port}/ {}",
        socket_url(folder)
    );
    if let Some(port) = v6_port {
        urls.push_str(&format!(" ldaps://[::1]:{port}/"));
    }
    let mut command = Command::new(folder.join("slapd"));
    // With "stats" it logs binds and searches.
    command
        .args(["-d", "stats", "-h", &urls, "-f"])
        .arg(folder.join("slapd.conf"));
    let mut server = Server::start("slapd", &mut command, &folder.join("slapd.log"));
    let ports = [tls_port, plain_port];
    server.wait_until(Duration::from_secs(20), || {
        ports
            .iter()
            .all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok())
    });
    server
}

fn configuration(certs: &Certs, identity: Identity, netscape: &str, folder: &Path) -> String {
    let schemas = first_folder(&["/etc/ldap/schema", "/etc/openldap/schema"]);
    let schemas: String = ["core", "cosine", "inetorgperson"]
        .iter()
        .map(|name| format!("include {}/{name}.schema\n", schemas.display()))
        .collect();
    let modules = first_folder(&[
        "/usr/lib/ldap",
        "/usr/lib64/openldap",
        "/usr/lib/openldap",
        "/usr/libexec/openldap",
    ]);
    let mut loads = format!("modulepath {}\n", modules.display());
    for module in ["back_mdb", "ppolicy", "retcode"] {
        // Some distributions link the backend statically.
        if modules.join(format!("{module}.so")).exists() {
            loads.push_str(&format!("moduleload {module}.so\n"));
        }
    }
    let server = certs.server(identity);
    include_str!("slapd/slapd.conf")
        .replace("@SCHEMAS@", &schemas)
        .replace("@MODULES@", &loads)
        .replace("@FOLDER@", &folder.display().to_string())
        .replace("@CA@", &certs.ca().display().to_string())
        .replace("@CERT@", &server.cert.display().to_string())
        .replace("@KEY@", &server.key.display().to_string())
        .replace("@SUFFIX@", SUFFIX)
        .replace("@ROOTPW@", ROOT_PASSWORD)
        .replace("@NETSCAPE@", netscape)
}

fn first_folder(candidates: &[&str]) -> PathBuf {
    candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_dir())
        .unwrap_or_else(|| panic!("none of {candidates:?} is here: run `make packages`"))
}

fn socket_url(folder: &Scratch) -> String {
    format!(
        "ldapi://{}",
        folder
            .join("ldapi")
            .display()
            .to_string()
            .replace('/', "%2F")
    )
}
