//! Certificates that are not accepted: the message says why, and the next line which setting is the one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};

use crate::support::{Platform, finish};

/// A server for `name` whose certificate a private authority signed; its port and the authority's PEM.
fn server(name: &str, expired: bool) -> (u16, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        parameters.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let certificate = parameters.signed_by(&key, &issuer).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private).unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), Ok(mut connection)) = (stream, rustls::ServerConnection::new(Arc::clone(&config))) else { return };
            let mut stream = rustls::Stream::new(&mut connection, &mut stream);
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    (port, issuer.pem())
}

/// Name, expired, trusted → what the hint begins with.
const CASES: [(&str, bool, bool, &str); 3] =
    [("localhost", false, false, "Trust its authority"), ("other.example", false, true, "Use the name"), ("localhost", true, true, "Look")];

#[test]
fn a_git_server_whose_certificate_is_not_accepted() {
    let platform = Platform::start();
    let file = platform.home.path().join("authority.pem");
    for (name, expired, trusted, hint) in CASES {
        let (port, pem) = server(name, expired);
        std::fs::write(&file, pem).unwrap();
        let mut command = platform.command(&["deploy", "checkout=1.1.0", "-e", "dev", "--timeout", "20s"]);
        command.env("WINDLASS_REPO", format!("https://localhost:{port}/config.git"));
        if trusted {
            command.env("GIT_SSL_CAINFO", &file);
        }
        let ran = finish(&mut command).expect(10).says("TLS: ").says("http.sslCAInfo FILE, or GIT_SSL_CAINFO=FILE");
        // A git with GnuTLS does not say why.
        assert!(ran.stderr.contains(&format!("\n  {hint}")) || ran.stderr.contains("unless the certificate has expired"), "{}", ran.stderr);
    }
}

#[test]
fn an_argo_cd_whose_certificate_is_not_accepted() {
    let platform = Platform::start();
    let file = platform.home.path().join("authority.pem");
    for (n, (name, expired, trusted, hint)) in CASES.into_iter().enumerate() {
        let (port, pem) = server(name, expired);
        std::fs::write(&file, pem).unwrap();
        let mut command = platform.command(&["deploy", &format!("checkout=1.1.{n}"), "-e", "dev", "--timeout", "10s"]);
        command.env("ARGOCD_SERVER", format!("https://localhost:{port}"));
        if trusted {
            command.env("ARGOCD_OPTS", format!("--server-crt {}", file.display()));
        }
        finish(&mut command).expect(40).says("certificate").says(&format!("\n  {hint}")).says("--server-crt FILE");
    }
}
