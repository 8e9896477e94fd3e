//! Measures many logins at the same time: logins per second, and the distribution of their times.

use crate::contender::Contender;
use crate::run::{Login, Options, run_login};
use crate::testbed::{TestUser, Testbed};
use lab::table::{Table, digits, ms};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The number of users who log in, in turn.
const USERS: usize = 1000;
const LOGINS: usize = 1000;
/// The number of logins for a rate.
const RATE_LOGINS: usize = 500;
/// The same for a slow contender.
const SLOW_LOGINS: usize = 60;

/// The result of many logins.
struct Burst {
    rate: f64,
    failed: usize,
    /// The times of whole logins, sorted.
    times: Vec<Duration>,
}

impl Burst {
    fn percentile(&self, percent: usize) -> Duration {
        let index = self.times.len() * percent / 100;
        self.times[index.min(self.times.len() - 1)]
    }
}

/// Measures all contenders. The first one has to be ours.
pub fn measure(testbed: &Testbed, contenders: &[&Contender]) -> Vec<Table> {
    let users = testbed.users(USERS);
    let mut all = Table::new(
        "A thousand logins, a hundred at a time",
        "A thousand different users of a directory with 100,000 entries. Directory, carrier, \
         hosts and the bench itself share this machine's cores; answers are typed at once. The ledger's \
         file is in memory. Times are of whole logins.",
        &[
            "",
            "failed",
            "median",
            "99th percentile",
            "99th percentile to median",
        ],
    );
    let burst = run_burst(testbed, contenders[0], &users, LOGINS, 100);
    let (median, p99) = (burst.percentile(50), burst.percentile(99));
    let ratio = p99.as_secs_f64() / median.as_secs_f64();
    all.row(
        contenders[0].name,
        [
            burst.failed.to_string(),
            ms(median),
            ms(p99),
            format!("{} ×", digits(ratio)),
        ],
    );
    let mut rates = Table::new(
        "Fifty at a time",
        &format!(
            "Logins per second, and the ratio to this module, on loopback and with a round-trip time of 20 ms to \
             every server. {RATE_LOGINS} logins, or {SLOW_LOGINS} where a login takes much processor time (password \
             hash, Python)."
        ),
        &["", "on loopback", "at 20 ms", "failed"],
    );
    let mut ours: Option<[f64; 2]> = None;
    for contender in contenders {
        let mut failed = 0;
        let found = [0, 20].map(|far| {
            testbed.network().set_round_trip(Duration::from_millis(far));
            let logins = if contender.slow {
                SLOW_LOGINS
            } else {
                RATE_LOGINS
            };
            let burst = run_burst(testbed, contender, &users, logins, 50);
            failed += burst.failed;
            burst.rate
        });
        testbed.network().set_round_trip(Duration::ZERO);
        let ours = *ours.get_or_insert(found);
        let cell = |index: usize| {
            let ratio = found[index] / ours[index];
            format!("{} × ({}/s)", digits(ratio), digits(found[index]))
        };
        rates.row(contender.name, [cell(0), cell(1), failed.to_string()]);
    }
    vec![all, rates]
}

fn run_burst(
    testbed: &Testbed,
    contender: &Contender,
    users: &[TestUser],
    logins: usize,
    at_once: usize,
) -> Burst {
    eprintln!("{logins} logins by {}, {at_once} at a time", contender.name);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let serial = next.fetch_add(1, Ordering::Relaxed);
                    if serial >= logins {
                        return;
                    }
                    let user = &users[serial % users.len()];
                    let login = run_login(testbed, contender, user, Options::default(), |_, _| {});
                    done.lock().expect("the lock of the results").push(login);
                }
            });
        }
    });
    let elapsed = start.elapsed();
    let done: Vec<Login> = done.into_inner().expect("the lock of the results");
    let failed = done.iter().filter(|login| login.code != Some(0)).count();
    let mut times: Vec<Duration> = done.iter().map(|login| login.whole).collect();
    times.sort_unstable();
    Burst {
        rate: (logins - failed) as f64 / elapsed.as_secs_f64(),
        failed,
        times,
    }
}
