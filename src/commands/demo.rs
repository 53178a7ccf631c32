//! `windlass demo`: a good deploy and its promotion, a broken one that is taken back, and a superseded one, with every step explained.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use clap::Args;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::sandbox::fault::{Fault, Faults};
use crate::sandbox::{Options, Sandbox};
use crate::ui::Ui;

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  windlass demo\n  windlass demo 2>demo.log\n  windlass demo --color never",
    after_help = "Nothing is asked, nothing outside a temporary folder is touched, and no network but loopback is used."
)]
pub struct Arguments {}

/// One scene: what it shows, on which platform.
struct Scene<'a> {
    context: &'a Context,
    ui: &'a Ui,
    sandbox: Sandbox,
}

impl<'a> Scene<'a> {
    fn open(context: &'a Context, ui: &'a Ui, title: &str, explanation: &str, faults: &[Fault]) -> Result<Self> {
        ui.heading(title);
        ui.paragraph(explanation);
        let sandbox = Sandbox::start(&Options { faults: Faults::of(faults.iter().copied()), ..Options::default() })?;
        Ok(Self { context, ui, sandbox })
    }

    /// A windlass command in this platform: this very executable.
    fn windlass(&self, arguments: &[&str]) -> Result<Command> {
        let executable = std::env::current_exe()
            .map_err(|error| Error::new(ErrorKind::Environment, "The path of this executable is not known").because(error))?;
        let mut command = Command::new(executable);
        command.args(arguments).envs(self.sandbox.environment()).stdin(Stdio::null());
        // The demo plays a person's session: a CI run around it must not give its commands an identity.
        for variable in
            ["GITHUB_ACTIONS", "GITLAB_CI", "FORGEJO_ACTIONS", "GITEA_ACTIONS", "TF_BUILD", "BUILDKITE", "CIRCLECI", "JENKINS_URL"]
        {
            command.env_remove(variable);
        }
        command.env_remove("BITBUCKET_BUILD_NUMBER");
        Ok(command)
    }

    fn spawned(mut command: Command) -> Result<Child> {
        command.spawn().map_err(|error| Error::new(ErrorKind::Environment, "A command of the demo could not be started").because(error))
    }

    /// Runs a command before everybody's eyes and checks that it ends as the demo says it does.
    fn play(&self, arguments: &[&str], expected: i32) -> Result<()> {
        self.ui.command(&format!("windlass {}", quoted(arguments)));
        let mut child = Self::spawned(self.windlass(arguments)?)?;
        let code = child.wait().ok().and_then(|status| status.code());
        self.check(arguments, code, expected)
    }

    fn check(&self, arguments: &[&str], code: Option<i32>, expected: i32) -> Result<()> {
        if self.context.cancel.is_set() {
            return Err(Error::new(ErrorKind::Interrupted, "The demo was stopped"));
        }
        if code == Some(expected) {
            self.ui.paragraph(&format!("exit code {expected}"));
            return Ok(());
        }
        Err(Error::internal(format!("The demo expected exit code {expected} of windlass {}, and it was {code:?}", quoted(arguments))))
    }

    /// What stands in Git now.
    fn log(&self) -> Result<()> {
        self.ui.command("git log -1");
        let repository = self.sandbox.repository();
        let output = Command::new("git")
            .arg("-C")
            .arg(repository)
            .args(["log", "-1", "--format=%h %s%n%n%(trailers)"])
            .output()
            .map_err(|error| Error::new(ErrorKind::Environment, "git could not be started").because(error))?;
        self.ui.paragraph(&String::from_utf8_lossy(&output.stdout));
        Ok(())
    }
}

/// Plays the demo; the exit code.
///
/// # Errors
/// When a scene does not end as it must.
pub fn run(context: &Context, ui: &Ui, _arguments: &Arguments) -> Result<u8> {
    good(context, ui)?;
    broken(context, ui)?;
    superseded(context, ui)?;
    ui.heading("That is all");
    ui.paragraph("Step in yourself with: windlass sandbox -- bash");
    Ok(0)
}

