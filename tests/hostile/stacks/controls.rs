//! Each code that our module can return, under each control, beside modules that succeed or fail: which code
//! the host gets. In some shapes `pam_debug.so`, which returns a given code, replaces our module; with
//! `TORTURE` both run in all shapes, and the results must be equal.

use crate::module::login::{Login, someone};
use lab::Lab;
use lab::listeners::Refused;
use lab::pamhost::{Answer, Message, PamHost, Style, code};
use lab::twilio::wrong_code;

const TABLE: &str = include_str!("../../cases/stacks/controls.txt");
const KEY: &str = "SSH_AUTH_INFO_0=publickey ssh-ed25519 BBBB";
/// The shapes with our module instead of `pam_debug.so`.
const SHAPES: [&str; 2] = ["alone", "permit-behind"];

/// The codes by their names in pam.conf(5).
const CODES: [(&str, i32); 8] = [
    ("success", code::SUCCESS),
    ("ignore", code::IGNORE),
    ("auth_err", code::AUTH_ERR),
    ("maxtries", code::MAXTRIES),
    ("user_unknown", code::USER_UNKNOWN),
    ("authinfo_unavail", code::AUTHINFO_UNAVAIL),
    ("service_err", code::SERVICE_ERR),
    ("conv_err", code::CONV_ERR),
];

struct Row {
    shape: &'static str,
    control: &'static str,
    cells: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut blocks = TABLE.split("\n== ");
    let head = blocks.next().expect("a head");
    let codes = head.lines().find_map(|line| line.strip_prefix("codes "));
    let names: Vec<&str> = CODES.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        codes.expect("the codes").split(' ').collect::<Vec<_>>(),
        names
    );
    for block in blocks {
        let (shape, lines) = block.split_once('\n').expect("a shape and its rows");
        for line in lines.lines().filter(|line| !line.is_empty()) {
            let end = line.find(']').map_or(line.find(' '), |at| Some(at + 1));
            let (control, cells) = line.split_at(end.expect("a control"));
            let cells: Vec<&str> = cells.split_whitespace().collect();
            assert_eq!(cells.len(), CODES.len(), "{line}");
            rows.push(Row {
                shape,
                control,
                cells,
            });
        }
    }
    rows
}

pub fn each_code_under_each_control(lab: &Lab) {
    let rows = rows();
    // A thread for each code: a column of the table.
    let columns: Vec<Vec<String>> = std::thread::scope(|scope| {
        let rows = &rows;
        let column = |name| move || Column::new(lab, name).cells(rows);
        let threads: Vec<_> = CODES
            .iter()
            .map(|(name, code)| scope.spawn(column((*name, *code))))
            .collect();
        let columns = threads
            .into_iter()
            .map(|thread| thread.join().expect("a column"));
        columns.collect()
    });
    let mut wrong = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let seen: Vec<&str> = columns
            .iter()
            .map(|column| column[index].as_str())
            .collect();
        if seen != row.cells {
            wrong.push(format!(
                "found {} {} {}",
                row.shape,
                row.control,
                seen.join(" ")
            ));
        }
        check(row, &seen);
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Checks the properties that hold for every row.
fn check(row: &Row, seen: &[&str]) {
    let Row { shape, control, .. } = row;
    let what = format!("{control} {shape}: {seen:?}");
    // Our module is the whole stack: only its success grants access.
    if *shape == "alone" {
        assert!(!seen.contains(&"IN"), "{what}");
    }
    // The documented controls: whichever other modules are in the stack, only PAM_IGNORE leaves the decision
    // to them.
    if ["required", "requisite"].contains(control) {
        assert!(!seen[2..].contains(&"IN"), "{what}");
    }
    if ["[success=ok default=die]", "[success=done default=die]"].contains(control) {
        assert!(!seen.contains(&"IN"), "{what}");
    }
    // A refusal of another module is final.
    if *shape == "deny-before" {
        assert!(
            seen.iter().all(|cell| !cell.eq_ignore_ascii_case("in")),
            "{what}"
        );
    }
}

/// One of our codes: a login that returns it, and the substitute that returns it.
struct Column<'b> {
    lab: &'b Lab,
    name: &'static str,
    code: i32,
    login: Option<Login<'b>>,
    arguments: &'static str,
    /// Kept open for the logins that need it.
    _dead: Refused,
}

