//! What a commit renders to: the parts of Kustomize, Helm and plain folders that the sandbox's own repositories use, and an error for the
//! rest. Never a guess.

use git2::{ObjectType, Oid, Repository};
use serde_json::Value;

use super::SeedKind;

/// A rendered object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object(pub Value);

impl Object {
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(super) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Group and version: `apps` and `v1`.
    pub(super) fn group_version(&self) -> (&str, &str) {
        let api = self.text("/apiVersion");
        api.split_once('/').unwrap_or(("", api))
    }

    /// The images of its containers, init containers included.
    pub(super) fn images(&self) -> Vec<String> {
        let mut images = Vec::new();
        for list in ["/spec/template/spec/initContainers", "/spec/template/spec/containers"] {
            let containers = self.0.pointer(list).and_then(Value::as_array).into_iter().flatten();
            images.extend(containers.filter_map(|container| container["image"].as_str()).map(str::to_owned));
        }
        images
    }

    pub(super) fn replicas(&self) -> u32 {
        self.0.pointer("/spec/replicas").and_then(Value::as_u64).map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX))
    }
}

/// The files of one commit.
struct Tree<'a> {
    repository: &'a Repository,
    commit: Oid,
}

impl Tree<'_> {
    fn read(&self, path: &str) -> Option<String> {
        let tree = self.repository.find_commit(self.commit).ok()?.tree().ok()?;
        let entry = tree.get_path(std::path::Path::new(path)).ok()?;
        let blob = self.repository.find_blob(entry.id()).ok()?;
        Some(String::from_utf8_lossy(blob.content()).into_owned())
    }

    /// The names of the files of a folder.
    fn files(&self, path: &str) -> Option<Vec<String>> {
        let root = self.repository.find_commit(self.commit).ok()?.tree().ok()?;
        let tree = if path.is_empty() {
            root
        } else {
            root.get_path(std::path::Path::new(path)).ok()?.to_object(self.repository).ok()?.into_tree().ok()?
        };
        let files = tree.iter().filter(|entry| entry.kind() == Some(ObjectType::Blob));
        Some(files.filter_map(|entry| entry.name().ok().map(str::to_owned)).collect())
    }
}

/// `base/` and `../x` from it → a path from the root.
fn join(folder: &str, rest: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn documents(path: &str, text: &str) -> Result<Vec<Value>, String> {
    use serde::Deserialize as _;
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = Value::deserialize(document).map_err(|error| format!("{path}: {error}"))?;
        if !value.is_null() {
            found.push(value);
        }
    }
    Ok(found)
}

/// Renders a path of a commit; `parameters` are those of Helm in the Application's specification. The error is the message of Argo CD's condition, without its beginning.
pub(super) fn render(
    repository: &Repository,
    commit: Oid,
    path: &str,
    kind: &SeedKind,
    parameters: &Value,
    release: &str,
    namespace: &str,
) -> Result<Vec<Object>, String> {
    let tree = Tree { repository, commit };
    if tree.files(path).is_none() {
        return Err(format!("{path}: app path does not exist"));
    }
    let values = match kind {
        SeedKind::Kustomize => kustomize(&tree, path, 0)
            .map_err(|why| format!("`kustomize build <path to cached source>/{path}` failed exit status 1: Error: {why}"))?,
        SeedKind::Helm { value_files } => helm(&tree, path, value_files, parameters, release, namespace)
            .map_err(|why| format!("`helm template . --name-template {release}` failed exit status 1: Error: {why}"))?,
        SeedKind::Directory => {
            let mut all = Vec::new();
            for file in tree.files(path).unwrap_or_default().iter().filter(|name| name.ends_with(".yaml") || name.ends_with(".yml")) {
                let full = join(path, file);
                all.extend(documents(&full, &tree.read(&full).unwrap_or_default())?);
            }
            all
        }
    };
    let mut objects: Vec<Object> = values.into_iter().map(Object).collect();
    for object in &objects {
        if object.kind().is_empty() || object.name().is_empty() {
            return Err("Object 'Kind' is missing".to_owned());
        }
    }
    // As Argo CD lists them: by group, kind and name.
    objects.sort_by_key(|object| (object.group_version().0.to_owned(), object.kind().to_owned(), object.name().to_owned()));
    Ok(objects)
}

fn kustomize(tree: &Tree<'_>, folder: &str, depth: usize) -> Result<Vec<Value>, String> {
    if depth > 8 {
        return Err("cycle detected".to_owned());
    }
    let file = join(folder, "kustomization.yaml");
    let text = tree.read(&file).ok_or_else(|| {
        format!("unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{folder}'")
    })?;
    let parsed = documents(&file, &text).map_err(|why| format!("invalid Kustomization: {why}"))?;
    let kustomization = parsed.into_iter().next().unwrap_or_default();
    for key in kustomization.as_object().into_iter().flat_map(|object| object.keys()) {
        if !matches!(key.as_str(), "apiVersion" | "kind" | "resources" | "images") {
            return Err(format!("invalid Kustomization: the sandbox does not know {key}"));
        }
    }
    let mut objects = Vec::new();
    for resource in kustomization["resources"].as_array().into_iter().flatten() {
        let Some(name) = resource.as_str() else { return Err("invalid Kustomization: a resource is no path".to_owned()) };
        let path = join(folder, name);
        if let Some(text) = tree.read(&path) {
            objects.extend(documents(&path, &text)?);
        } else if tree.files(&path).is_some() {
            objects.extend(kustomize(tree, &path, depth + 1)?);
        } else {
            return Err(format!(
                "accumulating resources: accumulation err='accumulating resources from '{name}': evalsymlink failure on '<path to cached source>/{path}' : lstat <path to cached source>/{path}: no such file or directory'"
            ));
        }
    }
    for image in kustomization["images"].as_array().into_iter().flatten() {
        for object in &mut objects {
            set_image(object, image);
        }
    }
    Ok(objects)
}

