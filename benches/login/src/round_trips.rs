//! Measures round trips: how the wait grows with the distance to the servers.

use crate::contender::Contender;
use crate::network::Traffic;
use crate::plot::{self, Line};
use crate::run::{Login, Options, is_password_prompt, run_login};
use crate::testbed::{TestUser, Testbed};
use lab::table::{Table, bytes, digits, median, ms, thousands};
use std::time::Duration;

/// In milliseconds.
const ROUND_TRIPS: [u32; 5] = [0, 10, 20, 40, 80];
/// The index of the round-trip time at which bytes are counted and waits are shown.
const SHOWN: usize = 3;
const LOGINS: usize = 7;
/// How long a user types the password.
pub const TYPING: Duration = Duration::from_secs(1);

/// A contender, and how long its password is typed.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub contender: Contender,
    pub typing: Duration,
}

impl Row {
    /// The password is typed by hand.
    pub fn by_hand(contender: &Contender) -> Self {
        Self {
            name: contender.name.to_owned(),
            contender: contender.clone(),
            typing: TYPING,
        }
    }

    /// Nothing is typed, or the password is pasted.
    pub fn at_once(name: &str, contender: &Contender) -> Self {
        Self {
            name: name.to_owned(),
            contender: contender.clone(),
            typing: Duration::ZERO,
        }
    }
}

/// The measured values of one login.
struct Sample {
    /// From Enter on the password to the prompt for the code.
    to_code: Duration,
    /// All waits of the login, without the typing.
    whole: Duration,
    traffic: Traffic,
}

/// Returns two tables, and the chart of the first one.
pub fn measure(testbed: &Testbed, rows: &[Row]) -> (Vec<Table>, String) {
    let (mut trips, mut traffic) = tables();
    let mut lines = Vec::new();
    let users = testbed.users(rows.len());
    let counted = rows.iter().filter(|row| row.contender.by_sms);
    for (row, user) in counted.zip(&users) {
        let Some(all) = at_all_distances(testbed, row, user) else {
            eprintln!("{} is left out: its logins fail", row.name);
            continue;
        };
        let waits = all.each_ref().map(|logins| middle(logins, |it| it.to_code));
        let wholes = all.each_ref().map(|logins| middle(logins, |it| it.whole));
        let slopes = [slope(&waits), slope(&wholes)];
        let shown = [0, SHOWN, 4].map(|index| ms(waits[index]));
        trips.row(&row.name, slopes.map(digits).into_iter().chain(shown));
        traffic.row(&row.name, traffic_cells(&all[SHOWN]));
        let points = ROUND_TRIPS.iter().zip(waits);
        lines.push(Line {
            name: row.name.clone(),
            points: points
                .map(|(rtt, wait)| (f64::from(*rtt), wait.as_secs_f64() * 1000.0))
                .collect(),
        });
    }
    (vec![trips, traffic], plot::draw(&lines))
}

fn tables() -> (Table, Table) {
    let trips = Table::new(
        "Round trips",
        &format!(
            "The wait of the user between Enter on the password and the prompt for the code, with the same \
             round-trip time to all servers: each packet is delayed by half of it. Medians of {LOGINS} \
             logins at each of 0, 10, 20, 40 and 80 ms. The number of round trips is the slope of a straight \
             line through them (least squares), which does not depend on the protocol. *Whole login* is the \
             sum of all waits from the start to the end, without typing. The user types the password for \
             {} s; *pasted* is without that time. With a key the user types only the code, and the wait is \
             measured from the start.",
            TYPING.as_secs()
        ),
        &[
            "",
            "round trips",
            "whole login",
            "wait at 0 ms",
            "wait at 40 ms",
            "wait at 80 ms",
        ],
    );
    let traffic = Table::new(
        "Traffic",
        "Bytes and packets between this host and all servers in one login, with the headers of IP and TCP: \
         medians at a round-trip time of 40 ms.",
        &["", "sent", "received", "packets"],
    );
    (trips, traffic)
}

fn traffic_cells(logins: &[Sample]) -> [String; 3] {
    [
        bytes(middle(logins, |it| it.traffic.bytes_sent)),
        bytes(middle(logins, |it| it.traffic.bytes_received)),
        thousands(middle(logins, |it| it.traffic.packets)),
    ]
}

fn at_all_distances(testbed: &Testbed, row: &Row, user: &TestUser) -> Option<[Vec<Sample>; 5]> {
    eprintln!("round trips of {}", row.name);
    let mut all: [Vec<Sample>; 5] = Default::default();
    for (index, rtt) in ROUND_TRIPS.into_iter().enumerate() {
        let rtt = Duration::from_millis(rtt.into());
        testbed.network().set_round_trip(rtt);
        // The first login fills caches and is not counted.
        for serial in 0..=LOGINS {
            let sample = sample(testbed, row, user, rtt);
            if serial > 0 || sample.is_none() {
                all[index].push(sample?);
            }
        }
    }
    testbed.network().set_round_trip(Duration::ZERO);
    Some(all)
}

fn sample(testbed: &Testbed, row: &Row, user: &TestUser, rtt: Duration) -> Option<Sample> {
    let before = testbed.network().traffic();
    let options = Options {
        typing: row.typing,
        wrapper: &[],
    };
    let login = run_login(testbed, &row.contender, user, options, |_, _| {});
    // Waits for the packets that close the connections.
    std::thread::sleep(rtt * 2 + Duration::from_millis(10));
    if login.code != Some(0) {
        let lines = testbed.lab().machine().log().lines_for(&user.name);
        eprintln!("{}: {login:?}, {:?}", row.name, lines.last());
        return None;
    }
    Some(Sample {
        to_code: to_code(&login),
        whole: login
            .prompts
            .iter()
            .map(|(_, wait)| *wait)
            .sum::<Duration>()
            + login.last,
        traffic: testbed.network().traffic().since(before),
    })
}

/// Returns the wait after the password; it includes that for a menu.
fn to_code(login: &Login) -> Duration {
    let prompts = login.prompts.iter();
    let after = prompts.skip_while(|(prompt, _)| is_password_prompt(prompt));
    after.map(|(_, wait)| *wait).sum()
}

fn middle<T: Copy + Ord>(logins: &[Sample], of: impl Fn(&Sample) -> T) -> T {
    median(logins.iter().map(of).collect())
}

/// Returns the slope of the best fitting straight line: seconds of wait for a second of round-trip time.
fn slope(waits: &[Duration; 5]) -> f64 {
    let rtts = ROUND_TRIPS.map(|rtt| f64::from(rtt) / 1000.0);
    let waits = waits.map(|wait| wait.as_secs_f64());
    let mean = |all: [f64; 5]| all.iter().sum::<f64>() / 5.0;
    let (middle, wait) = (mean(rtts), mean(waits));
    let both = rtts.iter().zip(waits);
    let together: f64 = both.map(|(x, y)| (x - middle) * (y - wait)).sum();
    together / rtts.iter().map(|x| (x - middle).powi(2)).sum::<f64>()
}