impl<'b> Column<'b> {
    fn new(lab: &'b Lab, (name, code): (&'static str, i32)) -> Self {
        let dead = Refused::new();
        let case: &'static str = format!("controls-{name}").leak();
        let who = someone(lab, case);
        let login = Login::new(lab, case).of(&who).host(PamHost::no_delay);
        let ledger = login.folder.join("ledger").display().to_string();
        let login = login.text("ledger.path", &ledger);
        let with_key = |login: Login<'b>| login.host(|host| host.pam_env(KEY));
        let remembering = |login: Login<'b>| with_key(login).text("policy.remember", "1h");
        let (login, arguments) = match name {
            "success" => (earned(remembering(login), true), "password=ssh"),
            "ignore" => (earned(remembering(login), true), "password=stack"),
            "maxtries" => {
                let login = with_key(login).set("limits.disable_after", "1");
                (earned(login, false), "password=ssh")
            }
            "user_unknown" => (with_key(login).user("daemon"), "password=ssh"),
            "authinfo_unavail" => {
                let dead_uri = format!("[\"ldaps://127.0.0.1:{}\"]", dead.port());
                (with_key(login).set("ldap.uris", &dead_uri), "password=ssh")
            }
            "service_err" => (with_key(login).set("code.digit", "6"), "password=ssh"),
            // The user disconnects at the password prompt.
            "conv_err" => (login, "password=ldap"),
            // sshd has verified nothing.
            _ => (login, "password=ssh"),
        };
        let login = Some(login);
        Self {
            lab,
            name,
            code,
            login,
            arguments,
            _dead: dead,
        }
    }

    fn cells(mut self, rows: &[Row]) -> Vec<String> {
        let is_long = crate::hostile::torture();
        let cell = |row: &Row| {
            if is_long {
                let (ours, substitute) = (self.ours(row), self.substitute(row));
                let Row { shape, control, .. } = row;
                assert_eq!(ours, substitute, "{}: {control} {shape}", self.name);
                return self.cell(ours);
            }
            let found = if SHAPES.contains(&row.shape) {
                self.ours(row)
            } else {
                self.substitute(row)
            };
            self.cell(found)
        };
        rows.iter().map(cell).collect()
    }

    /// The result in the format of the table.
    fn cell(&self, found: i32) -> String {
        match found {
            code::SUCCESS if self.code == code::SUCCESS => "in".to_owned(),
            code::SUCCESS => "IN".to_owned(),
            same if same == self.code => "=".to_owned(),
            code::PERM_DENIED => "no".to_owned(),
            code::AUTH_ERR => "deny".to_owned(),
            other => other.to_string(),
        }
    }

    fn ours(&mut self, row: &Row) -> i32 {
        let login = self.login.take().expect("a login");
        let inner = format!("{} {}", login.product_line(), self.arguments);
        let text = written(
            self.lab,
            &login,
            row,
            &format!("{{}} {}", self.arguments),
            &inner,
        );
        let login = login.stack(text.leak());
        let (transcript, _) = login.run(&[], 0);
        self.login = Some(login);
        transcript.codes()[0]
    }

    /// The same with `pam_debug.so` instead of our module.
    fn substitute(&mut self, row: &Row) -> i32 {
        let login = self.login.as_ref().expect("a login");
        let line = format!("pam_debug.so auth={}", self.name);
        let text = written(self.lab, login, row, &line, &line);
        self.lab.stack(&login.folder, "substitute", &text);
        let host = PamHost::new("substitute", Some(&login.folder)).no_delay();
        host.user("no-such-user").run_with(&[]).codes()[0]
    }
}

/// Makes an earlier login with a code: a right one, so that it is remembered, or a wrong one, so that the user
/// is locked.
fn earned(login: Login<'_>, right: bool) -> Login<'_> {
    let login = login.stack("auth required {} password=ssh\n");
    let (transcript, _) = login.run_with(2, |message: &Message| {
        let sms = login.arrived();
        match (message.style, sms.last()) {
            (Style::Shown, Some(sms)) if right => sms.code().into(),
            (Style::Shown, Some(sms)) => wrong_code(&sms.code()).into(),
            _ => Answer::ConvErr,
        }
    });
    assert_eq!(
        transcript.codes() == [code::SUCCESS],
        right,
        "{}",
        login.case
    );
    login
}

/// Returns a stack of this shape, and writes the file that it includes.
fn written(lab: &Lab, login: &Login, row: &Row, line: &str, inner: &str) -> String {
    let Row { shape, control, .. } = row;
    let ours = format!("auth {control} {line}\n");
    let (permit, deny) = (
        "auth required pam_permit.so\n",
        "auth required pam_deny.so\n",
    );
    match *shape {
        "alone" => ours,
        "permit-behind" => ours + permit,
        "permit-before" => permit.to_owned() + &ours,
        "deny-behind" => ours + deny,
        "deny-before" => deny.to_owned() + &ours,
        word => {
            lab.stack(&login.folder, "inner", &format!("auth {control} {inner}\n"));
            format!("auth {word} {}/inner\n{permit}", login.folder.display())
        }
    }
}
