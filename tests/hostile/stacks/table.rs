//! The table: stacks and who gets in, as `tests/cases/stacks/table.txt` has them.

use super::people::PEOPLE;
use std::collections::BTreeMap;
use std::fmt::{self, Display};

const TABLE: &str = include_str!("../../cases/stacks/table.txt");

/// What the host is, and what it tells the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// sshd that has proved nothing, sudo, login.
    Plain,
    /// sshd that has proved a key.
    Key,
    /// su, or sudo that wants the target's password: the person calls it, to become somebody else.
    Caller,
    /// The same, called by root.
    Root,
}

impl Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Plain => "plain ",
            Self::Key => "key   ",
            Self::Caller => "caller",
            Self::Root => "root  ",
        };
        f.write_str(name)
    }
}

/// A stack, and what becomes of everybody.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    pub title: String,
    /// Its lines; those of files that it includes under their names.
    pub lines: Vec<String>,
    pub files: Vec<(String, Vec<String>)>,
    /// A cell for each of [`PEOPLE`].
    pub rows: BTreeMap<Host, Vec<String>>,
    /// Who may get in with one factor, and why.
    pub exempt: BTreeMap<String, String>,
    /// The words of each document that warn of it.
    pub warned: BTreeMap<String, String>,
    /// There are others like it: it is run when there is time.
    pub like_others: bool,
}

impl Stack {
    /// The lines as the documents have them, one blank between words.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// All text that libpam reads for it.
    pub fn whole(&self) -> String {
        let files = self.files.iter().map(|(_, lines)| lines.join("\n"));
        [self.text()]
            .into_iter()
            .chain(files)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// All of it.
pub fn read() -> Vec<Stack> {
    let mut stacks: Vec<Stack> = Vec::new();
    let mut blocks = TABLE.split("\n== ");
    let head = blocks.next().expect("a head");
    let people = head.lines().find_map(|line| line.strip_prefix("people "));
    let people: Vec<&str> = people.expect("the people").split_whitespace().collect();
    let names: Vec<&str> = PEOPLE.iter().map(|person| person.name).collect();
    assert_eq!(people, names, "the table's people");
    for block in blocks {
        let mut stack = Stack::default();
        let mut lines = block.lines();
        lines.next().expect("a title").clone_into(&mut stack.title);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            stack.take(line);
        }
        assert!(!stack.rows.is_empty(), "{} has no row", stack.title);
        stacks.extend(stack.each());
    }
    assert!(stacks.len() > 20, "{} stacks", stacks.len());
    stacks
}

impl Stack {
    fn take(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').expect("a word and more");
        let host = match word {
            "file" => {
                self.files.push((rest.to_owned(), Vec::new()));
                return;
            }
            "exempt" => {
                let (people, why) = rest.split_once(": ").expect("who, and why");
                let people = people.split_whitespace();
                self.exempt
                    .extend(people.map(|name| (name.to_owned(), why.to_owned())));
                return;
            }
            "warned" => {
                let (file, words) = rest.split_once(": ").expect("where, and the words");
                self.warned.insert(file.to_owned(), words.to_owned());
                return;
            }
            "plain" => Host::Plain,
            "key" => Host::Key,
            "caller" => Host::Caller,
            "root" => Host::Root,
            _ => {
                let line = super::documents::squeezed(line);
                match self.files.last_mut() {
                    Some((_, lines)) => lines.push(line),
                    None => self.lines.push(line),
                }
                return;
            }
        };
        let cells: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
        assert_eq!(cells.len(), PEOPLE.len(), "{}: {line}", self.title);
        self.rows.insert(host, cells);
    }

    /// One stack for each of the words that stand in `{a|b}` for one another.
    fn each(self) -> Vec<Self> {
        let text = self.text();
        let Some((before, rest)) = text.split_once('{') else {
            return vec![self];
        };
        let (words, after) = rest.split_once('}').expect("a closing brace");
        let words: Vec<&str> = words.split('|').collect();
        let one = |(place, word): (usize, &&str)| {
            let mut stack = self.clone();
            let text = format!("{before}{word}{after}");
            stack.lines = text.lines().map(str::to_owned).collect();
            stack.like_others = place > 0 && place + 1 < words.len();
            stack
        };
        words.iter().enumerate().map(one).collect()
    }
}
