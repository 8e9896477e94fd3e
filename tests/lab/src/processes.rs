//! The processes of this machine, read from `/proc`.
#![forbid(unsafe_code)]

use std::fs::{metadata, read, read_dir, read_to_string};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The command line of the helper.
const HELPER: &[u8] = b"sms-otp-helper\0";

/// Returns all processes.
pub fn all() -> Vec<u32> {
    let entries = read_dir("/proc").expect("/proc").flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Returns the children of all threads of a process.
pub fn children(of: u32) -> Vec<u32> {
    let tasks = read_dir(format!("/proc/{of}/task")).into_iter().flatten();
    let lists = tasks.flatten().map(|task| task.path().join("children"));
    let lists: String = lists.filter_map(|list| read_to_string(list).ok()).collect();
    let words = lists.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Returns its parent.
pub fn parent(of: u32) -> Option<u32> {
    let status = read_to_string(format!("/proc/{of}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    line.trim().parse().ok()
}

/// Returns the letter of its state (proc_pid_stat(5)).
pub fn state(of: u32) -> Option<char> {
    let stat = read_to_string(format!("/proc/{of}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether it runs as a helper.
pub fn is_helper(pid: u32) -> bool {
    read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words == HELPER)
}

/// Returns the helper of a host process and its intermediate process.
pub fn helper_of(host: u32) -> Option<(u32, u32)> {
    let each = children(host).into_iter().flat_map(|intermediate| {
        let below = children(intermediate).into_iter();
        below.map(move |helper| (helper, intermediate))
    });
    each.into_iter().find(|(helper, _)| is_helper(*helper))
}

/// Whether a process executes this file, whatever path it has for that process: the link in `/proc`
/// is followed, not read. Only root may look at every process.
pub fn executes(pid: u32, program: &Path) -> bool {
    let same =
        |a: std::fs::Metadata, b: std::fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    match (metadata(format!("/proc/{pid}/exe")), metadata(program)) {
        (Ok(running), Ok(program)) => same(running, program),
        _ => false,
    }
}
