//! A real vsftpd on loopback, and the part of FTP that a login needs (RFC 959).
#![forbid(unsafe_code)]

use crate::process::{Server, program};
use crate::scratch::Scratch;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

/// A running vsftpd. It needs a [`Machine`](crate::machine::Machine).
#[derive(Debug)]
pub struct Vsftpd {
    _server: Server,
    _folder: Scratch,
    port: u16,
}

impl Vsftpd {
    /// Starts one for local accounts, with this PAM service and defaults for everything else.
    pub fn start(service: &str) -> Self {
        let folder = Scratch::new("vsftpd");
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let port = socket.local_addr().expect("the port's address").port();
        drop(socket);
        let empty = folder.folder("empty");
        let config = format!(
            "listen=YES\nlisten_ipv6=NO\nlisten_address=127.0.0.1\nlisten_port={port}\n\
             background=NO\nanonymous_enable=NO\nlocal_enable=YES\npam_service_name={service}\n\
             secure_chroot_dir={}\n",
            empty.display()
        );
        let config = folder.write("vsftpd.conf", 0o600, config);
        let mut command = Command::new(program("vsftpd"));
        let output = folder.join("vsftpd.log");
        let mut server = Server::start("vsftpd", command.arg(config), &output);
        server.wait_until(Duration::from_secs(20), || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        Self {
            _server: server,
            _folder: folder,
            port,
        }
    }

    /// Logs in, and returns the server's last reply. `None`: there was no reply within `timeout`.
    pub fn log_in(&self, user: &str, password: &str, timeout: Duration) -> Option<String> {
        let mut client = Client::connect(self.port, timeout)?;
        let greeting = client.reply()?;
        assert!(greeting.starts_with("220 "), "{greeting}");
        let wanted = client.command(&format!("USER {user}"))?;
        assert!(wanted.starts_with("331 "), "{wanted}");
        client.command(&format!("PASS {password}"))
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16, timeout: Duration) -> Option<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        stream.set_read_timeout(Some(timeout)).expect("a time-out");
        Some(Self(BufReader::new(stream)))
    }

    fn command(&mut self, line: &str) -> Option<String> {
        write!(self.0.get_mut(), "{line}\r\n").ok()?;
        self.reply()
    }

    fn reply(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.0.read_line(&mut line).ok()?;
        (length > 0).then(|| line.trim_end().to_owned())
    }
}
