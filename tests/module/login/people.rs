//! Users of the directory and of this machine.

use super::PASSWORD;
use lab::bench::Bench;
use lab::slapd::Person;
use lab::world::User;

/// A user with an entry in the directory and a phone.
pub struct Someone {
    pub person: Person,
    pub number: String,
}

/// Adds a user with the password and their own verified phone.
pub fn someone(bench: &Bench, name: &str) -> Someone {
    let number = bench.number();
    let person = Person::new(name).password(PASSWORD).phone(&number);
    bench.slapd().add(&person);
    Someone { person, number }
}

/// The same with an account on this machine, so that connections are prefetched. `None`: the machine's
/// accounts are not ours.
pub fn known(bench: &Bench, name: &str) -> Option<Someone> {
    bench.without_world().is_none().then(|| {
        bench.world().add(&User::new(name));
        someone(bench, name)
    })
}

/// Adds a user whose bind is answered with `busy`.
pub fn with_outage(bench: &Bench, name: &str) {
    let person = Person::new(name)
        .bind_answers(51, "")
        .phone(&bench.number());
    bench.slapd().add(&person);
}
