//! Accounts of the test machine: the system's own names without their passwords, and the users of the tests.
#![forbid(unsafe_code)]

use crate::scratch::{set_mode, write};
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An account to be created.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
    password: Option<String>,
    uid: Option<u32>,
    groups: Vec<String>,
    shell: String,
}

impl User {
    /// Describes an ordinary account without a local password.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: None,
            uid: None,
            groups: Vec::new(),
            shell: "/bin/sh".to_owned(),
        }
    }

    /// Sets the local password, for pam_unix.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Sets the uid. The default is the next free one from 20001 on.
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    pub fn group(mut self, group: &str) -> Self {
        self.groups.push(group.to_owned());
        self
    }

    pub fn shell(mut self, shell: &str) -> Self {
        shell.clone_into(&mut self.shell);
        self
    }
}

/// An account that is there.
#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
}

/// Makes accounts, one at a time.
#[derive(Debug)]
pub struct Accounts {
    homes: PathBuf,
    next: u32,
    hashes: HashMap<String, String>,
}

impl Accounts {
    pub fn new(homes: PathBuf) -> Self {
        Self {
            homes,
            next: 20001,
            hashes: HashMap::new(),
        }
    }

    pub fn add(&mut self, user: &User) -> Account {
        let name = &user.name;
        let taken = fs::read_to_string("/etc/passwd").expect("our /etc/passwd");
        let twice = taken
            .lines()
            .any(|line| line.split(':').next() == Some(name));
        assert!(
            !twice,
            "there is already an account {name}: tests run side by side"
        );
        let uid = user.uid.unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        let home = self.homes.join(name);
        fs::create_dir_all(&home).expect("a home in the scratch folder");
        std::os::unix::fs::chown(&home, Some(uid), Some(uid)).expect("a home belongs to its user");
        let hash = match &user.password {
            Some(password) => self.hash(password),
            None => "*".to_owned(),
        };
        let (path, shell) = (home.display(), &user.shell);
        // The group first, so that no account is visible without its group.
        append("group", &format!("{name}:x:{uid}:"));
        append("gshadow", &format!("{name}:!::"));
        append("shadow", &format!("{name}:{hash}:19000:0:99999:7:::"));
        append("passwd", &format!("{name}:x:{uid}:{uid}::{path}:{shell}"));
        for group in &user.groups {
            join(group, name);
        }
        Account {
            name: name.clone(),
            uid,
            gid: uid,
            home,
        }
    }

    pub fn set_password(&mut self, name: &str, password: &str) {
        let hash = self.hash(password);
        let path = Path::new("/etc/shadow");
        let text = fs::read_to_string(path).expect("our /etc/shadow");
        let turn = |line: &str| match line.split_once(':') {
            Some((account, _)) if account == name => format!("{name}:{hash}:19000:0:99999:7:::\n"),
            _ => format!("{line}\n"),
        };
        // Renamed into place: readers see the old file or the new one.
        let new = Path::new("/etc/shadow.new");
        write(new, 0o600, text.lines().map(turn).collect::<String>());
        share_with_chkpwd(new);
        fs::rename(new, path).expect("our /etc/shadow");
    }

    /// Returns the hash of a password. SHA-512 crypt is slow, and tests use few passwords, so hashes are kept.
    fn hash(&mut self, password: &str) -> String {
        self.hashes
            .entry(password.to_owned())
            .or_insert_with(|| crypt(password))
            .clone()
    }
}

/// Writes the account files of a new `/etc`: the system's accounts below 1000 and `nobody`, all locked.
pub fn replace_all(etc: &Path) {
    let read = |name| fs::read_to_string(etc.join(name)).unwrap_or_default();
    let system = |line: &&str| {
        let id = line.split(':').nth(2).and_then(|id| id.parse::<u32>().ok());
        id.is_some_and(|id| id < 1000 || id == 65534)
    };
    let keep =
        |text: &str| -> Vec<String> { text.lines().filter(system).map(str::to_owned).collect() };
    let mut passwd = keep(&read("passwd"));
    if !passwd.iter().any(|line| line.starts_with("sshd:")) {
        passwd.push("sshd:x:998:65534::/run/sshd:/usr/sbin/nologin".to_owned());
    }
    let mut group = keep(&read("group"));
    // The helper's own user, as sysusers.d creates it.
    passwd.retain(|line| !line.starts_with("pam_sms_otp:"));
    group.retain(|line| !line.starts_with("pam_sms_otp:"));
    passwd.push("pam_sms_otp:x:990:990::/:/usr/sbin/nologin".to_owned());
    group.push("pam_sms_otp:x:990:".to_owned());
    let each = |lines: &[String], rest: &str| -> Vec<String> {
        let name = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
        lines.iter().map(|line| name(line) + rest).collect()
    };
    let shadow = each(&passwd, ":*:19000:0:99999:7:::");
    let gshadow = each(&group, ":!::");
    for (name, mode, lines) in [
        ("passwd", 0o644, &passwd),
        ("group", 0o644, &group),
        ("shadow", 0o600, &shadow),
        ("gshadow", 0o600, &gshadow),
    ] {
        write(&etc.join(name), mode, lines.join("\n") + "\n");
        // The backup files contain the password hashes of the real machine.
        let _ = fs::remove_file(etc.join(format!("{name}-")));
    }
    share_with_chkpwd(&etc.join("shadow"));
}

/// Makes the password file readable for pam_unix's helper if it is setgid: for hosts that do not run as root.
fn share_with_chkpwd(shadow: &Path) {
    let Ok(program) = fs::metadata("/usr/sbin/unix_chkpwd") else {
        return;
    };
    if program.mode() & 0o2000 != 0 {
        std::os::unix::fs::chown(shadow, None, Some(program.gid())).expect("our /etc/shadow");
        set_mode(shadow, 0o640);
    }
}

/// Appends a line in one write: readers see the whole line or nothing.
fn append(file: &str, line: &str) {
    let path = Path::new("/etc").join(file);
    let mut file = OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("our account files");
    file.write_all(format!("{line}\n").as_bytes())
        .expect("our account files");
}

fn join(group: &str, name: &str) {
    let path = Path::new("/etc/group");
    let text = fs::read_to_string(path).expect("our /etc/group");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let wanted = format!("{group}:");
    match lines.iter_mut().find(|line| line.starts_with(&wanted)) {
        Some(line) => {
            let comma = if line.ends_with(':') { "" } else { "," };
            line.push_str(&format!("{comma}{name}"));
        }
        None => lines.push(format!("{group}:x:{}:{name}", 30_000 + lines.len())),
    }
    // Renamed into place: readers see the old file or the new one.
    let new = Path::new("/etc/group.new");
    write(new, 0o644, lines.join("\n") + "\n");
    fs::rename(new, path).expect("our /etc/group");
}

fn crypt(password: &str) -> String {
    let mut child = Command::new(crate::process::program("openssl"))
        .args(["passwd", "-6", "-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl passwd");
    let mut stdin = child.stdin.take().expect("openssl's stdin");
    stdin
        .write_all(password.as_bytes())
        .expect("a password for openssl");
    drop(stdin);
    let output = child.wait_with_output().expect("openssl passwd");
    String::from_utf8(output.stdout)
        .expect("a hash in ASCII")
        .trim()
        .to_owned()
}
