//! This host's ledger on a full btrfs. A write to a copy-on-write file needs free space even if it only
//! overwrites bytes; the ledger has the flag `NOCOW`, so that it is overwritten in place.

use super::ledger::{folder, with_ledger};
use super::login::{Login, NOT_SENT, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::code;
use lab::process::run;
use rustix::fs::{IFlags, ioctl_getflags};
use std::path::{Path, PathBuf};
use std::process::Command;

pub const CASES: &[Case] = &[
    ("module::btrfs::full_later", full_later),
    (
        "module::btrfs::full_after_a_snapshot",
        full_after_a_snapshot,
    ),
    (
        "module::btrfs::other_file_systems_need_no_nocow_flag",
        other_file_systems_need_no_nocow_flag,
    ),
];

const PASSWORD_AND_CODE: &[Say] = &[Say::Password, Say::Code];

/// A btrfs on a loop device, unmounted on drop.
struct Btrfs(PathBuf);

impl Btrfs {
    /// Returns `None`, and prints the reason, where btrfs cannot be mounted.
    fn mounted(lab: &Lab, case: &str) -> Option<Self> {
        let skipped = |why: &str| {
            println!("NOT TRIED: {why}");
            None
        };
        if lab.machine_error().is_some() {
            return None; // Mounts need a private machine.
        }
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        if !known.lines().any(|line| line.trim() == "btrfs") {
            return skipped("this kernel has no btrfs");
        }
        let folder = lab.folder(case);
        let (image, mount_point) = (folder.join("image"), folder.join("btrfs"));
        std::fs::File::create(&image)
            .and_then(|file| file.set_len(160 << 20))
            .expect("an image");
        std::fs::create_dir(&mount_point).expect("a folder");
        let mut mkfs = Command::new("mkfs.btrfs");
        let mkfs = mkfs
            .args(["-q", "-m", "single", "-d", "single"])
            .arg(&image);
        if !mkfs.status().is_ok_and(|status| status.success()) {
            return skipped("mkfs.btrfs is not installed");
        }
        let mut mount = Command::new("mount");
        let mount = mount
            .args(["-t", "btrfs", "-o", "loop"])
            .args([&image, &mount_point]);
        if !mount.status().is_ok_and(|status| status.success()) {
            return skipped("loop devices cannot be mounted here");
        }
        run(Command::new("btrfs")
            .args(["-q", "subvolume", "create"])
            .arg(mount_point.join("state")));
        Some(Self(mount_point))
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    fn snapshot(&self, of: &Path) {
        let mut snapshot = Command::new("btrfs");
        let snapshot = snapshot.args(["-q", "subvolume", "snapshot", "-r"]);
        run(snapshot.arg(of).arg(self.0.join("shot")));
    }

    /// Fills the file system to the last byte.
    fn fill(&self) {
        for size in [1 << 20, 4096, 512] {
            let path = self.0.join(format!("filler-{size}"));
            let Ok(mut file) = std::fs::File::create(path) else {
                return; // No space is left for a directory entry.
            };
            let block = vec![1; size];
            while std::io::Write::write_all(&mut file, &block).is_ok() {}
            let _ = file.sync_all();
        }
    }
}

impl Drop for Btrfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A login whose ledger is on this file system.
fn login<'b>(lab: &'b Lab, case: &'static str, on: &Btrfs) -> Login<'b> {
    let who = someone(lab, case);
    let login = with_ledger(lab, case, &who).set("limits.failures", "2");
    let path = on.state();
    login.text("ledger.path", path.to_str().expect("a path"))
}

fn is_written_in_place(ledger: &Path) -> bool {
    let file = std::fs::File::open(ledger).expect("the ledger");
    ioctl_getflags(&file).is_ok_and(|flags| flags.contains(IFlags::NOCOW))
}

fn full_later(lab: &Lab) {
    let Some(disk) = Btrfs::mounted(lab, "btrfs-full") else {
        return;
    };
    let login = login(lab, "btrfs-full", &disk);
    login.sees("with free space", PASSWORD_AND_CODE, &Seen::granted());
    // A snapshot of the parent subvolume does not include this one.
    disk.snapshot(&disk.0);
    disk.fill();
    for _ in 0..3 {
        login.sees(
            "a known user, on a full disk",
            PASSWORD_AND_CODE,
            &Seen::granted(),
        );
    }
    let lock = &[Say::Password, Say::WrongCode, Say::WrongCode];
    let (_, seen) = login.run(lock, 2);
    assert_eq!(seen.log()[1], "denied first=password reason=locked");
    assert!(is_written_in_place(&disk.state().join("ledger")));
}

/// A snapshot shares the file's blocks: the next write to each of them copies it, which needs free space.
fn full_after_a_snapshot(lab: &Lab) {
    let Some(disk) = Btrfs::mounted(lab, "btrfs-shot") else {
        return;
    };
    let login = login(lab, "btrfs-shot", &disk);
    login.sees("with free space", PASSWORD_AND_CODE, &Seen::granted());
    disk.snapshot(&disk.state());
    disk.fill();
    let line = "failed stage=ledger reason=local";
    let refused = Seen::unsent(code::SERVICE_ERR, NOT_SENT, line);
    login.sees("a known user, after a snapshot", &[Say::Password], &refused);
    assert!(
        login.newest_line().contains("free some space"),
        "{}",
        login.newest_line()
    );
}

/// Other file systems reject the flag, and overwrite in place without it.
fn other_file_systems_need_no_nocow_flag(lab: &Lab) {
    let who = someone(lab, "btrfs-not");
    let login = with_ledger(lab, "btrfs-not", &who);
    login.sees(
        "on another file system",
        PASSWORD_AND_CODE,
        &Seen::granted(),
    );
    let ledger = folder(&login).join("ledger");
    println!("NOCOW flag set: {}", is_written_in_place(&ledger));
    login.sees("again", PASSWORD_AND_CODE, &Seen::granted());
}
