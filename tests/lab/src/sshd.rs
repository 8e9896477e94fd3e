//! A real sshd on loopback, and the ssh client.
#![forbid(unsafe_code)]

use crate::process::{Server, program, run};
use crate::pty::Pty;
use crate::scratch::Scratch;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Options of an sshd.
#[derive(Clone, Debug)]
pub struct Options {
    /// The PAM service, `/etc/pam.d/SERVICE`.
    pub service: String,
    /// sshd's `AuthenticationMethods`.
    pub methods: String,
    /// Further lines of `sshd_config`. They take precedence: sshd uses the first value it reads.
    pub lines: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            service: "sshd".to_owned(),
            methods: "keyboard-interactive".to_owned(),
            lines: Vec::new(),
        }
    }
}

/// A running sshd. It needs a [`Machine`](crate::machine::Machine).
#[derive(Debug)]
pub struct Sshd {
    server: Server,
    folder: Scratch,
    port: u16,
}

impl Sshd {
    pub fn start(options: &Options) -> Self {
        let folder = Scratch::new("sshd");
        let host_key = folder.join("host_key");
        make_key(&host_key);
        make_key(&folder.join("user_key"));
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let port = socket.local_addr().expect("the port's address").port();
        drop(socket);
        let known = std::fs::read_to_string(folder.join("host_key.pub")).expect("a public key");
        folder.write("known_hosts", 0o644, format!("[127.0.0.1]:{port} {known}"));
        let mut config: String = options
            .lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect();
        config.push_str(&format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nPidFile none\nUsePAM yes\n\
             KbdInteractiveAuthentication yes\nPasswordAuthentication no\nUseDNS no\n\
             AuthenticationMethods {}\nAuthorizedKeysFile {}\nStrictModes no\nPrintMotd no\n\
             PrintLastLog no\nMaxStartups 100\nLogLevel VERBOSE\n",
            host_key.display(),
            options.methods,
            folder.join("user_key.pub").display(),
        ));
        // The PAM service is the name of the program; since OpenSSH 9.8 it can be set. The same release
        // refuses addresses with many failed logins.
        let settable = version() >= (9, 8);
        if settable {
            config.push_str(&format!(
                "PAMServiceName {}\nPerSourcePenalties no\n",
                options.service
            ));
        }
        let config = folder.write("sshd_config", 0o600, config);
        let real = program("sshd");
        let path = if settable {
            real
        } else {
            let link = folder.join(&options.service);
            std::os::unix::fs::symlink(real, &link).expect("a link to sshd");
            link
        };
        let mut command = Command::new(path);
        command.args(["-D", "-e", "-f"]).arg(config);
        let mut server = Server::start("sshd", &mut command, &folder.join("sshd.log"));
        server.wait_until(Duration::from_secs(20), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Self {
            server,
            folder,
            port,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns sshd's stderr.
    pub fn output(&self) -> String {
        self.server.output()
    }

    /// Returns the `ssh` command for a login. More options and the remote command can be appended.
    pub fn ssh(&self, user: &str, key: Key) -> Command {
        let mut command = Command::new(program("ssh"));
        command
            .args([
                "-F",
                "none",
                "-tt",
                "-p",
                &self.port.to_string(),
                "-l",
                user,
            ])
            .args(["-o", "LogLevel=INFO", "-o", "NumberOfPasswordPrompts=1"])
            .args([
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "IdentityAgent=none",
            ])
            .arg("-o")
            .arg(format!(
                "UserKnownHostsFile={}",
                self.folder.join("known_hosts").display()
            ));
        match key {
            Key::None => command.args(["-o", "PubkeyAuthentication=no"]),
            Key::Right => command
                .args(["-o", "IdentitiesOnly=yes", "-i"])
                .arg(self.folder.join("user_key")),
        };
        command.arg("127.0.0.1");
        command
    }

    /// Logs in on a terminal and runs a command there that prints the user name.
    pub fn login(&self, user: &str, key: Key) -> Pty {
        Pty::spawn(self.ssh(user, key).arg("echo WELCOME $(id -un)"))
    }

    /// Replaces the key of [`Key::Right`].
    pub fn change_key(&self) {
        for half in ["user_key", "user_key.pub"] {
            std::fs::remove_file(self.folder.join(half)).expect("the old key");
        }
        make_key(&self.folder.join("user_key"));
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.folder.join("known_hosts")
    }
}

/// The client's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    None,
    /// A key that every account accepts.
    Right,
}

fn make_key(path: &std::path::Path) {
    let mut command = Command::new(program("ssh-keygen"));
    run(command
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f"])
        .arg(path));
}

/// `OpenSSH_9.2p1 …` is (9, 2).
fn version() -> (u32, u32) {
    let output = Command::new(program("ssh"))
        .arg("-V")
        .output()
        .expect("ssh -V");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().expect("a version number"));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
