//! The output of the demo.

use crate::users::USERS;
use lab::Lab;
use lab::sshd::Sshd;
use lab::twilio::Sms;

/// The line of the sample stack that asks for both factors.
pub const SAMPLE_LINE: &str = "auth [success=ok default=die] pam_sms_otp.so password=ldap";

/// Shows the servers, the users and the command to log in.
pub fn overview(lab: &Lab, sshd: &Sshd) {
    println!("\npam_sms_otp: password from the directory, then a code by SMS");
    println!();
    println!("  sshd       127.0.0.1 port {}", sshd.port());
    println!("  directory  {} (slapd)", lab.slapd().ldaps());
    println!(
        "  Twilio     {} (a fake server: no SMS leaves this machine)",
        lab.twilio().url()
    );
    println!("  PAM stack  {SAMPLE_LINE}");
    println!();
    println!("  {:8}{:17}{:18}", "user", "password", "phone");
    for user in &USERS {
        println!(
            "  {:8}{:17}{:18}{}",
            user.name, user.password, user.phone, user.outcome
        );
    }
    println!();
    println!("From any terminal of this machine, while the demo runs:");
    println!("  {}", command(sshd, USERS[0].name));
    println!("Ctrl-C ends the demo and removes its files.");
}

/// Returns an ssh command to copy. The host key is new, so it is not checked.
pub fn command(sshd: &Sshd, user: &str) -> String {
    format!(
        "ssh -p {} -o PubkeyAuthentication=no -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null {user}@127.0.0.1",
        sshd.port()
    )
}

/// Shows an SMS. ssh may have set the terminal to raw mode, so lines end with a carriage return too.
pub fn sms(message: &Sms) {
    let owner = USERS.iter().find(|user| user.e164() == message.to);
    let owner = owner.map_or("unknown", |user| user.name);
    println!(
        "\r\n  [{owner}'s phone, {}]  {}\r",
        message.to, message.body
    );
}

/// Shows the log lines after the first `shown` ones; returns the number of lines.
pub fn log_since(lab: &Lab, shown: usize) -> usize {
    let lines = lab.machine().log().lines();
    let new = lines
        .iter()
        .skip(shown)
        .filter(|line| line.message.contains("pam_sms_otp("));
    let mut first = true;
    for line in new {
        if first {
            println!("\nThe log (authpriv):");
            first = false;
        }
        let pid = line.pid.map_or_else(String::new, |pid| format!("[{pid}]"));
        println!("  {}{pid}: {}", line.tag, line.message);
    }
    lines.len()
}
