//! What a login costs this machine: processor time, memory, room on the disk.

use crate::contender::Contender;
use crate::ground::Ground;
use crate::host::{How, login};
use crate::peers::Peers;
use lab::processes::children;
use lab::table::{Table, bytes, digits};
use std::path::Path;
use std::time::Duration;

const LOGINS: u32 = 40;

/// What one contender took.
struct Cost {
    name: &'static str,
    /// Of host and children, and of a daemon that works for it.
    cpu: Duration,
    /// The most that was resident in the host, and in a child of it.
    host: u64,
    child: u64,
}

/// `contenders` begins with the one that does nothing, and with ours.
pub fn measure(ground: &Ground, peers: &Peers, contenders: &[&Contender]) -> Vec<Table> {
    let costs: Vec<Cost> = contenders
        .iter()
        .map(|contender| cost(ground, peers, contender))
        .collect();
    let mut table = Table::new(
        "Processor and memory",
        &format!(
            "User and system time of the host with all that it starts (and of nslcd, where it works \
             for it), above a host that only asks pam_permit; mean of {LOGINS} logins on loopback, \
             without pauses. The ratio is against this module. Memory is what was resident in the host \
             at its end above the same, and in the helper's process at its most."
        ),
        &["", "processor", "in the host", "beside it"],
    );
    let floor = &costs[0];
    let ours = costs[1].cpu.saturating_sub(floor.cpu);
    for cost in &costs[1..] {
        let cpu = cost.cpu.saturating_sub(floor.cpu);
        let ratio = cpu.as_secs_f64() / ours.as_secs_f64();
        let child = if cost.child == 0 {
            "none".to_owned()
        } else {
            bytes(cost.child)
        };
        table.row(
            cost.name,
            [
                format!(
                    "{} × ({} ms)",
                    digits(ratio),
                    digits(cpu.as_secs_f64() * 1000.0)
                ),
                format!("+{}", bytes(cost.host.saturating_sub(floor.host))),
                child,
            ],
        );
    }
    vec![table, on_disk(ground)]
}

fn cost(ground: &Ground, peers: &Peers, contender: &Contender) -> Cost {
    eprintln!("what {} costs", contender.name);
    let who = &ground.people(1)[0];
    let daemon = peers.daemon(contender);
    let (mut host, mut child) = (0, 0);
    let mut all = || {
        login(ground, contender, who, How::default(), |process, prompt| {
            if prompt.is_empty() {
                host = status(process.id(), "VmHWM:").unwrap_or(0).max(host);
            }
            // The intermediate process is a copy of the host, and smaller than the helper below it.
            let below = children(process.id());
            let below = below.iter().flat_map(|child| children(*child));
            for helper in below.chain(children(process.id())) {
                child = status(helper, "VmHWM:").unwrap_or(0).max(child);
            }
        })
    };
    all();
    let before = spent() + daemon.map_or(Duration::ZERO, spent_by);
    for _ in 0..LOGINS {
        let went = all();
        assert_eq!(went.code, Some(0), "{}: {went:?}", contender.name);
    }
    let after = spent() + daemon.map_or(Duration::ZERO, spent_by);
    Cost {
        name: contender.name,
        cpu: after.saturating_sub(before) / LOGINS,
        host,
        child,
    }
}

/// By all children so far, and theirs.
fn spent() -> Duration {
    // SAFETY: zeroes are a valid rusage, which the kernel fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    [usage.ru_utime, usage.ru_stime]
        .map(|time| {
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            Duration::from_secs(seconds) + Duration::from_micros(time.tv_usec.unsigned_abs())
        })
        .iter()
        .sum()
}

/// By another process, to a hundredth of a second (proc_pid_stat(5), fields 14 and 15).
fn spent_by(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// A line of proc_pid_status(5), in bytes.
fn status(pid: u32, what: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(what))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn on_disk(ground: &Ground) -> Table {
    let mut table = Table::new(
        "On the disk",
        "The stripped release: what a host loads, and what is started beside it.",
        &["", "size"],
    );
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let product = ground.bench().product();
    table.row("module", [bytes(size(&product.module()))]);
    table.row("helper", [bytes(size(&product.helper()))]);
    table.row("command", [bytes(size(&product.command()))]);
    table
}
