//! The rooms of a real login, opened when the story first needs them.
#![forbid(unsafe_code)]

use crate::{deadline::Moment, login::Clock, policy::Names, sys::Nss};

/// NSS, which has been asked for the user already: the log wants to know whether it knows him.
pub struct Host {
    user: Option<String>,
    uid: Result<Option<u32>, String>,
    caller: Option<Caller>,
}

/// Who calls, asked for before the walls: behind them some name services tell less.
struct Caller {
    uid: u32,
    name: Result<Option<String>, String>,
    uid_of_name: Result<Option<u32>, String>,
}

impl Host {
    pub fn look_up(user: &[u8]) -> Self {
        let user = String::from_utf8(user.to_vec()).ok();
        let uid = user.as_deref().map_or(Ok(None), |user| Nss.uid(user));
        Self {
            user,
            uid,
            caller: None,
        }
    }

    pub fn look_up_caller(&mut self, uid: u32) {
        let name = Nss.name(uid);
        let uid_of_name = match &name {
            Ok(Some(name)) => Nss.uid(name),
            Ok(None) | Err(_) => Ok(None),
        };
        self.caller = Some(Caller {
            uid,
            name,
            uid_of_name,
        });
    }

    pub const fn is_known(&self) -> bool {
        matches!(self.uid, Ok(Some(_)))
    }
}

impl Names for Host {
    fn uid(&self, name: &str) -> Result<Option<u32>, String> {
        if self.user.as_deref() == Some(name) {
            return self.uid.clone();
        }
        match &self.caller {
            Some(caller) if matches!(&caller.name, Ok(Some(his)) if his == name) => {
                caller.uid_of_name.clone()
            }
            _ => Nss.uid(name),
        }
    }

    fn name(&self, uid: u32) -> Result<Option<String>, String> {
        match &self.caller {
            Some(caller) if caller.uid == uid => caller.name.clone(),
            _ => Nss.name(uid),
        }
    }
}

/// The machine's clock.
pub struct Wall;

impl Clock for Wall {
    fn now(&self) -> Moment {
        Moment::now()
    }
}
