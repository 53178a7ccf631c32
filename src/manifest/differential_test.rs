//! The engine against a parser it does not use: over made-up and damaged files, an edit changes the one node and the one place that
//! were addressed, in the eyes of both.

use proptest::prelude::*;
use saphyr_parser::{Event, Parser};

use super::corpus_test::cases;
use super::property_test::{scalars, values};
use super::{Change, edit};
use crate::model::path::YamlPath;

/// What the other parser reads, one text an event; `None` where it cannot.
fn events(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut out = Vec::new();
    for event in Parser::new_from_str(text) {
        let tag = |tag: &Option<std::borrow::Cow<'_, saphyr_parser::Tag>>| tag.as_ref().map(|tag| format!("{}{}", tag.handle, tag.suffix));
        out.push(match event.ok()?.0 {
            // The style is not compared: quotes come and go with the value, and which ones the value needs is tested elsewhere.
            Event::Scalar(value, _, anchor, raw) => format!("scalar &{anchor} {:?} {value:?}", tag(&raw)),
            Event::SequenceStart(anchor, raw) => format!("sequence &{anchor} {:?}", tag(&raw)),
            Event::MappingStart(anchor, raw) => format!("mapping &{anchor} {:?}", tag(&raw)),
            other => format!("{other:?}"),
        });
    }
    Some(out)
}

/// A source of small choices, so that one seed makes one file.
struct Choice(u64);

impl Choice {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
    }

    fn of<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.below(all.len())]
    }

    fn comment(&mut self) -> &'static str {
        self.of(&["", "", "", " # c", "   # 'quoted: [x", "\t#\ttab"])
    }

    /// Lines of no meaning.
    fn filler(&mut self, indent: usize, out: &mut String) {
        match self.below(8) {
            0 => out.push('\n'),
            1 => *out += &format!("{}# - name: old\n", " ".repeat(indent)),
            2 => *out += "# left: \"margin\n",
            _ => {}
        }
    }

    fn flow(&mut self, depth: usize) -> String {
        match self.below(if depth > 2 { 6 } else { 9 }) {
            0 => "'it''s'".into(),
            1 => "\"a\\\"b # no\"".into(),
            2 => "plain words".into(),
            3 => "v1#x".into(),
            4 => "1.10".into(),
            5 => "http://h:80/p".into(),
            6 => format!("[{}, {}]", self.flow(depth + 1), self.flow(depth + 1)),
            7 => format!("{{a: {}, \"b\": {} }}", self.flow(depth + 1), self.flow(depth + 1)),
            _ => self.of(&["[]", "{}", "[ ]", "{a: , b: 1}", "[x, ]"]).to_owned(),
        }
    }

    fn value(&mut self, depth: usize, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent + 2);
        match self.below(if depth > 3 { 7 } else { 10 }) {
            0 => *out += &format!(" |\n{pad}text: not\n{pad}- a # node\n\n"),
            1 => *out += &format!(" >-\n{pad}folded\n{pad}lines\n"),
            2 => *out += &format!(" \"two\n{pad}lines\"{}\n", self.comment()),
            3 => *out += &format!("{}\n", self.comment()),
            4..=6 => *out += &format!(" {}{}\n", self.flow(0), self.comment()),
            7 => {
                *out += &format!("{}\n", self.comment());
                self.mapping(depth + 1, indent + 1 + self.clone_width(), out);
            }
            8 => {
                *out += &format!("{}\n", self.comment());
                self.sequence(depth + 1, indent + 2, out);
            }
            _ => {
                *out += &format!("{}\n", self.comment());
                self.sequence(depth + 1, indent, out);
            }
        }
    }

    fn clone_width(&self) -> usize {
        usize::from(self.0 & 1 == 0)
    }

    fn mapping(&mut self, depth: usize, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent);
        for index in 0..1 + self.below(3) {
            self.filler(indent, out);
            let key = self.of(&["tag", "\"q key\"", "'s'", "a.b/c", "on", "8080", "é"]);
            // A number keeps every key apart from its siblings.
            *out += &match key.strip_suffix(['"', '\'']) {
                Some(open) => format!("{pad}{open}{index}{}:", &key[open.len()..]),
                None => format!("{pad}{key}{index}:"),
            };
            self.value(depth, indent, out);
        }
    }

    fn sequence(&mut self, depth: usize, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent);
        for _ in 0..1 + self.below(3) {
            self.filler(indent, out);
            *out += &format!("{pad}-");
            if self.below(3) == 0 && depth < 4 {
                let mut inner = String::new();
                self.mapping(depth + 1, indent + 2, &mut inner);
                let first = inner.find(|c: char| c != ' ' && c != '\n').unwrap();
                if inner[..first].contains('\n') || inner[first..].starts_with('#') {
                    *out += "\n";
                    *out += &inner;
                } else {
                    *out += " ";
                    *out += &inner[first..];
                }
            } else {
                self.value(depth, indent, out);
            }
        }
    }

    fn file(&mut self) -> String {
        let mut out = String::new();
        for number in 0..1 + self.below(2) {
            if number > 0 || self.below(3) == 0 {
                out += self.of(&["---\n", "--- # head\n"]);
            }
            if self.below(3) == 0 {
                self.sequence(0, 0, &mut out);
            } else {
                self.mapping(0, 0, &mut out);
            }
            if self.below(6) == 0 {
                out += "...\n";
            }
        }
        if self.below(4) == 0 {
            out = out.replace('\n', "\r\n");
        }
        if self.below(4) == 0 {
            out = out.trim_end().to_owned();
        }
        if self.below(8) == 0 { format!("\u{feff}{out}") } else { out }
    }
}

