//! Many at once: how many logins a second, and how long the last of them wait.

use crate::contender::Contender;
use crate::ground::{Ground, Who};
use crate::host::{How, Went, login};
use lab::table::{Table, digits, ms};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many people log in, in turn.
const PEOPLE: usize = 1000;
const LOGINS: usize = 1000;
/// How many logins make a rate.
const SOME: usize = 500;
/// The same of a slow contender.
const FEW: usize = 60;

/// How a storm went.
struct Storm {
    rate: f64,
    failed: usize,
    /// Of whole logins, in order.
    times: Vec<Duration>,
}

impl Storm {
    fn at(&self, percent: usize) -> Duration {
        let place = self.times.len() * percent / 100;
        self.times[place.min(self.times.len() - 1)]
    }
}

/// `contenders` begins with ours.
pub fn measure(ground: &Ground, contenders: &[&Contender]) -> Vec<Table> {
    let people = ground.people(PEOPLE);
    let mut all = Table::new(
        "A thousand logins, a hundred at a time",
        "Of as many people, among 100,000 in the directory. On this machine's cores, with directory, \
         carrier, hosts and the bench itself on them; nobody takes time to type. The ledger lies in \
         memory. Times are of whole logins.",
        &[
            "",
            "failed",
            "median",
            "99 of 100",
            "99 of 100 against the median",
        ],
    );
    let storm = rush(ground, contenders[0], &people, LOGINS, 100);
    let (half, most) = (storm.at(50), storm.at(99));
    let ratio = most.as_secs_f64() / half.as_secs_f64();
    all.row(
        contenders[0].name,
        [
            storm.failed.to_string(),
            ms(half),
            ms(most),
            format!("{} ×", digits(ratio)),
        ],
    );
    let mut rates = Table::new(
        "Fifty at a time",
        &format!(
            "Logins in a second, and against this module; the same with every server a round trip of \
             20 ms away. Of {SOME} logins, but {FEW} where they take much of the processor (a password's \
             hash, Python)."
        ),
        &["", "on loopback", "at 20 ms", "failed"],
    );
    let mut firsts: Option<[f64; 2]> = None;
    for contender in contenders {
        let mut failed = 0;
        let found = [0, 20].map(|far| {
            ground.road().set_round_trip(Duration::from_millis(far));
            let logins = if contender.slow { FEW } else { SOME };
            let storm = rush(ground, contender, &people, logins, 50);
            failed += storm.failed;
            storm.rate
        });
        ground.road().set_round_trip(Duration::ZERO);
        let first = *firsts.get_or_insert(found);
        let cell = |place: usize| {
            let ratio = found[place] / first[place];
            format!("{} × ({}/s)", digits(ratio), digits(found[place]))
        };
        rates.row(contender.name, [cell(0), cell(1), failed.to_string()]);
    }
    vec![all, rates]
}

fn rush(
    ground: &Ground,
    contender: &Contender,
    people: &[Who],
    logins: usize,
    at_once: usize,
) -> Storm {
    eprintln!("{logins} logins by {}, {at_once} at a time", contender.name);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let serial = next.fetch_add(1, Ordering::Relaxed);
                    if serial >= logins {
                        return;
                    }
                    let who = &people[serial % people.len()];
                    let went = login(ground, contender, who, How::default(), |_, _| {});
                    done.lock().expect("how they went").push(went);
                }
            });
        }
    });
    let took = began.elapsed();
    let done: Vec<Went> = done.into_inner().expect("how they went");
    let failed = done.iter().filter(|went| went.code != Some(0)).count();
    let mut times: Vec<Duration> = done.iter().map(|went| went.whole).collect();
    times.sort_unstable();
    Storm {
        rate: (logins - failed) as f64 / took.as_secs_f64(),
        failed,
        times,
    }
}
