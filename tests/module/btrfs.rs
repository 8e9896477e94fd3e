//! The file ledger on a full btrfs. It copies on write, so that changing a byte needs free space, unless the
//! file is marked to be overwritten in place.

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
        "module::btrfs::other_file_systems_do_without_the_mark",
        other_file_systems_do_without_the_mark,
    ),
];

const IN: &[Say] = &[Say::Password, Say::Code];

/// A btrfs, mounted until this is dropped.
struct Btrfs(PathBuf);

impl Btrfs {
    /// `None`, with the reason printed: not available on this machine.
    fn mounted(lab: &Lab, case: &str) -> Option<Self> {
        let not_tried = |why: &str| {
            println!("NOT TRIED: {why}");
            None
        };
        if lab.machine_error().is_some() {
            return None; // Mounts need a private machine.
        }
        let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        if !known.lines().any(|line| line.trim() == "btrfs") {
            return not_tried("this kernel has no btrfs");
        }
        let folder = lab.folder(case);
        let (image, place) = (folder.join("image"), folder.join("btrfs"));
        std::fs::File::create(&image)
            .and_then(|file| file.set_len(160 << 20))
            .expect("an image");
        std::fs::create_dir(&place).expect("a folder");
        let mut mkfs = Command::new("mkfs.btrfs");
        let mkfs = mkfs
            .args(["-q", "-m", "single", "-d", "single"])
            .arg(&image);
        if !mkfs.status().is_ok_and(|status| status.success()) {
            return not_tried("there is no mkfs.btrfs");
        }
        let mut mount = Command::new("mount");
        let mount = mount
            .args(["-t", "btrfs", "-o", "loop"])
            .args([&image, &place]);
        if !mount.status().is_ok_and(|status| status.success()) {
            return not_tried("no loop device can be mounted here");
        }
        run(Command::new("btrfs")
            .args(["-q", "subvolume", "create"])
            .arg(place.join("state")));
        Some(Self(place))
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    fn snapshot(&self, of: &Path) {
        let mut snapshot = Command::new("btrfs");
        let snapshot = snapshot.args(["-q", "subvolume", "snapshot", "-r"]);
        run(snapshot.arg(of).arg(self.0.join("shot")));
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        for size in [1 << 20, 4096, 512] {
            let path = self.0.join(format!("filler-{size}"));
            let Ok(mut file) = std::fs::File::create(path) else {
                return; // There is no space for another name.
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
    login.sees("with free space", IN, &Seen::granted());
    // A snapshot of the subvolume above leaves this one out.
    disk.snapshot(&disk.0);
    disk.fill();
    for _ in 0..3 {
        login.sees("known, on a full disk", IN, &Seen::granted());
    }
    let lock = &[Say::Password, Say::WrongCode, Say::WrongCode];
    let (_, seen) = login.run(lock, 2);
    assert_eq!(seen.log()[1], "denied first=password reason=locked");
    assert!(is_written_in_place(&disk.state().join("ledger")));
}

/// A snapshot shares the blocks of the file: the next write of each copies it, which needs free space.
fn full_after_a_snapshot(lab: &Lab) {
    let Some(disk) = Btrfs::mounted(lab, "btrfs-shot") else {
        return;
    };
    let login = login(lab, "btrfs-shot", &disk);
    login.sees("with free space", IN, &Seen::granted());
    disk.snapshot(&disk.state());
    disk.fill();
    let line = "failed stage=ledger reason=local";
    let refused = Seen::unsent(code::SERVICE_ERR, NOT_SENT, line);
    login.sees("known, after a snapshot", &[Say::Password], &refused);
    assert!(
        login.newest_line().contains("free some space"),
        "{}",
        login.newest_line()
    );
}

/// They refuse the mark, and overwrite in place anyway.
fn other_file_systems_do_without_the_mark(lab: &Lab) {
    let who = someone(lab, "btrfs-not");
    let login = with_ledger(lab, "btrfs-not", &who);
    login.sees("on another file system", IN, &Seen::granted());
    let ledger = folder(&login).join("ledger");
    println!("marked here: {}", is_written_in_place(&ledger));
    login.sees("again", IN, &Seen::granted());
}
