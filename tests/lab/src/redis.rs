//! Real Redis (or Valkey) servers with scratch state, on loopback: one alone, replicas, Sentinels,
//! a cluster.
#![forbid(unsafe_code)]

use crate::certs::{Certs, Identity};
use crate::process::{Server, found, run};
use crate::scratch::Scratch;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A running server. Dropped, it is gone with all that it knew.
#[derive(Debug)]
pub struct Redis {
    // Stopped before its folder goes.
    server: Server,
    folder: Scratch,
    port: u16,
    tls_port: Option<u16>,
}

/// How a server is to be.
#[derive(Debug, Default)]
pub struct Manner<'a> {
    /// Lines for `redis.conf`.
    pub lines: &'a [String],
    /// An ACL file's content. None: everybody may do everything.
    pub users: Option<&'a str>,
    /// A port for TLS too, with this certificate.
    pub tls: Option<(&'a Certs, Identity)>,
    /// Watches others.
    pub sentinel: bool,
}

impl Redis {
    /// One that lets everybody do everything, in the clear.
    pub fn start() -> Self {
        Self::start_as(&Manner::default())
    }

    pub fn start_as(manner: &Manner<'_>) -> Self {
        let folder = Scratch::new("redis");
        let port = free_port();
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("port {port}"),
            format!("dir {}", folder.path().display()),
            "daemonize no".to_owned(),
            "loglevel notice".to_owned(),
        ];
        if !manner.sentinel {
            // Nothing on disk, replicas at once.
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
        if let Some(users) = manner.users {
            let path = folder.write("users.acl", 0o600, users);
            lines.push(format!("aclfile {}", path.display()));
        }
        let tls_port = manner.tls.map(|(certs, identity)| {
            let (port, cert) = (free_port(), certs.server(identity));
            lines.push(format!("tls-port {port}"));
            lines.push(format!("tls-cert-file {}", cert.cert.display()));
            lines.push(format!("tls-key-file {}", cert.key.display()));
            lines.push(format!("tls-ca-cert-file {}", certs.ca().display()));
            lines.push("tls-auth-clients no".to_owned());
            port
        });
        lines.extend_from_slice(manner.lines);
        let conf = folder.write("redis.conf", 0o600, lines.join("\n") + "\n");
        let mut command = Command::new(redis_server());
        command.arg(&conf);
        if manner.sentinel {
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

    /// One that follows a master, and has caught up with it.
    pub fn replica_of(master: &Self) -> Self {
        let line = format!("replicaof 127.0.0.1 {}", master.port);
        let replica = Self::start_as(&Manner {
            lines: &[line],
            ..Manner::default()
        });
        // A link that is up is not enough: what is written goes out from the replica's first
        // acknowledgement on, which may be a second later.
        master.ask(&["SET", "lab", "in step"]);
        replica.until("a replica in step", || {
            replica.ask(&["GET", "lab"]).trim() == "in step"
        });
        master.ask(&["DEL", "lab"]);
        replica
    }

    /// A Sentinel that knows this master by the name `lab`, and decides alone.
    pub fn sentinel_of(master: &Self, replicas: usize) -> Self {
        let lines = [
            format!("sentinel monitor lab 127.0.0.1 {} 1", master.port),
            "sentinel down-after-milliseconds lab 400".to_owned(),
            "sentinel failover-timeout lab 2000".to_owned(),
        ];
        let sentinel = Self::start_as(&Manner {
            lines: &lines,
            sentinel: true,
            ..Manner::default()
        });
        let known = format!("slaves={replicas},");
        sentinel.until("a Sentinel that knows the replicas", || {
            sentinel.ask(&["INFO", "sentinel"]).contains(&known)
        });
        sentinel
    }

    /// Three masters without replicas that share the slots.
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

    /// A cluster's node before it has joined one: it answers that the cluster is down.
    pub fn node(tls: Option<(&Certs, Identity)>) -> Self {
        // Its bus would be at its port and 10000, which need not be a port.
        let lines = [
            "cluster-enabled yes".to_owned(),
            format!("cluster-port {}", free_port()),
            "cluster-node-timeout 2000".to_owned(),
        ];
        Self::start_as(&Manner {
            lines: &lines,
            tls,
            ..Manner::default()
        })
    }

    /// Makes this node a cluster by itself.
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

    /// Where TLS is spoken.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("a server with TLS")
    }

    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Runs a command in the clear, as the default user.
    pub fn ask(&self, words: &[&str]) -> String {
        run(Command::new(redis_cli())
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(words))
    }

    /// Waits until this is so.
    pub fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !so() {
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

/// A port that is free now. Somebody may take it before the server does, which then says so.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on 127.0.0.1");
    listener.local_addr().expect("the port's address").port()
}
