//! A file that is not as we wrote it, and a disk that does not do.

use std::os::unix::fs::{FileExt, PermissionsExt};

use super::{
    super::*,
    stage::{Scratch, Time, limits, rules, somebody, soon},
};
use crate::{config::Rule, failure::FailureKind};

/// Turns a bit of the file over.
fn flip(scratch: &Scratch, at: u64) {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(scratch.path())
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

/// Where the rows of a ledger with a single bucket each stand that hold something.
fn rows(scratch: &Scratch) -> Vec<u64> {
    let bytes = std::fs::read(scratch.path()).unwrap();
    let sectors = bytes.chunks(512).zip((0..).step_by(512)).skip(20_480 / 512);
    let full = sectors.filter(|(sector, _)| sector.iter().any(|byte| *byte != 0));
    full.map(|(_, at)| at).collect()
}

#[test]
fn a_file_that_is_none_is_refused_with_a_remedy() {
    let long = length_of_one_level();
    for (what, spoil) in [
        ("empty", (|_| Vec::new()) as fn(Vec<u8>) -> Vec<u8>),
        ("short", |bytes| bytes[..300].to_vec()),
        ("half", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("a byte less", |bytes| bytes[..bytes.len() - 1].to_vec()),
        ("a byte more", |bytes| [bytes, vec![0]].concat()),
        ("something else", |bytes| vec![b'x'; bytes.len()]),
        ("zeros", |bytes| vec![0; bytes.len()]),
    ] {
        let scratch = Scratch::new();
        drop(scratch.open_really());
        let bytes = std::fs::read(scratch.path()).unwrap();
        assert_eq!(bytes.len() as u64, long);
        std::fs::write(scratch.path(), spoil(bytes)).unwrap();
        let error = scratch.error();
        assert!(error.what.contains("is damaged"), "{what}: {error:?}");
        let path = scratch.path();
        let mend = format!("mv {0} {0}.damaged", path.display());
        assert!(error.remedy.starts_with(&mend), "{what}: {}", error.remedy);
        // The remedy helps.
        std::fs::rename(&path, path.with_extension("damaged")).unwrap();
        drop(scratch.open_really());
    }
    let scratch = Scratch::new();
    drop(scratch.open_really());
    std::fs::remove_file(scratch.path()).unwrap();
    std::fs::create_dir(scratch.path()).unwrap();
    let error = scratch.error();
    assert!(error.remedy.contains(".damaged"), "{}", error.remedy);
}

const fn length_of_one_level() -> u64 {
    table::length(1)
}

#[test]
fn no_bit_of_header_clock_or_total_turns_unnoticed() {
    let limits = limits(&[(5, 900)]);
    let scratch = Scratch::new();
    let account = somebody(1);
    let _ = scratch
        .open_really()
        .admit(&account, rules(&limits), soon())
        .unwrap();
    // Magic, format, key, padding; boot, times; all of them sealed, and so are the seals.
    for at in [0, 15, 16, 24, 28, 40, 59, 60, 511, 512, 530, 540, 580, 1023] {
        flip(&scratch, at);
        assert_eq!(scratch.error().kind, FailureKind::Local, "{at}");
        flip(&scratch, at);
    }
    drop(scratch.open_really());
    let counts = (4096..20_480).step_by(512);
    let mut counts = counts.filter(|at| {
        let mut byte = [0];
        let file = std::fs::File::open(scratch.path()).unwrap();
        file.read_exact_at(&mut byte, *at).unwrap();
        byte != [0]
    });
    flip(&scratch, counts.next().unwrap() + 100);
    let within = Duration::from_secs(900);
    let mut with_total = limits.clone();
    with_total.sms_total = Some(Rule { most: 9, within });
    let mut file = scratch.open_really();
    let refused = file
        .admit(&somebody(2), rules(&with_total), soon())
        .unwrap_err();
    assert!(refused.remedy.starts_with("mv "), "{refused:?}");
    // Without a brake on all, nobody needs it.
    let admission = file.admit(&somebody(2), rules(&limits), soon()).unwrap();
    assert!(matches!(admission.decision, Decision::Reserved(_)));
}

#[test]
fn a_file_of_another_version_is_left_alone() {
    let scratch = Scratch::new();
    drop(scratch.open_really());
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(scratch.path())
        .unwrap();
    for (version, says) in [
        (3, "newer version (format 3)"),
        (1, "older version (format 1)"),
        (0, "is damaged"),
    ] {
        file.write_all_at(&[version], 24).unwrap();
        let error = scratch.error().what;
        assert!(error.contains(says), "{error:?}");
    }
}

#[test]
fn another_ledgers_key_reads_nothing() {
    let (one, other) = (Scratch::new(), Scratch::new());
    drop(one.open_really());
    drop(other.open_really());
    let mut bytes = std::fs::read(one.path()).unwrap();
    bytes[..512].copy_from_slice(&std::fs::read(other.path()).unwrap()[..512]);
    std::fs::write(one.path(), bytes).unwrap();
    assert!(one.error().what.contains("its clock cannot be read"));
}

/// Somebody is locked, and then every row of the file is damaged at `bit`.
fn locked_and_damaged(bit: u64) -> (Scratch, Account) {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let account = somebody(1);
    let mut file = scratch.open_really();
    let _ = file.admit(&account, rules(&limits), soon()).unwrap();
    for _ in 0..3 {
        let _ = file
            .record_attempt(&account, rules(&limits), soon())
            .unwrap();
    }
    assert_eq!(rows(&scratch).len(), 2, "the person and the phone");
    for row in rows(&scratch) {
        flip(&scratch, row + bit);
    }
    (scratch, account)
}

#[test]
fn a_damaged_row_loses_no_lock_and_an_administrator_mends_it() {
    // In the name, in the seal, in what it says, and in the part that is not used.
    for bit in [3, 17, 30, 500] {
        let (scratch, account) = locked_and_damaged(bit);
        let limits = limits(&[(5, 900)]);
        let mut file = scratch.open_really();
        let refused = file.admit(&account, rules(&limits), soon()).unwrap_err();
        assert!(
            refused.remedy.starts_with("sms-otp unlock"),
            "{bit}: {refused:?}"
        );
        assert!(
            file.record_attempt(&account, rules(&limits), soon())
                .is_err(),
            "{bit}"
        );
        assert!(file.status(&account.dn, soon()).is_err(), "{bit}");
        assert!(file.summary(soon()).is_ok(), "{bit}");
        let before = file.unlock(&account.dn, false, soon()).unwrap();
        assert!(before.known, "{bit}");
        let admission = file.admit(&account, rules(&limits), soon()).unwrap();
        assert!(matches!(admission.decision, Decision::Reserved(_)), "{bit}");
        assert_eq!(file.status(&account.dn, soon()).unwrap().sms.len(), 1);
    }
}

#[test]
fn a_damaged_row_is_mended_for_whom_it_names_and_for_nobody_else() {
    let (scratch, account) = locked_and_damaged(30);
    let mut file = scratch.open_really();
    let bucket = |user: &str| table::bucket(0, &file.disk.keys.user(user));
    let same = |other: &Account| bucket(&other.dn) == bucket(&account.dn);
    let neighbour = (2..1000).map(somebody).find(same).unwrap();
    file.unlock(&neighbour.dn, false, soon()).unwrap();
    assert!(file.status(&account.dn, soon()).is_err());
    assert_eq!(rows(&scratch).len(), 3);
    file.unlock(&account.dn, false, soon()).unwrap();
    assert_eq!(rows(&scratch).len(), 3);
}

#[test]
fn sms_to_a_phone_that_were_lost_are_vouched_for_by_an_administrator() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let account = somebody(1);
    let mut file = scratch.open_really();
    let _ = file.admit(&account, rules(&limits), soon()).unwrap();
    let bytes = std::fs::read(scratch.path()).unwrap();
    let is_phone = |at: &u64| bytes[usize::try_from(*at).unwrap() + 24] == 2;
    let phone = rows(&scratch).into_iter().find(is_phone).unwrap();
    flip(&scratch, phone + 30);
    let refused = file.admit(&account, rules(&limits), soon()).unwrap_err();
    assert!(refused.remedy.starts_with("sms-otp unlock"), "{refused:?}");
    file.unlock(&account.dn, false, soon()).unwrap();
    let admission = file.admit(&account, rules(&limits), soon()).unwrap();
    assert!(matches!(admission.decision, Decision::Reserved(_)));
}

#[test]
fn a_damaged_row_is_nothing_to_those_who_have_their_own() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let mut file = scratch.open_really();
    for number in 0..30 {
        let _ = file
            .admit(&somebody(number), rules(&limits), soon())
            .unwrap();
    }
    let all = rows(&scratch);
    flip(&scratch, all[0] + 200);
    let refused = (0..30).filter(|number| {
        let answer = file.admit(&somebody(*number), rules(&limits), soon());
        answer.is_err()
    });
    assert_eq!(refused.count(), 1);
}

