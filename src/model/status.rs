//! The matrix of targets: what Git says, what Argo CD runs, and how the two stand to each other.

use std::fmt;

use super::names::{ApplicationReference, EnvironmentName, Target};
use super::release::Release;
use super::revision::Sha;

/// How what runs stands to what Git says; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetState {
    /// No Argo CD enforces it.
    NoArgo,
    /// It runs what Git says, synced and healthy.
    Healthy,
    /// It is paused on purpose.
    Suspended,
    /// Pods are being replaced.
    Progressing,
    /// A sync is running.
    Syncing,
    /// Argo CD has not taken up what Git says.
    Behind,
    /// What is live differs from what Git says, although Argo CD compared with it.
    Drift,
    /// Synced and healthy, and yet another version runs.
    OtherVersion,
    /// Argo CD does not answer, or says what nobody can read.
    Unknown,
    /// Argo CD has no such Application.
    Missing,
    /// What Git says is not in the cluster.
    Absent,
    /// It runs and is not well.
    Degraded,
}

impl TargetState {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoArgo => "no-argo-cd",
            Self::Healthy => "healthy",
            Self::Suspended => "suspended",
            Self::Progressing => "progressing",
            Self::Syncing => "syncing",
            Self::Behind => "behind",
            Self::Drift => "drift",
            Self::OtherVersion => "other-version",
            Self::Unknown => "unknown",
            Self::Missing => "no-application",
            Self::Absent => "missing",
            Self::Degraded => "degraded",
        }
    }
}

impl fmt::Display for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What Argo CD says of one Application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationStatus {
    /// Which.
    pub application: ApplicationReference,
    /// How it stands to Git.
    pub state: TargetState,
    /// Argo CD's word for the comparison.
    pub sync: String,
    /// Argo CD's word for the health.
    pub health: String,
    /// What Argo CD says of the health.
    pub message: String,
    /// Since when it has that health, in seconds since 1970.
    pub since: Option<i64>,
    /// The commit it was last compared with.
    pub revision: Option<Sha>,
    /// The versions that its images carry; empty where no declared field is an image.
    pub runs: Vec<String>,
    /// The version that the commit it runs says; only where it is synced.
    pub runs_from_commit: Option<String>,
    /// Its address for people.
    pub link: Option<String>,
}

impl ApplicationStatus {
    /// One that Argo CD does not have.
    #[must_use]
    pub fn missing(application: ApplicationReference) -> Self {
        Self {
            application,
            state: TargetState::Missing,
            sync: String::new(),
            health: String::new(),
            message: String::new(),
            since: None,
            revision: None,
            runs: Vec::new(),
            runs_from_commit: None,
            link: None,
        }
    }

    /// The version that runs, where it is known and is not the one that Git says.
    #[must_use]
    pub fn other_version(&self, git: Option<&str>) -> Option<String> {
        let others: Vec<&str> = self.runs.iter().map(String::as_str).filter(|version| Some(*version) != git).collect();
        match &self.runs_from_commit {
            _ if !others.is_empty() => Some(others.join(", ")),
            Some(version) if self.runs.is_empty() && Some(version.as_str()) != git => Some(version.clone()),
            _ => None,
        }
    }
}

/// One target.
#[derive(Debug, Clone)]
pub struct TargetStatus {
    /// Which.
    pub target: Target,
    /// The version in Git.
    pub git: Option<String>,
    /// How what runs stands to it: the worst of its Applications.
    pub state: TargetState,
    /// Its Applications.
    pub applications: Vec<ApplicationStatus>,
    /// Its newest release, when it is among the newest commits.
    pub last_release: Option<Release>,
}

/// Services by environments.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// The tip that was read.
    pub commit: Sha,
    /// The columns, in promotion order.
    pub environments: Vec<EnvironmentName>,
    /// The targets, by service.
    pub targets: Vec<TargetStatus>,
    /// Why some of it is unknown.
    pub troubles: Vec<String>,
}

impl Matrix {
    /// Whether Argo CD answered for every target that it enforces.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.troubles.is_empty()
    }
}
