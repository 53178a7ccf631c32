//! What a rollback delivers: reverts of one target or several, planned on any tip.

use crate::config::map::Map;
use crate::config::targets::ResolvedTarget;
use crate::error::Result;
use crate::git::{ConfigRepository, Snapshot};
use crate::model::field::FieldChange;
use crate::model::intent::IntentId;
use crate::model::plan::{FileEdit, Plan, TargetChange};
use crate::model::release::{OldHealth, Trailers};
use crate::model::revision::Sha;
use crate::ops::deliver::Planner;
use crate::ops::plan::{TargetWish, target_trailer};
use crate::ops::releases;
use crate::ops::revert::{self, TakeBack};

/// What a rollback delivers: reverts, planned on any tip.
pub(super) struct RollbackPlanner<'a> {
    pub repository: &'a ConfigRepository,
    pub map: &'a Map,
    pub take_backs: &'a [TakeBack],
    /// The targets asked for, those that stand already included.
    pub standing: &'a [ResolvedTarget],
    pub tip: Sha,
    pub trailers: Trailers,
}

impl RollbackPlanner<'_> {
    /// The goal as wishes, for the wait.
    pub(super) fn wishes(&self) -> Vec<TargetWish> {
        let of = |take_back: &TakeBack| TargetWish {
            resolved: take_back.resolved.clone(),
            edits: take_back.goal.iter().filter_map(|(field, value)| Some((field.clone(), revert::wanted(value.as_deref()?)))).collect(),
        };
        let mut wishes: Vec<TargetWish> = self.take_backs.iter().map(of).collect();
        for target in self.standing.iter().filter(|target| !self.take_backs.iter().any(|other| other.resolved.target == target.target)) {
            let values = releases::values_at(self.repository, &self.tip, target).unwrap_or_default();
            let edits = target.fields.iter().cloned().zip(values).filter_map(|(field, value)| Some((field, revert::wanted(&value?.1))));
            wishes.push(TargetWish { resolved: target.clone(), edits: edits.collect() });
        }
        wishes
    }

    fn message(&self, targets: &[TargetChange]) -> String {
        let mut trailers = self.trailers.clone();
        let changed = targets.iter().filter(|target| target.fields.iter().any(FieldChange::is_change));
        trailers.targets = changed.map(|target| target_trailer(&target.target, &target.fields)).collect();
        let newest = self.take_backs.iter().flat_map(|take_back| &take_back.releases).max_by_key(|release| release.time);
        let others = trailers.reverts.len().saturating_sub(1);
        let subject = newest.map_or_else(|| "Revert".to_owned(), |release| format!("Revert \"{}\"", release.subject));
        let subject = if others > 0 { format!("{subject} and {others} more") } else { subject };
        // As git's own reverts say it, so that plain `git log` and every forge understand it (design section 9).
        let mut body: Vec<String> = trailers.reverts.iter().map(|commit| format!("This reverts commit {commit}.")).collect();
        let names: Vec<String> =
            targets.iter().map(|target| format!("{} in {}", target.target.service, target.target.environment)).collect();
        if self.take_backs.iter().any(|take_back| take_back.releases.iter().any(|release| !release.shared_with.is_empty())) {
            body.push(String::new());
            body.push(format!("For {} only; the other targets of these commits stay as they are.", names.join(", ")));
        }
        trailers.message(&subject, &body.join("\n"))
    }
}

impl Planner for RollbackPlanner<'_> {
    fn plan(&self, snapshot: &Snapshot<'_>) -> Result<Plan> {
        let mut edits: Vec<FileEdit> = Vec::new();
        let mut targets = Vec::new();
        for take_back in self.take_backs {
            let (restored, fields) = take_back.restore(self.repository, self.map, snapshot)?;
            for file in restored {
                match edits.iter_mut().find(|edit| edit.file == file.file) {
                    None => edits.push(FileEdit { file: file.file, before: Some(file.before), after: file.after }),
                    // Two services in one file: the second revert is made on the first one's bytes.
                    Some(edit) => {
                        let bytes = edit.after.clone().unwrap_or_default();
                        let mine: Vec<_> = take_back
                            .goal
                            .iter()
                            .filter(|(field, _)| field.file == edit.file)
                            .filter_map(|(field, value)| Some((field.clone(), revert::wanted(value.as_deref()?))))
                            .collect();
                        edit.after = Some(crate::manifest::apply(&edit.file, &bytes, &mine)?.bytes);
                    }
                }
            }
            targets.push(TargetChange {
                target: take_back.resolved.target.clone(),
                fields,
                applications: take_back.resolved.applications.clone(),
            });
        }
        for target in self.standing.iter().filter(|target| !self.take_backs.iter().any(|other| other.resolved.target == target.target)) {
            let values = releases::values_at(self.repository, snapshot.commit(), target)?;
            let fields = target.fields.iter().zip(values).filter_map(|(field, value)| {
                let (path, value) = value?;
                Some(FieldChange { file: field.file.clone(), path, old: Some(value.clone()), new: value })
            });
            targets.push(TargetChange {
                target: target.target.clone(),
                fields: fields.collect(),
                applications: target.applications.clone(),
            });
        }
        edits.retain(|edit| edit.before != edit.after);
        let message = self.message(&targets);
        Ok(Plan { base: snapshot.commit().clone(), targets, edits, message })
    }

    fn missing(&self, snapshot: &Snapshot<'_>) -> Result<Vec<FieldChange>> {
        let mut changes = Vec::new();
        for take_back in self.take_backs {
            let values = releases::values_at(self.repository, snapshot.commit(), &take_back.resolved)?;
            for ((field, goal), now) in take_back.goal.iter().zip(values) {
                let path = now.as_ref().map_or_else(|| field.selector.to_string(), |(path, _)| path.clone());
                let old = now.map(|(_, value)| value);
                changes.push(FieldChange { file: field.file.clone(), path, old, new: goal.clone().unwrap_or_default() });
            }
        }
        Ok(changes)
    }

    fn carry(&mut self, intent: &IntentId) {
        self.trailers.intent = intent.clone();
    }

    fn note(&mut self, health: Vec<OldHealth>) {
        self.trailers.old_health = health;
    }
}
