//! The same flow as a Python script with `pam_python`, ldap3 and Twilio's library.

use super::unpacked;
use crate::contender::Contender;
use crate::ours::answer_password_or_code;
use crate::testbed::Testbed;
use lab::scratch::write;
use lab::slapd::Slapd;
use std::process::{Command, Stdio};

const PORT: &str = include_str!("../../port/pam_sms_otp_port.py");

pub fn port(testbed: &Testbed) -> Result<Contender, String> {
    let module = unpacked("pam_python.so")?;
    check_libraries()?;
    let contender = Contender {
        name: "Python",
        service: "python",
        answer: answer_password_or_code,
        by_sms: true,
        slow: true,
    };
    let script = testbed.folder().join("pam_sms_otp_port.py");
    write(&script, 0o644, PORT);
    let account = testbed.lab().twilio().account();
    let settings = testbed.folder().join("port.ini");
    let ca = testbed.lab().certs().ca().display().to_string();
    let text = format!(
        "[ldap]\nuri = {}\nca = {ca}\nbind_dn = {}\nbind_password = {}\nbase = {}\n\
         [twilio]\nurl = {}\nca = {ca}\nsid = {}\ntoken = {}\nfrom = {}\n",
        testbed.ldap_url(),
        Slapd::BIND_DN,
        Slapd::BIND_PASSWORD,
        Slapd::people(),
        testbed.twilio_url(),
        account.sid,
        account.token,
        account.from,
    );
    write(&settings, 0o600, text);
    let stack = format!(
        "auth required {} {} {}\n",
        module.display(),
        script.display(),
        settings.display()
    );
    testbed.stack(contender.service, &stack);
    Ok(contender)
}

/// Returns an error if a Python library is missing.
fn check_libraries() -> Result<(), String> {
    // pam_python is linked to this one, independently of PATH.
    let status = Command::new("/usr/bin/python3")
        .args(["-c", "import ldap3, twilio"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if status.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err("ldap3 or twilio for Python is missing: run `tests/lab/packages bench`".to_owned())
}
