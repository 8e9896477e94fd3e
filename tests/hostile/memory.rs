//! Core images of the host and of the helper contain no secret that is not needed.

use crate::Case;
use crate::module::login::{Login, Say, Seen};
use lab::Lab;
use lab::memory::Image;
use lab::pamhost::{Answer, At, PamHost, Step, Transcript, code};
use lab::slapd::{LdapUser, Slapd};
use std::cell::RefCell;

pub const CASES: &[Case] = &[
    (
        "hostile::memory::the_host_holds_one_password_and_nothing_else",
        the_host_holds_one_password_and_nothing_else,
    ),
    (
        "hostile::memory::the_helper_wipes_used_secrets",
        the_helper_wipes_used_secrets,
    ),
];

/// Not used elsewhere, without eight bytes of another secret, and longer than what an allocator overwrites in
/// freed memory.
const OWN: &str = "Vq7#mZx2!kTr9-Wd4&Hy6~Lb8^Nc3@Jf5%Sg1*Pe0=Ru";
const FORMER: &str = "Zt1%wQk8^pBn5&Mx3~Vy7!Jc2@Lf9#Rd6*Hg4-Ts0=Ea";

/// The secrets of one login, by name. The code is known once it was sent.
struct Secrets {
    password: &'static str,
    token: String,
    /// The same, as encoded in HTTP.
    authorization: String,
    code: RefCell<Option<String>>,
}

impl Secrets {
    fn new(lab: &Lab) -> Self {
        Self {
            password: OWN,
            token: lab.twilio().account().token,
            authorization: lab.twilio().account().authorization(),
            code: RefCell::default(),
        }
    }

    /// Finds them in a process: their names and addresses.
    fn in_process(&self, pid: u32) -> Vec<(&'static str, Vec<String>)> {
        let image = Image::of(pid).expect("root sees every process");
        let code = self.code.borrow();
        [
            ("password", Some(self.password)),
            ("token", Some(&*self.token)),
            ("authorization", Some(&*self.authorization)),
            ("bind password", Some(Slapd::BIND_PASSWORD)),
            ("code", code.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, secret)| Some((name, image.traces(secret?.as_bytes()))))
        .filter(|(_, places)| !places.is_empty())
        .collect()
    }
}

