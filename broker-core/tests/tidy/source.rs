//! The files of the workspace, and just enough of Rust's syntax to look at them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One Rust file.
pub(crate) struct Source {
    /// From the root of the workspace, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with comments and the insides of literals blanked out, line by line the same.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
    }
}

/// A function with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) lines: usize,
}

/// What is not source: what builds and runs leave behind.
const SKIPPED: &[&str] = &[
    "target",
    ".git",
    "corpus",
    "artifacts",
    "coverage",
    "departures-data",
    "orders-data",
    "proptest-regressions",
];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files of the workspace.
pub(crate) fn sources() -> Vec<Source> {
    let texts = texts().into_iter().filter(|(path, _)| is_rust(path));
    texts.map(|(path, text)| Source { path, code: code_of(&text), text }).collect()
}

pub(crate) fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// All text files of the workspace, with their paths.
pub(crate) fn texts() -> Vec<(String, String)> {
    let mut found = Vec::new();
    visit(&root(), "", &mut found);
    found
}

fn visit(directory: &Path, path: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let inner = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            visit(&entry.path(), &inner, found);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            found.push((inner, text));
        }
    }
}

/// Whether `word` occurs in the text with no letter, digit or underscore next to it.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(inside) && !after.starts_with(inside)
    })
}

/// Blanks out comments, and what is inside of strings and characters.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kept, blanked) = match first {
            '/' if rest.starts_with("//") => (0, rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => (0, rest.find("*/").map_or(rest.len(), |at| at + 2)),
            '"' => (1, string_end(&rest[1..])),
            'r' if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw_string(rest),
            '\'' => (1, character_end(&rest[1..])),
            _ => (first.len_utf8(), 0),
        };
        let (shown, hidden) = rest[..kept + blanked].split_at(kept);
        code.push_str(shown);
        code.extend(hidden.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[kept + blanked..];
    }
    code
}

/// How far a string reaches, its closing quote included.
fn string_end(inside: &str) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    inside.len()
}

/// What to keep and to blank of a raw string, or just the `r` of something else.
fn raw_string(rest: &str) -> (usize, usize) {
    let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
    if !rest[1 + hashes..].starts_with('"') {
        return (1, 0);
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let inside = &rest[hashes + 2..];
    (1, hashes + 1 + inside.find(&close).map_or(inside.len(), |at| at + close.len()))
}

/// How far a character literal reaches, or nothing if this is a lifetime.
fn character_end(inside: &str) -> usize {
    if inside.starts_with('\\') {
        return inside[2..].find('\'').map_or(0, |at| at + 3);
    }
    let mut chars = inside.char_indices();
    chars.next();
    chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
}

/// The functions in code, with the lines from `fn` to the closing brace.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let starts = code.match_indices("fn ").map(|(at, _)| at);
    let starts = starts.filter(|at| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
    starts.filter_map(|at| function_at(&code[at..])).collect()
}

fn function_at(code: &str) -> Option<Function> {
    let name: String = code[3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if name.is_empty() {
        return None;
    }
    let body = code.find(['{', ';']).filter(|at| code[*at..].starts_with('{'))?;
    let lines = code[..body + block(&code[body..])].lines().count();
    Some(Function { name, lines })
}

/// How far the block reaches that starts here.
fn block(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The code without its `#[cfg(test)]` modules.
pub(crate) fn without_tests(code: &str) -> String {
    let Some(at) = code.find("#[cfg(test)]\nmod ") else { return code.to_owned() };
    let Some(body) = code[at..].find(['{', ';']).map(|body| at + body) else { return code.to_owned() };
    let end = if code[body..].starts_with('{') { body + block(&code[body..]) } else { body + 1 };
    format!("{}{}", &code[..at], without_tests(&code[end..]))
}

#[test]
fn code_is_told_from_comments_and_literals() {
    let text =
        "let a = \"fn x() { \\\" }\"; // fn y() {\nlet b = r#\"{\"#; let c: &'static str = x('{', '\\'');";
    let code = code_of(text);
    assert_eq!(code.matches('{').count(), 0, "{code}");
    assert!(code.contains("'static str") && code.lines().count() == 2, "{code}");
}

#[test]
fn a_function_is_measured_to_its_closing_brace() {
    let found = functions("fn a();\nfn b() {\n  if x {\n  }\n}\nfn c() {}\n");
    let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.lines)).collect();
    assert_eq!(found, [("b", 4), ("c", 1)]);
}
