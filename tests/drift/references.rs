//! What the files of a crate define, and which items of other files they name. Reads rustfmt's format.

use super::{code, product};
use std::collections::BTreeMap;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A type, trait, constant or macro.
    Type,
    Function,
    /// A module itself.
    Module,
}

/// A path from the root of its crate.
pub type Path = Vec<String>;

/// One file of a crate.
pub struct Source {
    pub path: String,
    /// The module that the file is.
    pub module: Path,
    /// All paths of this crate that the file names.
    pub references: Vec<Path>,
    definitions: BTreeMap<String, Kind>,
    /// Names that the file imports, and where they are from. `*` has several.
    imports: Vec<(String, Path)>,
}

pub struct Crate(BTreeMap<Path, Source>);

impl Crate {
    /// Reads the product files below a folder.
    pub fn read(folder: &str) -> Self {
        let files = product(folder);
        let files = files.iter().map(|(p, t)| (p.as_str(), t.as_str()));
        let files: Vec<_> = files.collect();
        Self::parse(folder, &files)
    }

    pub fn parse(folder: &str, files: &[(&str, &str)]) -> Self {
        let sources = files.iter().map(|(path, text)| {
            let module = module_of(folder, path);
            (module.clone(), Source::parse(path, module, &code(text)))
        });
        Self(sources.collect())
    }

    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.values()
    }

    /// Finds the file that defines what a path names, and what it is.
    pub fn resolve(&self, path: &[String]) -> Option<(&Source, Kind)> {
        self.resolve_within(path, 8)
    }

    fn resolve_within(&self, path: &[String], depth: u8) -> Option<(&Source, Kind)> {
        let length = (0..=path.len())
            .rev()
            .find(|length| self.0.contains_key(&path[..*length]))?;
        let source = self.0.get(&path[..length])?;
        let Some(name) = path.get(length) else {
            return Some((source, Kind::Module));
        };
        if let Some(kind) = source.definitions.get(name) {
            return Some((source, *kind));
        }
        let depth = depth.checked_sub(1)?;
        for (import, from) in &source.imports {
            if import == name {
                return self.resolve_within(from, depth);
            }
            if import == "*" {
                let from = [&from[..from.len() - 1], &path[length..]].concat();
                let found = self.resolve_within(&from, depth);
                if found.is_some() {
                    return found;
                }
            }
        }
        (name == "*").then_some((source, Kind::Module))
    }
}

/// Returns the module of a file: `src/a/b.rs` is `a::b`, and `src/lib.rs` the root.
fn module_of(folder: &str, path: &str) -> Path {
    let inner = path.trim_start_matches(folder).trim_start_matches('/');
    let inner = inner.trim_end_matches(".rs");
    match inner {
        "lib" | "main" => Vec::new(),
        inner => inner.split('/').map(str::to_owned).collect(),
    }
}

impl Source {
    fn parse(path: &str, module: Path, code: &str) -> Self {
        let children: Vec<&str> = code.lines().filter_map(declared_module).collect();
        let mut imports = Vec::new();
        let mut references = Vec::new();
        let (uses, rest) = use_statements(code);
        for (name, used) in uses.iter().flat_map(|tree| leaves(tree)) {
            if let Some(used) = absolute(&used, &module, &children) {
                imports.push((name, used.clone()));
                references.push(used);
            }
        }
        for path in inline(&rest) {
            // `module::item` after `use crate::module`.
            let imported = imports.iter().find(|(name, _)| *name == path[0]);
            references.extend(match imported {
                Some((_, from)) => Some([from, &path[1..]].concat()),
                None => absolute(&path, &module, &children),
            });
        }
        Self {
            path: path.to_owned(),
            definitions: code.lines().filter_map(definition).collect(),
            module,
            references,
            imports,
        }
    }
}

