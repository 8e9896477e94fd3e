//! The walk to a local socket.
#![forbid(unsafe_code)]

use std::ffi::CStr;

use super::{
    Calls, Distrust, MAX_LINKS, PATH_MAX, Refusal, S_IFDIR, S_IFLNK, S_IFMT, Stat, Way, judge,
};

pub(crate) const S_IFSOCK: u32 = 0o140_000;

/// Walks to a local socket and says that its server alone can have put it there. A server creates its
/// socket itself: so the folder in which it lies, and the socket, may also belong to one user for whom
/// `is_server` is true. Others may write to the socket, which is how they connect, but to
/// no folder in which it, or a folder on the way to it, could be missing.
///
/// # Errors
/// The first thing on the way that is not trusted.
pub fn walk_to_socket<C: Calls>(
    calls: &C,
    path: &CStr,
    host: u32,
    is_server: impl Fn(u32) -> bool,
) -> Result<(), Refusal> {
    let mut way = Way::new(path.to_bytes())?;
    follow_to_socket(calls, &mut way, host, is_server).map_err(|why| Refusal { why, at: way.given })
}

fn follow_to_socket<C: Calls>(
    calls: &C,
    way: &mut Way,
    host: u32,
    is_server: impl Fn(u32) -> bool,
) -> Result<(), Distrust> {
    let mut folder = calls.root()?;
    let mut above = calls.stat(&folder)?;
    judge(above, host, true)?;
    let mut links = 0_u32;
    loop {
        let at = way.given;
        let Some(name) = way.next()? else { break };
        let here = calls.step(&folder, name.as_c_str());
        // Sticky protects only what is there: while the server is down, others could create its socket.
        if above.mode & 0o022 != 0 && (way.is_over() || here.is_err()) {
            way.given = at;
            let mode = above.mode & 0o7777;
            return Err(Distrust::Writable { mode });
        }
        let here = here?;
        let stat = calls.stat(&here)?;
        // In a folder of nobody's but root's or its own; not in one that others may write.
        let has_place = above.uid == 0 || above.uid == host || above.uid == stat.uid;
        let is_server_s = has_place && above.mode & 0o022 == 0 && is_server(stat.uid);
        let judged = Stat {
            uid: if is_server_s { host } else { stat.uid },
            ..stat
        };
        match stat.mode & S_IFMT {
            S_IFDIR => {
                judge(judged, host, true)?;
                (folder, above) = (here, stat);
            }
            S_IFLNK => {
                judge(Stat { mode: 0, ..judged }, host, false)?;
                links = links.saturating_add(1);
                if links > MAX_LINKS {
                    return Err(Distrust::TooLong);
                }
                let mut target = [0; PATH_MAX];
                let length = calls.link(&here, &mut target)?;
                if way.detour(target.get(..length).unwrap_or_default())? {
                    folder = calls.root()?;
                    above = calls.stat(&folder)?;
                }
            }
            _ if !way.is_over() => return Err(Distrust::NotAFolder),
            S_IFSOCK => return judge(Stat { mode: 0, ..judged }, host, false),
            _ => break,
        }
    }
    Err(Distrust::NotASocket)
}
