//! `make demo`: a login with an SMS code on this machine, without changes to the machine. On a terminal the
//! user logs in themselves; otherwise the demo logs in once and shows the result.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the demo stops with a message if it cannot continue"
)]

mod show;
mod users;

use lab::Lab;
use lab::product::Product;
use lab::pty::Pty;
use lab::sshd::{Key, Options, Sshd};
use std::io::{BufRead, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;
use users::{DemoUser, USERS};

/// How long a log line or an SMS may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        return restart_as_root();
    }
    let lab = Lab::set_up();
    if let Some(why) = lab.machine_error() {
        eprintln!("The demo cannot create a mount namespace for its sshd: {why}.");
        return ExitCode::FAILURE;
    }
    let sshd = set_up(&lab);
    show::overview(&lab, &sshd);
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        interactive(&lab, &sshd);
        ExitCode::SUCCESS
    } else {
        scripted(&lab, &sshd)
    }
}

/// Restarts the demo with sudo: sshd with PAM and mounts need root.
fn restart_as_root() -> ExitCode {
    let sudo = ["/usr/bin/sudo", "/bin/sudo", "/usr/local/bin/sudo"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists());
    let Some(sudo) = sudo else {
        eprintln!(
            "The demo starts a real sshd with PAM in a mount namespace of its own. That needs root, \
             and sudo is not installed: run `make demo` as root."
        );
        return ExitCode::FAILURE;
    };
    // Built as the current user, so that the target directory contains no files of root.
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
    // argv[0] is a path: cargo has started the program by its path.
    let program = std::env::args_os().next().unwrap_or_default();
    let failed = Command::new(sudo).arg(setting).arg(program).exec();
    eprintln!("cannot start sudo: {failed}");
    ExitCode::FAILURE
}

/// Adds the users, writes settings and PAM stack, and starts sshd.
fn set_up(lab: &Lab) -> Sshd {
    for user in &USERS {
        lab.slapd().add(&user.entry());
        lab.machine().add(&lab::machine::User::new(user.name));
    }
    let settings = std::path::Path::new("/etc/security/sms_otp.toml");
    lab.settings().write(settings);
    let auth = show::SAMPLE_LINE.replace("pam_sms_otp.so", &lab.product().line(settings));
    let rest = "account required pam_permit.so\nsession required pam_permit.so\n";
    lab.machine().stack("sshd", &format!("{auth}\n{rest}"));
    lab.twilio().announce(show::sms);
    Sshd::start(&Options::default())
}

/// Lets the user log in, any number of times.
fn interactive(lab: &Lab, sshd: &Sshd) {
    let mut shown = 0;
    loop {
        print!("\nLog in as [{}], or q to end: ", USERS[0].name);
        // If the terminal is closed, the read fails.
        let _ = std::io::stdout().flush();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line).unwrap_or(0);
        let name = match line.trim() {
            "q" => return,
            _ if read == 0 => return,
            "" => USERS[0].name,
            name => name,
        };
        let mut ssh = sshd.ssh(name, Key::None);
        println!("$ {}\n", show::command(sshd, name));
        let inside =
            "echo \"You are logged in as $(id -un). exit returns to the demo.\"; exec \"$SHELL\"";
        if let Err(why) = ssh.arg(inside).status() {
            println!("cannot start ssh: {why}");
        }
        shown = show::log_since(lab, shown);
    }
}

/// Logs in once by script, and reports whether it succeeded.
fn scripted(lab: &Lab, sshd: &Sshd) -> ExitCode {
    let alice = &USERS[0];
    println!("\nNot a terminal: {} logs in by script.\n", alice.name);
    println!("$ {}", show::command(sshd, alice.name));
    let succeeded = log_in(lab, sshd, alice).is_some();
    println!();
    if succeeded {
        let wanted = ["granted", alice.name];
        lab.machine().log().wait_for(&wanted, TIMEOUT);
    }
    show::log_since(lab, 0);
    if succeeded {
        println!("\nThe login succeeded.");
        ExitCode::SUCCESS
    } else {
        println!("\nThe login failed. Output of sshd:\n{}", sshd.output());
        ExitCode::FAILURE
    }
}

/// Answers all prompts and shows the output. `None`: a prompt did not appear.
fn log_in(lab: &Lab, sshd: &Sshd, user: &DemoUser) -> Option<()> {
    let mut terminal = sshd.login(user.name, Key::None);
    let wait_for = |terminal: &mut Pty, text: &str| {
        let found = terminal.look_for(&[text], TIMEOUT);
        let shown = found
            .as_ref()
            .map_or_else(|| terminal.screen(), |(_, text)| text.clone());
        print!("{shown}");
        found.map(drop)
    };
    wait_for(&mut terminal, "Password: ")?;
    terminal.type_line(user.password);
    wait_for(&mut terminal, "Verification code: ")?;
    let sms = lab.twilio().next_sms(&user.e164(), TIMEOUT)?;
    terminal.type_line(&sms.code());
    wait_for(&mut terminal, &format!("WELCOME {}", user.name))?;
    terminal.wait().success().then_some(())
}
