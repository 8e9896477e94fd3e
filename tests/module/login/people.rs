//! Who comes.

use super::PASSWORD;
use lab::bench::Bench;
use lab::slapd::Person;
use lab::world::User;

/// Somebody with an entry in the directory and a phone.
pub struct Someone {
    pub person: Person,
    pub number: String,
}

/// Adds a person with the password and a verified phone of his own.
pub fn someone(bench: &Bench, name: &str) -> Someone {
    let number = bench.number();
    let person = Person::new(name).password(PASSWORD).phone(&number);
    bench.slapd().add(&person);
    Someone { person, number }
}

/// The same with an account on this machine, so that things are begun for him ahead. `None`: the
/// machine's accounts are not ours.
pub fn known(bench: &Bench, name: &str) -> Option<Someone> {
    bench.without_world().is_none().then(|| {
        bench.world().add(&User::new(name));
        someone(bench, name)
    })
}

/// Adds a person whose bind meets a directory that is busy.
pub fn with_outage(bench: &Bench, name: &str) {
    let person = Person::new(name)
        .bind_answers(51, "")
        .phone(&bench.number());
    bench.slapd().add(&person);
}
