//! Real Redis (or Valkey) servers with temporary data, on loopback: a single one, replicas, Sentinels,
//! a cluster.
#![forbid(unsafe_code)]

use crate::certs::{Certs, Identity};
use crate::ports;
use crate::process::{Server, found, run};
use crate::scratch::Scratch;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A running server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Redis {
    // Stopped before its directory is removed.
    server: Server,
    folder: Scratch,
    port: u16,
    tls_port: Option<u16>,
}

/// Options of a server.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// Lines for `redis.conf`.
    pub lines: &'a [String],
    /// The content of the ACL file. `None`: all clients may run all commands.
    pub users: Option<&'a str>,
    /// Adds a TLS port with this certificate.
    pub tls: Option<(&'a Certs, Identity)>,
    /// Starts it as a Sentinel.
    pub sentinel: bool,
}

impl Redis {
    /// Starts one without ACL and TLS.
    pub fn start() -> Self {
        Self::start_as(&Options::default())
    }

    pub fn start_as(options: &Options<'_>) -> Self {
        let folder = Scratch::new("redis");
        let port = free_port();
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("port {port}"),
            format!("dir {}", folder.path().display()),
            "daemonize no".to_owned(),
            "loglevel notice".to_owned(),
        ];
        if !options.sentinel {
            // No persistence, and replication without delay.
            lines.extend(
                [
                    "save \"\"",
                    "appendonly no",
                    "repl-diskless-sync-delay 0",
                    "repl-ping-replica-period 1",
                ]
                .map(str::to_owned),
            );
        }
        if let Some(users) = options.users {
            let path = folder.write("users.acl", 0o600, users);
            lines.push(format!("aclfile {}", path.display()));
        }
        let tls_port = options.tls.map(|(certs, identity)| {
            let (port, cert) = (free_port(), certs.server(identity));
            lines.push(format!("tls-port {port}"));
            lines.push(format!("tls-cert-file {}", cert.cert.display()));
            lines.push(format!("tls-key-file {}", cert.key.display()));
            lines.push(format!("tls-ca-cert-file {}", certs.ca().display()));
            lines.push("tls-auth-clients no".to_owned());
            port
        });
        lines.extend_from_slice(options.lines);
        let conf = folder.write("redis.conf", 0o600, lines.join("\n") + "\n");
        let mut command = Command::new(redis_server());
        command.arg(&conf);
        if options.sentinel {
            command.arg("--sentinel");
        }
        let mut server = Server::start("redis", &mut command, &folder.join("redis.log"));
        server.wait_until(Duration::from_secs(20), || {
            let ports = [Some(port), tls_port];
            let mut open = ports.iter().flatten();
            open.all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok())
        });
        Self {
            server,
            folder,
            port,
            tls_port,
        }
    }

    /// Starts a replica and waits until it is in sync.
    pub fn replica_of(master: &Self) -> Self {
        let line = format!("replicaof 127.0.0.1 {}", master.port);
        let replica = Self::start_as(&Options {
            lines: &[line],
            ..Options::default()
        });
        // A connected replica is not enough: writes are replicated from its first acknowledgement on, which
        // may be a second later.
        master.ask(&["SET", "lab", "in step"]);
        replica.until("a replica in step", || {
            replica.ask(&["GET", "lab"]).trim() == "in step"
        });
        master.ask(&["DEL", "lab"]);
        replica
    }

    /// Starts a Sentinel for this master, named `lab`, with a quorum of one.
    pub fn sentinel_of(master: &Self, replicas: usize) -> Self {
        let lines = [
            format!("sentinel monitor lab 127.0.0.1 {} 1", master.port),
            "sentinel down-after-milliseconds lab 400".to_owned(),
            "sentinel failover-timeout lab 2000".to_owned(),
        ];
        let sentinel = Self::start_as(&Options {
            lines: &lines,
            sentinel: true,
            ..Options::default()
        });
        let known = format!("slaves={replicas},");
        sentinel.until("a Sentinel that knows the replicas", || {
            sentinel.ask(&["INFO", "sentinel"]).contains(&known)
        });
        sentinel
    }

    /// Starts three masters without replicas that share the slots.
    pub fn cluster() -> Vec<Self> {
        let nodes: Vec<Self> = (0..3).map(|_| Self::node(None)).collect();
        let all = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let mut create = Command::new(redis_cli());
        create.args(["--cluster", "create"]).args(all);
        run(create.arg("--cluster-yes"));
        for node in &nodes {
            node.until_whole();
        }
        nodes
    }

    /// Starts a node that belongs to no cluster: it returns CLUSTERDOWN.
    pub fn node(tls: Option<(&Certs, Identity)>) -> Self {
        // The default port of its bus is its port plus 10000, which may exceed 65535.
        let lines = [
            "cluster-enabled yes".to_owned(),
            format!("cluster-port {}", free_port()),
            "cluster-node-timeout 2000".to_owned(),
        ];
        Self::start_as(&Options {
            lines: &lines,
            tls,
            ..Options::default()
        })
    }

    /// Makes this node a cluster of one.
    pub fn take_all_slots(&self) {
        self.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        self.until_whole();
    }

    fn until_whole(&self) {
        self.until("a cluster that is whole", || {
            self.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
        });
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the TLS port.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("a server with TLS")
    }

    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Runs a command without TLS, as the default user.
    pub fn ask(&self, words: &[&str]) -> String {
        run(Command::new(redis_cli())
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(words))
    }

    /// Waits until a condition is true.
    pub fn until(&self, what: &str, mut is_true: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !is_true() {
            assert!(Instant::now() < end, "no {what}:\n{}", self.server.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal: KILL, STOP, CONT.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process id"), signal).expect("our process");
    }

    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

fn redis_server() -> PathBuf {
    found(&["redis-server", "valkey-server"])
}

fn redis_cli() -> PathBuf {
    found(&["redis-cli", "valkey-cli"])
}

/// Returns a port of 127.0.0.1 for a server.
fn free_port() -> u16 {
    ports::free(Ipv4Addr::LOCALHOST.into()).expect("a port on 127.0.0.1")
}
