//! Pages and moved addresses: where a server says to go on, reduced to what cannot leave the client's own base address.

use std::borrow::Cow;

use url::Url;

use super::{Client, Origin, Response};

/// The query of the next page, from `Link: <…>; rel="next"` (RFC 8288) or GitLab's `X-Next-Page`; absent on the last page.
///
/// Only the query is taken: the address may be one that the server believes to have (Gitea writes its ROOT_URL there, whatever address
/// was asked; a misconfigured GitLab another host), and a token must not go there.
#[must_use]
pub fn next_query(response: &Response) -> Option<Vec<(String, String)>> {
    for value in response.headers.get_all("link") {
        let Some(target) = value.to_str().ok().and_then(next_target) else { continue };
        let query = target.split_once('?')?.1.split('#').next()?;
        return Some(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect());
    }
    let page = response.header("x-next-page")?.trim();
    if page.is_empty() || !page.bytes().all(|b| b.is_ascii_digit()) { None } else { Some(vec![("page".to_owned(), page.to_owned())]) }
}

/// The target of the link whose relation is `next`.
fn next_target(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let after = &rest[start + 1..];
        let end = after.find('>')?;
        let target = &after[..end];
        let parameters = &after[end + 1..];
        // The parameters end where the next link begins.
        let own = parameters.find('<').map_or(parameters, |next| &parameters[..next]);
        let is_next = own.split([';', ',']).any(|parameter| {
            parameter.trim().split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value.trim().trim_matches('"').split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(target);
        }
        rest = parameters;
    }
    None
}

/// A place below the client's base address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The segments of the path below the base, decoded.
    pub path: Vec<String>,
    /// The query.
    pub query: Vec<(String, String)>,
}

/// Where a redirect leads, when that is below the client's base address on its own origin; else the origin it leads to, for a message.
///
/// # Errors
/// The origin (or a word for it) when the place is somewhere else: a login page, another host.
pub fn redirected(client: &Client, location: &str) -> Result<Place, String> {
    let base = client.base();
    let elsewhere = |url: &Url| Origin::of(url).map_or_else(|_| "an address that cannot be used".to_owned(), |origin| origin.to_string());
    let url = base.join(location).map_err(|_| "an address that cannot be read".to_owned())?;
    if Origin::of(&url).ok().as_ref() != Some(client.origin()) {
        return Err(elsewhere(&url));
    }
    let below = base.path().trim_end_matches('/');
    let Some(rest) = url.path().strip_prefix(below).and_then(|rest| rest.strip_prefix('/')) else {
        return Err(format!("{}, outside of its API", elsewhere(&url)));
    };
    let path = rest.split('/').map(|segment| decoded(segment).map(Cow::into_owned)).collect::<Option<Vec<_>>>();
    let Some(path) = path else { return Err("an address that cannot be read".to_owned()) };
    Ok(Place { path, query: url.query_pairs().into_owned().collect() })
}

/// A segment without percent encoding; `None` when it is not text.
fn decoded(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| segment.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok())).flatten();
        match hex {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::super::Tls;
    use super::*;

    fn response(headers: &[(&'static str, &str)]) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        Response { status: 200, content_type: String::new(), date: None, retry_after: None, location: None, headers: map, body: Vec::new() }
    }

    fn next(headers: &[(&'static str, &str)]) -> Option<String> {
        next_query(&response(headers))
            .map(|query| query.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_next_page_is_a_query_and_nothing_else() {
        let gitea = "<http://127.0.0.1:3200/api/v1/x/pulls?limit=5&page=2&state=open>; rel=\"next\",<http://127.0.0.1:3200/api/v1/x/pulls?limit=5&page=12&state=open>; rel=\"last\"";
        assert_eq!(next(&[("link", gitea)]).as_deref(), Some("limit=5 page=2 state=open"));
        let elsewhere =
            "<https://evil.example/x?a=1,2&page=1>; rel=prev, <https://evil.example/x?a=1,2&page=3>; title=\"a\"; REL=\"foo next\"";
        assert_eq!(next(&[("link", elsewhere)]).as_deref(), Some("a=1,2 page=3"));
        assert_eq!(next(&[("link", "<x?page=9>; rel=last"), ("link", "<x?page=2>; rel=next")]).as_deref(), Some("page=2"));
        for last in ["<x?page=1>; rel=\"prev\"", "", "<x?page=2; rel=next", "<x>; rel=next", "garbage"] {
            assert_eq!(next(&[("link", last)]), None, "{last}");
        }
        assert_eq!(next(&[("x-next-page", "4")]).as_deref(), Some("page=4"));
        assert_eq!(next(&[("x-next-page", "")]), None);
        assert_eq!(next(&[("x-next-page", "4&x=y")]), None);
    }

    #[test]
    fn a_redirect_is_taken_only_below_the_base() {
        let client = Client::new(&Url::parse("https://git.example/code/api/v1").unwrap(), None, &[], &Tls::default()).unwrap();
        let place = redirected(&client, "/code/api/v1/repos/new/na%2Fme/pulls?state=open&a=b%20c").unwrap();
        assert_eq!(place.path, ["repos", "new", "na/me", "pulls"]);
        assert_eq!(place.query, [("state".to_owned(), "open".to_owned()), ("a".to_owned(), "b c".to_owned())]);
        assert!(redirected(&client, "https://git.example:443/code/api/v1/x").is_ok());
        for (location, where_to) in [
            ("https://evil.example/code/api/v1/x", "https://evil.example"),
            ("//evil.example/code/api/v1/x", "https://evil.example"),
            ("http://git.example/code/api/v1/x", "http://git.example"),
            ("https://user@git.example/code/api/v1/x", "an address that cannot be used"),
            ("/login", "https://git.example, outside of its API"),
            ("/code/api/v1/../../login", "https://git.example, outside of its API"),
            ("/code/api/v1x/y", "https://git.example, outside of its API"),
            ("javascript:alert(1)", "an address that cannot be used"),
        ] {
            assert_eq!(redirected(&client, location), Err(where_to.to_owned()), "{location}");
        }
    }
}