#[test]
fn a_row_counts_only_where_it_was_written() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let mut file = scratch.open_really();
    let _ = file.admit(&somebody(1), rules(&limits), soon()).unwrap();
    let from = rows(&scratch)[0];
    let bytes = std::fs::read(scratch.path()).unwrap();
    let start = usize::try_from(from).unwrap();
    let disk = std::fs::OpenOptions::new()
        .write(true)
        .open(scratch.path())
        .unwrap();
    disk.write_all_at(&bytes[start..start + 512], from + 512)
        .unwrap();
    let place = file.disk.sector(from + 512).unwrap();
    assert!(matches!(place, ledger_file::Found::Damaged(_)));
}

#[test]
fn what_others_can_read_or_write_is_refused() {
    let scratch = Scratch::new();
    drop(scratch.open_really());
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let file_mode = std::fs::metadata(scratch.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(file_mode & 0o7777, 0o600);
    let folder = scratch.folder();
    let folder_mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(folder_mode & 0o7777, 0o700);
    for (path, bad, good, remedy) in [
        (scratch.path(), 0o644, 0o600, "chmod 0600"),
        (scratch.path(), 0o602, 0o600, "chmod go-w"),
        (folder.clone().into(), 0o770, 0o700, "chmod go-w"),
    ] {
        mode(&path, bad);
        let error = scratch.error();
        assert!(
            error.remedy.starts_with(remedy),
            "{error:?}: {}",
            error.remedy
        );
        // Who has read it knows the key.
        let new_key = error.remedy.contains(" for a new key");
        assert_eq!(new_key, bad == 0o644, "{}", error.remedy);
        mode(&path, good);
    }
    drop(scratch.open_really());
}

#[test]
fn where_nothing_can_be_made_it_says_so() {
    let scratch = Scratch::new();
    let deep = format!("{}/not/there", scratch.folder());
    for (folder, remedy) in [
        (deep.as_str(), "create the parent directory"),
        ("var/lib", "write the absolute path"),
        ("/dev/null", "set ledger.path to a directory"),
    ] {
        let error = FileStore::open(folder).err().unwrap();
        assert!(error.remedy.starts_with(remedy), "{folder}: {error:?}");
    }
}

#[test]
fn a_disk_that_cannot_be_written_refuses_and_forgets_nothing() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let mut file = scratch.open(&Time::default());
    let account = somebody(1);
    let _ = file
        .record_attempt(&account, rules(&limits), soon())
        .unwrap();
    // A descriptor that cannot write stands for a disk that cannot.
    let read_only = std::fs::File::open(scratch.path()).unwrap();
    let header = std::fs::read(scratch.path()).unwrap();
    let keys = keys::Keys::new(&header[28..60].try_into().unwrap());
    let path = scratch.path().to_str().unwrap().to_owned();
    file.disk = ledger_file::LedgerFile::new(read_only.into(), keys, path);
    let error = file
        .record_attempt(&account, rules(&limits), soon())
        .unwrap_err();
    assert!(error.what.contains("cannot be"), "{error:?}");
    assert_eq!(file.status(&account.dn, soon()).unwrap().failures, 1);
}

#[test]
fn drafts_of_the_killed_are_cleared_up() {
    let scratch = Scratch::new();
    drop(scratch.open_really());
    let stray = format!("{}/ledger.new-0123456789abcdef", scratch.folder());
    // Killed between the two names of one file.
    std::fs::hard_link(scratch.path(), &stray).unwrap();
    drop(scratch.open_really());
    assert!(!std::path::Path::new(&stray).exists());
    // Killed before.
    std::fs::rename(scratch.path(), &stray).unwrap();
    drop(scratch.open_really());
    assert!(!std::path::Path::new(&stray).exists());
    assert!(scratch.path().exists());
}
