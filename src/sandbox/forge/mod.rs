//! The simulated forge: one core of pull requests, and a dialect for each forge that translates HTTP. Merges really happen in the bare
//! repository (design section 11).
//!
//! `world` and `pull` are the core, `landing` and `plumbing` what a merge makes, `people` what others do, `dialect` what a forge is to the core, and
//! `github`, `gitlab`, `gitea` are the forges. What no forge of the kind would take is counted as a violation.

mod dialect;
mod exchange;
mod gitea;
mod github;
mod gitlab;
mod landing;
mod people;
mod plumbing;
mod protection;
mod pull;
mod world;

#[cfg(test)]
mod dialect_test;
#[cfg(test)]
mod fault_test;
#[cfg(test)]
mod recording_test;
#[cfg(test)]
mod rig_test;

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};

use self::dialect::{Deed, Dialect};
use self::exchange::{Answer, Ask};
use self::gitea::Gitea;
use self::github::GitHub;
use self::gitlab::GitLab;
use self::landing::Method;
use self::people::{BOT, REVIEWER, SECOND};
use self::plumbing::Plumbing;
pub use self::protection::protect;
pub use self::world::CheckState;
use self::world::{State as PullState, World};
use super::clock::SimulatedClock;
use super::fault::{Fault, Faults};
use crate::error::{Error, ErrorKind, Result};

/// The path of the repository on the forge.
pub const PATH: &str = "acme/config.git";
/// By how much the platform's time runs faster than the world's, as the Argo CD beside it says.
const TIME_SCALE_HEADER: &str = "windlass-sandbox-time-scale";
/// How often time is looked at without a request, for merges that were scheduled.
const TICK: Duration = Duration::from_millis(50);
/// How long the fault `slow` holds back each answer.
const SLOW: Duration = Duration::from_millis(60);
/// The largest body of a request.
const LARGEST: usize = 4 << 20;

/// Which forge is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GitHub Enterprise.
    GitHub,
    /// GitLab.
    GitLab,
    /// Forgejo.
    Forgejo,
    /// Gitea.
    Gitea,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::GitHub, Self::GitLab, Self::Forgejo, Self::Gitea];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Forgejo => "forgejo",
            Self::Gitea => "gitea",
        }
    }

    /// The forge of this name.
    ///
    /// # Errors
    /// Usage: there is none, with the names there are.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            Error::usage(format!("There is no forge {name:?}")).hint(format!("Forges\t{}", Self::ALL.map(Self::name).join(", ")))
        })
    }

    fn dialect(self) -> &'static dyn Dialect {
        match self {
            Self::GitHub => &GitHub,
            Self::GitLab => &GitLab,
            Self::Forgejo => &Gitea { forgejo: true },
            Self::Gitea => &Gitea { forgejo: false },
        }
    }
}

/// What is simulated.
#[derive(Clone)]
pub struct Settings {
    /// Which forge.
    pub kind: Kind,
    /// The bare repository.
    pub repository: PathBuf,
    /// The faults that are played.
    pub faults: Faults,
    /// The time.
    pub clock: SimulatedClock,
    /// The token that windlass has.
    pub token: String,
    /// The token of a person, for scripts that play one.
    pub reviewer_token: String,
}

struct Shared {
    world: Mutex<World>,
    clock: SimulatedClock,
    slow: bool,
}

impl Shared {
    /// Does something in the world as it is now.
    fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.elapsed());
        work(&mut world)
    }
}

/// A simulated forge. Dropping it ends it.
pub struct Simulator {
    shared: Arc<Shared>,
    /// Held for its end: the thread that looks at the time stops when this is gone.
    _stop: Sender<()>,
}

impl Simulator {
    /// Starts it, with no pull request.
    ///
    /// # Errors
    /// Environment: the bare repository cannot be opened.
    pub fn start(settings: &Settings) -> Result<Self> {
        let plumbing = Plumbing::open(&settings.repository).map_err(|error| {
            Error::new(ErrorKind::Environment, format!("The sandbox's forge cannot open its repository: {}", error.message()))
        })?;
        let clock = settings.clock.clone();
        let world = World::new(
            plumbing,
            settings.kind.dialect(),
            settings.faults.clone(),
            clock.at(Duration::ZERO),
            (settings.token.clone(), settings.reviewer_token.clone()),
        );
        let shared = Arc::new(Shared { world: Mutex::new(world), clock, slow: settings.faults.has(Fault::Slow) });
        let (stop, stopped) = channel::<()>();
        let ticking = Arc::clone(&shared);
        std::thread::spawn(move || {
            while matches!(stopped.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) {
                ticking.with(|_| ());
            }
        });
        Ok(Self { shared, _stop: stop })
    }

    /// Its API, for the address of the Git server.
    pub fn router(&self) -> Router {
        Router::new().route("/api/{*rest}", axum::routing::any(serve)).with_state(Arc::clone(&self.shared))
    }

