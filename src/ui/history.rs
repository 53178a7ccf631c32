//! The table of releases (screens.md, History).

use super::sanitise;
use super::table;
use crate::model::release::Release;

/// How long ago, in one unit: `4 m`, `2 h`, `9 d`.
pub(super) fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} m", s / 60),
        s @ 3_600..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// One row for each release; the target stands in it unless all are of one.
pub(super) fn table(releases: &[Release], one_target: bool, now: i64, unicode: bool) -> String {
    let arrow = if unicode { "→" } else { "->" };
    let mut rows = vec![["COMMIT", "WHEN", "TARGET", "OPERATION", "VERSION", "WHO", "WHY"].map(str::to_owned).to_vec()];
    for release in releases {
        let version = |version: &Option<String>| sanitise::line(version.as_deref().unwrap_or("(none)"));
        let mut why = release.why.as_deref().map(sanitise::line).unwrap_or_default();
        if let Some((environment, commit)) = release.trailers.as_ref().and_then(|trailers| trailers.promoted_from.as_ref()) {
            why = format!("{why} from {environment} {}", commit.short());
        }
        if let Some(by) = &release.reverted_by {
            why = format!("{why}  reverted by {}", by.short());
        }
        let mut row = vec![
            release.commit.short().to_owned(),
            ago(now - release.time),
            release.target.to_string(),
            release.kind.as_str().replace('-', " "),
            format!("{} {arrow} {}", version(&release.old), version(&release.new)),
            sanitise::line(&release.author),
            why.trim().to_owned(),
        ];
        if one_target {
            row.remove(2);
        }
        rows.push(row);
    }
    if one_target {
        rows[0].remove(2);
    }
    table::render(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let shown: Vec<_> = [-5, 5, 61, 7_200, 172_799, 172_800, 9 * 86_400].map(ago).to_vec();
        assert_eq!(shown, ["0 s", "5 s", "1 m", "2 h", "47 h", "2 d", "9 d"]);
    }
}
