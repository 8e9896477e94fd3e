//! Measures processor time and memory of a login, and the sizes of the programs.

use crate::contender::Contender;
use crate::peers::Peers;
use crate::run::{Options, run_login};
use crate::testbed::Testbed;
use lab::processes::children;
use lab::table::{Table, bytes, digits};
use std::path::Path;
use std::time::Duration;

const LOGINS: u32 = 40;

/// The cost of one contender's login.
struct Cost {
    name: &'static str,
    /// Processor time of the host, its children, and a daemon that serves it.
    cpu: Duration,
    /// Peak resident set sizes of the host and of its children.
    host: u64,
    child: u64,
}

/// Measures all contenders. The first one has to be the empty one, the second one ours.
pub fn measure(testbed: &Testbed, peers: &Peers, contenders: &[&Contender]) -> Vec<Table> {
    let costs: Vec<Cost> = contenders
        .iter()
        .map(|contender| cost(testbed, peers, contender))
        .collect();
    let mut table = Table::new(
        "Processor and memory",
        &format!(
            "User and system time of the host and all processes that it starts (and of nslcd, where \
             it is used), minus that of a host with pam_permit only; mean of {LOGINS} logins on loopback \
             without pauses. The ratio compares with this module. Memory is the peak resident set size \
             of the host, minus the same, and of the helper's process."
        ),
        &["", "processor", "host", "helper"],
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
    vec![table, on_disk(testbed)]
}

fn cost(testbed: &Testbed, peers: &Peers, contender: &Contender) -> Cost {
    eprintln!("measuring the cost of {}", contender.name);
    let user = &testbed.users(1)[0];
    let daemon = peers.daemon(contender);
    let (mut host, mut child) = (0, 0);
    let mut run = || {
        run_login(
            testbed,
            contender,
            user,
            Options::default(),
            |process, prompt| {
                if prompt.is_empty() {
                    host = status(process.id(), "VmHWM:").unwrap_or(0).max(host);
                }
                // The helper is a child of the intermediate process, which is smaller than it.
                let below = children(process.id());
                let below = below.iter().flat_map(|child| children(*child));
                for helper in below.chain(children(process.id())) {
                    child = status(helper, "VmHWM:").unwrap_or(0).max(child);
                }
            },
        )
    };
    run();
    let before = children_cpu() + daemon.map_or(Duration::ZERO, cpu_of);
    for _ in 0..LOGINS {
        let login = run();
        assert_eq!(login.code, Some(0), "{}: {login:?}", contender.name);
    }
    let after = children_cpu() + daemon.map_or(Duration::ZERO, cpu_of);
    Cost {
        name: contender.name,
        cpu: after.saturating_sub(before) / LOGINS,
        host,
        child,
    }
}

/// Returns the processor time of all children that were waited for, and of their children.
fn children_cpu() -> Duration {
    // SAFETY: an rusage of zeroes is valid, and the kernel fills it.
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

/// Returns the processor time of another process, to a hundredth of a second (proc_pid_stat(5), fields 14
/// and 15).
fn cpu_of(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Returns a field of proc_pid_status(5), in bytes.
fn status(pid: u32, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn on_disk(testbed: &Testbed) -> Table {
    let mut table = Table::new(
        "On the disk",
        "The stripped release: the module that a host loads, and the programs beside it.",
        &["", "size"],
    );
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let product = testbed.lab().product();
    table.row("module", [bytes(size(&product.module()))]);
    table.row("helper", [bytes(size(&product.helper()))]);
    table.row("command", [bytes(size(&product.command()))]);
    table
}
