//! A trap set up by a caller before su: a proxy to a fake Twilio whose certificate is signed by a CA of the
//! caller, and an environment that names both, and more.

use lab::Lab;
use lab::certs::Identity;
use lab::listeners::{Behavior, Listener};
use lab::process::program;
use lab::twilio::Twilio;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub struct Trap {
    twilio: Twilio,
    directory: Listener,
    proxy: u16,
    proxied: Arc<AtomicUsize>,
    ca: PathBuf,
}

impl Trap {
    pub fn set(lab: &Lab) -> Self {
        let twilio = Twilio::start_as(lab.certs(), Identity::OtherCa);
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let proxy = socket.local_addr().expect("a port").port();
        let proxied = Arc::new(AtomicUsize::new(0));
        let (count, to) = (Arc::clone(&proxied), twilio.port());
        thread::spawn(move || {
            for client in socket.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || proxy_to(client, to));
            }
        });
        let trap = Self {
            twilio,
            directory: Listener::start(Behavior::Closes),
            proxy,
            proxied,
            ca: lab.certs().other_ca(),
        };
        trap.check_that_it_works();
        trap
    }

    /// Control: a program that reads these variables uses the proxy.
    fn check_that_it_works(&self) {
        let mut client = Command::new(program("openssl"));
        let proxy = format!("127.0.0.1:{}", self.proxy);
        let words = [
            "s_client",
            "-brief",
            "-verify_return_error",
            "-verify_hostname",
            "localhost",
        ];
        client
            .args(words)
            .args(["-proxy", &proxy, "-connect", "api.twilio.com:443"]);
        client.env("SSL_CERT_FILE", &self.ca).stdin(Stdio::null());
        let output = client.output().expect("openssl");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && errors.contains("Verification: OK"),
            "{errors}"
        );
        assert_eq!(self.caught(), (1, 1, 0), "the trap itself");
    }

    /// The connections to the proxy, to the fake Twilio, and to the directory.
    pub fn caught(&self) -> (usize, usize, usize) {
        let through = self.twilio.connections().0;
        (
            self.proxied.load(Ordering::SeqCst),
            through,
            self.directory.accepted(),
        )
    }

    /// Whether there are no connections besides that of the control.
    pub fn is_empty(&self) -> bool {
        self.caught() == (1, 1, 0)
    }

    /// The environment, with the directories of the caller.
    pub fn environment(&self, folders: &Folders) -> Vec<String> {
        let (ca, proxy) = (
            self.ca.display(),
            format!("http://127.0.0.1:{}", self.proxy),
        );
        let (home, tmp) = (folders.home.display(), folders.tmp.display());
        let directory = format!("ldap://127.0.0.1:{}", self.directory.port());
        let rc = folders.home.join(".ldaprc");
        let text = format!("URI {directory}\nTLS_CACERT {ca}\nTLS_REQCERT never\n");
        for file in [&rc, &folders.cwd.join("ldaprc")] {
            fs::write(file, &text).expect("a file of the caller's");
        }
        let hosts = folders.home.join("hosts");
        fs::write(&hosts, "localhost api.elsewhere.example\n").expect("a file of the caller's");
        let mut all: Vec<String> = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]
            .iter()
            .chain(&["ALL_PROXY", "all_proxy"])
            .map(|name| format!("{name}={proxy}"))
            .collect();
        for name in [
            "SSL_CERT_FILE",
            "CURL_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "LDAPTLS_CACERT",
        ] {
            all.push(format!("{name}={ca}"));
        }
        all.extend([
            format!(
                "SSL_CERT_DIR={}",
                self.ca.parent().expect("a folder").display()
            ),
            format!("HOME={home}"),
            format!("TMPDIR={tmp}"),
            format!("HOSTALIASES={}", hosts.display()),
            format!("LDAPRC={}", rc.display()),
            format!("LDAPCONF={}", rc.display()),
            format!("LDAPURI={directory}"),
            format!("SSLKEYLOGFILE={tmp}/keys"),
            format!("LD_DEBUG_OUTPUT={tmp}/debug"),
            format!("LD_PROFILE_OUTPUT={tmp}"),
            format!("MALLOC_TRACE={tmp}/malloc"),
        ]);
        all.extend(FIXED.iter().map(|&variable| variable.to_owned()));
        all
    }
}

