//! From a configuration to a running service, and to its end.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use crate::config::Config;
use crate::fleet::{Fleet, Store};
use crate::routes::{self, App};
use crate::server::{Listener, Stop};
use crate::telemetry::{self, Metrics};

/// Runs the service on a runtime of its own until SIGTERM or SIGINT.
///
/// # Errors
/// As [`run`], or the system gives no threads.
pub fn block_on(config: Config) -> Result<(), String> {
    // Requests only shovel bytes: decoding has threads of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads().clamp(1, 8))
        .max_blocking_threads(config.threads() + 32)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    runtime.block_on(run(config))
}

/// Runs the service until SIGTERM or SIGINT. The address it listens on is its only line on standard output.
///
/// # Errors
/// A configuration that makes no sense, an address in use, a repository that does not exist.
pub async fn run(config: Config) -> Result<(), String> {
    config.check().map_err(|e| e.to_string())?;
    let _telemetry = telemetry::start(&config.telemetry)?;
    let metrics = Arc::new(Metrics::new());
    let store = Store::open(&config).await.map_err(|e| e.to_string())?;
    let listener = Listener::bind(&config, Arc::clone(&metrics)).await?;
    let address = listener.address().map_err(|e| e.to_string())?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let leave = Duration::from_secs(config.leave_seconds);
    let fleet = Fleet::start(config, store, Arc::clone(&metrics)).await?;
    if !fleet.ready() {
        warn!("no model is in production: not ready until one is");
    }
    let app = App::new(Arc::clone(&fleet), metrics)?;
    let stop = Stop::new();
    let watcher = tokio::spawn(Arc::clone(&fleet).watch(stop.clone()));
    // Whoever started this may have closed the pipe.
    let _ = writeln!(std::io::stdout(), "listening on {scheme}://{address}");
    info!(%address, "listening");
    tokio::spawn({
        let (app, stop) = (app.clone(), stop.clone());
        async move {
            signal().await;
            info!("stopping");
            app.leave();
            tokio::time::sleep(leave).await;
            stop.now();
        }
    });
    let all_answered = listener.serve(routes::router(app), stop).await;
    if !all_answered {
        warn!("some connections did not end in time");
    }
    // Watching ends by the same word.
    let _ = watcher.await;
    let _ = tokio::task::spawn_blocking(move || fleet.shut_down()).await;
    info!("stopped");
    Ok(())
}

/// Waits for the word to end.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let terminate = async {
            match signal(SignalKind::terminate()) {
                Ok(mut terminate) => {
                    terminate.recv().await;
                }
                // Without a handler the signal simply ends the process.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = terminate => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}
