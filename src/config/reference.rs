//! Generates what is derived from the table of settings, and checks that the files are up to date: the
//! reference part of `sms_otp.toml(5)`, the sample file, and the dictionary of the fuzzer.
//! `UPDATE=1 cargo test --lib config::reference` writes them.
#![forbid(unsafe_code)]

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use super::{
    table::{self, Row, SECTIONS, Sample, Section},
    template::{self, Placeholder},
};

/// What is before and after the generated part of the manual page.
const BEGIN: &str = ".\\\" Generated from src/config/table: edit the rows there.\n";
const END: &str = ".\\\" End of the generated part.\n";

/// What is before and after the generated part of the sample file.
const HEAD: &str = include_str!("reference/head.toml");
const TAIL: &str = include_str!("reference/tail.toml");

/// The maximum width of a comment in the sample file.
const MAX_WIDTH: usize = 100;

#[test]
fn the_manual_page_is_up_to_date() {
    check("man/sms_otp.toml.5", |page| {
        let (head, rest) = page.split_once(BEGIN).expect("the begin of the part");
        let (_, tail) = rest.split_once(END).expect("the end of the part");
        let sections: String = SECTIONS.iter().map(manual_section).collect();
        format!("{head}{BEGIN}{sections}{END}{tail}")
    });
}

#[test]
fn the_sample_file_is_up_to_date() {
    check("conf/sms_otp.toml", |_| {
        let sections: String = SECTIONS.iter().map(sample_section).collect();
        format!("{HEAD}{sections}{TAIL}")
    });
}

/// Sections and keys are generated; the values below them are kept.
#[test]
fn the_dictionary_is_up_to_date() {
    check("fuzz/dictionaries/settings", |dictionary| {
        let (_, values) = dictionary.split_once("\n# Values.\n").expect("# Values.");
        let sections = SECTIONS.iter().map(Section::name);
        let sections = sections.filter(|name| !name.is_empty());
        let words: BTreeSet<_> = table::rows().map(Row::name).collect();
        let words = words.into_iter().map(str::to_owned);
        let words = sections.map(|name| format!("[{name}]")).chain(words);
        let words: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
        let words = words.join("\n");
        format!(
            "# Sections and keys of sms_otp.toml, from src/config/table.\n{words}\n\n# Values.\n{values}"
        )
    });
}

/// Compares a file with what is generated, or writes it.
fn check(path: &str, generate: impl FnOnce(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let current = std::fs::read_to_string(&path).unwrap();
    let generated = generate(&current);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, generated).unwrap();
        return;
    }
    let path = path.display();
    assert!(
        current == generated,
        "{path} is not up to date: UPDATE=1 cargo test --lib config::reference"
    );
}

/// A paragraph of a help text, or lines that are shown as they are.
enum Block<'a> {
    Paragraph(String),
    Literal(Vec<&'a str>),
}

fn blocks(help: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut paragraph = String::new();
    let mut lines = help
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    while let Some(line) = lines.next() {
        let is_literal = line == "```text";
        if (line.is_empty() || is_literal) && !paragraph.is_empty() {
            blocks.push(Block::Paragraph(std::mem::take(&mut paragraph)));
        }
        if is_literal {
            let literal = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(Block::Literal(literal.collect()));
        } else if !line.is_empty() {
            let space = if paragraph.is_empty() { "" } else { " " };
            paragraph = paragraph + space + line;
        }
    }
    if !paragraph.is_empty() {
        blocks.push(Block::Paragraph(paragraph));
    }
    blocks
}

