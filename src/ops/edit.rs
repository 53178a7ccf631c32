//! The YAML engine on a local file: read, edit in memory, and write back in one step when asked.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest;
use crate::model::path::YamlPath;

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

/// Edits the file; its new bytes.
///
/// # Errors
/// When the file cannot be read, edited safely, or written back.
pub fn edit(context: &Context, request: &Request) -> Result<Vec<u8>> {
    let path = context.environment.directory().join(&request.file);
    let from_input = request.file == Path::new("-");
    if from_input && request.in_place {
        return Err(Error::usage("Standard input cannot be edited in place").hint("Name\ta file, or leave out --in-place"));
    }
    let label = if from_input { "standard input".to_owned() } else { request.file.display().to_string() };
    let before = if from_input { input() } else { fs::read(&path) };
    let before = before.map_err(|error| Error::usage(format!("The file {label} cannot be read: {error}")).because(error))?;
    let after = if let Some((sequence, entry)) = &request.append {
        manifest::append(&label, &before, request.document, &YamlPath::parse(sequence)?, entry)?
    } else {
        let mut changes = Vec::new();
        for text in &request.assignments {
            let Some((path, value)) = YamlPath::split_assignment(text) else {
                return Err(Error::usage(format!("--set {text} has no '='")).hint("Write\t--set PATH=VALUE"));
            };
            changes.push(manifest::Change::Set { document: request.document, path: YamlPath::parse(path)?, value: value.to_owned() });
        }
        manifest::edit(&label, &before, &changes)?
    };
    if request.in_place && after != before {
        write(&path, &after).map_err(|error| {
            Error::new(ErrorKind::Environment, format!("The file {label} cannot be written: {error}; it is as it was")).because(error)
        })?;
    }
    Ok(after)
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
