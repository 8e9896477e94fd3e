//! Damaged files, and disks that fail.

use std::os::unix::fs::{FileExt, PermissionsExt};

use super::{
    super::*,
    fixtures::{Scratch, Time, account_of, limits, rules, soon},
};
use crate::{config::Rule, failure::FailureKind};

/// Flips a bit of the file.
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

/// Offsets of the rows that are not empty, in a ledger with one level.
fn rows(scratch: &Scratch) -> Vec<u64> {
    let bytes = std::fs::read(scratch.path()).unwrap();
    let sectors = bytes.chunks(512).zip((0..).step_by(512)).skip(20_480 / 512);
    let full = sectors.filter(|(sector, _)| sector.iter().any(|byte| *byte != 0));
    full.map(|(_, at)| at).collect()
}

#[test]
fn a_file_that_is_not_a_ledger_is_refused_with_a_remedy() {
    let long = length_of_one_level();
    for (what, spoil) in [
        ("empty", (|_| Vec::new()) as fn(Vec<u8>) -> Vec<u8>),
        ("short", |bytes| bytes[..300].to_vec()),
        ("one half", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("a byte less", |bytes| bytes[..bytes.len() - 1].to_vec()),
        ("a byte more", |bytes| [bytes, vec![0]].concat()),
        ("other content", |bytes| vec![b'x'; bytes.len()]),
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
        let remedy = format!("mv {0} {0}.damaged", path.display());
        assert!(
            error.remedy.starts_with(&remedy),
            "{what}: {}",
            error.remedy
        );
        // The remedy works.
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
fn a_flipped_bit_of_header_clock_or_total_is_detected() {
    let limits = limits(&[(5, 900)]);
    let scratch = Scratch::new();
    let account = account_of(1);
    let _ = scratch
        .open_really()
        .admit(&account, rules(&limits), soon())
        .unwrap();
    // Magic, format, key, padding; boot, times; and the seals themselves.
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
        .admit(&account_of(2), rules(&with_total), soon())
        .unwrap_err();
    assert!(refused.remedy.starts_with("mv "), "{refused:?}");
    // Without a total limit the total is not needed.
    let admission = file.admit(&account_of(2), rules(&limits), soon()).unwrap();
    assert!(matches!(admission.decision, Decision::Reserved(_)));
}

#[test]
fn a_file_of_another_version_is_not_changed() {
    let scratch = Scratch::new();
    drop(scratch.open_really());
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(scratch.path())
        .unwrap();
    for (version, text) in [
        (3, "newer version (format 3)"),
        (1, "older version (format 1)"),
        (0, "is damaged"),
    ] {
        file.write_all_at(&[version], 24).unwrap();
        let error = scratch.error().what;
        assert!(error.contains(text), "{error:?}");
    }
}

#[test]
fn the_key_of_another_ledger_is_useless() {
    let (one, other) = (Scratch::new(), Scratch::new());
    drop(one.open_really());
    drop(other.open_really());
    let mut bytes = std::fs::read(one.path()).unwrap();
    bytes[..512].copy_from_slice(&std::fs::read(other.path()).unwrap()[..512]);
    std::fs::write(one.path(), bytes).unwrap();
    assert!(one.error().what.contains("its clock cannot be read"));
}

/// Locks an account, then damages every row of the file at `bit`.
fn locked_and_damaged(bit: u64) -> (Scratch, Account) {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let account = account_of(1);
    let mut file = scratch.open_really();
    let _ = file.admit(&account, rules(&limits), soon()).unwrap();
    for _ in 0..3 {
        let _ = file
            .record_attempt(&account, rules(&limits), soon())
            .unwrap();
    }
    assert_eq!(rows(&scratch).len(), 2, "the user and the phone");
    for row in rows(&scratch) {
        flip(&scratch, row + bit);
    }
    (scratch, account)
}

#[test]
fn a_damaged_row_loses_no_lock_and_unlocking_replaces_it() {
    // In the name, the seal, the content, and the unused part.
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
fn a_damaged_row_is_replaced_for_its_own_user_only() {
    let (scratch, account) = locked_and_damaged(30);
    let mut file = scratch.open_really();
    let bucket = |user: &str| table::bucket(0, &file.disk.keys.user(user));
    let same = |other: &Account| bucket(&other.dn) == bucket(&account.dn);
    let neighbour = (2..1000).map(account_of).find(same).unwrap();
    file.unlock(&neighbour.dn, false, soon()).unwrap();
    assert!(file.status(&account.dn, soon()).is_err());
    assert_eq!(rows(&scratch).len(), 3);
    file.unlock(&account.dn, false, soon()).unwrap();
    assert_eq!(rows(&scratch).len(), 3);
}

#[test]
fn a_damaged_phone_row_is_replaced_after_unlocking() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let account = account_of(1);
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
fn a_damaged_row_affects_no_user_with_an_intact_row() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let mut file = scratch.open_really();
    for number in 0..30 {
        let _ = file
            .admit(&account_of(number), rules(&limits), soon())
            .unwrap();
    }
    let all = rows(&scratch);
    flip(&scratch, all[0] + 200);
    let refused = (0..30).filter(|number| {
        let answer = file.admit(&account_of(*number), rules(&limits), soon());
        answer.is_err()
    });
    assert_eq!(refused.count(), 1);
}

#[test]
fn a_row_is_valid_at_its_own_offset_only() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let mut file = scratch.open_really();
    let _ = file.admit(&account_of(1), rules(&limits), soon()).unwrap();
    let from = rows(&scratch)[0];
    let bytes = std::fs::read(scratch.path()).unwrap();
    let start = usize::try_from(from).unwrap();
    let disk = std::fs::OpenOptions::new()
        .write(true)
        .open(scratch.path())
        .unwrap();
    disk.write_all_at(&bytes[start..start + 512], from + 512)
        .unwrap();
    let found = file.disk.sector(from + 512).unwrap();
    assert!(matches!(found, ledger_file::Found::Damaged(_)));
}

#[test]
fn a_file_that_others_can_read_or_write_is_refused() {
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
    let directory = scratch.directory();
    let folder_mode = std::fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(folder_mode & 0o7777, 0o700);
    for (path, bad, good, remedy) in [
        (scratch.path(), 0o644, 0o600, "chmod 0600"),
        (scratch.path(), 0o602, 0o600, "chmod go-w"),
        (directory.clone().into(), 0o770, 0o700, "chmod go-w"),
    ] {
        mode(&path, bad);
        let error = scratch.error();
        assert!(
            error.remedy.starts_with(remedy),
            "{error:?}: {}",
            error.remedy
        );
        // A user who has read it knows the key.
        let new_key = error.remedy.contains(" for a new key");
        assert_eq!(new_key, bad == 0o644, "{}", error.remedy);
        mode(&path, good);
    }
    drop(scratch.open_really());
}

#[test]
fn a_file_that_cannot_be_created_is_reported_with_a_remedy() {
    let scratch = Scratch::new();
    let deep = format!("{}/not/there", scratch.directory());
    for (directory, remedy) in [
        (deep.as_str(), "create the parent directory"),
        ("var/lib", "write the absolute path"),
        ("/dev/null", "set ledger.path to a directory"),
    ] {
        let error = FileStore::open(directory).err().unwrap();
        assert!(error.remedy.starts_with(remedy), "{directory}: {error:?}");
    }
}

#[test]
fn a_disk_that_cannot_be_written_rejects_and_forgets_nothing() {
    let scratch = Scratch::new();
    let limits = limits(&[(5, 900)]);
    let mut file = scratch.open(&Time::default());
    let account = account_of(1);
    let _ = file
        .record_attempt(&account, rules(&limits), soon())
        .unwrap();
    // A read-only descriptor instead of a read-only disk.
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
fn drafts_of_killed_processes_are_removed() {
    let scratch = Scratch::new();
    drop(scratch.open_really());
    let stray = format!("{}/ledger.new-0123456789abcdef", scratch.directory());
    // Killed between linking and unlinking.
    std::fs::hard_link(scratch.path(), &stray).unwrap();
    drop(scratch.open_really());
    assert!(!std::path::Path::new(&stray).exists());
    // Killed before linking.
    std::fs::rename(scratch.path(), &stray).unwrap();
    drop(scratch.open_really());
    assert!(!std::path::Path::new(&stray).exists());
    assert!(scratch.path().exists());
}