/// The middle of two texts that begin and end alike: what went, and what came.
fn middle<'t>(before: &'t [u8], after: &'t [u8]) -> (&'t [u8], &'t [u8]) {
    let head = before.iter().zip(after).take_while(|(one, other)| one == other).count();
    let tail = before[head..].iter().rev().zip(after[head..].iter().rev()).take_while(|(one, other)| one == other).count();
    (&before[head..before.len() - tail], &after[head..after.len() - tail])
}

/// Edits one scalar of the file and lets the other parser judge; whether it was edited.
fn judge_set(input: &[u8], which: usize, value: &str) -> Result<bool, TestCaseError> {
    let places = scalars(input);
    let Some(was) = events(input).filter(|_| !places.is_empty()) else { return Ok(false) };
    let (document, path, span) = &places[which % places.len()];
    let change = Change::Set { document: Some(*document), path: path.clone(), value: value.to_owned() };
    let Ok(bytes) = edit("f.yaml", input, &[change]) else { return Ok(false) };
    let shown = || format!("{path} = {value:?}\n{:?}\n=>\n{:?}", String::from_utf8_lossy(input), String::from_utf8_lossy(&bytes));
    let is = events(&bytes);
    prop_assert!(is.is_some(), "the other parser refuses the result: {}", shown());
    let is = is.unwrap();
    prop_assert_eq!(was.len(), is.len(), "{}", shown());
    let differing: Vec<usize> = (0..was.len()).filter(|&at| was[at] != is[at]).collect();
    prop_assert!(differing.len() <= 1, "{} nodes changed: {}", differing.len(), shown());
    if let [at] = differing[..] {
        prop_assert!(was[at].starts_with("scalar") && is[at].ends_with(&format!(" {value:?}")), "{}", shown());
    }
    // No byte outside the scalar's own place: what came stands on one line, what went was the scalar.
    let (went, came) = middle(input, &bytes);
    prop_assert!(went.len() <= span.len() && !came.contains(&b'\n') && !came.contains(&b'\r'), "{}", shown());
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn an_edit_of_any_file_changes_one_node_for_another_parser_too(seed in 1_u64.., which in any::<usize>(), value in values()) {
        let file = Choice(seed).file();
        judge_set(file.as_bytes(), which, &value)?;
    }

    #[test]
    fn so_does_an_edit_of_a_damaged_file(
        case in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        drop in 0_usize..4,
        with in "[\\-:#&*!|>'\"{}\\[\\],\n\r\t x?]{0,3}",
        which in any::<usize>(),
        value in values(),
    ) {
        let cases = cases();
        let input = &cases[case.index(cases.len())].input;
        if input.len() > 10_000 {
            return Ok(());
        }
        let at = cut.index(input.len());
        let bytes = [&input[..at], with.as_bytes(), &input[(at + drop).min(input.len())..]].concat();
        judge_set(&bytes, which, &value)?;
    }

    #[test]
    fn an_appended_entry_is_all_that_another_parser_sees_anew(seed in 1_u64.., which in any::<usize>()) {
        let file = Choice(seed).file();
        let paths = sequences(file.as_bytes());
        let Some(was) = events(file.as_bytes()).filter(|_| !paths.is_empty()) else { return Ok(()) };
        let (document, path) = paths[which % paths.len()].clone();
        let change = Change::Append { document: Some(document), path: path.clone(), entry: "{name: new/app, newTag: \"1.10\"}".into() };
        let bytes = edit("f.yaml", file.as_bytes(), &[change]);
        prop_assert!(bytes.is_ok(), "{path}: {} in {file}", bytes.unwrap_err());
        let bytes = bytes.unwrap();
        let shown = || format!("{path}\n{file:?}\n=>\n{:?}", String::from_utf8_lossy(&bytes));
        let is = events(&bytes);
        prop_assert!(is.is_some(), "the other parser refuses the result: {}", shown());
        let is = is.unwrap();
        let new = ["mapping &0 None", "scalar &0 None \"name\"", "scalar &0 None \"new/app\"", "scalar &0 None \"newTag\"", "scalar &0 None \"1.10\"", "MappingEnd"];
        prop_assert_eq!(is.len(), was.len() + new.len(), "{}", shown());
        let at = was.iter().zip(&is).take_while(|(one, other)| one == other).count();
        // A mapping before the new one begins like it, so that the first difference may lie inside.
        let found = (0..=at).any(|at| was[..at] == is[..at] && is[at..at + new.len()] == new && was[at..] == is[at + new.len()..]);
        prop_assert!(found, "{}", shown());
        let old = file.as_bytes();
        let (went, _) = middle(old, &bytes);
        prop_assert!(went.iter().all(|byte| *byte == b' '), "{}", shown());
        // No line break of another kind than the file has.
        let lone = |bytes: &[u8]| bytes.iter().enumerate().filter(|&(at, byte)| *byte == b'\n' && (at == 0 || bytes[at - 1] != b'\r')).count();
        prop_assert!(lone(old) > 0 || !old.contains(&b'\n') || lone(&bytes) == 0, "{}", shown());
    }
}

