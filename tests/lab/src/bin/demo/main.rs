//! `make demo`: a login by SMS on this machine, from the directory to the phone, and nothing of the
//! machine changed. With a terminal the person logs in himself; without one the demo does it once and
//! shows how it went.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a demo that cannot go on says why and stops"
)]

mod guests;
mod show;

use guests::{GUESTS, Guest};
use lab::bench::Bench;
use lab::product::Product;
use lab::pty::Pty;
use lab::sshd::{Key, Options, Sshd};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// How long a log line or an SMS may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        return again_as_root();
    }
    let bench = Bench::set_up();
    if let Some(why) = bench.without_world() {
        eprintln!("The demo needs a machine of its own to start sshd in: {why}.");
        return ExitCode::FAILURE;
    }
    let sshd = open_house(&bench);
    show::the_house(&bench, &sshd);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        by_hand(&bench, &sshd);
        ExitCode::SUCCESS
    } else {
        by_itself(&bench, &sshd)
    }
}

/// sshd with PAM needs root, and so do mounts: by sudo, where there is one.
fn again_as_root() -> ExitCode {
    let sudo = ["/usr/bin/sudo", "/bin/sudo", "/usr/local/bin/sudo"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists());
    let Some(sudo) = sudo else {
        eprintln!(
            "The demo starts a real sshd with PAM in a mount namespace of its own. That needs root, \
             and there is no sudo here: run `make demo` as root."
        );
        return ExitCode::FAILURE;
    };
    // Built as who we are: root's files do not belong into somebody's target folder.
    let product = match Product::find() {
        Ok(folder) => folder,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    println!("The demo starts a real sshd with PAM in a mount namespace of its own: sudo.");
    let mut setting = std::ffi::OsString::from("LAB_PRODUCT=");
    setting.push(product);
    // argv[0] does for a program that cargo started by its path.
    let program = std::env::args_os().next().unwrap_or_default();
    let failed = Command::new(sudo).arg(setting).arg(program).exec();
    eprintln!("sudo does not start: {failed}");
    ExitCode::FAILURE
}

/// Puts the people into directory and machine, writes settings and stack, and starts sshd.
fn open_house(bench: &Bench) -> Sshd {
    for guest in &GUESTS {
        bench.slapd().add(&guest.person());
        bench.world().add(&lab::world::User::new(guest.name));
    }
    let settings = std::path::Path::new("/etc/security/sms_otp.toml");
    bench.settings().write(settings);
    let auth = show::SAMPLE_LINE.replace("pam_sms_otp.so", &bench.product().line(settings));
    let rest = "account required pam_permit.so\nsession required pam_permit.so\n";
    bench.world().stack("sshd", &format!("{auth}\n{rest}"));
    bench.twilio().announce(show::an_sms);
    Sshd::start(&Options::default())
}

/// The person logs in, as often as he likes.
fn by_hand(bench: &Bench, sshd: &Sshd) {
    let mut shown = 0;
    loop {
        print!("\nLog in as [{}], or q to end: ", GUESTS[0].name);
        // A terminal that is gone is noticed by the read.
        let _ = std::io::stdout().flush();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line).unwrap_or(0);
        let name = match line.trim() {
            "q" => return,
            _ if read == 0 => return,
            "" => GUESTS[0].name,
            name => name,
        };
        let mut ssh = sshd.ssh(name, Key::None);
        println!("$ {}\n", show::command(sshd, name));
        let inside =
            "echo \"You are in as $(id -un). exit leads back to the demo.\"; exec \"$SHELL\"";
        if let Err(why) = ssh.arg(inside).status() {
            println!("ssh does not start: {why}");
        }
        shown = show::log_since(bench, shown);
    }
}

/// One whole login, and whether it went as it should.
fn by_itself(bench: &Bench, sshd: &Sshd) -> ExitCode {
    let alice = &GUESTS[0];
    println!("\nNo terminal here, so {} logs in by script.\n", alice.name);
    println!("$ {}", show::command(sshd, alice.name));
    let went_through = log_in(bench, sshd, alice).is_some();
    println!();
    if went_through {
        let wanted = ["granted", alice.name];
        bench.world().log().wait_for(&wanted, PATIENCE);
    }
    show::log_since(bench, 0);
    if went_through {
        println!("\nThe login went through.");
        ExitCode::SUCCESS
    } else {
        println!(
            "\nThe login did not go through. sshd said:\n{}",
            sshd.output()
        );
        ExitCode::FAILURE
    }
}

/// Goes from prompt to prompt and shows what comes; nothing where it stuck.
fn log_in(bench: &Bench, sshd: &Sshd, guest: &Guest) -> Option<()> {
    let mut terminal = sshd.login(guest.name, Key::None);
    let wait_for = |terminal: &mut Pty, text: &str| {
        let found = terminal.look_for(&[text], PATIENCE);
        let shown = found
            .as_ref()
            .map_or_else(|| terminal.screen(), |(_, text)| text.clone());
        print!("{shown}");
        found.map(drop)
    };
    wait_for(&mut terminal, "Password: ")?;
    terminal.type_line(guest.password);
    wait_for(&mut terminal, "Verification code: ")?;
    let sms = bench.twilio().next_sms(&guest.e164(), PATIENCE)?;
    terminal.type_line(&sms.code());
    wait_for(&mut terminal, &format!("WELCOME {}", guest.name))?;
    terminal.wait().success().then_some(())
}