/// Separates the trees of `use` statements from the other code.
fn use_statements(code: &str) -> (Vec<String>, String) {
    let (mut uses, mut rest) = (Vec::new(), String::new());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let Some(first) = without_visibility(line.trim_start()).strip_prefix("use ") else {
            rest += line;
            rest.push('\n');
            continue;
        };
        let mut statement = first.to_owned();
        while !statement.contains(';') {
            let Some(line) = lines.next() else { break };
            statement += line;
        }
        uses.push(statement.split(';').next().unwrap_or_default().to_owned());
    }
    (uses, rest)
}

/// Makes a path absolute. `None`: another crate.
fn absolute(path: &[String], module: &[String], children: &[&str]) -> Option<Path> {
    let (first, rest) = path.split_first()?;
    let base = match first.as_str() {
        "crate" => &[][..],
        "self" => module,
        "super" => {
            let parent = module.split_last()?.1;
            if rest.first().is_some_and(|next| next == "super") {
                return absolute(rest, parent, children);
            }
            parent
        }
        child if children.contains(&child) => {
            return Some([module, path].concat());
        }
        _ => return None,
    };
    Some([base, rest].concat())
}

/// Returns the paths of a `use` tree, each with the name that it is imported as.
fn leaves(tree: &str) -> Vec<(String, Path)> {
    let tree = tree.trim();
    let (prefix, group) = match tree.split_once('{') {
        Some((prefix, group)) => (prefix, group.trim_end().strip_suffix('}')),
        None => (tree, None),
    };
    let prefix_parts = prefix.split("::").map(str::trim);
    let mut parts: Path = prefix_parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect();
    let Some(group) = group else {
        let Some(last) = parts.pop() else {
            return Vec::new();
        };
        let (item, name) = last.split_once(" as ").unwrap_or((&last, &last));
        if item == "self" {
            let name = parts.last().cloned().unwrap_or_default();
            return vec![(name, parts)];
        }
        let name = name.to_owned();
        parts.push(item.to_owned());
        return vec![(name, parts)];
    };
    split_group(group)
        .into_iter()
        .flat_map(leaves)
        .map(|(name, rest)| match rest.as_slice() {
            // `a::{self}` names `a`.
            [] => (parts.last().cloned().unwrap_or_default(), parts.clone()),
            _ => (name, [parts.clone(), rest].concat()),
        })
        .collect()
}

/// Splits at the commas outside of inner braces.
fn split_group(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&group[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Returns the paths in expressions and types: words joined by `::`.
fn inline(code: &str) -> impl Iterator<Item = Path> {
    let is_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    code.split(move |letter| !is_path(letter))
        .filter(|word| word.contains("::") && !word.starts_with("::"))
        .map(|word| {
            let parts = word.split("::").filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        })
}

/// The name in `mod name;`.
fn declared_module(line: &str) -> Option<&str> {
    let line = without_visibility(line);
    line.strip_prefix("mod ")?.strip_suffix(';')
}

/// The item that a line at the left margin defines.
fn definition(line: &str) -> Option<(String, Kind)> {
    let mut words = without_visibility(line)
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .filter(|word| !word.is_empty());
    let mut kind = None;
    if line.starts_with(char::is_whitespace) {
        return None;
    }
    while kind.is_none() {
        kind = match words.next()? {
            "fn" => Some(Kind::Function),
            "struct" | "enum" | "trait" | "type" | "static" | "union" | "macro_rules" => {
                Some(Kind::Type)
            }
            "const" => {
                let name = words.next()?;
                if !matches!(name, "fn" | "unsafe" | "extern") {
                    return Some((name.to_owned(), Kind::Type));
                }
                Some(Kind::Function).filter(|_| name == "fn")
            }
            "async" | "unsafe" | "extern" | "C" => None,
            _ => return None,
        };
    }
    Some((words.next()?.to_owned(), kind?))
}

fn without_visibility(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("pub") else {
        return line;
    };
    match rest.strip_prefix('(') {
        Some(inner) => inner.split_once(") ").map_or(line, |(_, rest)| rest),
        None => rest.trim_start(),
    }
}
