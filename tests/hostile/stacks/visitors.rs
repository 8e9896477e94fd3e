//! The visitors of each stack, and the factors that they have: the columns of the table.

/// A column.
pub struct Visitor {
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
    /// A system account: a low uid, a password in `/etc/shadow`, and an entry of that name in the
    /// directory with the same password and a verified phone.
    System,
    /// On this machine only: a normal uid, a password in `/etc/shadow`.
    Local,
    /// Does not exist.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Password {
    Right,
    /// The one in `/etc/shadow`, if it differs.
    Shadow,
    Wrong,
    Empty,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Right,
    Wrong,
    /// Without a phone: the user disconnects.
    None,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum World {
    Fine,
    DirectoryDown,
    TwilioDown,
    BadSettings,
}

/// The earlier login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// With a wrong code, after which the user is locked.
    Locked,
    /// With the right code, so that the user is remembered.
    Remembered,
}

impl Visitor {
    /// Whether the user has no directory entry that counts.
    pub fn is_local(&self) -> bool {
        matches!(self.who, Who::System | Who::Local)
    }
}

const fn visitor(name: &'static str, who: Who, password: Password, code: Code) -> Visitor {
    Visitor {
        name,
        who,
        password,
        code,
        world: World::Fine,
        before: Before::Nothing,
    }
}

/// A visitor with the password and without the phone.
const fn only_password(name: &'static str, world: World, before: Before) -> Visitor {
    Visitor {
        world,
        before,
        ..visitor(name, Who::Member, Password::Right, Code::None)
    }
}

pub const VISITORS: [Visitor; 16] = [
    visitor("both", Who::Member, Password::Right, Code::Right),
    visitor("wrong-code", Who::Member, Password::Right, Code::Wrong),
    only_password("hangs-up", World::Fine, Before::Nothing),
    visitor("only-phone", Who::Member, Password::Wrong, Code::Right),
    visitor("nothing", Who::Member, Password::Empty, Code::None),
    visitor("shadow", Who::Split, Password::Shadow, Code::None),
    visitor("system", Who::System, Password::Right, Code::None),
    visitor("no-system", Who::System, Password::Wrong, Code::Right),
    visitor("local", Who::Local, Password::Right, Code::None),
    visitor("unknown", Who::Unknown, Password::Right, Code::None),
    only_password("no-ldap", World::DirectoryDown, Before::Nothing),
    only_password("no-twilio", World::TwilioDown, Before::Nothing),
    only_password("bad-toml", World::BadSettings, Before::Nothing),
    only_password("locked", World::Fine, Before::Locked),
    only_password("known", World::Fine, Before::Remembered),
    Visitor {
        password: Password::Wrong,
        ..only_password("not-known", World::Fine, Before::Remembered)
    },
];