/// One entry of `images`, on every container of an object. A digest stands before a tag.
pub(super) fn set_image(object: &mut Value, entry: &Value) {
    let text = |key: &str| match &entry[key] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let Some(name) = text("name") else { return };
    for list in ["/spec/template/spec/initContainers", "/spec/template/spec/containers"] {
        for container in object.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(image) = container["image"].as_str().map(str::to_owned) else { continue };
            let without_digest = image.split('@').next().unwrap_or_default();
            let last = without_digest.rfind('/').map_or(0, |at| at + 1);
            let repository = match without_digest[last..].find(':') {
                Some(at) => &without_digest[..last + at],
                None => without_digest,
            };
            if repository != name {
                continue;
            }
            let base = text("newName").unwrap_or_else(|| repository.to_owned());
            let version = match (text("digest"), text("newTag")) {
                (Some(digest), _) => format!("@{digest}"),
                (None, Some(tag)) => format!(":{tag}"),
                (None, None) => image[repository.len()..].to_owned(),
            };
            container["image"] = Value::String(base + &version);
        }
    }
}

fn helm(
    tree: &Tree<'_>,
    folder: &str,
    value_files: &[String],
    parameters: &Value,
    release: &str,
    namespace: &str,
) -> Result<Vec<Value>, String> {
    let chart = tree.read(&join(folder, "Chart.yaml")).ok_or("Chart.yaml file is missing")?;
    let chart = documents("Chart.yaml", &chart)?.into_iter().next().unwrap_or_default();
    let mut values = Value::Object(serde_json::Map::new());
    let named: Vec<String> = std::iter::once("values.yaml".to_owned()).chain(value_files.iter().cloned()).collect();
    for (at, file) in named.iter().enumerate() {
        match tree.read(&join(folder, file)) {
            Some(text) => merge(&mut values, documents(file, &text)?.into_iter().next().unwrap_or_default()),
            // The chart's own values may be absent; files that are named must be there.
            None if at == 0 => {}
            None => return Err(format!("open {file}: no such file or directory")),
        }
    }
    // Parameters win over every file.
    for parameter in parameters.as_array().into_iter().flatten() {
        let path = parameter["name"].as_str().unwrap_or_default();
        let nested = path.rsplit('.').fold(parameter["value"].clone(), |value, key| serde_json::json!({key: value}));
        merge(&mut values, nested);
    }
    let scope = serde_json::json!({"Values": values, "Release": {"Name": release, "Namespace": namespace}, "Chart": {"Name": chart["name"], "Version": chart["version"]}});
    let templates = join(folder, "templates");
    let mut objects = Vec::new();
    for file in tree.files(&templates).unwrap_or_default().iter().filter(|name| name.ends_with(".yaml")) {
        let path = join(&templates, file);
        let text = fill(&tree.read(&path).unwrap_or_default(), &scope).map_err(|why| format!("template: {path}: {why}"))?;
        objects.extend(documents(&path, &text)?);
    }
    Ok(objects)
}

/// Lays one value over another, key by key.
pub(super) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// `{{ .Values.image.tag }}`, with `| quote`: nothing else of Go's templates.
fn fill(text: &str, scope: &Value) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find("}}").ok_or("unclosed action")?;
        let expression = after[..end].trim().trim_matches('-').trim();
        let (path, quoted) = match expression.split_once('|') {
            Some((path, filter)) if filter.trim() == "quote" => (path.trim(), true),
            Some(_) => return Err(format!("the sandbox does not know {expression:?}")),
            None => (expression, false),
        };
        let path = path.strip_prefix('.').ok_or_else(|| format!("the sandbox does not know {expression:?}"))?;
        let value = path.split('.').try_fold(scope, |node, key| node.get(key));
        let shown = match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        out.push_str(&if quoted { format!("{shown:?}") } else { shown });
        rest = &after[end + 2..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_image_entry_changes_the_images_of_its_name_alone() {
        let object = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
        let image = |value: &Value| value["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
        for (entry, before, after) in [
            (json!({"name": "r/a", "newTag": "2"}), "r/a:1", "r/a:2"),
            (json!({"name": "r/a", "newTag": 2}), "r/a", "r/a:2"),
            (json!({"name": "r/a", "newTag": "2", "digest": "sha256:x"}), "r/a:1", "r/a@sha256:x"),
            (json!({"name": "r/a", "newName": "m/b"}), "r/a:1", "m/b:1"),
            (json!({"name": "r/a", "newTag": "2"}), "r/ab:1", "r/ab:1"),
            (json!({"name": "host:5000/a", "newTag": "2"}), "host:5000/a", "host:5000/a:2"),
        ] {
            let mut value = object(before);
            set_image(&mut value, &entry);
            assert_eq!(image(&value), after, "{entry}");
        }
    }

    #[test]
    fn templates_fill_in_paths_and_refuse_the_rest() {
        let scope = json!({"Values": {"image": {"tag": "1.10"}, "replicas": 2}});
        assert_eq!(fill("a:{{ .Values.image.tag }}-{{.Values.replicas}}", &scope).unwrap(), "a:1.10-2");
        assert_eq!(fill("{{ .Values.image.tag | quote }}{{ .Values.none }}", &scope).unwrap(), "\"1.10\"");
        assert!(fill("{{ if x }}", &scope).is_err());
        assert!(fill("{{ .Values", &scope).is_err());
    }
}
