//! The seed: the config repo that every sandbox begins with, one commit, always the same.

use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Repository, RepositoryInitOptions, Signature, Time};

use crate::error::{Error, ErrorKind, Result};

/// The services and how each is described.
pub(super) const SERVICES: [&str; 3] = ["billing", "cart", "checkout"];
/// The environments, in promotion order.
pub(super) const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];
/// The version that everything begins at.
const FIRST_VERSION: &str = "1.0.0";

/// The map of design section 5, with push delivery everywhere.
const MAP: &str = include_str!("../../templates/sandbox/windlass.yaml");

fn failed(error: &git2::Error) -> Error {
    Error::new(ErrorKind::Environment, format!("The sandbox's config repo could not be made: {}", error.message()))
}

/// Makes the bare repository; on a forge, deliveries are pull requests, and branches other than main come, change and go.
pub(super) fn make(path: &Path, on_forge: bool) -> Result<()> {
    write(path, on_forge).map_err(|error| failed(&error))
}

fn write(path: &Path, on_forge: bool) -> Result<(), git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).initial_head("main").external_template(false);
    let repository = Repository::init_opts(path, &options)?;
    let mut config = repository.config()?;
    for (key, value) in [
        ("http.receivepack", true),
        ("uploadpack.allowFilter", true),
        ("uploadpack.allowAnySHA1InWant", true),
        ("receive.denyNonFastForwards", !on_forge),
        ("receive.denyDeletes", !on_forge),
    ] {
        config.set_bool(key, value)?;
    }
    config.set_i32("gc.auto", 0)?;
    let empty = repository.find_tree(repository.treebuilder(None)?.write()?)?;
    let mut update = TreeUpdateBuilder::new();
    for (file, text) in files(on_forge) {
        update.upsert(file, repository.blob(text.as_bytes())?, FileMode::Blob);
    }
    let tree = repository.find_tree(update.create_updated(&repository, &empty)?)?;
    // Always the same commit, so that transcripts of two runs can be compared.
    let author = Signature::new("Sandbox", "sandbox@example.com", &Time::new(1_750_000_000, 0))?;
    repository.commit(Some("refs/heads/main"), &author, &author, "The platform as it begins\n", &tree, &[])?;
    Ok(())
}

/// The map in which every environment is delivered by pull request, rollbacks too.
fn map_with_pull_requests() -> String {
    let mut map = String::new();
    for line in MAP.lines().filter(|line| !line.trim_start().to_ascii_lowercase().contains("delivery:")) {
        map.push_str(line);
        map.push('\n');
        if line.starts_with("  - name: ") && !map.contains("services:") {
            map.push_str("    delivery: pull-request\n");
        }
    }
    map
}

fn files(on_forge: bool) -> Vec<(String, String)> {
    let map = if on_forge { map_with_pull_requests() } else { MAP.to_owned() };
    let mut files = vec![("windlass.yaml".to_owned(), map)];
    for service in ["checkout", "cart"] {
        files.push((format!("apps/{service}/base/kustomization.yaml"), "resources:\n  - deployment.yaml\n  - service.yaml\n".to_owned()));
        files.push((format!("apps/{service}/base/deployment.yaml"), deployment(service, &format!("ghcr.io/acme/{service}"))));
        files.push((
            format!("apps/{service}/base/service.yaml"),
            format!("apiVersion: v1\nkind: Service\nmetadata:\n  name: {service}\nspec:\n  selector:\n    app: {service}\n  ports:\n    - port: 80\n"),
        ));
        for environment in ENVIRONMENTS {
            files.push((
                format!("apps/{service}/overlays/{environment}/kustomization.yaml"),
                format!(
                    "# {service} in {environment}\nresources:\n  - ../../base\nimages:\n  - name: ghcr.io/acme/{service}\n    newTag: {FIRST_VERSION} # changed by windlass\n"
                ),
            ));
        }
    }
    files.push((
        "charts/billing/Chart.yaml".to_owned(),
        "apiVersion: v2\nname: billing\nversion: 0.1.0\ndescription: The chart of billing\n".to_owned(),
    ));
    files.push((
        "charts/billing/values.yaml".to_owned(),
        "replicas: 2\nimage:\n  repository: ghcr.io/acme/billing\n  tag: unset\n".to_owned(),
    ));
    files.push((
        "charts/billing/templates/deployment.yaml".to_owned(),
        deployment("billing", "{{ .Values.image.repository }}:{{ .Values.image.tag }}")
            .replace("replicas: 2", "replicas: {{ .Values.replicas }}"),
    ));
    for environment in ENVIRONMENTS {
        files.push((
            format!("charts/billing/values-{environment}.yaml"),
            format!("# billing in {environment}\nimage:\n  tag: \"{FIRST_VERSION}\"\n"),
        ));
    }
    files
}

fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  replicas: 2\n  progressDeadlineSeconds: 15\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      containers:\n        - name: {name}\n          image: {image}\n"
    )
}
