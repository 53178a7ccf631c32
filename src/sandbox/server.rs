//! A small HTTP server on loopback: a listener, a runtime of its own, and an end when it is dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

/// A running server. Dropping it ends it and closes its port.
pub(super) struct Server {
    address: SocketAddr,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

fn failed(what: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Environment, format!("The sandbox could not {what}: {error}"))
}

/// A free port of loopback, bound.
pub(super) fn listen() -> Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| failed("listen on loopback", &error))
}

/// The address of a port that nothing listens on.
pub(super) fn refused() -> Result<SocketAddr> {
    listen()?.local_addr().map_err(|error| failed("find a free port", &error))
}

impl Server {
    /// Serves the router on a free port of loopback. Connections are taken from here on.
    pub(super) fn start(router: axum::Router) -> Result<Self> {
        let listener = listen()?;
        let address = listener.local_addr().map_err(|error| failed("find its port", &error))?;
        listener.set_nonblocking(true).map_err(|error| failed("listen", &error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| failed("start its runtime", &error))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let serving = axum::serve(listener, router);
                tokio::select! {
                    _ = serving => {}
                    _ = stopped => {}
                }
            });
            // Requests that wait for something do not keep us.
            runtime.shutdown_background();
        });
        Ok(Self { address, stop: Mutex::new(Some(stop)), thread: Some(thread) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
