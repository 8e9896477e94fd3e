//! Many logins at the same time: threads and processes, some of them stopped or killed.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    super::*,
    fixtures::{Scratch, account_of, limits, rules, soon},
};
use crate::{
    config::{Limits, Rule},
    ledger::conformance::Dice,
};

/// What a child process of a test does, and the directory of the ledger.
const ACT: &str = "SMS_OTP_TEST_ACT";
const FOLDER: &str = "SMS_OTP_TEST_FOLDER";

/// How many of these accounts get an SMS at the same time, each with its own open file.
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
fn of_many_threads_exactly_the_limit_get_an_sms() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900), (8, 3600)]);
    let crowd = vec![account_of(1); 40];
    assert_eq!(reserved_at_once(&scratch, crowd, &limits), 5);
}

#[test]
fn many_users_share_one_phone() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let shared = |number| Account {
        phone: account_of(1).phone,
        numbers: account_of(1).numbers,
        ..account_of(number)
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
    let at_once = reserved_at_once(&scratch, (0..40).map(account_of).collect(), &limits);
    assert!(at_once <= 7, "{at_once}");
    // Logins that removed their SMS again are not counted: the rest of the limit is available.
    let later =
        (100..110).map(|number| reserved_at_once(&scratch, vec![account_of(number)], &limits));
    assert_eq!(at_once + later.sum::<usize>(), 7);
}

#[test]
fn processes_that_create_the_file_create_one() {
    let scratch = Scratch::new();
    let names = thread::scope(|scope| {
        let open = || scratch.open_really().disk.keys.user("alice");
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert!(names.iter().all(|name| *name == names[0]));
    let left = std::fs::read_dir(scratch.directory()).unwrap().count();
    assert_eq!(left, 1, "drafts are left");
}

/// A child process, which is killed with this value.
struct ChildGuard(Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl ChildGuard {
    /// Its output, when it ends by itself.
    fn output(mut self) -> String {
        let mut output = String::new();
        let mut out = self.0.stdout.take().unwrap();
        out.read_to_string(&mut output).unwrap();
        output
    }

    /// Kills it and returns its output.
    fn kill(mut self) -> String {
        self.0.kill().unwrap();
        self.output()
    }
}

/// Starts a child process that runs [`child_process`].
fn child(scratch: &Scratch, act: &str) -> ChildGuard {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "ledger::file::tests::concurrency::child_process",
            "--nocapture",
        ])
        .env(ACT, act)
        .env(FOLDER, scratch.directory())
        .stdout(Stdio::piped())
        .spawn();
    ChildGuard(child.unwrap())
}

/// Not a test: the code of the child processes.
#[test]
fn child_process() {
    let (Ok(act), Ok(directory)) = (std::env::var(ACT), std::env::var(FOLDER)) else {
        return;
    };
    let mut file = FileStore::open(&directory).unwrap();
    match act.as_str() {
        "hold" => {
            let name = file.disk.keys.user(&account_of(1).dn);
            let phone = file.disk.keys.phone(account_of(1).phone.e164());
            let _person = file.lock(USERS, &name, "", soon()).unwrap();
            let _phone = file.lock(PHONES, &phone, "", soon()).unwrap();
            // Turn and anchor, all shards except one, and most of the first level.
            let lock = |start, length| file.disk.try_lock(start, length).unwrap().unwrap();
            let _clock = (lock(1 << 60, 2), lock(512, 512));
            let _most = (lock(4096, 31 * 512), lock(20_480, 5 * 4096));
            println!("held");
            thread::sleep(Duration::from_secs(60));
        }
        "ask" => {
            let limits = limits(&[(5, 900)]);
            let answer = file
                .admit(&account_of(1), rules(&limits), soon())
                .unwrap()
                .decision;
            println!("reserved {}", matches!(answer, Decision::Reserved(_)));
        }
        "full" => fill_up(&mut file),
        seed => record_until_killed(&mut file, Dice(seed.parse().unwrap())),
    }
}

/// Adds users until the file would have to grow beyond the limit of this process.
fn fill_up(file: &mut FileStore) {
    let limits = limits(&[(5, 900)]);
    let most = rustix::process::Rlimit {
        current: Some(table::length(2)),
        maximum: None,
    };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, most).unwrap();
    let mut new = (1000..).map(|number| {
        (
            number,
            file.admit(&account_of(number), rules(&limits), soon()),
        )
    });
    let (number, error) = new
        .find_map(|(number, answer)| Some((number, answer.err()?)))
        .unwrap();
    // Users with a row are not affected.
    let _ = file
        .record_attempt(&account_of(1), rules(&limits), soon())
        .unwrap();
    println!("\nrefused after {}: {}", number - 1000, error.detail());
}

