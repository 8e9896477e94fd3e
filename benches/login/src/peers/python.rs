//! The same flow as a script: `pam_python`, ldap3 and Twilio's own library.

use super::unpacked;
use crate::contender::Contender;
use crate::ground::Ground;
use crate::ours::password_or_code;
use lab::scratch::write;
use lab::slapd::Slapd;
use std::process::{Command, Stdio};

const PORT: &str = include_str!("../../port/pam_sms_otp_port.py");

pub fn port(ground: &Ground) -> Result<Contender, String> {
    let module = unpacked("pam_python.so")?;
    libraries()?;
    let contender = Contender {
        name: "Python",
        service: "python",
        types: password_or_code,
        by_sms: true,
        slow: true,
    };
    let script = ground.folder().join("pam_sms_otp_port.py");
    write(&script, 0o644, PORT);
    let account = ground.bench().twilio().account();
    let settings = ground.folder().join("port.ini");
    let ca = ground.bench().certs().ca().display().to_string();
    let text = format!(
        "[ldap]\nuri = {}\nca = {ca}\nbind_dn = {}\nbind_password = {}\nbase = {}\n\
         [twilio]\nurl = {}\nca = {ca}\nsid = {}\ntoken = {}\nfrom = {}\n",
        ground.ldap_url(),
        Slapd::BIND_DN,
        Slapd::BIND_PASSWORD,
        Slapd::people(),
        ground.twilio_url(),
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
    ground.stack(&contender, &stack);
    Ok(contender)
}

fn libraries() -> Result<(), String> {
    // The one that pam_python is linked to, whatever PATH says.
    let here = Command::new("/usr/bin/python3")
        .args(["-c", "import ldap3, twilio"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if here.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err("no ldap3 and twilio for Python: run `tests/lab/packages bench`".to_owned())
}
