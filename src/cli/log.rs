//! The detailed log: `-v` on stderr, `--log-file` in a file. Both carry what the screen would: nothing secret, no control characters.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::Global;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ui::{LogStream, Ui};

/// Where log lines go.
#[derive(Clone)]
struct Sinks {
    stream: LogStream,
    on_screen: bool,
    file: Option<Arc<Mutex<File>>>,
}

impl Write for Sinks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = self.stream.clean(&String::from_utf8_lossy(bytes));
        if self.on_screen {
            self.stream.write(&text);
        }
        if let Some(file) = &self.file {
            // A full disk must not end a deployment.
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sinks {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Starts the log when it was asked for.
///
/// # Errors
/// Usage: the file cannot be opened.
pub fn start(context: &Context, ui: &Ui, global: &Global) -> Result<()> {
    if global.verbose == 0 && global.log_file.is_none() {
        return Ok(());
    }
    let file = match &global.log_file {
        None => None,
        Some(path) => {
            let full = context.environment.directory().join(path);
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(full);
            let file =
                file.map_err(|error| Error::usage(format!("The log file {} cannot be opened: {error}", path.display())).because(error))?;
            Some(Arc::new(Mutex::new(file)))
        }
    };
    let level = if global.verbose > 1 || file.is_some() { LevelFilter::TRACE } else { LevelFilter::DEBUG };
    let sinks = Sinks { stream: ui.log_stream(), on_screen: global.verbose > 0, file };
    let filter = tracing_subscriber::filter::EnvFilter::new(format!("windlass={level}"));
    // A second subscriber (a test in the same process) changes nothing.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_target(false).with_writer(sinks).try_init();
    Ok(())
}
