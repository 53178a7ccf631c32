//! The HTTP client against servers that trickle, lie, break off and ask for tokens.
#![allow(clippy::disallowed_methods, reason = "a test stands outside: it reads the environment and the clock of its process")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;

/// Serves one connection after the other with `answer`; the requests it saw.
fn serve(answer: impl Fn(TcpStream) + Send + 'static) -> (Url, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => request.extend_from_slice(&buffer[..count]),
                }
            }
            if sender.send(String::from_utf8_lossy(&request).into_owned()).is_err() {
                return;
            }
            answer(stream);
        }
    });
    (url, receiver)
}

fn fixed(text: &'static str) -> (Url, mpsc::Receiver<String>) {
    serve(move |mut stream| drop(stream.write_all(text.as_bytes())))
}

fn client(url: &Url) -> Client {
    Client::new(url, Some(&SecretString::from("WLCANARY-secret")), &[], &Tls::default()).unwrap()
}

fn get(url: &Url, deadline: Duration, cap: u64) -> Result<Response, TransportError> {
    let mut request = Request::get(&["api", "a/b c"], deadline);
    request.cap = cap;
    client(url).send(&request)
}

#[test]
fn a_token_goes_to_its_origin_with_every_request_and_segments_are_encoded() {
    let (url, requests) =
        fixed("HTTP/1.1 200 OK\r\nContent-Type: Application/JSON\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}");
    let response = get(&url, Duration::from_secs(5), 100).unwrap();
    assert_eq!((response.status, response.content_type.as_str(), response.body.as_slice()), (200, "application/json", &b"{}"[..]));
    assert_eq!(response.date.unwrap().to_string(), "2026-11-24T10:00:00Z");
    let request = requests.recv().unwrap().to_lowercase();
    assert!(request.starts_with("get /api/a%2fb%20c http/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: bearer wlcanary-secret"), "{request}");
}

#[test]
fn a_redirect_is_reported_and_never_followed() {
    let (elsewhere, seen) = fixed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let target = elsewhere.to_string();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n").as_bytes());
    });
    let response = get(&url, Duration::from_secs(5), 100).unwrap();
    assert_eq!((response.status, response.location.as_deref()), (307, Some(elsewhere.as_str())));
    assert!(seen.try_recv().is_err(), "nobody was asked there");
}

#[test]
fn a_server_that_trickles_does_not_outlive_the_deadline() {
    let (url, _requests) = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        // A byte whenever the reader has had time to reset a time-out of one read.
        let (_keep, never) = mpsc::channel::<()>();
        while stream.write_all(b"x").is_ok() {
            if never.recv_timeout(Duration::from_millis(50)).is_ok() {
                return;
            }
        }
    });
    let start = Instant::now();
    let error = get(&url, Duration::from_millis(400), DEFAULT_CAP).unwrap_err();
    assert!(error.0.contains("no answer within"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_body_over_the_cap_is_refused() {
    let (url, _requests) = fixed("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456");
    assert!(get(&url, Duration::from_secs(5), 5).unwrap_err().0.contains("larger than 5 bytes"));
    let (url, _requests) = fixed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
    assert_eq!(get(&url, Duration::from_secs(5), 5).unwrap().body, b"12345");
}

#[test]
fn errors_say_why_and_never_what_was_secret() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/?private_token=WLCANARY-secret", refused.local_addr().unwrap())).unwrap();
    drop(refused);
    let error = get(&url, Duration::from_secs(5), 100).unwrap_err();
    assert!(error.0.to_lowercase().contains("refused"), "{error}");
    assert!(!error.0.contains("WLCANARY"), "{error}");
    let (url, _requests) = fixed("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort");
    assert!(get(&url, Duration::from_secs(5), 100).is_err());
    let client = client(&url);
    assert_eq!(client.redact("x WLCANARY-secret y V0xDQU5BUlktc2VjcmV0"), "x *** y ***");
}

mod tls {
    use std::sync::Arc;

    use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

    use super::*;

    /// A TLS server for `localhost` whose certificate a private authority signed; its address and the authority's PEM.
    fn server() -> (Url, Vec<u8>) {
        install_provider();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config =
            rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private).unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                let Ok(mut connection) = rustls::ServerConnection::new(Arc::clone(&config)) else { return };
                let mut stream = rustls::Stream::new(&mut connection, &mut stream);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
                let _ = stream.flush();
            }
        });
        (Url::parse(&format!("https://localhost:{port}/")).unwrap(), issuer.pem().into_bytes())
    }

    fn ask(url: &Url, tls: &Tls) -> Result<Response, TransportError> {
        Client::new(url, None, &[], tls).unwrap().send(&Request::get(&["x"], Duration::from_secs(10)))
    }

    #[test]
    fn a_private_authority_is_trusted_when_named_and_only_then() {
        let (url, pem) = server();
        let named = Tls { authorities: vec![pem], ..Tls::default() };
        assert_eq!(ask(&url, &named).unwrap().body, b"ok");
        let error = ask(&url, &Tls::default()).unwrap_err();
        assert!(error.0.to_lowercase().contains("certificate"), "{error}");
        // The right authority, and the wrong name.
        let other = Url::parse(&url.as_str().replace("localhost", "127.0.0.1")).unwrap();
        assert!(ask(&other, &named).is_err());
        assert_eq!(ask(&url, &Tls { insecure: true, ..Tls::default() }).unwrap().body, b"ok");
    }
}