fn good(context: &Context, ui: &Ui) -> Result<()> {
    let scene = Scene::open(
        context,
        ui,
        "1. A deployment is a commit",
        "Staging runs checkout 1.0.0. windlass changes one line in Git, pushes it, asks Argo CD to look, and says \"deployed\"\n\
         only once the new pods run, are healthy, and have stayed so for a while.",
        &[],
    )?;
    scene.play(&["deploy", "checkout=1.1.0", "-e", "staging", "-m", "tax rounding"], 0)?;
    scene.log()?;
    ui.paragraph("The same command again makes no commit: the value stands already. It still verifies that it runs.");
    scene.play(&["deploy", "checkout=1.1.0", "-e", "staging"], 0)?;
    ui.paragraph("Staging proved it, so it may go to prod: exactly that version, and nothing else of staging.");
    scene.play(&["promote", "checkout", "--from", "staging", "--to", "prod", "--yes"], 0)?;
    ui.paragraph("A rollback is a revert in Git, limited to one service and one environment. It can be taken back as well.");
    scene.play(&["rollback", "checkout", "-e", "prod", "--reason", "slow queries", "--yes"], 0)?;
    scene.play(&["rollback", "checkout", "-e", "prod", "--undo", "--yes", "--no-wait"], 0)?;
    scene.play(&["history", "checkout", "-e", "prod"], 0)
}

fn broken(context: &Context, ui: &Ui) -> Result<()> {
    let scene = Scene::open(
        context,
        ui,
        "2. A version that does not start",
        "The image of 1.2.0 cannot be pulled. The commit stands, Argo CD applied it, and the old pods still serve. windlass\n\
         does not stop at \"synced\": it says what fails, in which pod, and exits with 43.",
        &[Fault::Degraded],
    )?;
    scene.play(&["deploy", "cart=1.2.0", "-e", "dev"], 43)?;
    scene.play(&["rollback", "cart", "-e", "dev", "--reason", "does not start"], 0)
}

fn superseded(context: &Context, ui: &Ui) -> Result<()> {
    let scene = Scene::open(
        context,
        ui,
        "3. Somebody else was faster",
        "1.1.0 gets healthy, and crashes five seconds later: that is not \"deployed\", and windlass goes on watching. Meanwhile\n\
         a colleague deploys 1.2.0. Whatever Argo CD shows now, it is not ours: windlass looks at the values, and exits with 44.",
        &[Fault::CrashLoop],
    )?;
    let ours = ["deploy", "checkout=1.1.0", "-e", "dev"];
    ui.command(&format!("windlass {}", quoted(&ours)));
    let mut command = scene.windlass(&ours)?;
    command.stderr(Stdio::piped());
    let mut child = Scene::spawned(command)?;
    let Some(stderr) = child.stderr.take() else { return Err(Error::internal("The demo cannot read what its command says")) };
    let mut theirs = None;
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { break };
        ui.paragraph(&line);
        if theirs.is_none() && line.starts_with("recorded") {
            let mut command = scene.windlass(&["deploy", "checkout=1.2.0", "-e", "dev", "--until", "synced", "--quiet"])?;
            command.stderr(Stdio::null());
            ui.paragraph("    (the colleague: windlass deploy checkout=1.2.0 -e dev --until synced)");
            theirs = Some(Scene::spawned(command)?);
        }
    }
    if let Some(mut theirs) = theirs {
        let code = theirs.wait().ok().and_then(|status| status.code());
        if code != Some(0) && !context.cancel.is_set() {
            return Err(Error::internal(format!("The colleague of the demo could not deploy: exit code {code:?}")));
        }
    }
    let code = child.wait().ok().and_then(|status| status.code());
    scene.check(&ours, code, 44)
}

/// Arguments as they are typed in a shell.
fn quoted(arguments: &[&str]) -> String {
    shlex::try_join(arguments.iter().copied()).unwrap_or_else(|_| arguments.join(" "))
}
