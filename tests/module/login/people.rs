//! Users of the directory and of this machine.

use super::PASSWORD;
use lab::Lab;
use lab::machine::User;
use lab::slapd::LdapUser;

/// A user with an entry in the directory and a phone.
pub struct Someone {
    pub person: LdapUser,
    pub number: String,
}

/// Adds a user with the password and their own verified phone.
pub fn someone(lab: &Lab, name: &str) -> Someone {
    let number = lab.number();
    let person = LdapUser::new(name).password(PASSWORD).phone(&number);
    lab.slapd().add(&person);
    Someone { person, number }
}

/// The same with an account on this machine, so that connections are prefetched. `None`: the machine's
/// accounts are not ours.
pub fn known(lab: &Lab, name: &str) -> Option<Someone> {
    lab.machine_error().is_none().then(|| {
        lab.machine().add(&User::new(name));
        someone(lab, name)
    })
}

/// Adds a user whose bind is answered with `busy`.
pub fn with_outage(lab: &Lab, name: &str) {
    let person = LdapUser::new(name).bind_result(51, "").phone(&lab.number());
    lab.slapd().add(&person);
}
