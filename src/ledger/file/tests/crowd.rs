//! Many at once: threads, processes, some that are stopped and some that are killed.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    super::*,
    stage::{Scratch, limits, rules, somebody, soon},
};
use crate::{
    config::{Limits, Rule},
    ledger::conformance::Dice,
};

/// What a child of the test is to do, and in which folder.
const ACT: &str = "SMS_OTP_TEST_ACT";
const FOLDER: &str = "SMS_OTP_TEST_FOLDER";

/// How many of these get an SMS when they ask at once, each with a file of his own.
fn reserved_at_once(scratch: &Scratch, crowd: Vec<Account>, limits: &Limits) -> usize {
    let answers = thread::scope(|scope| {
        let ask = |account: Account| {
            let answer = scratch.open_really().admit(&account, rules(limits), soon());
            answer.unwrap().decision
        };
        let threads: Vec<_> = crowd
            .into_iter()
            .map(|account| scope.spawn(move || ask(account)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Decision>| thread.join().unwrap();
        threads.into_iter().map(join).collect::<Vec<_>>()
    });
    let is_reserved = |answer: &&Decision| matches!(answer, Decision::Reserved(_));
    answers.iter().filter(is_reserved).count()
}

#[test]
fn of_many_at_once_exactly_so_many_get_one() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900), (8, 3600)]);
    let crowd = vec![somebody(1); 40];
    assert_eq!(reserved_at_once(&scratch, crowd, &limits), 5);
}

#[test]
fn many_people_share_one_phone() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let shared = |number| Account {
        phone: somebody(1).phone,
        numbers: somebody(1).numbers,
        ..somebody(number)
    };
    let crowd = (0..40).map(shared).collect();
    assert_eq!(reserved_at_once(&scratch, crowd, &limits), 5);
}

#[test]
fn never_more_than_the_total() {
    let scratch = Scratch::new();
    let mut limits = limits(&[(5, 900)]);
    let within = Duration::from_secs(900);
    limits.sms_total = Some(Rule { most: 7, within });
    let at_once = reserved_at_once(&scratch, (0..40).map(somebody).collect(), &limits);
    assert!(at_once <= 7, "{at_once}");
    // Whoever took himself out again is not counted: what is left is there for others.
    let later =
        (100..110).map(|number| reserved_at_once(&scratch, vec![somebody(number)], &limits));
    assert_eq!(at_once + later.sum::<usize>(), 7);
}

#[test]
fn those_who_make_the_file_at_once_make_one() {
    let scratch = Scratch::new();
    let names = thread::scope(|scope| {
        let open = || scratch.open_really().disk.keys.user("somebody");
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert!(names.iter().all(|name| *name == names[0]));
    let left = std::fs::read_dir(scratch.folder()).unwrap().count();
    assert_eq!(left, 1, "drafts are left behind");
}

/// Another process, which ends with the test at the latest.
struct Part(Child);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Part {
    /// What it has said when it ends by itself.
    fn said(mut self) -> String {
        let mut said = String::new();
        let mut out = self.0.stdout.take().unwrap();
        out.read_to_string(&mut said).unwrap();
        said
    }

    /// What it has said until it was killed.
    fn killed(mut self) -> String {
        self.0.kill().unwrap();
        self.said()
    }
}

/// Another process, which does what [`as_a_child`] says.
fn child(scratch: &Scratch, act: &str) -> Part {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "ledger::file::tests::crowd::as_a_child",
            "--nocapture",
        ])
        .env(ACT, act)
        .env(FOLDER, scratch.folder())
        .stdout(Stdio::piped())
        .spawn();
    Part(child.unwrap())
}

/// No test: what the children of the others do.
#[test]
fn as_a_child() {
    let (Ok(act), Ok(folder)) = (std::env::var(ACT), std::env::var(FOLDER)) else {
        return;
    };
    let mut file = FileStore::open(&folder).unwrap();
    match act.as_str() {
        "hold" => {
            let name = file.disk.keys.user(&somebody(1).dn);
            let phone = file.disk.keys.phone(somebody(1).phone.e164());
            let _person = file.hold(USERS, &name, "", soon()).unwrap();
            let _phone = file.hold(PHONES, &phone, "", soon()).unwrap();
            // The turn and the anchor, all shards but one, and most of the first level.
            let lock = |start, length| file.disk.try_lock(start, length).unwrap().unwrap();
            let _clock = (lock(1 << 60, 2), lock(512, 512));
            let _most = (lock(4096, 31 * 512), lock(20_480, 5 * 4096));
            println!("held");
            thread::sleep(Duration::from_secs(60));
        }
        "ask" => {
            let limits = limits(&[(5, 900)]);
            let answer = file
                .admit(&somebody(1), rules(&limits), soon())
                .unwrap()
                .decision;
            println!("reserved {}", matches!(answer, Decision::Reserved(_)));
        }
        "no room" => without_room(&mut file),
        seed => try_on_and_on(&mut file, Dice(seed.parse().unwrap())),
    }
}

