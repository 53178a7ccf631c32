//! The field kinds: what an edit writes, byte for byte, and that reading it back gives what the edit said.

use super::{Applied, apply, read};
use crate::error::Error;
use crate::model::field::{Field, FieldSelector, Wanted};
use crate::model::image::ImageReference;
use crate::model::path::{RepositoryPath, YamlPath};

fn digest(letter: char) -> String {
    format!("sha256:{}", String::from(letter).repeat(64))
}

fn field(file: &str, selector: FieldSelector) -> Field {
    Field { file: RepositoryPath::parse(file).unwrap(), document: None, selector }
}

fn version(text: &str) -> Wanted {
    Wanted::Version(text.to_owned())
}

fn image(text: &str) -> Wanted {
    Wanted::Image(ImageReference::parse(text).unwrap())
}

fn kustomize(name: &str) -> FieldSelector {
    FieldSelector::KustomizeImage { name: name.to_owned() }
}

fn try_apply(file: &str, text: &str, edits: &[(FieldSelector, Wanted)]) -> Result<Applied, Error> {
    let edits: Vec<_> = edits.iter().map(|(selector, wanted)| (field(file, selector.clone()), wanted.clone())).collect();
    apply(&RepositoryPath::parse(file).unwrap(), text.as_bytes(), &edits)
}

/// Applies one edit; its result, its single change as `path: old -> new`. Reading back and a second edit must agree.
#[track_caller]
fn applied(file: &str, text: &str, selector: FieldSelector, wanted: Wanted) -> (String, String) {
    let done = try_apply(file, text, &[(selector.clone(), wanted.clone())]).unwrap();
    let changes: Vec<String> = done
        .changes
        .iter()
        .map(|change| format!("{}: {} -> {}", change.path, change.old.as_deref().unwrap_or("nothing"), change.new))
        .collect();
    let now = String::from_utf8(done.bytes).unwrap();
    let reading = read(now.as_bytes(), &field(file, selector.clone())).unwrap();
    assert_eq!(reading.value.as_deref(), Some(done.changes[0].new.as_str()), "{now}");
    assert!(reading.places.iter().all(|(_, line)| line.is_some()) && !reading.places.is_empty());
    let again = try_apply(file, &now, &[(selector, wanted)]).unwrap();
    assert_eq!(String::from_utf8(again.bytes).unwrap(), now);
    assert!(again.changes.iter().all(|change| change.old.as_deref() == Some(change.new.as_str())), "{:?}", again.changes);
    (now, changes.join("; "))
}

#[track_caller]
fn refused(file: &str, text: &str, selector: FieldSelector, wanted: Wanted, code: u8, parts: &[&str]) {
    let error = try_apply(file, text, &[(selector, wanted)]).unwrap_err();
    assert_eq!(error.exit_code(), code, "{error}");
    let all = format!("{error} {}", error.hints().join(" "));
    for part in parts {
        assert!(all.contains(part), "{part:?} is not in {all:?}");
    }
}

const KUSTOMIZATION: &str = "k/kustomization.yaml";

#[test]
fn a_kustomize_tag_changes_in_place() {
    let text = "images:\n- name: app # main\n  newTag: \"1.4.1\" # by CI\n- name: other\n  newTag: v1\n";
    let (now, change) = applied(KUSTOMIZATION, text, kustomize("app"), version("1.4.2"));
    assert_eq!(now, text.replace("1.4.1", "1.4.2"));
    assert_eq!(change, "images[name=app].newTag: 1.4.1 -> 1.4.2");
}

#[test]
fn a_number_that_was_meant_as_a_tag_is_quoted() {
    let (now, change) = applied(KUSTOMIZATION, "images:\n- name: app\n  newTag: 1.10\n", kustomize("app"), version("1.10"));
    assert_eq!(now, "images:\n- name: app\n  newTag: \"1.10\"\n");
    assert_eq!(change, "images[name=app].newTag: 1.10 (unquoted) -> 1.10");
}

