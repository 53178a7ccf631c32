//! The CI run we are part of: its stable identity (never the attempt number), its address, and who started it.

use crate::context::Environment;

/// A run of a CI system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiRun {
    /// The system, in one word.
    pub system: &'static str,
    /// What stays the same when the job is run again: the run's id, without the attempt.
    pub run: String,
    /// The job or step.
    pub job: String,
    /// The address of the run.
    pub url: Option<String>,
    /// Who started it.
    pub actor: Option<String>,
}

impl CiRun {
    /// Who a commit of this run is by, where git's configuration names nobody: name and address.
    #[must_use]
    pub fn identity(&self, environment: &Environment) -> (String, String) {
        let get = |name: &str| environment.get(name).map(str::to_owned);
        if let (Some(name), Some(email)) = (get("GITLAB_USER_NAME"), get("GITLAB_USER_EMAIL")) {
            return (name, email);
        }
        let name = self.actor.clone().unwrap_or_else(|| format!("{} run", self.system));
        // A reserved top-level domain (RFC 2606): nobody's mail ever goes there.
        let local: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        (name, format!("{local}@{}.invalid", self.system))
    }

    /// The CI run this process is part of, from the variables each system documents; `None` outside CI or where the system gives no
    /// stable id.
    #[must_use]
    pub fn detect(environment: &Environment) -> Option<Self> {
        let get = |name: &str| environment.get(name).map(str::to_owned);
        let first = |names: &[&str]| names.iter().find_map(|name| get(name));
        let some = |system, run: Option<String>, job: Option<String>, url, actor| {
            Some(Self { system, run: run?, job: job.unwrap_or_default(), url, actor })
        };
        // Forgejo and Gitea set the GITHUB_ variables as well, so one reading serves the three.
        if environment.has("GITHUB_ACTIONS") || environment.has("FORGEJO_ACTIONS") || environment.has("GITEA_ACTIONS") {
            let system = if environment.has("FORGEJO_ACTIONS") {
                "forgejo"
            } else if environment.has("GITEA_ACTIONS") {
                "gitea"
            } else {
                "github"
            };
            let repository = get("GITHUB_REPOSITORY").unwrap_or_default();
            let id = get("GITHUB_RUN_ID")?;
            let url = get("GITHUB_SERVER_URL").map(|server| format!("{server}/{repository}/actions/runs/{id}"));
            let run = if repository.is_empty() { id } else { format!("{}-{id}", repository.replace('/', "-")) };
            return some(system, Some(run), get("GITHUB_JOB"), url, get("GITHUB_ACTOR"));
        }
        if environment.has("GITLAB_CI") {
            return some(
                "gitlab",
                get("CI_PIPELINE_ID"),
                get("CI_JOB_NAME"),
                first(&["CI_JOB_URL", "CI_PIPELINE_URL"]),
                get("GITLAB_USER_LOGIN"),
            );
        }
        if environment.has("TF_BUILD") {
            let job = first(&["SYSTEM_STAGENAME", "SYSTEM_JOBNAME", "AGENT_JOBNAME"]);
            return some("azure", get("BUILD_BUILDID"), job, None, get("BUILD_REQUESTEDFOR"));
        }
        if environment.has("BUILDKITE") {
            let job = first(&["BUILDKITE_STEP_KEY", "BUILDKITE_LABEL"]);
            return some("buildkite", get("BUILDKITE_BUILD_ID"), job, get("BUILDKITE_BUILD_URL"), get("BUILDKITE_BUILD_CREATOR"));
        }
        if environment.has("CIRCLECI") {
            return some("circleci", get("CIRCLE_WORKFLOW_ID"), get("CIRCLE_JOB"), get("CIRCLE_BUILD_URL"), get("CIRCLE_USERNAME"));
        }
        if let Some(number) = get("BITBUCKET_BUILD_NUMBER") {
            let repository = get("BITBUCKET_REPO_FULL_NAME").unwrap_or_default().replace('/', "-");
            return some(
                "bitbucket",
                Some(format!("{repository}-{number}")),
                get("BITBUCKET_STEP_UUID"),
                None,
                get("BITBUCKET_STEP_TRIGGERER_UUID"),
            );
        }
        if environment.has("JENKINS_URL") {
            return some("jenkins", get("BUILD_TAG"), get("STAGE_NAME"), get("BUILD_URL"), get("BUILD_USER_ID"));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempt_is_not_part_of_the_identity() {
        let environment = |attempt: &str| {
            let variables = [
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_REPOSITORY", "acme/shop"),
                ("GITHUB_RUN_ID", "77"),
                ("GITHUB_JOB", "deploy"),
                ("GITHUB_RUN_ATTEMPT", attempt),
                ("GITHUB_SERVER_URL", "https://forge.example"),
            ];
            Environment::of(variables, "/")
        };
        let run = CiRun::detect(&environment("1")).unwrap();
        assert_eq!(CiRun::detect(&environment("2")), Some(run.clone()));
        assert_eq!(run.url.as_deref(), Some("https://forge.example/acme/shop/actions/runs/77"));
    }

    #[test]
    fn outside_ci_there_is_no_run() {
        assert_eq!(CiRun::detect(&Environment::of([("CI", "true")], "/")), None);
        assert_eq!(CiRun::detect(&Environment::of([("GITLAB_CI", "true")], "/")), None);
    }
}
