//! The contenders that use this module, each in another configuration.

use crate::contender::Contender;
use crate::testbed::{PASSWORD, TestUser, Testbed};
use lab::certs::Identity;
use lab::redis::{Options, Redis};
use lab::settings::Settings;
use std::path::Path;
use std::time::Duration;

/// Asks nothing: the cost of the host itself.
pub fn permit(testbed: &Testbed) -> Contender {
    let contender = Contender {
        name: "pam_permit",
        service: "permit",
        answer: |_, _, _| String::new(),
        by_sms: false,
        slow: false,
    };
    testbed.stack(contender.service, "auth required pam_permit.so\n");
    contender
}

/// `source = "ldap"`, a CA file of one certificate, and the ledger in a file of this host.
pub fn module(testbed: &Testbed) -> Contender {
    with_settings(testbed, ("pam_sms_otp", "ours"), &testbed.settings(), "")
}

/// Opens the connection to Twilio only after the password is verified.
pub fn without_preconnect(testbed: &Testbed) -> Contender {
    let settings = testbed.settings().set("twilio.preconnect", "false");
    let names = ("pam_sms_otp, no preconnect", "ours-late");
    with_settings(testbed, names, &settings, "")
}

/// A shared ledger in this Redis.
pub fn redis_ledger(testbed: &Testbed, redis: &Redis) -> Contender {
    let url = format!("rediss://127.0.0.1:{}", redis.tls_port());
    let ca = testbed.lab().certs().ca().display().to_string();
    let key = testbed.folder().join("redis-key");
    lab::scratch::write(&key, 0o600, "obviously-fake-key-of-the-lab-0123456789");
    let settings = testbed
        .settings()
        .text("ledger.redis", &Testbed::far(&url))
        .text("ledger.key_file", &key.display().to_string())
        .text("ledger.ca_file", &ca)
        .text("ledger.timeout", "20s");
    let names = ("pam_sms_otp, ledger in Redis", "ours-redis");
    with_settings(testbed, names, &settings, "")
}

/// The first factor is a key that sshd has verified.
pub fn by_key(testbed: &Testbed) -> Contender {
    let names = ("pam_sms_otp, key instead of password", "ours-key");
    with_settings(testbed, names, &testbed.settings(), " password=ssh")
}

/// With the distribution's bundle of CA certificates, which most installations use for Twilio.
pub fn with_system_bundle(testbed: &Testbed) -> Contender {
    let system = "/etc/ssl/certs/ca-certificates.crt";
    let mut bundle = std::fs::read(system).expect("the package ca-certificates");
    bundle.extend(std::fs::read(testbed.lab().certs().ca()).expect("the lab's CA"));
    let file = testbed.folder().join("bundle.pem");
    lab::scratch::write(&file, 0o644, bundle);
    let file = file.display().to_string();
    let settings = testbed.settings().text("twilio.ca_file", &file);
    let settings = settings.text("ldap.ca_file", &file);
    let names = ("pam_sms_otp, the system's CA bundle", "bundle");
    with_settings(testbed, names, &settings, "")
}

/// The same helper with symbols, if it was built.
pub fn with_symbols(testbed: &Testbed) -> Option<Contender> {
    let built = lab::process::this_program().parent()?.parent()?;
    let built = built.join("symbols/sms-otp-helper");
    if !built.is_file() {
        return None;
    }
    let module = testbed.lab().product().module();
    let helper = module.with_file_name("helper-with-symbols");
    lab::scratch::copy_program(&built, &helper);
    let names = ("pam_sms_otp, with symbols", "symbols");
    Some(with_helper(
        testbed,
        names,
        &testbed.settings(),
        &helper,
        "",
    ))
}

/// Starts a Redis behind the emulated network.
pub fn redis(testbed: &Testbed) -> Redis {
    // Protected mode would refuse connections that do not come from loopback. The network is private.
    let open = ["protected-mode no".to_owned()];
    Redis::start_as(&Options {
        lines: &open,
        tls: Some((testbed.lab().certs(), Identity::Good)),
        ..Options::default()
    })
}

fn with_settings(
    testbed: &Testbed,
    names: (&'static str, &'static str),
    settings: &Settings,
    arguments: &str,
) -> Contender {
    let helper = testbed.lab().product().helper();
    with_helper(testbed, names, settings, &helper, arguments)
}

/// This module with another helper.
fn with_helper(
    testbed: &Testbed,
    (name, service): (&'static str, &'static str),
    settings: &Settings,
    helper: &Path,
    arguments: &str,
) -> Contender {
    let contender = Contender {
        name,
        service,
        answer: answer_password_or_code,
        by_sms: true,
        slow: false,
    };
    let file = testbed.folder().join(format!("{service}.toml"));
    settings.write(&file);
    let line = testbed.lab().product().line_with(&file, helper);
    testbed.stack(
        contender.service,
        &format!("auth required {line}{arguments}\n"),
    );
    contender
}

/// Answers the password prompt with the password, and every other one with the newest code.
pub fn answer_password_or_code(testbed: &Testbed, user: &TestUser, prompt: &str) -> String {
    if prompt.ends_with("Password: ") {
        return PASSWORD.to_owned();
    }
    let timeout = Duration::from_secs(20);
    let sms = testbed.lab().twilio().next_sms(&user.number, timeout);
    sms.map_or_else(String::new, |sms| sms.code())
}