const FIXED: &[&str] = &[
    "NO_PROXY=",
    "no_proxy=",
    "LDAPTLS_REQCERT=never",
    "LDAPNOINIT=1",
    "RUST_LOG=trace",
    "RUST_BACKTRACE=full",
    "RUST_LIB_BACKTRACE=1",
    "RUST_MIN_STACK=99999999999999999",
    "TZ=/etc/shadow",
    "TZDIR=/nowhere",
    "LOCALDOMAIN=elsewhere.example",
    "RES_OPTIONS=ndots:15 attempts:99 timeout:30",
    "RESOLV_HOST_CONF=/etc/shadow",
    "TOKIO_WORKER_THREADS=0",
    "MALLOC_CHECK_=7",
    "MALLOC_PERTURB_=165",
    "MALLOC_ARENA_MAX=1",
    "MALLOC_MMAP_THRESHOLD_=1",
    "GLIBC_TUNABLES=glibc.malloc.check=3:glibc.malloc.perturb=165",
    "LD_PRELOAD=/nowhere.so",
    "LD_LIBRARY_PATH=/nowhere",
    "LD_AUDIT=/nowhere.so",
    "LD_DEBUG=all",
    "LD_BIND_NOW=1",
    "GCONV_PATH=/nowhere",
    "NLSPATH=/nowhere/%N",
    "LOCPATH=/nowhere",
    "OPENSSL_CONF=/nowhere",
    "PATH=/nowhere",
    "LANG=xx_YY",
    "LC_ALL=C",
    "IFS=x",
    "SMS_OTP_CONFIG=/nowhere",
    "LISTEN_FDS=1",
    "NOTIFY_SOCKET=/nowhere",
];

/// A proxy that connects all clients to the same port.
fn proxy_to(mut client: TcpStream, to: u16) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match client.read(&mut byte) {
            Ok(1) => head.extend(byte),
            _ => return,
        }
    }
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else {
        return;
    };
    let _ = client.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
    let (Ok(mut from), Ok(mut back)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    thread::spawn(move || std::io::copy(&mut from, &mut back));
    let _ = std::io::copy(&mut server, &mut client);
}

/// The directories of the caller, used by no other test.
pub struct Folders {
    pub home: PathBuf,
    pub tmp: PathBuf,
    pub cwd: PathBuf,
    uid: u32,
}

impl Folders {
    pub fn new(lab: &Lab, case: &str, uid: u32) -> Self {
        let folder = lab.folder(case);
        let [home, tmp, cwd] = ["home", "tmp", "cwd"].map(|name| {
            let folder = folder.join(name);
            fs::create_dir_all(&folder).expect("a folder");
            std::os::unix::fs::chown(&folder, Some(uid), None).expect("the caller's folder");
            folder
        });
        Self {
            home,
            tmp,
            cwd,
            uid,
        }
    }

    /// All files in them, with their sizes; in shared directories, the files of the caller.
    pub fn listing(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for folder in [&self.home, &self.tmp, &self.cwd] {
            list(folder, &mut found, None, &|_| false);
        }
        for folder in ["/tmp", "/var/tmp", "/dev/shm"] {
            list(Path::new(folder), &mut found, Some(self.uid), &|_| false);
        }
        found
    }
}

/// The files in and below a directory with their sizes, except for some; or the files of one user directly in it.
pub fn list(
    folder: &Path,
    into: &mut BTreeSet<String>,
    of: Option<u32>,
    is_left_out: &impl Fn(&Path) -> bool,
) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_left_out(&entry.path()) {
            continue;
        }
        let Ok(metadata) = entry.path().symlink_metadata() else {
            continue;
        };
        if of.is_none_or(|uid| uid == metadata.uid()) {
            into.insert(format!("{} {}", entry.path().display(), metadata.len()));
        }
        if metadata.is_dir() && of.is_none() {
            list(&entry.path(), into, of, is_left_out);
        }
    }
}
