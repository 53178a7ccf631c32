//! Asking again: reads after a failure, anything after a rate limit, as long as the deadline allows, and never before the server said.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::{Client, Method, Request, Response, TransportError};
use crate::context::{Context, Deadline};

/// The most that one attempt takes of the deadline.
const ATTEMPT: Duration = Duration::from_secs(60);
/// How often a read is asked.
const READS: u32 = 5;
/// The first pause after a read that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A limit that names no time: GitHub asks for at least a minute (rate-limits page, "secondary rate limits").
const UNNAMED_LIMIT: Duration = Duration::from_secs(60);

/// What became of a request.
#[derive(Debug)]
pub enum Sent {
    /// An answer, whatever its status.
    Answer(Response),
    /// The server limits our rate for longer than the deadline allows to wait.
    RateLimited {
        /// How long it asks to wait.
        wait: Duration,
        /// Its answer.
        response: Response,
    },
    /// There was no whole answer.
    Failed(TransportError),
    /// A signal came.
    Cancelled,
}

/// How long the server asks to wait before anything else, when it limits our rate: `Retry-After` in seconds or as a date, else the moment
/// at which the limit is reset, else a minute (forges-and-cli.md 1.10).
#[must_use]
pub fn rate_limit(response: &Response, now: Timestamp) -> Option<Duration> {
    let spent = response.header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0");
    let after = retry_after(response, now);
    let limited = match response.status {
        429 => true,
        // GitHub answers 403 to both of its limits, the secondary one at times without any header.
        403 => spent || after.is_some() || says_rate_limit(&response.body),
        _ => false,
    };
    if !limited {
        return None;
    }
    let reset = || {
        let at = ["x-ratelimit-reset", "ratelimit-reset"].iter().find_map(|name| response.header(name)?.trim().parse::<i64>().ok())?;
        until(Timestamp::from_second(at).ok()?, response.date.unwrap_or(now))
    };
    Some(after.or_else(reset).unwrap_or(UNNAMED_LIMIT).max(Duration::from_secs(1)))
}

fn says_rate_limit(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]).to_ascii_lowercase();
    text.contains("secondary rate limit") || text.contains("api rate limit exceeded") || text.contains("abuse detection")
}

fn until(moment: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(moment.duration_since(now)).ok().or(Some(Duration::ZERO))
}

fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    if let Some(seconds) = response.retry_after {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(response.header("retry-after")?.trim()).ok()?;
    until(date.timestamp(), response.date.unwrap_or(now))
}

/// Whether another attempt could end otherwise: an answer that is too large stays so.
fn worth_repeating(error: &TransportError) -> bool {
    !error.0.contains("larger than")
}

/// Sends the request: a read again after a transport fault or a 5xx, anything again after a rate limit was waited for (the server did
/// nothing), and nothing else: a write without an answer may have happened.
#[must_use]
pub fn send(client: &Client, request: &Request<'_>, context: &Context, deadline: &Deadline) -> Sent {
    let mut request = request.clone();
    let mut failures = 0;
    loop {
        if context.cancel.is_set() {
            return Sent::Cancelled;
        }
        let left = deadline.left();
        if left.is_zero() {
            return Sent::Failed(TransportError("the deadline passed before it answered".to_owned()));
        }
        request.deadline = left.min(ATTEMPT);
        let result = client.send(&request);
        let may_repeat = request.method == Method::Get && failures + 1 < READS;
        let pause = match &result {
            Err(error) if may_repeat && worth_repeating(error) => backoff(context, failures),
            Err(_) => return result.map_or_else(Sent::Failed, Sent::Answer),
            Ok(response) => {
                let now = context.clock.now();
                if let Some(wait) = rate_limit(response, now) {
                    if wait >= deadline.left() {
                        return result.map_or_else(Sent::Failed, |response| Sent::RateLimited { wait, response });
                    }
                    if !context.clock.wait(wait, &context.cancel) {
                        return Sent::Cancelled;
                    }
                    continue;
                }
                if !(may_repeat && matches!(response.status, 500 | 502..=504)) {
                    return result.map_or_else(Sent::Failed, Sent::Answer);
                }
                retry_after(response, now).unwrap_or_else(|| backoff(context, failures))
            }
        };
        if pause >= deadline.left() {
            return result.map_or_else(Sent::Failed, Sent::Answer);
        }
        tracing::debug!(origin = %client.origin(), failures, "asking again");
        if !context.clock.wait(pause, &context.cancel) {
            return Sent::Cancelled;
        }
        failures += 1;
    }
}

/// Doubling pauses, each between half of itself and the whole.
fn backoff(context: &Context, failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.min(4)).mul_f64(0.5 + context.random.fraction() / 2.0)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn limit(status: u16, headers: &[(&'static str, &str)], body: &str) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let retry_after = map.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let response = Response {
            status,
            content_type: "application/json".to_owned(),
            date: None,
            retry_after,
            location: None,
            headers: map,
            body: body.as_bytes().to_vec(),
        };
        rate_limit(&response, "2026-11-24T10:00:00Z".parse().unwrap()).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_limit_is_read_from_whatever_the_server_says() {
        assert_eq!(limit(429, &[("retry-after", "7")], ""), Some(7));
        assert_eq!(limit(429, &[("retry-after", "0")], ""), Some(1), "never in a tight loop");
        assert_eq!(limit(429, &[("retry-after", "Tue, 24 Nov 2026 10:02:00 GMT")], ""), Some(120));
        assert_eq!(limit(429, &[("retry-after", "Tue, 24 Nov 2026 09:00:00 GMT")], ""), Some(1), "a date that has passed");
        assert_eq!(limit(429, &[("ratelimit-reset", "1795514430")], ""), Some(30));
        assert_eq!(limit(429, &[], "Retry later"), Some(60));
        assert_eq!(limit(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795514490")], ""), Some(90));
        assert_eq!(limit(403, &[("retry-after", "60")], ""), Some(60));
        assert_eq!(limit(403, &[], "{\"message\":\"You have exceeded a secondary rate limit.\"}"), Some(60));
        assert_eq!(limit(403, &[("x-ratelimit-remaining", "4999")], "{\"message\":\"Resource not accessible\"}"), None);
        assert_eq!(limit(200, &[("x-ratelimit-remaining", "0")], ""), None, "the last one still counts");
        assert_eq!(limit(503, &[("retry-after", "5")], ""), None);
    }
}
