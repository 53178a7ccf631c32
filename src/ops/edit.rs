//! The YAML engine on a local file: read, edit in memory, and write back in one step when asked.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest;
use crate::model::field::{Field, FieldSelector};
use crate::model::path::{RepositoryPath, YamlPath};

/// What to edit.
#[derive(Debug, Clone)]
pub struct Request {
    /// The file, absolute or from the working directory; `-` is standard input.
    pub file: PathBuf,
    /// The document of a file with several, from 0.
    pub document: Option<usize>,
    /// `PATH=VALUE`
    pub assignments: Vec<String>,
    /// The sequence's path and the entry to add, as YAML.
    pub append: Option<(String, String)>,
    /// Write the result back.
    pub in_place: bool,
}

/// What an edit came to.
#[derive(Debug)]
pub struct Edited {
    /// The new bytes; the old ones when everything stood there already.
    pub bytes: Vec<u8>,
    /// Whether they differ from the old ones.
    pub changed: bool,
    /// Each place with what stood there, if it was a scalar, and what stands there now.
    pub places: Vec<(String, Option<String>, String)>,
}

/// What stands at a path, where one scalar does. The file's name serves messages alone, and there are none.
fn standing(bytes: &[u8], document: Option<usize>, path: &YamlPath) -> Option<String> {
    let file = RepositoryPath::parse("file.yaml").ok()?;
    manifest::read(bytes, &Field { file, document, selector: FieldSelector::Yaml { path: path.clone() } }).ok()?.value
}

/// Edits the file.
///
/// # Errors
/// When the file cannot be read, edited safely, or written back.
pub fn edit(context: &Context, request: &Request) -> Result<Edited> {
    let path = context.environment.directory().join(&request.file);
    let from_input = request.file == Path::new("-");
    if from_input && request.in_place {
        return Err(Error::usage("Standard input cannot be edited in place").hint("Name\ta file, or leave out --in-place"));
    }
    let label = if from_input { "standard input".to_owned() } else { request.file.display().to_string() };
    let before = if from_input { input() } else { fs::read(&path) };
    let before = before.map_err(|error| Error::usage(format!("The file {label} cannot be read: {error}")).because(error))?;
    let mut places = Vec::new();
    let after = if let Some((sequence, entry)) = &request.append {
        places.push((sequence.clone(), None, entry.clone()));
        manifest::append(&label, &before, request.document, &YamlPath::parse(sequence)?, entry)?
    } else {
        let mut changes = Vec::new();
        for text in &request.assignments {
            let Some((path, value)) = YamlPath::split_assignment(text) else {
                return Err(Error::usage(format!("--set {text} has no '='")).hint("Write\t--set PATH=VALUE"));
            };
            let parsed = YamlPath::parse(path)?;
            places.push((path.to_owned(), standing(&before, request.document, &parsed), value.to_owned()));
            changes.push(manifest::Change::Set { document: request.document, path: parsed, value: value.to_owned() });
        }
        manifest::edit(&label, &before, &changes)?
    };
    if request.in_place && after != before {
        write(&path, &after).map_err(|error| {
            Error::new(ErrorKind::Environment, format!("The file {label} cannot be written: {error}; it is as it was")).because(error)
        })?;
    }
    Ok(Edited { changed: after != before, bytes: after, places })
}

fn input() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes beside the file and renames over it, so that a reader sees the old bytes or the new ones. A symbolic link stays one: its
/// target is replaced. The permissions stay.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let path = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}
