//! The permissions of the server's user: those that are needed, and the refusal without one of them.
#![forbid(unsafe_code)]

use lab::redis::Options;

use super::*;

/// The permissions in sms_otp.toml(5); in addition +wait with Sentinels, +wait +asking in a cluster, and
/// +select for another database than 0.
pub const PERMISSIONS: &str = "resetchannels ~pam_sms_otp:{otp}:* -@all +evalsha +eval +role +time +hget +hgetall \
                      +hset +hdel +hincrby +hkeys +zadd +zrem +zrange +zscore +zremrangebyscore +persist \
                      +pexpire";

/// A wrong password that is easy to find in a text.
const WRONG: &str = "no-such-password";

fn server() -> Redis {
    let users = format!(
        "user default on nopass ~* &* +@all\nuser otp on >right {PERMISSIONS}\nuser more on >right {PERMISSIONS} \
         +select\n"
    );
    Redis::start_as(&Options {
        users: Some(&users),
        ..Options::default()
    })
}

fn user(name: &str, password: &str) -> connection::Credentials {
    let name = (name != "default").then(|| name.to_owned());
    (name, Secret::new(password.to_owned()))
}

/// Calls every script.
fn call_all(settings: &config::Redis, number: u32) -> Result<(), Failure> {
    let mut store = RedisStore::begin_for_a_test(settings)?;
    let limits = limits();
    let rules = rules(&limits);
    let who = account(number);
    let _ = store.admit(&who, rules, soon())?;
    store.mark_announced(&who, &[account(number + 1).phone], soon())?;
    if let Ok(slot) = store.reserve(&who, rules, soon())? {
        store.release(&who, slot, soon())?;
    }
    let _ = store.record_attempt(&who, rules, soon())?;
    store.record_success(&who, rules, 1, soon())?;
    store.clear_guesses(&who, 1, soon())?;
    let _ = store.record_attempt(&who, rules, soon())?;
    store.status(&who.dn, soon())?;
    store.summary(soon())?;
    store.unlock(&who.dn, true, soon())?;
    Ok(())
}

#[test]
fn the_permissions_are_sufficient() {
    let server = server();
    let mut settings = settings(server.port());
    settings.login = Some(user("otp", "right"));
    assert_eq!(call_all(&settings, 1), Ok(()));
    settings.login = Some(user("more", "right"));
    settings.database = 3;
    assert_eq!(call_all(&settings, 1), Ok(()));
    assert!(server.ask(&["INFO", "keyspace"]).contains("db3:keys="));
}

/// Both documents list exactly these permissions.
#[test]
fn the_documents_list_the_permissions() {
    let read = |path: &str| {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let document = format!(" >SECRET {PERMISSIONS} +wait +asking ```");
    assert!(read("docs/ledger.md").contains(&document));
    let manual = format!(".Bd -literal -offset indent {PERMISSIONS} .Ed");
    assert!(read("man/sms_otp.toml.5").contains(&manual));
}

#[test]
fn every_permission_is_needed() {
    let server = server();
    let mut settings = settings(server.port());
    settings.login = Some(user("otp", "right"));
    let commands = PERMISSIONS.split_whitespace();
    for (number, command) in (1..).zip(commands.filter_map(|word| word.strip_prefix('+'))) {
        server.ask(&["FLUSHALL"]);
        server.ask(&["SCRIPT", "FLUSH"]);
        server.ask(&["ACL", "SETUSER", "otp", &format!("-{command}")]);
        if command == "evalsha" {
            // The text of the scripts is sent instead.
            assert_eq!(call_all(&settings, number), Ok(()));
            server.ask(&["ACL", "SETUSER", "otp", "+evalsha"]);
            continue;
        }
        let (what, remedy) = refused(call_all(&settings, number));
        assert!(
            remedy.contains("sms_otp.toml(5)"),
            "{command}: {what}: {remedy}"
        );
        server.ask(&["ACL", "SETUSER", "otp", &format!("+{command}")]);
    }
    // Without permission for the keys.
    server.ask(&["ACL", "SETUSER", "otp", "resetkeys", "~other:*"]);
    assert!(
        refused(call_all(&settings, 1))
            .1
            .contains("sms_otp.toml(5)")
    );
}

#[test]
fn wrong_credentials() {
    let server = server();
    server.ask(&["ACL", "SETUSER", "default", "resetpass", ">of-default"]);
    let mut settings = settings(server.port());
    for login in [
        Some(user("otp", WRONG)),
        Some(user("unknown", "right")),
        Some(user("default", WRONG)),
        None,
    ] {
        settings.login = login;
        let (what, remedy) = refused(call_all(&settings, 1));
        assert!(remedy.contains("redis_password_file"), "{what}: {remedy}");
        assert!(!what.contains(WRONG), "{what}");
    }
    settings.login = Some(user("default", "of-default"));
    assert_eq!(call_all(&settings, 1), Ok(()));
    settings.database = 99;
    let (what, remedy) = refused(call_all(&settings, 1));
    assert!(remedy.contains("database"), "{what}: {remedy}");
}

#[test]
fn full_memory_and_keys_of_other_applications() {
    let server = Redis::start();
    let settings = settings(server.port());
    server.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let (what, remedy) = refused(call_all(&settings, 1));
    assert!(remedy.contains("noeviction"), "{what}: {remedy}");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);

    server.ask(&["SET", "pam_sms_otp:{otp}:tally", "of another application"]);
    let (what, remedy) = refused(call_all(&settings, 1));
    assert!(remedy.contains("no other application"), "{what}: {remedy}");
}
