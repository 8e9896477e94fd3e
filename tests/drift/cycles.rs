//! The files of a crate do not import each other in a circle.
//!
//! An import is an edge from the file that names an item to the file that defines it, also through re-exports.
//! A child file may use the types, traits and constants of a file above it, which uses the child; a function
//! of a file above it closes a circle.

use super::references::{Crate, Kind, Source};
use crate::Case;
use lab::Lab;
use std::collections::{BTreeMap, BTreeSet};

pub const CASES: &[Case] = &[
    (
        "drift::cycles::files_do_not_import_in_a_circle",
        files_do_not_import_in_a_circle,
    ),
    ("drift::cycles::imports_are_resolved", imports_are_resolved),
];

const CRATES: &[&str] = &[
    "src",
    "module/src",
    "protocol/src",
    "safe-path/src",
    "benches/login/src",
    "benches/ledger/src",
];

/// Small functions that a file shares with the files below it.
const SHARED: &[&str] = &[
    "config::address::authority",
    "config::address::is_loopback",
    "config::address::strip_scheme",
    "config::value_types::check",
    "config::value_types::check_list",
    "config::value_types::is_line",
    "is_supported",
    "net::peer",
    "net::printable",
    "peers::unpacked",
];

/// For each file, the files it imports, and the names.
type Edges = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

fn files_do_not_import_in_a_circle(_: &Lab) {
    let mut circles = String::new();
    for folder in CRATES {
        let edges = edges(&Crate::read(folder));
        assert!(!edges.is_empty(), "no imports in {folder}");
        for circle in find_circles(&edges) {
            circles += &describe(&edges, &circle);
        }
    }
    assert!(circles.is_empty(), "circles of imports:\n{circles}");
}

fn edges(krate: &Crate) -> Edges {
    let mut edges = Edges::new();
    for source in krate.sources() {
        for reference in &source.references {
            let Some((target, kind)) = krate.resolve(reference) else {
                continue;
            };
            let name = reference.join("::");
            if target.path == source.path || is_allowed(source, target, kind, &name) {
                continue;
            }
            edges
                .entry(source.path.clone())
                .or_default()
                .entry(target.path.clone())
                .or_default()
                .insert(name);
        }
    }
    edges
}

/// Whether a file uses one above it: a type, the module itself (its items are references too), or a function of
/// [`SHARED`].
fn is_allowed(source: &Source, target: &Source, kind: Kind, reference: &str) -> bool {
    source.module.starts_with(&target.module)
        && (kind != Kind::Function || SHARED.contains(&reference))
}

/// Returns one circle of each group of files that import each other.
fn find_circles(edges: &Edges) -> Vec<Vec<String>> {
    let mut circles = Vec::new();
    let mut seen = BTreeSet::new();
    for start in edges.keys() {
        if seen.contains(start) {
            continue;
        }
        if let Some(circle) = shortest_circle(edges, start) {
            seen.extend(circle.iter().cloned());
            circles.push(circle);
        }
    }
    circles
}

/// Searches breadth-first for the shortest way from a file back to itself.
fn shortest_circle(edges: &Edges, start: &str) -> Option<Vec<String>> {
    let mut paths = vec![vec![start.to_owned()]];
    let mut visited = BTreeSet::new();
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            let targets = edges.get(path.last()?).into_iter().flatten();
            for (target, _) in targets {
                if target == start {
                    return Some(path);
                }
                if visited.insert(target.clone()) {
                    longer.push([path.clone(), vec![target.clone()]].concat());
                }
            }
        }
        paths = longer;
    }
    None
}

fn describe(edges: &Edges, circle: &[String]) -> String {
    let next = circle.iter().cycle().skip(1);
    circle
        .iter()
        .zip(next)
        .map(|(from, to)| format!("  {from} -> {to}: {:?}\n", edges[from][to]))
        .chain(["\n".to_owned()])
        .collect()
}

fn imports_are_resolved(_: &Lab) {
    let circles = |files: &[(&str, &str)]| find_circles(&edges(&Crate::parse("src", files))).len();
    let parent = "mod child;\npub struct Type;\npub fn function() {}\nuse child::Item;\n";
    // A type of the parent is allowed, a function is not.
    let with_type = "use super::Type;\npub struct Item;\n";
    let with_function = "pub struct Item;\nfn f() {\n    super::function();\n}\n";
    assert_eq!(
        circles(&[("src/a.rs", parent), ("src/a/child.rs", with_type)]),
        0
    );
    assert_eq!(
        circles(&[("src/a.rs", parent), ("src/a/child.rs", with_function)]),
        1
    );
    // Siblings may not use each other's types in a circle, also through a re-export.
    let one = "use super::two::B;\npub struct A;\n";
    let two = "use crate::A;\npub struct B;\n";
    let root = "mod one;\nmod two;\npub use one::{A, *};\n";
    let siblings = [
        ("src/lib.rs", root),
        ("src/one.rs", one),
        ("src/two.rs", two),
    ];
    assert_eq!(circles(&siblings), 1);
    assert_eq!(circles(&siblings[..2]), 0);
    // A comment is not an import.
    let comment = "// use crate::A;\npub struct B;\n";
    let commented = [siblings[0], siblings[1], ("src/two.rs", comment)];
    assert_eq!(circles(&commented), 0);
}
