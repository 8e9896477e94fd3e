//! Landlock: which files may be read, and to which TCP ports the process may connect (`landlock(7)`).

use std::{fs, io, path::PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    PathFd, PathFdError, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope,
};

/// The directories with the files of name services, the time zone and libraries that are loaded late.
/// Directories, because a rule applies to the file that a path leads to now, and `resolv.conf` is often a
/// link to a file in /run that is replaced.
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

/// DNS over TCP, for answers that are too long for a datagram (RFC 7766).
const DNS: u16 = 53;

/// The restrictions: file access as of Linux 6.10, TCP ports as of 6.7, abstract sockets and signals as of
/// 6.12.
const FILES: ABI = ABI::V5;
const PORTS: i32 = 4;
const SCOPES: i32 = 6;

/// The Landlock version of the kernel; 0 for none.
pub(super) struct Landlock(i32);

impl Landlock {
    pub(super) fn probe() -> Result<Self, String> {
        abi().map(Self)
    }

    /// Names the restrictions that the kernel does not support.
    pub(super) const fn unsupported(&self) -> Option<&'static str> {
        match self.0 {
            0 => Some("Landlock for files and TCP ports (Linux 5.13)"),
            abi if abi < PORTS => Some("Landlock for TCP ports (Linux 6.7)"),
            abi if abi < SCOPES => Some("Landlock for signals and abstract sockets (Linux 6.12)"),
            _ => None,
        }
    }

    /// Allows only reading below the directories and connecting to the ports.
    pub(super) fn enforce(&self, ports: &[u16]) -> Result<(), String> {
        if self.0 == 0 {
            return Ok(());
        }
        let failed = |error: RulesetError| format!("Landlock: {error}");
        let status = self
            .rules(ports)
            .map_err(failed)?
            .add_rules(directories()?.into_iter().map(|directory| {
                Ok::<_, RulesetError>(PathBeneath::new(
                    directory,
                    AccessFs::ReadFile | AccessFs::ReadDir,
                ))
            }))
            .map_err(failed)?
            .restrict_self()
            .map_err(failed)?;
        match status.ruleset {
            RulesetStatus::FullyEnforced => Ok(()),
            RulesetStatus::PartiallyEnforced if self.unsupported().is_some() => Ok(()),
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
            let access: BitFlags<AccessNet> = AccessNet::BindTcp | AccessNet::ConnectTcp;
            ruleset = ruleset.handle_access(access)?;
        }
        if self.0 >= SCOPES {
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

/// Opens the directories that exist, and the one that contains the file to which `resolv.conf` leads.
fn directories() -> Result<Vec<PathFd>, String> {
    let resolver = fs::canonicalize("/etc/resolv.conf").ok();
    let resolver = resolver.and_then(|file| file.parent().map(PathBuf::from));
    let mut found = Vec::new();
    for path in READABLE.iter().map(PathBuf::from).chain(resolver) {
        match PathFd::new(&path) {
            Ok(directory) => found.push(directory),
            Err(PathFdError::OpenCall { source, .. })
                if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("Landlock: {error}")),
        }
    }
    Ok(found)
}

/// Returns the Landlock version of the kernel (`landlock_create_ruleset(2)`); 0 for none.
fn abi() -> Result<i32, String> {
    const VERSION: u32 = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call accesses no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) };
    if version >= 0 {
        return Ok(i32::try_from(version).unwrap_or(i32::MAX));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EOPNOTSUPP) => Ok(0),
        _ => Err(format!("Landlock: {error}")),
    }
}