#[test]
fn tag_and_digest_take_each_others_place() {
    let (a, b) = (digest('a'), digest('b'));
    let by_digest = format!("images:\r\n  - digest: {a} # pinned\r\n    name: app\r\nresources: []\r\n");
    let (now, change) = applied(KUSTOMIZATION, &by_digest, kustomize("app"), version("1.4.2"));
    assert_eq!(now, "images:\r\n  - newTag: 1.4.2 # pinned\r\n    name: app\r\nresources: []\r\n");
    assert_eq!(change, format!("images[name=app].newTag: {a} -> 1.4.2"));

    let both = format!("images:\n- name: app\n  digest: {a}\n  newTag: v1\n");
    assert_eq!(applied(KUSTOMIZATION, &both, kustomize("app"), version("v2")).0, "images:\n- name: app\n  newTag: v2\n");
    assert_eq!(applied(KUSTOMIZATION, &both, kustomize("app"), version(&b)).0, format!("images:\n- name: app\n  digest: {b}\n"));
    let (now, change) = applied(KUSTOMIZATION, &both, kustomize("app"), version(&format!("v2@{b}")));
    assert_eq!(now, format!("images:\n- name: app\n  digest: {b}\n  newTag: v2\n"));
    assert_eq!(change, format!("images[name=app]: v1@{a} -> v2@{b}"));

    let last = format!("images:\n- newTag: v1\n  name: app\n  digest: {a}");
    assert_eq!(applied(KUSTOMIZATION, &last, kustomize("app"), version("v2")).0, "images:\n- newTag: v2\n  name: app");
    let flow = format!("images: [{{name: app, digest: {a}, newTag: v1}}, {{name: b}}]\n");
    assert_eq!(applied(KUSTOMIZATION, &flow, kustomize("app"), version("v2")).0, "images: [{name: app, newTag: v2}, {name: b}]\n");
    let first = format!("images: [{{digest: {a}, newTag: v1, name: app}}]\n");
    assert_eq!(applied(KUSTOMIZATION, &first, kustomize("app"), version("v2")).0, "images: [{newTag: v2, name: app}]\n");
    let leading = format!("images:\n- digest: {a}\n  newTag: v1\n  name: app\n");
    assert_eq!(applied(KUSTOMIZATION, &leading, kustomize("app"), version("v2")).0, "images:\n- newTag: v2\n  name: app\n");
    let one = format!("images:\n- name: app\n  digest: {a} # old\n");
    assert_eq!(
        applied(KUSTOMIZATION, &one, kustomize("app"), version(&format!("v2@{b}"))).0,
        format!("images:\n- name: app\n  digest: {b} # old\n  newTag: v2\n")
    );
}

#[test]
fn another_repository_comes_and_goes() {
    let text = "images:\n- name: app\n  newTag: v1\n# end\n";
    let (now, change) = applied(KUSTOMIZATION, text, kustomize("app"), image("mirror.io/app:v2"));
    assert_eq!(now, "images:\n- name: app\n  newTag: v2\n  newName: mirror.io/app\n# end\n");
    assert_eq!(change, "images[name=app]: v1 -> mirror.io/app:v2");
    let (back, change) = applied(KUSTOMIZATION, &now, kustomize("app"), image("app:v1"));
    assert_eq!((back.as_str(), change.as_str()), (text, "images[name=app]: mirror.io/app:v2 -> v1"));
    // A version alone keeps the repository.
    let (now, change) = applied(KUSTOMIZATION, &now, kustomize("app"), version("v3"));
    assert!(now.contains("newTag: v3\n  newName: mirror.io/app\n"));
    assert_eq!(change, "images[name=app].newTag: mirror.io/app:v2 -> mirror.io/app:v3");
    let flow = "images: [{name: app, newName: x/y, digest: old}]\n".replace("old", &digest('a'));
    let (now, _) = applied(KUSTOMIZATION, &flow, kustomize("app"), image("app:v1"));
    assert_eq!(now, "images: [{name: app, newTag: v1}]\n");
    let version_only = read(b"images:\n- {name: app, newName: m/app, newTag: v1}\n", &field(KUSTOMIZATION, kustomize("app"))).unwrap();
    assert_eq!((version_only.value.as_deref(), version_only.version.as_deref()), (Some("m/app:v1"), Some("v1")));
}