/// The names alone, each as often as it was found.
fn names(found: &[(&'static str, Vec<String>)]) -> Vec<&'static str> {
    let each = |(name, places): &(&'static str, Vec<String>)| vec![*name; places.len()];
    found.iter().flat_map(each).collect()
}

fn new_user(lab: &Lab, name: &str) -> (LdapUser, String) {
    let number = lab.number();
    let user = LdapUser::new(name).password(OWN).phone(&number);
    lab.slapd().add(&user);
    (user, number)
}

fn login<'b>(lab: &'b Lab, case: &'static str, name: &str, number: &str) -> Login<'b> {
    Login::new(lab, case)
        .user(name)
        .number(number)
        // This many digits are not found by chance.
        .set("code.digits", "10")
}

/// Runs the login, and returns the secrets found in the host at each image.
fn looked_at(
    login: &Login,
    secrets: &Secrets,
    answers: &[Say],
    lines: usize,
) -> (Vec<String>, Transcript, Seen) {
    let mut answers = answers.iter();
    let mut looks = Vec::new();
    let arrived = login.arrived().len();
    let answer = |say: &Say| match say {
        Say::Code => secrets.code.borrow().clone().expect("a code").into(),
        Say::Text(text) => (*text).into(),
        Say::Null => Answer::Null,
        _ => Answer::ConvErr,
    };
    let (transcript, seen) = login.run_watched(
        lines,
        |_| answers.next().map_or(Answer::ConvErr, answer),
        |at, pid| {
            if let Some(sms) = login.arrived().get(arrived..).and_then(<[_]>::last) {
                *secrets.code.borrow_mut() = Some(sms.code());
            }
            let found = secrets.in_process(pid);
            let when = match at {
                At::Start => return,
                At::Prompt(message) if message.text.starts_with("Password") => "password prompt",
                At::Prompt(_) => "code prompt",
                At::Result(_) => "after the hook",
                At::End => "after pam_end",
            };
            looks.push(format!("{when}: {}", names(&found).join(", ")));
        },
    );
    (looks, transcript, seen)
}

fn the_host_holds_one_password_and_nothing_else(lab: &Lab) {
    let (_, number) = new_user(lab, "image-ann");
    let secrets = Secrets::new(lab);
    let login = || login(lab, "image", "image-ann", &number).host(PamHost::without_copies);
    // The answers, the secrets found at each prompt, and the number of log lines.
    let rows: &[(&str, &[Say], &[&str], usize)] = &[
        (
            "in",
            &[Say::Text(OWN), Say::Code],
            &[
                "password prompt: ",
                "code prompt: password",
                "after the hook: ",
                "after pam_end: ",
            ],
            2,
        ),
        (
            "a wrong password is forgotten the same way",
            &[Say::Text(FORMER)],
            &["password prompt: ", "after the hook: ", "after pam_end: "],
            1,
        ),
        (
            "hung up at the code prompt",
            &[Say::Text(OWN), Say::HangUp],
            &[
                "password prompt: ",
                "code prompt: password",
                "after the hook: ",
                "after pam_end: ",
            ],
            2,
        ),
        (
            "the password at the code prompt",
            &[Say::Text(OWN), Say::Text(OWN)],
            &[
                "password prompt: ",
                "code prompt: password",
                "after the hook: ",
                "after pam_end: ",
            ],
            2,
        ),
    ];
    for (what, answers, want, lines) in rows {
        *secrets.code.borrow_mut() = None;
        let (looks, ..) = looked_at(&login(), &secrets, answers, *lines);
        assert_eq!(looks, *want, "{what}");
    }
    // Two logins on one handle, as sudo does.
    let twice = login().host(|host| host.steps(&[Step::Authenticate, Step::Authenticate]));
    *secrets.code.borrow_mut() = None;
    let answers = [Say::Text(OWN), Say::Null, Say::Text(OWN), Say::Code];
    let (looks, _, seen) = looked_at(&twice, &secrets, &answers, 4);
    assert_eq!(seen.codes(), [code::CONV_ERR, code::SUCCESS], "{seen:?}");
    let once = [
        "password prompt: ",
        "code prompt: password",
        "after the hook: ",
    ];
    assert_eq!(looks[..3], once);
    assert_eq!(looks[3..6], once);
    assert_eq!(looks[6..], ["after pam_end: "]);
    a_host_with_copies_is_detected(lab, &number);
}

/// Control: the images of a host that keeps copies contain them.
fn a_host_with_copies_is_detected(lab: &Lab, number: &str) {
    let secrets = Secrets::new(lab);
    let login = login(lab, "image", "image-ann", number);
    let (looks, ..) = looked_at(&login, &secrets, &[Say::Text(OWN), Say::Null], 2);
    let at_code = looks.iter().find(|look| look.starts_with("code prompt"));
    let copies = at_code.map_or(0, |look| look.matches("password").count());
    assert!(copies > 1, "{looks:?}");
}

fn the_helper_wipes_used_secrets(lab: &Lab) {
    let (_, number) = new_user(lab, "image-bob");
    let secrets = Secrets::new(lab);
    let login = login(lab, "image-helper", "image-bob", &number)
        .host(PamHost::without_copies)
        .own_helper();
    let mut looks = Vec::new();
    let arrived = login.arrived().len();
    let (_, seen) = login.run_watched(
        2,
        |message| {
            if message.text.starts_with("Password") {
                OWN.into()
            } else {
                secrets.code.borrow().clone().expect("a code").into()
            }
        },
        |at, _| {
            if !matches!(at, At::Prompt(_)) {
                return;
            }
            if let Some(sms) = login.arrived().get(arrived..).and_then(<[_]>::last) {
                *secrets.code.borrow_mut() = Some(sms.code());
            }
            let helper = login.helpers()[0].as_raw_nonzero().get();
            looks.push(secrets.in_process(helper.unsigned_abs()));
        },
    );
    assert_eq!(seen, Seen::granted());
    // The token and the password of the service account are in the settings, and the code is compared later. The
    // password of the user and the HTTP header are no longer needed, and are wiped.
    let before = ["token", "bind password"];
    let after = ["token", "bind password", "code"];
    // Each once or more: padding contains earlier contents of the stack.
    let once = |look| {
        let mut names = names(look);
        names.dedup();
        names
    };
    let looks: Vec<_> = looks.iter().map(|look| (once(look), look)).collect();
    assert_eq!(looks.len(), 2);
    assert_eq!(looks[0].0, before, "{looks:#?}");
    assert_eq!(looks[1].0, after, "{looks:#?}");
}