    /// What was asked that no forge of this kind would have taken: unknown addresses, missing and unknown fields, filters that do nothing.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.shared.with(|world| world.violations())
    }

    /// The requests that were answered, `PUT /api/v3/… → 200`, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.with(|world| world.requests())
    }

    /// The numbers of the open pull requests.
    #[must_use]
    pub fn open(&self) -> Vec<u64> {
        self.shared.with(|world| world.all().iter().filter(|pull| pull.state == PullState::Open).map(|pull| pull.number).collect())
    }

    /// A reviewer approves; the next one, when the first did already.
    pub fn approve(&self, number: u64) {
        self.shared.with(|world| {
            let first = world.find(number).is_some_and(|pull| !pull.approvals.contains(&REVIEWER));
            let _ = world.approve(number, if first { REVIEWER } else { SECOND });
        });
    }

    /// The check `ci/test` comes to this.
    pub fn set_check(&self, number: u64, state: CheckState) {
        self.shared.with(|world| {
            let _ = world.pull_mut(number).map(|pull| pull.check = Some(state));
        });
    }

    /// From now on so many approvals are needed, and the check or not.
    pub fn set_rules(&self, approvals: usize, check: bool) {
        self.shared.with(|world| {
            world.rules.approvals = approvals;
            world.rules.check = check;
        });
    }

    /// GitLab's one method for the project: `merge`, `rebase_merge` or `ff`.
    pub fn set_project_method(&self, method: &'static str) {
        self.shared.with(|world| world.project_method = method);
    }

    /// A person closes it.
    pub fn close(&self, number: u64) {
        self.shared.with(|world| world.close(number));
    }

    /// A person pushes a commit to its branch.
    ///
    /// # Errors
    /// Environment: git failed.
    pub fn push_foreign_commit(&self, number: u64) -> Result<()> {
        self.shared.with(|world| world.push_foreign_commit(number).map(|_| ())).map_err(|error| failed(&error))
    }

    /// A person pushes a commit to its base that conflicts with it.
    ///
    /// # Errors
    /// Environment: git failed.
    pub fn move_base_into_conflict(&self, number: u64) -> Result<()> {
        self.shared.with(|world| world.move_base_into_conflict(number).map(|_| ())).map_err(|error| failed(&error))
    }

    /// A person merges it in the web form, by squash or with a merge commit.
    ///
    /// # Errors
    /// Environment: it is not open, or git failed.
    pub fn merge_by_hand(&self, number: u64, squash: bool) -> Result<()> {
        let method = if squash { Method::Squash } else { Method::Merge };
        self.shared.with(|world| world.merge_by_hand(number, method)).map_err(|error| failed(&error))
    }
}

fn failed(error: &git2::Error) -> Error {
    Error::new(ErrorKind::Environment, format!("The sandbox's forge failed: {}", error.message()))
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else { return Answer::page(413, "Request Entity Too Large").into() };
    let scale = shared.clock.scale();
    if shared.slow {
        tokio::time::sleep(SLOW).await;
    }
    // Git is read and written: not on the threads that hold the connections.
    let answered = tokio::task::spawn_blocking(move || {
        let Some(ask) = Ask::read(parts.method, &parts.uri, &parts.headers, &body) else { return Answer::page(400, "Bad Request") };
        shared.with(|world| {
            let answer = answer(&ask, world);
            world.note_request(format!("{} {} → {}", ask.method, parts.uri, answer.status));
            answer
        })
    });
    let answer = match answered.await {
        Ok(answer) => answer.with(TIME_SCALE_HEADER, scale.to_string()),
        Err(error) => Answer::text(500, &format!("{error}\n")),
    };
    Response::from(answer).into_response()
}

/// What stands before every dialect: the faults, the token, the old name; and behind it what people do.
fn answer(ask: &Ask, world: &mut World) -> Answer {
    let dialect = world.dialect();
    let faults = world.faults.clone();
    // Who asks which forge this is gets an answer even when the rest is down.
    if let Some(public) = dialect.public(ask, world) {
        if public.status == 404 && ask.token.is_some() {
            world.note_violation(format!("{} /{}: there is no such address", ask.method, ask.path.join("/")));
        }
        return public;
    }
    // Without a token even GitLab, which shows its version to nobody, says what it is.
    if faults.has(Fault::ForgeDown) && ask.token.is_some() {
        return Answer::page(503, "Service Temporarily Unavailable");
    }
    world.actor = match ask.token.as_deref() {
        Some(token) if token == world.token => BOT,
        Some(token) if token == world.reviewer_token => {
            world.actor = REVIEWER;
            let answer = dialect.answer(ask, world);
            world.actor = BOT;
            return answer;
        }
        _ => return dialect.unauthenticated(ask),
    };
    if world.limited > 0 {
        world.limited -= 1;
        return dialect.rate_limited(ask, world.limited);
    }
    let deed = dialect.deed(ask);
    if faults.has(Fault::ForgeTokenReadOnly) && deed != Deed::Read {
        return dialect.read_only(ask);
    }
    if faults.has(Fault::RepositoryRenamed)
        && let Some(moved) = dialect.moved(ask)
    {
        return moved;
    }
    let newest = world.all().first().map(|pull| pull.number);
    let answer = dialect.answer(ask, world);
    if deed == Deed::Create
        && answer.is_success()
        && let Some(opened) = world.all().first().map(|pull| pull.number).filter(|number| newest != Some(*number))
    {
        world.people_react(opened);
        if faults.has(Fault::CreateResponseLost) && !std::mem::replace(&mut world.lost_creation, true) {
            return Answer::page(502, "Bad Gateway");
        }
    }
    if deed == Deed::Merge && answer.is_success() && faults.has(Fault::MergeResponseLost) && !std::mem::replace(&mut world.lost_merge, true)
    {
        return Answer::page(502, "Bad Gateway");
    }
    answer
}