#[test]
fn an_image_that_is_not_listed_is_appended() {
    for (text, wanted) in [
        (
            "images:\n  - name: a\n    newTag: v1 # c\n\n# next\nresources: []\n",
            "images:\n  - name: a\n    newTag: v1 # c\n  - name: app\n    newTag: \"1.10\"\n\n# next\nresources: []\n",
        ),
        (
            "kind: Kustomization\nresources:\n  - x\n",
            "kind: Kustomization\nresources:\n  - x\nimages:\n  - name: app\n    newTag: \"1.10\"\n",
        ),
        ("resources:\n- x", "resources:\n- x\nimages:\n- name: app\n  newTag: \"1.10\""),
        ("resources: [x]\nimages: []\n", "resources: [x]\nimages: [{name: app, newTag: \"1.10\"}]\n"),
        ("images: # none yet\nresources: [x]\n", "images: # none yet\n- name: app\n  newTag: \"1.10\"\nresources: [x]\n"),
        ("{\"kind\": \"Kustomization\"}", "{\"kind\": \"Kustomization\", \"images\": [{\"name\": \"app\", \"newTag\": \"1.10\"}]}"),
    ] {
        let (now, change) = applied(KUSTOMIZATION, text, kustomize("app"), version("1.10"));
        assert_eq!(now, wanted);
        assert_eq!(change, "images[name=app].newTag: nothing -> 1.10");
    }
    let file = field(KUSTOMIZATION, kustomize("app"));
    assert_eq!(read(b"resources: []\n", &file).unwrap().value, None);
}

#[test]
fn an_image_that_another_entry_renames_is_no_new_one() {
    let text = "images:\n- name: app\n  newName: r.io/acme/app\n  newTag: v1\n";
    refused(KUSTOMIZATION, text, kustomize("r.io/acme/app"), version("v2"), 20, &["line 2", "for app", "kustomizeImage: app"]);
    assert_eq!(applied(KUSTOMIZATION, text, kustomize("app"), version("v2")).0, text.replace("v1", "v2"));
    // An entry of its own name is the one that is meant, whatever others are renamed to.
    let both = format!("{text}- name: r.io/acme/app\n  newTag: w1\n");
    assert_eq!(applied(KUSTOMIZATION, &both, kustomize("r.io/acme/app"), version("w2")).0, both.replace("w1", "w2"));
}

#[test]
fn several_fields_are_one_edit() {
    let text = "kind: Kustomization\nimages:\n- name: b\n  newTag: v1";
    let edits = [
        (kustomize("a"), version("1")),
        (kustomize("b"), version("v2")),
        (kustomize("c"), image("m/c:3")),
        (kustomize("b"), version("v2")),
    ];
    let done = try_apply(KUSTOMIZATION, text, &edits).unwrap();
    assert_eq!(done.changes.len(), 3);
    assert_eq!(
        String::from_utf8(done.bytes).unwrap(),
        "kind: Kustomization\nimages:\n- name: b\n  newTag: v2\n- name: a\n  newTag: \"1\"\n- name: c\n  newName: m/c\n  newTag: \"3\""
    );
    let new = try_apply(KUSTOMIZATION, "kind: Kustomization\n", &edits[..3]).unwrap();
    let new = String::from_utf8(new.bytes).unwrap();
    assert_eq!(new.matches("images:").count(), 1, "{new}");
    let error = try_apply(KUSTOMIZATION, text, &[(kustomize("b"), version("1")), (kustomize("b"), version("2"))]).unwrap_err();
    assert_eq!(error.exit_code(), 20);
    let path = FieldSelector::Yaml { path: YamlPath::parse("images[0].newTag").unwrap() };
    let error = try_apply(KUSTOMIZATION, text, &[(kustomize("b"), version("1")), (path, version("2"))]).unwrap_err();
    assert_eq!(error.exit_code(), 20);
}

