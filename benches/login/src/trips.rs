//! Round trips: how the wait grows with the distance to the servers.

use crate::contender::Contender;
use crate::ground::{Ground, Who};
use crate::host::{self, How, Went, for_password};
use crate::plot::{self, Line};
use crate::road::Traffic;
use lab::table::{Table, bytes, digits, median, ms, thousands};
use std::time::Duration;

/// In milliseconds.
const ROUND_TRIPS: [u32; 5] = [0, 10, 20, 40, 80];
/// The distance at which bytes are counted and waits are shown.
const SHOWN: usize = 3;
const LOGINS: usize = 7;
/// How long a person takes over his password.
pub const TYPING: Duration = Duration::from_secs(1);

/// A contender with how its password is typed.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    pub contender: Contender,
    pub typing: Duration,
}

impl Row {
    /// By a person.
    pub fn by_hand(contender: &Contender) -> Self {
        Self {
            name: contender.name.to_owned(),
            contender: contender.clone(),
            typing: TYPING,
        }
    }

    /// By nobody, or not by hand: at once.
    pub fn at_once(name: &str, contender: &Contender) -> Self {
        Self {
            name: name.to_owned(),
            contender: contender.clone(),
            typing: Duration::ZERO,
        }
    }
}

/// One login, as far as it is a matter of distance.
struct Login {
    /// From Enter on the password to the prompt that the code is typed at.
    to_code: Duration,
    /// All that the person waits for: from the start to the end without his own typing.
    whole: Duration,
    traffic: Traffic,
}

/// Two tables, and the picture of the first one.
pub fn measure(ground: &Ground, rows: &[Row]) -> (Vec<Table>, String) {
    let (mut trips, mut wire) = tables();
    let mut lines = Vec::new();
    let people = ground.people(rows.len());
    let counted = rows.iter().filter(|row| row.contender.by_sms);
    for (row, who) in counted.zip(&people) {
        let Some(all) = at_all_distances(ground, row, who) else {
            eprintln!("{} is left out: it does not let people in", row.name);
            continue;
        };
        let waits = all.each_ref().map(|logins| middle(logins, |it| it.to_code));
        let wholes = all.each_ref().map(|logins| middle(logins, |it| it.whole));
        let slopes = [slope(&waits), slope(&wholes)];
        let shown = [0, SHOWN, 4].map(|place| ms(waits[place]));
        trips.row(&row.name, slopes.map(digits).into_iter().chain(shown));
        wire.row(&row.name, on_the_wire(&all[SHOWN]));
        let points = ROUND_TRIPS.iter().zip(waits);
        lines.push(Line {
            name: row.name.clone(),
            points: points
                .map(|(far, wait)| (f64::from(*far), wait.as_secs_f64() * 1000.0))
                .collect(),
        });
    }
    (vec![trips, wire], plot::draw(&lines))
}

fn tables() -> (Table, Table) {
    let trips = Table::new(
        "Round trips",
        &format!(
            "How long a person waits between Enter on the password and the prompt that the code is typed \
             at, with all servers equally far away: each packet is held for half of the round trip. \
             Medians of {LOGINS} logins at each of 0, 10, 20, 40 and 80 ms; round trips are the slope of a \
             straight line through them (least squares), which needs no knowledge of what is sent. \
             *Whole login* is every wait from the start to the end, the person's typing taken out. A \
             person types his password for {} s; *pasted* is at once. With a key, nothing is typed \
             before the code, and the wait is from the start.",
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
    let wire = Table::new(
        "On the wire",
        "Between this host and all servers in one login, with the headers of IP and TCP: medians at \
         a round trip of 40 ms.",
        &["", "sent", "received", "packets"],
    );
    (trips, wire)
}

fn on_the_wire(logins: &[Login]) -> [String; 3] {
    [
        bytes(middle(logins, |it| it.traffic.bytes_out)),
        bytes(middle(logins, |it| it.traffic.bytes_back)),
        thousands(middle(logins, |it| it.traffic.packets)),
    ]
}

fn at_all_distances(ground: &Ground, row: &Row, who: &Who) -> Option<[Vec<Login>; 5]> {
    eprintln!("round trips of {}", row.name);
    let mut all: [Vec<Login>; 5] = Default::default();
    for (place, far) in ROUND_TRIPS.into_iter().enumerate() {
        let far = Duration::from_millis(far.into());
        ground.road().set_round_trip(far);
        // The first one is for whatever keeps something for the next.
        for serial in 0..=LOGINS {
            let login = one(ground, row, who, far);
            if serial > 0 || login.is_none() {
                all[place].push(login?);
            }
        }
    }
    ground.road().set_round_trip(Duration::ZERO);
    Some(all)
}

fn one(ground: &Ground, row: &Row, who: &Who, far: Duration) -> Option<Login> {
    let before = ground.road().traffic();
    let how = How {
        typing: row.typing,
        through: &[],
    };
    let went = host::login(ground, &row.contender, who, how, |_, _| {});
    // Good-byes are still on the road.
    std::thread::sleep(far * 2 + Duration::from_millis(10));
    if went.code != Some(0) {
        let lines = ground.bench().world().log().lines_for(&who.name);
        eprintln!("{}: {went:?}, {:?}", row.name, lines.last());
        return None;
    }
    Some(Login {
        to_code: to_code(&went),
        whole: went.prompts.iter().map(|(_, wait)| *wait).sum::<Duration>() + went.last,
        traffic: ground.road().traffic().since(before),
    })
}

/// A menu in between is waited for as well.
fn to_code(went: &Went) -> Duration {
    let prompts = went.prompts.iter();
    let after = prompts.skip_while(|(prompt, _)| for_password(prompt));
    after.map(|(_, wait)| *wait).sum()
}

fn middle<T: Copy + Ord>(logins: &[Login], of: impl Fn(&Login) -> T) -> T {
    median(logins.iter().map(of).collect())
}

/// Of the straight line that fits best: seconds of wait for a second of distance.
fn slope(waits: &[Duration; 5]) -> f64 {
    let far = ROUND_TRIPS.map(|far| f64::from(far) / 1000.0);
    let waits = waits.map(|wait| wait.as_secs_f64());
    let mean = |all: [f64; 5]| all.iter().sum::<f64>() / 5.0;
    let (middle, wait) = (mean(far), mean(waits));
    let both = far.iter().zip(waits);
    let together: f64 = both.map(|(x, y)| (x - middle) * (y - wait)).sum();
    together / far.iter().map(|x| (x - middle).powi(2)).sum::<f64>()
}