/// Escapes a text for mdoc(7). Names in backquotes are set in bold.
fn escape(text: &str) -> String {
    let mut is_bold = false;
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\e"),
            '"' => escaped.push_str("\\(dq"),
            '`' => {
                is_bold = !is_bold;
                escaped.push_str(if is_bold { "\\fB" } else { "\\fR" });
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// Writes a paragraph as lines of mdoc(7), each sentence on lines of its own.
fn mdoc(text: &str) -> String {
    let mut page = String::new();
    let mut line = String::new();
    for word in escape(text).split(' ') {
        if !line.is_empty() && line.len() + 1 + word.len() > 80 {
            page.push_str(&std::mem::take(&mut line));
            page.push('\n');
        }
        if !line.is_empty() {
            line.push(' ');
        } else if word.starts_with(['.', '\'']) {
            line.push_str("\\&");
        }
        line.push_str(word);
        let is_end = word.len() > 1 && (word.ends_with('.') || word.ends_with(".)"));
        if is_end {
            page.push_str(&std::mem::take(&mut line));
            page.push('\n');
        }
    }
    if !line.is_empty() {
        page.push_str(&line);
        page.push('\n');
    }
    page
}

fn mdoc_blocks(help: &str) -> String {
    let blocks = blocks(help);
    let blocks = blocks.iter().enumerate().map(|(at, block)| match block {
        Block::Paragraph(text) if at == 0 => mdoc(text),
        Block::Paragraph(text) => format!(".Pp\n{}", mdoc(text)),
        Block::Literal(lines) => {
            let lines: String = lines.iter().map(|line| escape(line) + "\n").collect();
            format!(".Bd -literal -offset indent\n{lines}.Ed\n")
        }
    });
    blocks.collect()
}

fn manual_section(section: &Section) -> String {
    let title = match section.name() {
        "" => "Before the first section".to_owned(),
        name => format!("[{name}]"),
    };
    let mut page = format!(".Ss {title}\n");
    if !section.name().is_empty() {
        page.push_str(&mdoc_blocks(section.help));
        page.push_str(if section.is_per_service() {
            ".Pp\nThese keys may also be set in [service.X].\n"
        } else {
            ".Pp\nThese keys are set once, for all services.\n"
        });
    }
    if is_messages(section) {
        page.push_str(&placeholders());
    }
    page.push_str(".Bl -tag -width Ds\n");
    for row in section.rows() {
        let _ = write!(page, ".It Ic {}\n{}", row.path, mdoc_blocks(row.help));
        if !is_messages(section) {
            let allowed = format!("Allowed: {}.", (row.allowed)());
            let _ = write!(page, ".Pp\n{}", mdoc(&allowed));
        }
        if row.is_secret {
            page.push_str("This is a secret.\n");
        }
        if let Some(default) = row.default {
            // A sentence within a default does not end a line.
            let default = escape(default).replace(". ", ". \\&");
            let _ = writeln!(page, ".br\nDefault:\n.Ql {default} .");
        }
    }
    page.push_str(".El\n");
    page
}

fn is_messages(section: &Section) -> bool {
    section.name() == "messages"
}

/// Lists the placeholders of the manual page.
fn placeholders() -> String {
    let mut list = String::from(".Pp\nThe placeholders are:\n.Bl -tag -width Ds -compact\n");
    for placeholder in Placeholder::ALL {
        let help = mdoc_blocks(placeholder.help());
        let _ = write!(list, ".It Li {{{}}}\n{help}", placeholder.name());
    }
    list.push_str(".El\n");
    list
}

/// Writes the short form of a help text as comments: the first paragraph, and lines that follow it and are
/// shown as they are.
fn short_help(help: &str, range: Option<String>) -> String {
    let mut blocks = blocks(help).into_iter();
    let Some(Block::Paragraph(mut text)) = blocks.next() else {
        panic!("a help text begins with a paragraph");
    };
    if let Some(range) = range {
        let _ = write!(text, " Allowed: {range}.");
    }
    let mut comments = comment(&text);
    if let Some(Block::Literal(lines)) = blocks.next() {
        let lines = lines.iter().map(|line| format!("#   {line}\n"));
        comments.extend(lines);
    }
    comments
}

/// Writes a text as comments of the sample file.
fn comment(text: &str) -> String {
    let mut comment = String::new();
    let mut line = String::from("#");
    for word in text.replace('`', "").split(' ') {
        if line.len() + 1 + word.len() > MAX_WIDTH {
            comment.push_str(&line);
            comment.push('\n');
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    format!("{comment}{line}\n")
}

fn sample_section(section: &Section) -> String {
    let mut file = match section.name() {
        "" => String::new(),
        name => format!("\n\n[{name}]\n{}", short_help(section.help, None)),
    };
    if is_messages(section) {
        let names = template::placeholders();
        let names = format!("Placeholders: {names}, and {{code}} in sms only.");
        file.push_str(&comment(&names));
    }
    for row in section.rows() {
        let help = short_help(row.help, (row.range)());
        let (mark, value) = match row.sample {
            Sample::Set(value) => ("", value),
            Sample::Example(value) => ("# ", value),
            Sample::Default => ("# ", row.default.expect("a default or an example")),
        };
        let _ = writeln!(file, "\n{help}{mark}{} = {value}", row.name());
    }
    file
}