#[test]
fn a_kustomize_image_that_cannot_be_edited_safely_is_refused() {
    let simple = "images:\n- name: app\n  newTag: v1\n";
    for bad in ["a b", "1\nx: y", "v1 # c", "a: b", "\"", "", "sha256:12", "r.io/app:v1"] {
        refused(KUSTOMIZATION, simple, kustomize("app"), version(bad), 21, &["neither a tag nor a digest"]);
    }
    let twice = "images:\n- name: app\n- name: app\n";
    refused(KUSTOMIZATION, twice, kustomize("app"), version("v2"), 20, &["ambiguous", "lines 2, 3"]);
    refused(KUSTOMIZATION, "images: &i []\nx: 1\nimages: []\n", kustomize("app"), version("v2"), 21, &["twice"]);
    refused(KUSTOMIZATION, "x: &i [{name: app}]\nimages: *i\n", kustomize("app"), version("v2"), 21, &["alias"]);
    refused(KUSTOMIZATION, "x: &t v1\nimages: [{name: app, newTag: *t}]\n", kustomize("app"), version("v2"), 21, &["line 2", "alias"]);
    refused(KUSTOMIZATION, "x: &t {newTag: v1}\nimages: [{<<: *t, name: app}]\n", kustomize("app"), version("v2"), 21, &["merge"]);
    refused(KUSTOMIZATION, "images: {a: b}\n", kustomize("app"), version("v2"), 20, &["not a sequence"]);
    refused(KUSTOMIZATION, "kind: Deployment\n", kustomize("app"), version("v2"), 20, &["not a kustomization but a Deployment"]);
    refused("values.yaml", "a: 1\n", kustomize("app"), version("v2"), 20, &["not a kustomization"]);
    refused(KUSTOMIZATION, "", kustomize("app"), version("v2"), 20, &["no YAML document"]);
    let anchored = format!("images:\n- name: app\n  digest: &d {}\n  newTag: v1\nx: *d\n", digest('a'));
    refused(KUSTOMIZATION, &anchored, kustomize("app"), version("v2"), 21, &["line 3", "digest"]);
}

#[test]
fn any_yaml_path_carries_a_version() {
    let tag = || FieldSelector::Yaml { path: YamlPath::parse("image.tag").unwrap() };
    let (now, change) = applied("v.yaml", "image:\n  repository: a/b\n  tag: 'v1' # c\n", tag(), version("1.10"));
    assert_eq!((now.as_str(), change.as_str()), ("image:\n  repository: a/b\n  tag: '1.10' # c\n", "image.tag: v1 -> 1.10"));
    assert_eq!(applied("v.json", "{\"image\": {\"tag\": null}}", tag(), version("v2")).0, "{\"image\": {\"tag\": \"v2\"}}");
    let (_, change) = applied("v.yaml", "image:\n  tag:\n", tag(), version("v2"));
    assert_eq!(change, "image.tag: nothing -> v2");
    let whole = FieldSelector::Yaml { path: YamlPath::parse("image").unwrap() };
    let (now, _) = applied("v.yaml", "image: r.io/a/b:v1\n", whole.clone(), image("r.io/a/b:v2"));
    assert_eq!(now, "image: r.io/a/b:v2\n");
    refused("v.yaml", "image: r.io/a/b:v1\n", whole, version("v2"), 20, &["lose the repository", "containerImage: r.io/a/b"]);
    refused("v.yaml", "image: {tag: v1}\n", tag(), image("r.io/a/b:v2"), 20, &["no whole image"]);
    refused("v.yaml", "image: {repo: v1}\n", tag(), version("v2"), 20, &["no key \"tag\" in image; it has repo"]);
}

