//! What the demo puts on the screen.

use crate::guests::GUESTS;
use lab::bench::Bench;
use lab::sshd::Sshd;
use lab::twilio::Sms;

/// The line of the sample stack that asks for both factors.
pub const SAMPLE_LINE: &str = "auth [success=ok default=die] pam_sms_otp.so password=ldap";

/// Who can log in, and how.
pub fn the_house(bench: &Bench, sshd: &Sshd) {
    println!("\npam_sms_otp: password from the directory, then a code by SMS");
    println!();
    println!("  sshd       127.0.0.1 port {}", sshd.port());
    println!("  directory  {} (slapd)", bench.slapd().ldaps());
    println!(
        "  Twilio     {} (a stand-in: no SMS leaves this machine)",
        bench.twilio().url()
    );
    println!("  PAM stack  {SAMPLE_LINE}");
    println!();
    println!("  {:8}{:17}{:18}", "user", "password", "phone");
    for guest in &GUESTS {
        println!(
            "  {:8}{:17}{:18}{}",
            guest.name, guest.password, guest.phone, guest.outcome
        );
    }
    println!();
    println!("From any terminal of this machine, while this runs:");
    println!("  {}", command(sshd, GUESTS[0].name));
    println!("Ctrl-C ends it; nothing stays.");
}

/// An ssh command that a person can copy. The host key is of today and known to nobody.
pub fn command(sshd: &Sshd, user: &str) -> String {
    format!(
        "ssh -p {} -o PubkeyAuthentication=no -o StrictHostKeyChecking=no \
         -o UserKnownHostsFile=/dev/null {user}@127.0.0.1",
        sshd.port()
    )
}

/// An SMS as it arrives. ssh may have the terminal in raw mode, so lines end with a return as well.
pub fn an_sms(sms: &Sms) {
    let owner = GUESTS.iter().find(|guest| guest.e164() == sms.to);
    let owner = owner.map_or("somebody", |guest| guest.name);
    println!("\r\n  [{owner}'s phone, {}]  {}\r", sms.to, sms.body);
}

/// What was logged since; how much there is now.
pub fn log_since(bench: &Bench, shown: usize) -> usize {
    let lines = bench.world().log().lines();
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
