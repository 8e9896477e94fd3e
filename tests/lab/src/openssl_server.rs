//! `openssl s_server`: a TLS server with versions, ciphers and certificates that rustls does not support.
#![forbid(unsafe_code)]

use crate::certs::ServerCert;
use crate::process::{Server, program, run};
use crate::scratch::Scratch;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A running server on 127.0.0.1.
#[derive(Debug)]
pub struct OpensslServer {
    // Stopped before its directory is removed.
    _server: Server,
    _folder: Scratch,
    port: u16,
}

impl OpensslServer {
    /// Starts a server with this certificate and these options.
    pub fn start(certificate: &ServerCert, options: &[&str]) -> Self {
        let folder = Scratch::new("s-server");
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let port = free.local_addr().expect("the port's address").port();
        drop(free);
        let mut command = Command::new(program("openssl"));
        command
            // With -www it does not read its standard input.
            .args(["s_server", "-quiet", "-www", "-accept"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("-cert")
            .arg(&certificate.cert)
            .arg("-key")
            .arg(&certificate.key)
            .args(options);
        let mut server = Server::start("s_server", &mut command, &folder.join("output"));
        server.wait_until(Duration::from_secs(10), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Self {
            _server: server,
            _folder: folder,
            port,
        }
    }

    pub const fn port(&self) -> u16 {
        self.port
    }
}

/// Creates a self-signed certificate for 127.0.0.1 with CA:FALSE and these options of `openssl req`.
pub fn self_signed(folder: &Scratch, options: &[&str]) -> ServerCert {
    let certificate = ServerCert {
        cert: folder.join("self.pem"),
        key: folder.join("self.key"),
    };
    run(Command::new(program("openssl"))
        .args(["req", "-x509", "-nodes", "-subj", "/CN=self", "-days", "2"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&certificate.key)
        .arg("-out")
        .arg(&certificate.cert)
        .args(options));
    certificate
}

/// Creates a certificate with CA:TRUE for the same key, as `openssl req -x509` does by default.
pub fn self_signed_ca(folder: &Scratch, key: &Path) -> PathBuf {
    let cert = folder.join("self-ca.pem");
    run(Command::new(program("openssl"))
        .args(["req", "-x509", "-subj", "/CN=self", "-days", "2"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-key"])
        .arg(key)
        .arg("-out")
        .arg(&cert));
    cert
}
