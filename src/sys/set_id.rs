//! Whether this process was started from a set-user-id or set-group-id file.

/// Judged by the ids alone: `AT_SECURE` is also set where SELinux or AppArmor gives the helper a
/// domain of its own.
pub fn is_set_id() -> bool {
    let (users, groups) = ids();
    differ(users, groups)
}

/// The real, effective and saved user and group ids of this process.
fn ids() -> ([libc::uid_t; 3], [libc::gid_t; 3]) {
    // Unequal, so that a call that fails refuses.
    let (mut users, mut groups) = ([0, 1, 2], [0, 1, 2]);
    let ([real, effective, saved], [real_group, effective_group, saved_group]) =
        (&mut users, &mut groups);
    // SAFETY: three valid places each; the calls fail for invalid places only (getresuid(2)).
    unsafe {
        libc::getresuid(real, effective, saved);
        libc::getresgid(real_group, effective_group, saved_group);
    }
    (users, groups)
}

fn differ(users: [libc::uid_t; 3], groups: [libc::gid_t; 3]) -> bool {
    let unequal = |[real, effective, saved]: [u32; 3]| real != effective || real != saved;
    unequal(users) || unequal(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_id_is_judged_by_all_six_ids() {
        assert!(!differ([1000; 3], [100; 3]));
        assert!(!differ([0; 3], [0; 3]));
        for at in 0..3 {
            let mut other = [1000; 3];
            if let Some(id) = other.get_mut(at) {
                *id = 0;
            }
            assert!(differ(other, [1000; 3]), "user id {at}");
            assert!(differ([1000; 3], other), "group id {at}");
        }
    }

    #[test]
    fn the_ids_of_this_process_are_read() {
        let (users, groups) = ids();
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        assert_eq!(users.get(1), Some(&user.as_raw()));
        assert_eq!(groups.get(1), Some(&group.as_raw()));
        assert!(!is_set_id());
    }
}