/// Records wrong codes of a few users until the process is killed, and prints each that was written.
fn record_until_killed(file: &mut FileStore, mut dice: Dice) {
    let mut limits = limits(&[(100_000, 900)]);
    (limits.failures, limits.disable_after) = (100_000, 100_000);
    loop {
        let account = account_of(u32::try_from(dice.below(6)).unwrap());
        let _ = file.admit(&account, rules(&limits), soon()).unwrap();
        let _ = file
            .record_attempt(&account, rules(&limits), soon())
            .unwrap();
        println!("\ncounted {}", account.dn);
    }
}

#[test]
fn of_many_processes_exactly_the_limit_get_an_sms() {
    let scratch = Scratch::new();
    let children: Vec<ChildGuard> = (0..12).map(|_| child(&scratch, "ask")).collect();
    let mut reserved = 0;
    for child in children {
        let output = child.output();
        assert!(output.contains("reserved "), "{output}");
        reserved += usize::from(output.contains("reserved true"));
    }
    assert_eq!(reserved, 5);
}

#[test]
fn with_a_full_file_no_process_is_killed_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let mut file = scratch.open_really();
    let _ = file
        .record_attempt(&account_of(1), rules(&limits), soon())
        .unwrap();
    let output = child(&scratch, "full").output();
    assert!(
        output.contains("cannot be written: File too large"),
        "{output}"
    );
    let status = file.status(&account_of(1).dn, soon()).unwrap();
    assert_eq!(status.failures, 2);
    // A process without the limit continues.
    for number in 2000..2300 {
        let _ = file
            .admit(&account_of(number), rules(&limits), soon())
            .unwrap();
    }
}

#[test]
fn a_stopped_process_blocks_no_other_user() {
    let scratch = Scratch::new();
    let mut limits = limits(&[(5, 900)]);
    let within = Duration::from_secs(900);
    limits.sms_total = Some(Rule { most: 50, within });
    let mut file = scratch.open_really();
    let _ = file.admit(&account_of(1), rules(&limits), soon()).unwrap();
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
            .admit(&account_of(number), rules(&limits), soon())
            .unwrap();
        assert!(matches!(other.decision, Decision::Reserved(_)), "{number}");
    }
    let same = file
        .admit(&account_of(1), rules(&limits), soon())
        .unwrap_err();
    assert!(same.what.contains("seems to be stopped"), "{same:?}");

    drop(holder);
    let same = file.admit(&account_of(1), rules(&limits), soon()).unwrap();
    assert!(matches!(same.decision, Decision::Reserved(_)));
}

#[test]
fn nothing_is_lost_when_processes_are_killed() {
    let scratch = Scratch::new();
    drop(scratch.open_really());
    let mut dice = Dice(7);
    let mut counted: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..12 {
        let children = [dice.roll(), dice.roll()].map(|seed| child(&scratch, &seed.to_string()));
        thread::sleep(Duration::from_millis(20 + dice.below(60)));
        for output in children.map(ChildGuard::kill) {
            let lines = output.lines();
            for user in lines.filter_map(|line| line.strip_prefix("counted ")) {
                // The last line may be incomplete.
                if user.ends_with("dc=org") {
                    *counted.entry(user.into()).or_default() += 1;
                }
            }
        }
        let mut file = scratch.open_really();
        for (user, counted) in &counted {
            let status = file.status(user, soon()).unwrap();
            assert!(status.failures >= *counted, "round {round}, {user}");
        }
    }
    assert!(
        counted.len() == 6,
        "the children had too little time: {counted:?}"
    );
}