#[test]
fn every_container_of_a_repository_changes() {
    let selector = || FieldSelector::ContainerImage { repository: "r.io/app".to_owned() };
    let text = "kind: Deployment\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: init\n        image: \"r.io/app:v1\"\n      containers:\n      - name: app\n        image: r.io/app:v1 # c\n      - image: r.io/app-side:v1\n---\nkind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: job, image: 'r.io/app'}]}}}}}\n";
    let (now, change) = applied("d.yaml", text, selector(), version("v2"));
    assert_eq!(now, text.replace("r.io/app:v1", "r.io/app:v2").replace("'r.io/app'", "'r.io/app:v2'"));
    assert_eq!(
        change,
        "spec.template.spec.initContainers[name=init].image: v1 -> v2; spec.template.spec.containers[name=app].image: v1 -> v2; \
         spec.jobTemplate.spec.template.spec.containers[name=job].image: nothing -> v2"
    );
    let pinned = format!("v2@{}", digest('a'));
    assert!(applied("d.yaml", text, selector(), version(&pinned)).0.contains(&format!("r.io/app:{pinned} # c")));
    let mixed = read(text.replacen("app:v1", "app:v0", 1).as_bytes(), &field("d.yaml", selector())).unwrap();
    assert_eq!(mixed.value.as_deref(), Some("v0, v1"));
    refused("d.yaml", "containers: [{image: r.io/other:v1}]\n", selector(), version("v2"), 20, &["r.io/other"]);
    refused("d.yaml", text, selector(), image("r.io/other:v2"), 20, &["cannot become r.io/other"]);
    refused("d.yaml", "x: &i r.io/app:v1\ncontainers: [{image: *i}]\n", selector(), version("v2"), 21, &["line 2", "alias"]);
    refused("d.yaml", "x: &i {image: r.io/app:v1}\ncontainers: [{<<: *i}]\n", selector(), version("v2"), 21, &["merge"]);
    refused("d.yaml", "s: {containers: [{image: r.io/app:v1}]}\ns: {}\n", selector(), version("v2"), 21, &["twice"]);
    // An alias of a container that is edited where it stands follows it.
    let shared = "containers: [&c {image: r.io/app:v1}]\ninitContainers: [*c]\n";
    assert_eq!(applied("d.yaml", shared, selector(), version("v2")).0, shared.replace("v1", "v2"));
}

#[test]
fn containers_are_found_in_every_kind() {
    let selector = || FieldSelector::ContainerImage { repository: "r.io/app".to_owned() };
    let pod = "initContainers: [{name: i, image: r.io/app:v1}]\nspec:\n  ephemeralContainers:\n  - image: r.io/app:v1\n";
    let list = "kind: List\nitems:\n- kind: Pod\n  spec:\n    containers:\n    - image: 'r.io/app:v1' # main\n- kind: CronJob\n  spec:\n    jobTemplate:\n      spec:\n        template:\n          spec:\n            containers:\n            - {name: job, image: r.io/app:v1}\n";
    let json = "{\"kind\": \"Deployment\", \"spec\": {\"template\": {\"spec\": {\"containers\": [{\"image\": \"r.io/app:v1\"}]}}}}";
    for text in [pod, list, json] {
        assert_eq!(applied("d.yaml", text, selector(), version("v2")).0, text.replace("app:v1", "app:v2"));
    }
    // A tag takes a digest's place, and an image by another spelling of its registry is the same.
    let pinned = format!("containers: [{{image: \"r.io/app:v1@{}\"}}]\n", digest('a'));
    assert_eq!(applied("d.yaml", &pinned, selector(), version("v2")).0, "containers: [{image: \"r.io/app:v2\"}]\n");
    let docker = FieldSelector::ContainerImage { repository: "nginx".to_owned() };
    assert_eq!(
        applied("d.yaml", "containers: [{image: docker.io/library/nginx:1}]\n", docker, version("1.27")).0,
        "containers: [{image: docker.io/library/nginx:1.27}]\n"
    );
    // A value that only looks like a list of containers is left alone.
    let decoy = "data:\n  x: |\n    containers:\n    - image: r.io/app:v1\ncontainers:\n- image: r.io/app:v1\n";
    assert_eq!(applied("d.yaml", decoy, selector(), version("v2")).0, decoy.replace("\n- image: r.io/app:v1", "\n- image: r.io/app:v2"));
}

