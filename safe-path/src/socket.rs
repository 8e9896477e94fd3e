//! Checks who could have created a local socket.
#![forbid(unsafe_code)]

use std::ffi::CStr;

use super::{
    MAX_LINKS, PATH_MAX, PathCursor, Reason, Refusal, S_IFDIR, S_IFLNK, S_IFMT, Stat, Syscalls,
    check,
};

pub(crate) const S_IFSOCK: u32 = 0o140_000;

/// Resolves `path` and checks that only its server could have created the local socket. A server creates
/// its socket itself, so the directory of the socket and the socket may also be owned by one user for
/// whom `is_server` is true. Others may write to the socket, which is how they connect, but not to a
/// directory in which it, or a directory on the path to it, could be missing.
///
/// # Errors
/// The first component that is refused.
pub fn check_socket<S: Syscalls>(
    syscalls: &S,
    path: &CStr,
    host: u32,
    is_server: impl Fn(u32) -> bool,
) -> Result<(), Refusal> {
    let mut cursor = PathCursor::new(path.to_bytes())?;
    resolve(syscalls, &mut cursor, host, is_server).map_err(|reason| Refusal {
        reason,
        at: cursor.resolved,
    })
}

fn resolve<S: Syscalls>(
    syscalls: &S,
    cursor: &mut PathCursor,
    host: u32,
    is_server: impl Fn(u32) -> bool,
) -> Result<(), Reason> {
    let mut directory = syscalls.open_root()?;
    let mut parent = syscalls.stat(&directory)?;
    check(parent, host, true)?;
    let mut links = 0_u32;
    loop {
        let at = cursor.resolved;
        let Some(name) = cursor.next()? else { break };
        let component = syscalls.open_path(&directory, name.as_c_str());
        // The sticky bit protects existing files only: while the server is down, others could create its
        // socket.
        if parent.mode & 0o022 != 0 && (cursor.is_at_end() || component.is_err()) {
            cursor.resolved = at;
            let mode = parent.mode & 0o7777;
            return Err(Reason::Writable { mode });
        }
        let component = component?;
        let stat = syscalls.stat(&component)?;
        // In a directory that only root, the host or the server itself can write to.
        let is_in_place = parent.uid == 0 || parent.uid == host || parent.uid == stat.uid;
        let belongs_to_server = is_in_place && parent.mode & 0o022 == 0 && is_server(stat.uid);
        let checked = Stat {
            uid: if belongs_to_server { host } else { stat.uid },
            ..stat
        };
        match stat.mode & S_IFMT {
            S_IFDIR => {
                check(checked, host, true)?;
                (directory, parent) = (component, stat);
            }
            S_IFLNK => {
                check(Stat { mode: 0, ..checked }, host, false)?;
                links = links.saturating_add(1);
                if links > MAX_LINKS {
                    return Err(Reason::TooLong);
                }
                let mut target = [0; PATH_MAX];
                let length = syscalls.read_link(&component, &mut target)?;
                if cursor.follow(target.get(..length).unwrap_or_default())? {
                    directory = syscalls.open_root()?;
                    parent = syscalls.stat(&directory)?;
                }
            }
            _ if !cursor.is_at_end() => return Err(Reason::NotADirectory),
            S_IFSOCK => return check(Stat { mode: 0, ..checked }, host, false),
            _ => break,
        }
    }
    Err(Reason::NotASocket)
}
