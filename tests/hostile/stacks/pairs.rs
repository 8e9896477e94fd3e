//! Programs that read one of two PAM files, depending on how they are called: a code in only one of the two
//! can be bypassed.

use super::documents::{read, samples};
use lab::Lab;
use sms_otp::config::LOGIN_SHELLS;

pub fn services_that_come_in_pairs_have_both_samples(_: &Lab) {
    let samples = samples();
    let is_shipped = |name: &str| samples.contains(&format!("pam.d/{name}"));
    for (shell, service) in LOGIN_SHELLS {
        assert!(is_shipped(service), "no sample for {service}");
        assert!(
            is_shipped(shell),
            "{service} has a sample, {shell} has none"
        );
        // It only includes the other file, so that the two cannot differ.
        let text = read(&format!("pam.d/{shell}"));
        let mut auth = text.lines().filter(|line| line.starts_with("auth"));
        let first: Vec<&str> = auth.next().unwrap_or_default().split_whitespace().collect();
        assert_eq!(first, ["auth", "include", service], "pam.d/{shell}");
        assert_eq!(auth.next(), None, "pam.d/{shell}");
        for page in ["README.md", "docs/stacks.md"] {
            let is_named = read(page).contains(&format!("`{shell}`"));
            assert!(is_named, "{page} and {shell}");
        }
    }
}
