//! Pictures per second of the library alone: what the service is measured against.
//!
//!     library MODEL.pinm THREADS SECONDS STREAM.pin…
//!
//! As many streams as threads and two more are in work at a time; one line of JSON on standard output.

use std::collections::VecDeque;
use std::error::Error;
use std::time::{Duration, Instant};

use pinhole_decoder::{Config, LoadOptions, Model, Pipeline, Request, Ticket};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, threads, seconds, streams @ ..] = &arguments[..] else {
        return Err("usage: library MODEL.pinm THREADS SECONDS STREAM.pin…".into());
    };
    let threads: usize = threads.parse()?;
    let model = Model::open(model, &LoadOptions::default())?;
    let streams: Vec<Vec<u8>> = streams.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let mut config = Config::default();
    (config.entropy_threads, config.drawing_threads) = (threads, threads);
    let pipeline = Pipeline::new(config)?;
    let mut next = streams.iter().cycle();
    let mut submit = || -> Result<Ticket, Box<dyn Error>> {
        let stream = next.next().ok_or("no streams")?;
        Ok(pipeline.submit(Request::new(&model, stream.clone()))?)
    };
    let mut tickets = VecDeque::new();
    for _ in 0..threads + 2 {
        tickets.push_back(submit()?);
    }
    let (start, length) = (Instant::now(), Duration::from_secs_f64(seconds.parse()?));
    let mut pictures = 0u64;
    while start.elapsed() < length {
        if let Some(ticket) = tickets.pop_front() {
            ticket.wait()?;
            pictures += 1;
        }
        tickets.push_back(submit()?);
    }
    let rate = pictures as f64 / start.elapsed().as_secs_f64();
    println!("{{\"pictures_per_second\": {rate:.2}}}");
    Ok(())
}
