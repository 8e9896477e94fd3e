//! The mounts of the test machine.

use crate::machine::accounts;
use crate::process::{program, run};
use crate::scratch::{Scratch, set_mode, write};
use rustix::fs::{Mode, OFlags};
use rustix::io;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};
use std::ffi::CStr;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Enters a mount namespace whose mounts only this process and its children see.
pub fn leave_the_machine() -> io::Result<()> {
    // SAFETY: NEWNS does not touch the table of descriptors, and there is no other thread.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    match mount_change("/", private) {
        // In a chroot (such as a debootstrap root) "/" may not be a mount point, and shared mounts above
        // it would propagate new mounts to the real machine.
        Err(io::Errno::INVAL) => from_outside_the_chroot(|| mount_change("/", private)),
        done => done,
    }
}

/// Runs `act` with the root of the namespace as the root directory, and returns to the chroot. Entering a
/// mount namespace, even the current one, leaves every chroot (setns(2)).
fn from_outside_the_chroot(act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let read = OFlags::RDONLY | OFlags::CLOEXEC;
    let own = fs::File::open("/proc/self/ns/mnt").map_err(|_| io::Errno::NOENT)?;
    let inside = rustix::fs::open("/", read | OFlags::DIRECTORY, Mode::empty())?;
    let back_in = std::env::current_dir().unwrap_or_else(|_| "/".into());
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Mount))?;
    let acted = act();
    rustix::process::fchdir(&inside)?;
    rustix::process::chroot(".")?;
    rustix::process::chdir(&back_in)?;
    acted
}

/// Mounts an empty file system over a directory.
pub fn tmpfs(path: &Path) {
    file_system(path, c"tmpfs", c"mode=0755");
}

fn file_system(path: &Path, kind: &CStr, options: &CStr) {
    mount(kind, path, kind, MountFlags::empty(), options)
        .unwrap_or_else(|e| panic!("cannot mount over {}: {e}", path.display()));
}

fn bind(from: &Path, to: &Path) {
    mount_bind(from, to)
        .unwrap_or_else(|e| panic!("cannot bind {} to {}: {e}", from.display(), to.display()));
}

/// Mounts a copy of `/etc` with the accounts of the tests, and without the machine's PAM stacks, sudoers
/// and name services.
pub fn etc(scratch: &Scratch) {
    let etc = scratch.folder("etc");
    run(Command::new(program("cp")).args(["-a", "/etc/."]).arg(&etc));
    accounts::replace_all(&etc);
    for folder in ["pam.d", "sudoers.d", "security"] {
        let _ = fs::remove_dir_all(etc.join(folder));
        fs::create_dir(etc.join(folder)).expect("a folder in our /etc");
        set_mode(&etc.join(folder), 0o755);
    }
    // Some modules of a usual stack fail without their file.
    for file in ["limits.conf", "pam_env.conf", "group.conf"] {
        write(&etc.join("security").join(file), 0o644, "");
    }
    let deny = "auth required pam_deny.so\naccount required pam_deny.so\n";
    write(&etc.join("pam.d/other"), 0o644, deny);
    // Each sudo authenticates, and shows only the messages of PAM.
    let sudoers = "Defaults timestamp_timeout=0, lecture=never, !insults\nroot ALL=(ALL) ALL\n\
                   #includedir /etc/sudoers.d\n";
    write(&etc.join("sudoers"), 0o440, sudoers);
    for link in ["nsswitch.conf", "resolv.conf"] {
        let _ = fs::remove_file(etc.join(link));
    }
    let names = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n";
    write(&etc.join("nsswitch.conf"), 0o644, names);
    write(&etc.join("resolv.conf"), 0o644, "");
    bind(&etc, Path::new("/etc"));
}

/// Hides `/run`, so that no service of the real machine is reachable through it, and `/var/log`.
pub fn run_and_logs() {
    for folder in ["/run", "/var/log", "/var/lib/sudo"] {
        if Path::new(folder).is_dir() {
            tmpfs(Path::new(folder));
        }
    }
    fs::create_dir("/run/sshd").expect("sshd's folder in our /run");
    // On an older kernel: the file that marks the missing Landlock version as logged, so that the first
    // login of a run logs the same as all others.
    if landlock() < 6 {
        write(Path::new("/run/pam_sms_otp.no-landlock"), 0o600, "");
    }
    for log in ["wtmp", "btmp", "lastlog"] {
        write(&Path::new("/var/log").join(log), 0o644, "");
    }
}

/// Returns the Landlock version of this kernel; it has none if the number is below 1.
pub fn landlock() -> i64 {
    const VERSION: u32 = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call takes no memory and only returns a number.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) }
}

/// Mounts a `/dev` with the devices that programs need and terminals of its own, without `/dev/log`.
pub fn dev(scratch: &Scratch) {
    let dev = scratch.folder("dev");
    tmpfs(&dev);
    for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        let node = dev.join(device);
        write(&node, 0o666, "");
        bind(&Path::new("/dev").join(device), &node);
    }
    // Loop devices, for file systems in a file.
    for device in
        std::iter::once("loop-control".to_owned()).chain((0..8).map(|n| format!("loop{n}")))
    {
        if Path::new("/dev").join(&device).exists() {
            let node = dev.join(&device);
            write(&node, 0o600, "");
            bind(&Path::new("/dev").join(&device), &node);
        }
    }
    // For network namespaces. A container may lack it.
    if Path::new("/dev/net/tun").exists() {
        fs::create_dir(dev.join("net")).expect("a folder in our /dev");
        write(&dev.join("net/tun"), 0o600, "");
        bind(Path::new("/dev/net/tun"), &dev.join("net/tun"));
    }
    for (target, link) in [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
    ] {
        symlink(target, dev.join(link)).expect("a link in our /dev");
    }
    for folder in ["pts", "shm"] {
        fs::create_dir(dev.join(folder)).expect("a folder in our /dev");
    }
    // Group 5 is tty on glibc systems.
    file_system(
        &dev.join("pts"),
        c"devpts",
        c"newinstance,ptmxmode=0666,mode=0620,gid=5",
    );
    file_system(&dev.join("shm"), c"tmpfs", c"mode=1777");
    rustix::mount::mount_bind_recursive(&dev, "/dev").expect("our /dev over the machine's");
}