#[test]
fn a_whole_image_is_not_replaced_by_its_tag() {
    let at = || FieldSelector::Yaml { path: YamlPath::parse("image").unwrap() };
    refused("v.yaml", "image: nginx:1.26\n", at(), version("1.27"), 20, &["lose the repository", "containerImage: nginx"]);
    assert_eq!(applied("v.yaml", "image: nginx:1.26\n", at(), version("nginx:1.27")).0, "image: nginx:1.27\n");
    let pinned = format!("image: {}\n", digest('a'));
    assert_eq!(applied("v.yaml", &pinned, at(), version("v2")).0, "image: v2\n");
}

const APPLICATION: &str = "kind: ConfigMap\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nspec:\n  sources:\n  - repoURL: https://x/charts\n    chart: redis\n    targetRevision: 1.2.3\n    helm:\n      parameters:\n      - name: image.tag\n        value: v1\n  - repoURL: https://x/config\n    targetRevision: HEAD # follow\n    kustomize:\n      images:\n      - app=m.io/app:v1\n      - r.io/web:v1\n";

#[test]
fn an_application_carries_versions() {
    let revision = |source: &str| FieldSelector::ApplicationTargetRevision { source: Some(source.to_owned()) };
    let (now, change) = applied("a.yaml", APPLICATION, revision("redis"), version("1.10"));
    assert_eq!(now, APPLICATION.replace("1.2.3", "\"1.10\""));
    assert_eq!(change, "spec.sources[0].targetRevision: 1.2.3 -> 1.10");
    assert_eq!(
        applied("a.yaml", APPLICATION, revision("https://x/config"), version("release-9")).0,
        APPLICATION.replace("HEAD", "release-9")
    );
    let parameter = || FieldSelector::ApplicationHelmParameter { name: "image.tag".to_owned() };
    let (now, change) = applied("a.yaml", APPLICATION, parameter(), version("2"));
    assert_eq!(now, APPLICATION.replace("value: v1", "value: \"2\""));
    assert_eq!(change, "spec.sources[0].helm.parameters[name=image.tag].value: v1 -> 2");
    let images = |name: &str| FieldSelector::ApplicationKustomizeImage { name: name.to_owned() };
    let (now, change) = applied("a.yaml", APPLICATION, images("app"), version("v2"));
    assert_eq!(now, APPLICATION.replace("m.io/app:v1", "m.io/app:v2"));
    assert_eq!(change, "spec.sources[1].kustomize.images[0]: m.io/app:v1 -> m.io/app:v2");
    let (now, change) = applied("a.yaml", APPLICATION, images("r.io/web"), version("v2"));
    assert_eq!((now, change.as_str()), (APPLICATION.replace("web:v1", "web:v2"), "spec.sources[1].kustomize.images[1]: v1 -> v2"));
    assert_eq!(
        applied("a.yaml", APPLICATION, images("r.io/web"), image("o.io/web:v2")).0,
        APPLICATION.replace("r.io/web:v1", "r.io/web=o.io/web:v2")
    );
    assert_eq!(applied("a.yaml", APPLICATION, images("new"), version("v1")).0, format!("{APPLICATION}      - new:v1\n"));
    let one = "kind: ApplicationSet\nspec:\n  template:\n    spec:\n      source:\n        repoURL: x\n";
    let (now, _) = applied("a.yaml", one, FieldSelector::ApplicationTargetRevision { source: None }, version("v1"));
    assert_eq!(now, format!("{one}        targetRevision: v1\n"));

    refused("a.yaml", APPLICATION, FieldSelector::ApplicationTargetRevision { source: None }, version("v1"), 20, &["ambiguous", "(redis)"]);
    refused("a.yaml", APPLICATION, revision("nope"), version("v1"), 20, &["no source has", "https://x/config"]);
    refused("a.yaml", APPLICATION, revision("redis"), image("a/b:v1"), 20, &["not the image"]);
    refused("a.yaml", "kind: Service\n", revision("redis"), version("v1"), 20, &["not an Argo CD Application but a Service"]);
    let missing = FieldSelector::ApplicationHelmParameter { name: "other".to_owned() };
    refused("a.yaml", APPLICATION, missing, version("v1"), 20, &["Helm parameter other"]);
}
