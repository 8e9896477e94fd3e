//! Detects a helper that was installed set-user-id or set-group-id.

/// Whether the process was started from a set-user-id or set-group-id file. Compares the ids; `AT_SECURE`
/// is also set by a domain transition of SELinux or AppArmor.
pub(super) fn is_set_id() -> bool {
    let (users, groups) = ids();
    differ(users, groups)
}

/// Returns the real, effective and saved user and group ids of this process.
fn ids() -> ([libc::uid_t; 3], [libc::gid_t; 3]) {
    // Unequal, so that a failed call counts as set-id.
    let (mut users, mut groups) = ([0, 1, 2], [0, 1, 2]);
    let ([real, effective, saved], [real_group, effective_group, saved_group]) =
        (&mut users, &mut groups);
    // SAFETY: three valid addresses each; the calls fail for invalid addresses only (getresuid(2)).
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
    fn set_id_is_detected_by_each_of_the_six_ids() {
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
