//! A server's users: the fewest rights that do, and what is told of fewer.
#![forbid(unsafe_code)]

use lab::redis::Options;

use super::*;

/// All that the ledger needs, as sms_otp.toml(5) has it; with Sentinels +wait too, in a cluster +wait
/// +asking, in another database than 0 +select.
pub const RIGHTS: &str = "resetchannels ~pam_sms_otp:{otp}:* -@all +evalsha +eval +role +time +hget +hgetall \
                      +hset +hdel +hincrby +hkeys +zadd +zrem +zrange +zscore +zremrangebyscore +persist \
                      +pexpire";

/// Not wrong, and not right either.
const OTHER: &str = "no-such-password";

fn server() -> Redis {
    let users = format!(
        "user default on nopass ~* &* +@all\nuser otp on >right {RIGHTS}\nuser more on >right {RIGHTS} \
         +select\n"
    );
    Redis::start_as(&Options {
        users: Some(&users),
        ..Options::default()
    })
}

fn user(name: &str, password: &str) -> link::Login {
    let name = (name != "default").then(|| name.to_owned());
    (name, Secret::new(password.to_owned()))
}

/// Everything there is to ask, and everything that any of it may lead to.
fn everything(settled: &config::Redis, number: u32) -> Result<(), Failure> {
    let mut store = RedisStore::begin(settled)?;
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
fn these_rights_are_enough() {
    let server = server();
    let mut settled = settled(server.port());
    settled.login = Some(user("otp", "right"));
    assert_eq!(everything(&settled, 1), Ok(()));
    settled.login = Some(user("more", "right"));
    settled.database = 3;
    assert_eq!(everything(&settled, 1), Ok(()));
    assert!(server.ask(&["INFO", "keyspace"]).contains("db3:keys="));
}

/// Both places give exactly these.
#[test]
fn they_are_the_documented_ones() {
    let read = |path: &str| {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let paper = format!(" >SECRET {RIGHTS} +wait +asking ```");
    assert!(read("docs/ledger.md").contains(&paper));
    let manual = format!(".Bd -literal -offset indent {RIGHTS} .Ed");
    assert!(read("man/sms_otp.toml.5").contains(&manual));
}

#[test]
fn and_none_is_too_many() {
    let server = server();
    let mut settled = settled(server.port());
    settled.login = Some(user("otp", "right"));
    let commands = RIGHTS.split_whitespace();
    for (number, command) in (1..).zip(commands.filter_map(|word| word.strip_prefix('+'))) {
        server.ask(&["FLUSHALL"]);
        server.ask(&["SCRIPT", "FLUSH"]);
        server.ask(&["ACL", "SETUSER", "otp", &format!("-{command}")]);
        if command == "evalsha" {
            // Whole scripts are sent then: an ACL of an earlier manual still does.
            assert_eq!(everything(&settled, number), Ok(()));
            server.ask(&["ACL", "SETUSER", "otp", "+evalsha"]);
            continue;
        }
        let (what, remedy) = refused(everything(&settled, number));
        assert!(
            remedy.contains("sms_otp.toml(5)"),
            "{command}: {what}: {remedy}"
        );
        server.ask(&["ACL", "SETUSER", "otp", &format!("+{command}")]);
    }
    // Other keys are none of its business.
    server.ask(&["ACL", "SETUSER", "otp", "resetkeys", "~other:*"]);
    assert!(
        refused(everything(&settled, 1))
            .1
            .contains("sms_otp.toml(5)")
    );
}

#[test]
fn who_is_not_let_in() {
    let server = server();
    server.ask(&["ACL", "SETUSER", "default", "resetpass", ">of-default"]);
    let mut settled = settled(server.port());
    for login in [
        Some(user("otp", OTHER)),
        Some(user("nobody", "right")),
        Some(user("default", OTHER)),
        None,
    ] {
        settled.login = login;
        let (what, remedy) = refused(everything(&settled, 1));
        assert!(remedy.contains("redis_password_file"), "{what}: {remedy}");
        assert!(!what.contains(OTHER), "{what}");
    }
    settled.login = Some(user("default", "of-default"));
    assert_eq!(everything(&settled, 1), Ok(()));
    settled.database = 99;
    let (what, remedy) = refused(everything(&settled, 1));
    assert!(remedy.contains("database"), "{what}: {remedy}");
}

#[test]
fn full_memory_and_other_peoples_keys() {
    let server = Redis::start();
    let settled = settled(server.port());
    server.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let (what, remedy) = refused(everything(&settled, 1));
    assert!(remedy.contains("noeviction"), "{what}: {remedy}");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);

    server.ask(&["SET", "pam_sms_otp:{otp}:tally", "somebody else's"]);
    let (what, remedy) = refused(everything(&settled, 1));
    assert!(remedy.contains("nobody else's"), "{what}: {remedy}");
}