/// Every sequence of a file: document and path.
fn sequences(bytes: &[u8]) -> Vec<(usize, YamlPath)> {
    use super::document::{Content, Stream};
    let Ok(stream) = Stream::parse("f.yaml", bytes) else { return Vec::new() };
    let mut waiting: Vec<_> = stream.documents.iter().filter_map(|document| document.root).collect();
    let mut found = Vec::new();
    while let Some(at) = waiting.pop() {
        match &stream.node(at).content {
            Content::Sequence { items, .. } => {
                found.push((stream.node(at).document, stream.path_of(at)));
                waiting.extend(items);
            }
            Content::Mapping { pairs, .. } => waiting.extend(pairs.iter().map(|(_, value)| *value)),
            Content::Scalar { .. } | Content::Alias { .. } => {}
        }
    }
    found
}

#[test]
fn the_made_up_files_are_understood_and_edited() {
    // The properties above would hold of files that nobody can read.
    let (mut read, mut edited) = (0, 0);
    for seed in 1..=200_u64 {
        let file = Choice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).file();
        read += usize::from(events(file.as_bytes()).is_some());
        edited += usize::from(judge_set(file.as_bytes(), usize::try_from(seed).unwrap(), "1.10").unwrap());
    }
    assert!(read > 180 && edited > 120, "{read} read, {edited} edited");
}
