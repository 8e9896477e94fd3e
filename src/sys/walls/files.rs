//! Landlock: which files may be read, and where TCP may go (`landlock(7)`).
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

use crate::sys::landlock_abi;

/// What name services, the system's clock and late libraries read. By folder: `resolv.conf` is a link
/// into /run that is replaced, and rules bind to what a path leads to now.
const READABLE: [&str; 8] = [
    "/etc",
    "/run",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/var/lib/sss",
];

/// TCP for name look-ups whose answer is too long for a datagram (RFC 7766).
const DNS: u16 = 53;

/// What is asked for: rights to files as of Linux 6.10, to TCP ports as of 6.7, to sockets and
/// processes of others as of 6.12.
const FILES: ABI = ABI::V5;
const PORTS: i32 = 4;
const OTHERS: i32 = 6;

/// What the kernel has of it: 0 for nothing.
pub struct Kernel(i32);

impl Kernel {
    pub fn survey() -> Result<Self, String> {
        landlock_abi().map(Self)
    }

    pub const fn lacks(&self) -> Option<&'static str> {
        match self.0 {
            0 => Some("the walls around files and TCP ports (Landlock, Linux 5.13)"),
            abi if abi < PORTS => Some("the wall around TCP ports (Landlock, Linux 6.7)"),
            abi if abi < OTHERS => Some("the wall around other processes (Landlock, Linux 6.12)"),
            _ => None,
        }
    }

    /// Nothing but reading below the folders, and connecting to the ports.
    pub fn raise(&self, ports: &[u16]) -> Result<(), String> {
        if self.0 == 0 {
            return Ok(());
        }
        let failed = |error: RulesetError| format!("Landlock: {error}");
        let status = self
            .rules(ports)
            .map_err(failed)?
            .add_rules(folders()?.into_iter().map(|folder| {
                Ok::<_, RulesetError>(PathBeneath::new(
                    folder,
                    AccessFs::ReadFile | AccessFs::ReadDir,
                ))
            }))
            .map_err(failed)?
            .restrict_self()
            .map_err(failed)?;
        match status.ruleset {
            RulesetStatus::FullyEnforced => Ok(()),
            RulesetStatus::PartiallyEnforced if self.lacks().is_some() => Ok(()),
            RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => {
                Err("Landlock: the kernel did not enforce it".into())
            }
        }
    }

    fn rules(&self, ports: &[u16]) -> Result<RulesetCreated, RulesetError> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(FILES))?;
        if self.0 >= PORTS {
            let ways: BitFlags<AccessNet> = AccessNet::BindTcp | AccessNet::ConnectTcp;
            ruleset = ruleset.handle_access(ways)?;
        }
        if self.0 >= OTHERS {
            ruleset = ruleset.scope(Scope::AbstractUnixSocket | Scope::Signal)?;
        }
        let created = ruleset.create()?;
        if self.0 < PORTS {
            return Ok(created);
        }
        let ports = ports.iter().chain(&[DNS]);
        created.add_rules(
            ports.map(|port| Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))),
        )
    }
}

/// Those that are there, and the one in which `resolv.conf` really lies.
fn folders() -> Result<Vec<PathFd>, String> {
    let resolver = fs::canonicalize("/etc/resolv.conf").ok();
    let resolver = resolver.and_then(|file| file.parent().map(PathBuf::from));
    let mut found = Vec::new();
    for folder in READABLE.iter().map(PathBuf::from).chain(resolver) {
        match PathFd::new(&folder) {
            Ok(folder) => found.push(folder),
            Err(PathFdError::OpenCall { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("Landlock: {error}")),
        }
    }
    Ok(found)
}
