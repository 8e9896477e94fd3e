//! Who comes to each stack, and what he has in his hands: the columns of the table.

/// A column.
pub struct Person {
    pub name: &'static str,
    pub who: Who,
    pub password: Password,
    pub code: Code,
    pub world: World,
    pub before: Before,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// In the directory with a verified phone, and in `/etc/shadow` with the same password.
    Member,
    /// The same, with another password in `/etc/shadow`.
    Split,
    /// The system's own: a low uid, a password in `/etc/shadow`, and an entry of that name in the
    /// directory with the same password and a verified phone.
    System,
    /// On this machine only: a uid as people have it, a password in `/etc/shadow`.
    Local,
    /// Nobody knows him.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Password {
    Right,
    /// The one of `/etc/shadow`, where that is another.
    Shadow,
    Wrong,
    Empty,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Right,
    Wrong,
    /// He has no phone at hand: he hangs up.
    None,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum World {
    Fine,
    DirectoryDown,
    TwilioDown,
    BadSettings,
}

/// What he did before, in a login of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// A wrong code, after which he is locked out.
    Locked,
    /// A right one, for which he is remembered.
    Remembered,
}

impl Person {
    /// Whom the directory has nothing to say of.
    pub fn is_local(&self) -> bool {
        matches!(self.who, Who::System | Who::Local)
    }
}

const fn person(name: &'static str, who: Who, password: Password, code: Code) -> Person {
    Person {
        name,
        who,
        password,
        code,
        world: World::Fine,
        before: Before::Nothing,
    }
}

/// Who knows the password and has no phone at hand.
const fn only_password(name: &'static str, world: World, before: Before) -> Person {
    Person {
        world,
        before,
        ..person(name, Who::Member, Password::Right, Code::None)
    }
}

pub const PEOPLE: [Person; 16] = [
    person("both", Who::Member, Password::Right, Code::Right),
    person("wrong-code", Who::Member, Password::Right, Code::Wrong),
    only_password("hangs-up", World::Fine, Before::Nothing),
    person("only-phone", Who::Member, Password::Wrong, Code::Right),
    person("nothing", Who::Member, Password::Empty, Code::None),
    person("shadow", Who::Split, Password::Shadow, Code::None),
    person("system", Who::System, Password::Right, Code::None),
    person("no-system", Who::System, Password::Wrong, Code::Right),
    person("local", Who::Local, Password::Right, Code::None),
    person("unknown", Who::Unknown, Password::Right, Code::None),
    only_password("no-ldap", World::DirectoryDown, Before::Nothing),
    only_password("no-twilio", World::TwilioDown, Before::Nothing),
    only_password("bad-toml", World::BadSettings, Before::Nothing),
    only_password("locked", World::Fine, Before::Locked),
    only_password("known", World::Fine, Before::Remembered),
    Person {
        password: Password::Wrong,
        ..only_password("not-known", World::Fine, Before::Remembered)
    },
];
