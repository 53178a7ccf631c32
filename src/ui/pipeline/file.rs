//! Appending to a file that other steps write to as well.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Appends what `text` makes of the length so far, in one write, on a line of its own: a step before us may have left its last line open.
pub(super) fn append(path: &Path, text: impl FnOnce(u64) -> io::Result<String>) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let length = file.metadata()?.len();
    let mut text = text(length)?;
    if length > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.insert(0, '\n');
        }
    }
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_there_stays_and_its_last_line_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        append(&path, |_| Ok("a=1\n".into())).unwrap();
        std::fs::write(&path, "a=1\nb=2").unwrap();
        append(&path, |length| Ok(format!("c={length}\n"))).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a=1\nb=2\nc=7\n");
        assert!(append(&folder.path().join("no/such"), |_| Ok(String::new())).is_err());
    }
}
