//! What to do next, by what the wait found: the exact commands, in the order of screens.

use super::verify;
use crate::model::intent::Operation;
use crate::model::names::Target;
use crate::model::report::RunReport;
use crate::model::verdict::{Verdict, VerdictKind};

/// What to do where the certificate of Argo CD's server is not accepted.
pub(super) fn tls_hint(reason: &str) -> Option<String> {
    const SETTING: &str = "ARGOCD_OPTS='--server-crt FILE', or certificateAuthority: FILE of the server in the user file";
    let reason = reason.to_lowercase();
    if !reason.contains("certificate") {
        None
    } else if reason.contains("not valid for name") || reason.contains("notvalidforname") {
        Some(format!("Use the name\tthat the certificate has, in ARGOCD_SERVER; another authority: {SETTING}"))
    } else if reason.contains("expired") || reason.contains("notvalidyet") || reason.contains("not valid yet") {
        Some(format!("Look\tat the clocks, and renew the certificate; another authority: {SETTING}"))
    } else {
        Some(format!("Trust its authority\t{SETTING}"))
    }
}

/// The exact next commands, by what was found.
pub(super) fn of(verdicts: &[(Target, Verdict)], report: &mut RunReport) -> Vec<String> {
    use VerdictKind as V;
    let mut advice = Vec::new();
    for (target, verdict) in verdicts {
        match verdict.kind {
            V::SyncFailed | V::Degraded if report.changed && report.operation != Operation::Rollback.as_str() => {
                advice.push(format!("Take it back\twindlass rollback {} -e {}", target.service, target.environment));
            }
            V::AuthError => advice.push(verify::LOGIN_HINT.to_owned()),
            V::AutoSyncDisabled => advice.push(format!("Sync it\targocd app sync {}", verdict.application.name)),
            V::ArgoUnavailable => {
                advice.extend(tls_hint(&verdict.reason));
                advice.push("The change is recorded in Git and not enforced: what runs keeps running as it is.".to_owned());
            }
            _ => {}
        }
    }
    // Links were collected first; on screens they stand last.
    let links: Vec<String> = std::mem::take(&mut report.hints);
    advice.extend(links.into_iter().map(|link| link.replacen(": ", "\t", 1)));
    advice.dedup();
    advice
}
