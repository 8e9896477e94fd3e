//! What is measured: this module, in the ways that it is used.

use crate::contender::Contender;
use crate::ground::{Ground, PASSWORD, Who};
use lab::certs::Identity;
use lab::redis::{Manner, Redis};
use lab::settings::Settings;
use std::path::Path;
use std::time::Duration;

/// Nothing is asked: what a host costs by itself.
pub fn permit(ground: &Ground) -> Contender {
    let contender = Contender {
        name: "pam_permit",
        service: "permit",
        types: |_, _, _| String::new(),
        by_sms: false,
        slow: false,
    };
    ground.stack(&contender, "auth required pam_permit.so\n");
    contender
}

/// `source = "ldap"`, with a CA file of one certificate and the ledger of this host.
pub fn module(ground: &Ground) -> Contender {
    as_set(ground, ("pam_sms_otp", "ours"), &ground.settings(), "")
}

/// Nothing is opened to Twilio before the password is proved.
pub fn without_preconnect(ground: &Ground) -> Contender {
    let settings = ground.settings().set("twilio.preconnect", "false");
    let names = ("pam_sms_otp, no preconnect", "ours-late");
    as_set(ground, names, &settings, "")
}

/// A ledger for a fleet, in this Redis.
pub fn fleet(ground: &Ground, redis: &Redis) -> Contender {
    let url = format!("rediss://127.0.0.1:{}", redis.tls_port());
    let ca = ground.bench().certs().ca().display().to_string();
    let key = ground.folder().join("fleet-key");
    lab::scratch::write(&key, 0o600, "obviously-fake-key-of-the-lab-0123456789");
    let settings = ground
        .settings()
        .text("ledger.redis", &Ground::far(&url))
        .text("ledger.key_file", &key.display().to_string())
        .text("ledger.ca_file", &ca)
        .text("ledger.timeout", "20s");
    let names = ("pam_sms_otp, ledger in Redis", "ours-fleet");
    as_set(ground, names, &settings, "")
}

/// The first factor is a key, which sshd has proved.
pub fn by_key(ground: &Ground) -> Contender {
    let names = ("pam_sms_otp, key instead of password", "ours-key");
    as_set(ground, names, &ground.settings(), " password=ssh")
}

/// With the certificates that a distribution trusts, as most will have it for Twilio.
pub fn with_system_bundle(ground: &Ground) -> Contender {
    let system = "/etc/ssl/certs/ca-certificates.crt";
    let mut bundle = std::fs::read(system).expect("the package ca-certificates");
    bundle.extend(std::fs::read(ground.bench().certs().ca()).expect("the lab's CA"));
    let file = ground.folder().join("bundle.pem");
    lab::scratch::write(&file, 0o644, bundle);
    let file = file.display().to_string();
    let settings = ground.settings().text("twilio.ca_file", &file);
    let settings = settings.text("ldap.ca_file", &file);
    let names = ("pam_sms_otp, the system's CA bundle", "bundle");
    as_set(ground, names, &settings, "")
}

/// The same helper with its symbols, where it was built: nothing but its name is another.
pub fn with_symbols(ground: &Ground) -> Option<Contender> {
    let built = lab::process::this_program().parent()?.parent()?;
    let built = built.join("symbols/sms-otp-helper");
    if !built.is_file() {
        return None;
    }
    let module = ground.bench().product().module();
    let helper = module.with_file_name("helper-with-symbols");
    lab::scratch::copy_program(&built, &helper);
    let names = ("pam_sms_otp, with symbols", "symbols");
    Some(through(ground, names, &ground.settings(), &helper, ""))
}

/// A Redis at the end of the road.
pub fn redis(ground: &Ground) -> Redis {
    // It comes to nobody but us: the network is the bench's own.
    let open = ["protected-mode no".to_owned()];
    Redis::start_as(&Manner {
        lines: &open,
        tls: Some((ground.bench().certs(), Identity::Good)),
        ..Manner::default()
    })
}

fn as_set(
    ground: &Ground,
    names: (&'static str, &'static str),
    settings: &Settings,
    arguments: &str,
) -> Contender {
    let helper = ground.bench().product().helper();
    through(ground, names, settings, &helper, arguments)
}

/// This module with a helper of one's choice.
fn through(
    ground: &Ground,
    (name, service): (&'static str, &'static str),
    settings: &Settings,
    helper: &Path,
    arguments: &str,
) -> Contender {
    let contender = Contender {
        name,
        service,
        types: password_or_code,
        by_sms: true,
        slow: false,
    };
    let file = ground.folder().join(format!("{service}.toml"));
    settings.write(&file);
    let line = ground.bench().product().line_with(&file, helper);
    ground.stack(&contender, &format!("auth required {line}{arguments}\n"));
    contender
}

/// The password where it is asked for, and else the newest code.
pub fn password_or_code(ground: &Ground, who: &Who, prompt: &str) -> String {
    if prompt.ends_with("Password: ") {
        return PASSWORD.to_owned();
    }
    let patience = Duration::from_secs(20);
    let sms = ground.bench().twilio().next_sms(&who.number, patience);
    sms.map_or_else(String::new, |sms| sms.code())
}
