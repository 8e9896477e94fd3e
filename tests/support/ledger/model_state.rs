//! Limits and locks of the model.

use super::*;

impl State {
    pub fn locked(&self, account: &Account, rules: Rules<'_>) -> Option<Rejection> {
        let user = self.users.get(&account.dn)?;
        if user.failures >= rules.limits.disable_after {
            return Some(Rejection::Locked { wait: None });
        }
        let left = user.locked_until.saturating_sub(self.now);
        (left > 0).then(|| Rejection::Locked {
            wait: Some(Duration::from_millis(left)),
        })
    }

    /// The limit with the longest wait.
    pub fn limited(&self, account: &Account, rules: Rules<'_>) -> Option<Rejection> {
        let nothing = Vec::new();
        let user = self.users.get(&account.dn).map_or(&nothing, |p| &p.sms);
        let phone = self.phones.get(account.phone.e164()).unwrap_or(&nothing);
        let all: Vec<u64> = self.all.iter().map(|(at, _)| *at).collect();
        let mut longest: Option<(u64, LimitScope, Rule)> = None;
        let mut look = |scope, sent: &[u64], rule: &Rule| {
            let wait = wait(sent, *rule, self.now);
            if wait > longest.map_or(0, |(longest, _, _)| longest) {
                longest = Some((wait, scope, *rule));
            }
        };
        for rule in &rules.limits.sms {
            look(LimitScope::User, user, rule);
        }
        for rule in &rules.limits.sms {
            look(LimitScope::Phone, phone, rule);
        }
        if let Some(rule) = &rules.limits.sms_total {
            look(LimitScope::Total, &all, rule);
        }
        longest.map(|(wait, scope, rule)| Rejection::Limited {
            wait: Duration::from_millis(wait),
            scope,
            rule,
        })
    }

    pub fn take(&mut self, account: &Account) -> Reservation {
        let now = self.now;
        self.users
            .entry(account.dn.clone())
            .or_default()
            .sms
            .push(now);
        self.phones
            .entry(account.phone.e164().into())
            .or_default()
            .push(now);
        self.all.push((now, account.segments));
        self.reserved += 1;
        Reservation {
            backend: Backend::Local,
            at: now,
            number: self.reserved,
        }
    }
}

/// How long until the rule allows one more SMS. An SMS counts for exactly the rule's span.
fn wait(sent: &[u64], rule: Rule, now: u64) -> u64 {
    let span = millis(rule.within);
    let mut leaves: Vec<u64> = sent
        .iter()
        .map(|at| at + span)
        .filter(|at| *at > now)
        .collect();
    leaves.sort_unstable();
    let most = rule.most as usize;
    if leaves.len() < most {
        return 0;
    }
    // The time at which enough of them have expired.
    leaves[leaves.len() - most] - now
}
