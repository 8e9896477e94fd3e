//! Facts about the machine of a measurement.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Returns the table of these facts for a report; the facts of the caller are last.
pub fn facts(own: &[(&str, String)]) -> String {
    let kernel = rustix::system::uname();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let facts = [
        ("date", today()),
        ("kernel", kernel.release().to_string_lossy().into_owned()),
        ("processor", format!("{}, {cores} cores", processor())),
    ];
    let all = facts.iter().chain(own);
    let rows = all.map(|(what, is)| format!("| {what} | {is} |\n"));
    format!("| | |\n| --- | --- |\n{}", rows.collect::<String>())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
    model.unwrap_or_else(|| "unknown (not in /proc/cpuinfo)".to_owned())
}

/// Returns the type of the file system that contains a path: the mount with the longest matching path
/// (proc_pid_mountinfo(5)).
pub fn file_system(path: &Path) -> String {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let below = text.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mount = mount.split(' ').nth(4)?;
        let kind = kind.split(' ').next()?;
        path.starts_with(mount)
            .then_some((mount.len(), kind.to_owned()))
    });
    match below.max_by_key(|(length, _)| *length) {
        Some((_, kind)) if kind == "tmpfs" => "tmpfs (in memory)".to_owned(),
        Some((_, kind)) => kind,
        None => "unknown".to_owned(),
    }
}

/// Returns the date in UTC: `25 Nov 2026`.
fn today() -> String {
    let date = httpdate::fmt_http_date(SystemTime::now());
    date.get(5..16).unwrap_or(&date).to_owned()
}
