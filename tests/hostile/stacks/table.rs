//! Parses `tests/cases/stacks/table.txt`: the stacks, and the result of each visitor.

use super::visitors::VISITORS;
use std::collections::BTreeMap;
use std::fmt::{self, Display};

const TABLE: &str = include_str!("../../cases/stacks/table.txt");

/// The host, and what it passes to the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// sshd that has verified nothing, sudo, login.
    Plain,
    /// sshd that has verified a key.
    Key,
    /// su, or sudo that requires the password of the target user, called by the visitor.
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

/// A stack, and the result of each visitor.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    pub title: String,
    /// Its lines, and those of the files that it includes.
    pub lines: Vec<String>,
    pub files: Vec<(String, Vec<String>)>,
    /// A cell for each of [`VISITORS`].
    pub rows: BTreeMap<Host, Vec<String>>,
    /// Visitors that may be granted access with one factor, and why.
    pub exempt: BTreeMap<String, String>,
    /// The warning in each document.
    pub warned: BTreeMap<String, String>,
    /// Similar to another stack: run with `TORTURE` only.
    pub like_others: bool,
}

impl Stack {
    /// The lines in the format of the documents, one blank between words.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// The text of all files that libpam reads for it.
    pub fn whole(&self) -> String {
        let files = self.files.iter().map(|(_, lines)| lines.join("\n"));
        [self.text()]
            .into_iter()
            .chain(files)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Parses the table.
pub fn read() -> Vec<Stack> {
    let mut stacks: Vec<Stack> = Vec::new();
    let mut blocks = TABLE.split("\n== ");
    let head = blocks.next().expect("a head");
    let visitors = head.lines().find_map(|line| line.strip_prefix("visitors "));
    let visitors: Vec<&str> = visitors.expect("the visitors").split_whitespace().collect();
    let names: Vec<&str> = VISITORS.iter().map(|visitor| visitor.name).collect();
    assert_eq!(visitors, names, "the visitors of the table");
    for block in blocks {
        let mut stack = Stack::default();
        let mut lines = block.lines();
        lines.next().expect("a title").clone_into(&mut stack.title);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            stack.parse_line(line);
        }
        assert!(!stack.rows.is_empty(), "{} has no row", stack.title);
        stacks.extend(stack.alternatives());
    }
    assert!(stacks.len() > 20, "{} stacks", stacks.len());
    stacks
}

impl Stack {
    fn parse_line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').expect("a word and a value");
        let host = match word {
            "file" => {
                self.files.push((rest.to_owned(), Vec::new()));
                return;
            }
            "exempt" => {
                let (visitors, why) = rest.split_once(": ").expect("visitors and a reason");
                let visitors = visitors.split_whitespace();
                self.exempt
                    .extend(visitors.map(|name| (name.to_owned(), why.to_owned())));
                return;
            }
            "warned" => {
                let (file, words) = rest.split_once(": ").expect("a file and its warning");
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
        assert_eq!(cells.len(), VISITORS.len(), "{}: {line}", self.title);
        self.rows.insert(host, cells);
    }

    /// Returns one stack for each of the alternatives in `{a|b}`.
    fn alternatives(self) -> Vec<Self> {
        let text = self.text();
        let Some((before, rest)) = text.split_once('{') else {
            return vec![self];
        };
        let (words, after) = rest.split_once('}').expect("a closing brace");
        let words: Vec<&str> = words.split('|').collect();
        let one = |(index, word): (usize, &&str)| {
            let mut stack = self.clone();
            let text = format!("{before}{word}{after}");
            stack.lines = text.lines().map(str::to_owned).collect();
            stack.like_others = index > 0 && index + 1 < words.len();
            stack
        };
        words.iter().enumerate().map(one).collect()
    }
}