/// New people until the file would have to grow beyond what this process may write.
fn without_room(file: &mut FileStore) {
    let limits = limits(&[(5, 900)]);
    let most = rustix::process::Rlimit {
        current: Some(table::length(2)),
        maximum: None,
    };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, most).unwrap();
    let mut new = (1000..).map(|number| {
        (
            number,
            file.admit(&somebody(number), rules(&limits), soon()),
        )
    });
    let (number, error) = new
        .find_map(|(number, answer)| Some((number, answer.err()?)))
        .unwrap();
    // Those who have a row are as well off as ever.
    let _ = file
        .record_attempt(&somebody(1), rules(&limits), soon())
        .unwrap();
    println!("\nrefused after {}: {}", number - 1000, error.detail());
}

/// Wrong codes of a few people, until somebody kills us; says so of each that is written.
fn try_on_and_on(file: &mut FileStore, mut dice: Dice) {
    let mut limits = limits(&[(100_000, 900)]);
    (limits.failures, limits.disable_after) = (100_000, 100_000);
    loop {
        let account = somebody(u32::try_from(dice.below(6)).unwrap());
        let _ = file.admit(&account, rules(&limits), soon()).unwrap();
        let _ = file
            .record_attempt(&account, rules(&limits), soon())
            .unwrap();
        println!("\ncounted {}", account.dn);
    }
}

#[test]
fn of_many_processes_exactly_so_many_get_one() {
    let scratch = Scratch::new();
    let children: Vec<Part> = (0..12).map(|_| child(&scratch, "ask")).collect();
    let mut reserved = 0;
    for child in children {
        let said = child.said();
        assert!(said.contains("reserved "), "{said}");
        reserved += usize::from(said.contains("reserved true"));
    }
    assert_eq!(reserved, 5);
}

#[test]
fn without_room_nobody_is_killed_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let mut file = scratch.open_really();
    let _ = file
        .record_attempt(&somebody(1), rules(&limits), soon())
        .unwrap();
    let said = child(&scratch, "no room").said();
    assert!(said.contains("cannot be written: File too large"), "{said}");
    let standing = file.status(&somebody(1).dn, soon()).unwrap();
    assert_eq!(standing.failures, 2);
    // Where there is room again, it goes on.
    for number in 2000..2300 {
        let _ = file
            .admit(&somebody(number), rules(&limits), soon())
            .unwrap();
    }
}

#[test]
fn who_stands_still_costs_nobody_else() {
    let scratch = Scratch::new();
    let mut limits = limits(&[(5, 900)]);
    let within = Duration::from_secs(900);
    limits.sms_total = Some(Rule { most: 50, within });
    let mut file = scratch.open_really();
    let _ = file.admit(&somebody(1), rules(&limits), soon()).unwrap();
    let mut holder = child(&scratch, "hold");
    let lines = BufReader::new(holder.0.stdout.take().unwrap()).lines();
    assert!(
        lines
            .map_while(Result::ok)
            .any(|line| line.ends_with("held"))
    );
    let pid = Pid::from_child(&holder.0);
    kill_process(pid, Signal::STOP).unwrap();

    for number in 2..12 {
        let other = file
            .admit(&somebody(number), rules(&limits), soon())
            .unwrap();
        assert!(matches!(other.decision, Decision::Reserved(_)), "{number}");
    }
    let same = file
        .admit(&somebody(1), rules(&limits), soon())
        .unwrap_err();
    assert!(same.what.contains("does not continue"), "{same:?}");

    drop(holder);
    let same = file.admit(&somebody(1), rules(&limits), soon()).unwrap();
    assert!(matches!(same.decision, Decision::Reserved(_)));
}

#[test]
fn nothing_is_lost_with_those_who_are_killed() {
    let scratch = Scratch::new();
    drop(scratch.open_really());
    let mut dice = Dice(7);
    let mut counted: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..12 {
        let children = [dice.roll(), dice.roll()].map(|seed| child(&scratch, &seed.to_string()));
        thread::sleep(Duration::from_millis(20 + dice.below(60)));
        for said in children.map(Part::killed) {
            let lines = said.lines();
            for user in lines.filter_map(|line| line.strip_prefix("counted ")) {
                // The last line may be half a line.
                if user.ends_with("dc=org") {
                    *counted.entry(user.into()).or_default() += 1;
                }
            }
        }
        let mut file = scratch.open_really();
        for (user, counted) in &counted {
            let standing = file.status(user, soon()).unwrap();
            assert!(standing.failures >= *counted, "round {round}, {user}");
        }
    }
    assert!(counted.len() == 6, "the children had no time: {counted:?}");
}
