//! Pictures per second of the library alone: what the service is measured against.
//!
//!     library MODEL.pinm THREADS SECONDS raw|png STREAM.pin…
//!
//! As many clients as threads and two more, each with one stream in work at a time; with `png` each writes the file as
//! the service does. One line of JSON on standard output.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pinhole_decoder::{Config, LoadOptions, Model, Pipeline, Request};
use pinhole_serve::picture::{Carried, OutputFormat, write};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, threads, seconds, format, streams @ ..] = &arguments[..] else {
        return Err("usage: library MODEL.pinm THREADS SECONDS raw|png STREAM.pin…".into());
    };
    let threads: usize = threads.parse()?;
    let length = Duration::from_secs_f64(seconds.parse()?);
    let png = match format.as_str() {
        "raw" => false,
        "png" => true,
        other => return Err(format!("{other}: neither raw nor png").into()),
    };
    let model = Model::open(model, &LoadOptions::default())?;
    let streams: Vec<Vec<u8>> = streams.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    if streams.is_empty() {
        return Err("no streams".into());
    }
    let mut config = Config::default();
    (config.entropy_threads, config.drawing_threads) = (threads, threads);
    let pipeline = Pipeline::new(config)?;
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let client = || -> Result<u64, Failure> {
        let mut pictures = 0;
        while start.elapsed() < length {
            let stream = &streams[next.fetch_add(1, Ordering::Relaxed) % streams.len()];
            let decoded = pipeline.submit(Request::new(&model, stream.clone()))?.wait()?;
            if png {
                write(&decoded.picture, &Carried::default(), OutputFormat::Png)?;
            }
            pictures += 1;
        }
        Ok(pictures)
    };
    let pictures = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..threads + 2).map(|_| scope.spawn(client)).collect();
        let ended = |client: std::thread::ScopedJoinHandle<'_, Result<u64, Failure>>| {
            client.join().unwrap_or_else(|_| Err("a client panicked".into()))
        };
        clients.into_iter().map(ended).sum::<Result<u64, Failure>>()
    })?;
    let rate = pictures as f64 / start.elapsed().as_secs_f64();
    println!("{{\"pictures_per_second\": {rate:.2}}}");
    Ok(())
}
