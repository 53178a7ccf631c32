//! Every answer that the recordings of a real server hold is told apart as it must be; and the paths that are asked.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;

use secrecy::SecretString;
use serde_json::Value;

use super::super::settings::TokenOrigin;
use super::*;
use crate::model::names::ApplicationName;

fn response(status: u16, content_type: &str, body: &[u8]) -> Response {
    Response {
        status,
        content_type: content_type.to_ascii_lowercase(),
        date: None,
        retry_after: None,
        location: None,
        headers: Default::default(),
        body: body.to_vec(),
    }
}

/// The word for a classification.
fn word(result: &Result<(), Trouble>) -> &'static str {
    match result {
        Ok(()) => "answer",
        Err(Trouble::Transport(_)) => "transport",
        Err(Trouble::Unauthenticated(_)) => "unauthenticated",
        Err(Trouble::Forbidden(_)) => "forbidden",
        Err(Trouble::NotFound(_)) => "not found",
        Err(Trouble::Refused { .. }) => "refused",
        Err(Trouble::Unavailable { .. }) => "unavailable",
        Err(Trouble::NotArgoCd(_)) => "not Argo CD",
        Err(Trouble::Malformed(_)) => "malformed",
    }
}

#[test]
fn every_recorded_answer_is_told_apart() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/argo-cd");
    let mut counted = 0;
    for recording in ["15-missing-or-forbidden-application", "25-auth-and-transport-errors"] {
        let timeline = std::fs::read_to_string(folder.join(recording).join("timeline.jsonl")).unwrap();
        for line in timeline.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let (Some(request), Some(status)) = (line["request"].as_str(), line["status"].as_u64()) else { continue };
            if line["kind"] != "action" || status == 0 || request.contains("/stream/") {
                continue;
            }
            let content_type = line["headers"]["Content-Type"].as_str().unwrap_or_default();
            let body = match (&line["body"], line["body_ref"].as_str()) {
                (_, Some(name)) => std::fs::read(folder.join(recording).join(name)).unwrap(),
                (Value::String(text), None) => text.clone().into_bytes(),
                (body, None) => body.to_string().into_bytes(),
            };
            let code = line["body"]["code"].as_i64();
            let json = content_type.starts_with("application/json");
            let expected = match status {
                200 if json => "answer",
                401 if json => "unauthenticated",
                403 if json => "forbidden",
                404 if code == Some(5) => "not found",
                400 if json => "refused",
                500..=599 => "unavailable",
                _ => "not Argo CD",
            };
            let found = classify(&response(u16::try_from(status).unwrap(), content_type, &body));
            assert_eq!(word(&found), expected, "{request} {status} {content_type}");
            counted += 1;
        }
    }
    assert!(counted > 120, "{counted} answers");
}

#[test]
fn what_is_not_argo_cd_is_never_shown_raw() {
    let html = classify(&response(200, "text/html", b"<html><script>evil()</script>"));
    assert_eq!(word(&html), "not Argo CD");
    assert!(!format!("{html:?}").contains("evil"));
    let gzip = classify(&response(404, "text/plain", &[0x1f, 0x8b, 8, 0, 0xff]));
    assert!(format!("{gzip:?}").contains("compressed page"));
    let mut redirect = response(307, "text/html", b"");
    redirect.location = Some("https://login.example/x?token=WLCANARY".into());
    let shown = format!("{:?}", classify(&redirect));
    assert!(shown.contains("https://login.example") && !shown.contains("WLCANARY"), "{shown}");
    let proxy = classify(&response(502, "text/html", b"<html>"));
    assert_eq!(word(&proxy), "unavailable");
    assert_eq!(word(&classify(&response(403, "text/html", b"<html>"))), "not Argo CD");
    let broken: Result<wire::Application, _> = decode(&response(200, "application/json", b"{"));
    assert!(matches!(broken, Err(Trouble::Malformed(_))));
}

/// Serves the same answer to everybody; what was asked.
fn serve(answer: &'static str) -> (Client, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = Url::parse(&format!("http://{}/argo", listener.local_addr().unwrap())).unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 8192];
            let count = stream.read(&mut buffer).unwrap_or(0);
            let _ = sender.send(String::from_utf8_lossy(&buffer[..count]).into_owned());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let settings = ServerSettings {
        base,
        detect_scheme: false,
        token: Some(SecretString::from("WLCANARY")),
        headers: Vec::new(),
        tls: Default::default(),
        token_origin: TokenOrigin::Environment,
    };
    (Client::connect(settings).unwrap(), receiver)
}

#[test]
fn a_refresh_names_project_namespace_and_its_deadline() {
    let (client, asked) = serve("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
    let application = ApplicationReference {
        name: ApplicationName::parse("shop-prod").unwrap(),
        namespace: Some("team".into()),
        project: Some("shop".into()),
    };
    assert!(client.application(&application, Refresh::Normal, Duration::from_secs(15)).result.is_ok());
    let request = asked.recv().unwrap().to_lowercase();
    assert!(
        request.starts_with("get /argo/api/v1/applications/shop-prod?project=shop&appnamespace=team&refresh=normal http/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("grpc-timeout: 14s\r\n") && request.contains("accept: application/json\r\n"), "{request}");
    let revisions = [(1, "1.2".to_owned()), (2, "abc".to_owned())];
    assert!(client.renders(&application, &revisions, Duration::from_secs(5)).result.is_ok());
    assert!(asked.recv().unwrap().contains("revisions=1.2&sourcePositions=1&revisions=abc&sourcePositions=2"));
    assert!(client.can_i("get", "shop", "shop-prod", Duration::from_secs(5)).result.is_ok());
    assert!(asked.recv().unwrap().starts_with("GET /argo/api/v1/account/can-i/applications/get/shop%2Fshop-prod "));
    assert_eq!(client.link(&application).unwrap().split("/argo").last().unwrap(), "/applications/team/shop-prod");
}

#[test]
fn the_time_scale_is_that_of_a_server_on_this_machine_alone() {
    let (client, _asked) = serve(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nwindlass-sandbox-time-scale: 20\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    );
    assert!((client.time_scale() - 20.0).abs() < f64::EPSILON);
    let (client, _asked) = serve("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
    assert!((client.time_scale() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn an_empty_list_is_null_and_a_token_is_never_shown() {
    let (client, _asked) = serve(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 28\r\n\r\n{\"metadata\":{},\"items\":null}",
    );
    assert_eq!(client.list(Duration::from_secs(5)).result, Ok(Vec::new()));
    let (client, _asked) = serve(
        "HTTP/1.1 500 X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 31\r\n\r\n{\"message\":\"bad token WLCANARY\"}",
    );
    let shown = format!("{:?}", client.list(Duration::from_secs(5)).result);
    assert!(shown.contains("bad token ***") || shown.contains("Transport"), "{shown}");
    assert!(!shown.contains("WLCANARY"), "{shown}");
}
