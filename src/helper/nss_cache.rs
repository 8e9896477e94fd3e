//! Accounts of the name service (NSS) that were looked up before the sandbox was entered.
#![forbid(unsafe_code)]

use crate::{policy::Names, sys::Nss};

/// NSS, with the results for the user and the caller.
pub struct NssCache {
    user: Option<String>,
    uid: Result<Option<u32>, String>,
    caller: Option<Caller>,
}

/// The results for the caller. Inside the sandbox some name services return less.
struct Caller {
    uid: u32,
    name: Result<Option<String>, String>,
    uid_of_name: Result<Option<u32>, String>,
}

impl NssCache {
    pub fn look_up_user(user: &[u8]) -> Self {
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

    /// Whether NSS has the user.
    pub const fn has_user(&self) -> bool {
        matches!(self.uid, Ok(Some(_)))
    }
}

impl Names for NssCache {
    fn uid(&self, name: &str) -> Result<Option<u32>, String> {
        if self.user.as_deref() == Some(name) {
            return self.uid.clone();
        }
        match &self.caller {
            Some(caller) if matches!(&caller.name, Ok(Some(cached)) if cached == name) => {
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
