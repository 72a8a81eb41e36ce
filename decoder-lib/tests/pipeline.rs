//! Pipelines of real streams, and of backends that misbehave.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use pinhole::{EncodeOptions, Encoder, Latents, Picture, PixelFormat, Scale};
use pinhole_decoder::backend::{Backend, Native, Style};
use pinhole_decoder::{Config, DecoderKind, Error, LoadOptions, Model, Options, Pipeline, Request};

const MODEL: &[u8] = include_bytes!("../../models/zoo/photo/photo.pinm");

fn model() -> Model {
    Model::from_bytes(MODEL, &LoadOptions::default()).unwrap()
}

/// A stream of a made-up picture.
fn stream(width: u32, height: u32, format: PixelFormat) -> Vec<u8> {
    let bundle = pinhole::Bundle::parse(MODEL).unwrap();
    let len = (width * height) as usize * format.channels();
    let data = (0..len).map(|i| ((i / 7 * 3 + i / 900) % 256) as u8).collect();
    let picture = Picture::new(width, height, format, data).unwrap();
    let mut options = EncodeOptions::default();
    options.metadata.push(pinhole::format::MetadataKind::Icc, b"profile").unwrap();
    Encoder::new(&bundle, 1).unwrap().encode(&picture, &options).unwrap()
}

/// A backend that waits for a word before it draws, counts its batches, and may panic.
#[derive(Debug)]
struct Gate {
    native: Native,
    open: Mutex<bool>,
    opened: Condvar,
    begun: AtomicUsize,
    sizes: Mutex<Vec<usize>>,
    panics: bool,
}

impl Gate {
    fn model(open: bool, panics: bool) -> (Model, Arc<Gate>) {
        let bundle = pinhole_owned::Model::from_bytes(MODEL).unwrap();
        let gate = Arc::new(Gate {
            native: Native::new(&bundle, pinhole::Synthesis::Standard, 1),
            open: Mutex::new(open),
            opened: Condvar::new(),
            begun: AtomicUsize::new(0),
            sizes: Mutex::default(),
            panics,
        });
        let model = Model::with_backend(&bundle, DecoderKind::Standard, gate.clone()).unwrap();
        (model, gate)
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait_until_begun(&self) {
        while self.begun.load(Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Backend for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn largest_batch(&self) -> usize {
        4
    }

    fn draw(&self, batch: &[Arc<Latents>], style: Style) -> Result<Vec<Picture>, Error> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.opened.wait(open).unwrap();
        }
        drop(open);
        assert!(!self.panics, "on purpose");
        self.sizes.lock().unwrap().push(batch.len());
        self.native.draw(batch, style)
    }
}

fn small(queue: usize, ahead: usize) -> Config {
    let mut config = Config::default();
    (config.entropy_threads, config.drawing_threads) = (1, 1);
    (config.queue, config.ahead) = (queue, ahead);
    config
}

#[test]
fn pictures_are_those_of_the_codec() {
    let model = model();
    let pipeline = Pipeline::new(Config::default()).unwrap();
    let streams = [
        stream(70, 50, PixelFormat::Rgb8),
        stream(33, 90, PixelFormat::Gray8),
        stream(64, 64, PixelFormat::Rgba8),
    ];
    let bundle = pinhole::Bundle::parse(MODEL).unwrap();
    let mut decoder = pinhole::Decoder::new(&bundle, 1).unwrap();
    for scale in [Scale::Full, Scale::Quarter] {
        let mut options = Options::default();
        options.scale = scale;
        options.keep_latents = true;
        let tickets: Vec<_> = streams
            .iter()
            .map(|s| {
                let request = Request::new(&model, s.clone()).with_options(options.clone());
                pipeline.submit(request).unwrap()
            })
            .collect();
        for (ticket, stream) in tickets.into_iter().zip(&streams) {
            let decoded = ticket.wait().unwrap();
            let mut options = pinhole::DecodeOptions::default();
            options.scale = scale;
            let expected = decoder.decode(stream, &options).unwrap();
            assert_eq!(decoded.picture, expected.picture);
            assert_eq!(decoded.metadata.len(), 1);
            let latents = decoded.latents.unwrap();
            assert_eq!(*latents, decoder.latents(stream, &options).unwrap());
            assert!(latents.symbols() > 0);
        }
    }
    assert_eq!(pipeline.load().pictures, 6);
}

#[test]
fn a_full_queue_refuses_and_recovers() {
    let (model, gate) = Gate::model(false, false);
    let pipeline = Pipeline::new(small(2, 1)).unwrap();
    let stream = stream(32, 32, PixelFormat::Rgb8);
    let mut tickets = Vec::new();
    // One being drawn, one or two ready or waiting for room, two in the queue: nothing more is taken.
    let refused = loop {
        match pipeline.submit(Request::new(&model, stream.clone())) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => {
                // The threads may still be moving jobs on.
                std::thread::sleep(Duration::from_millis(30));
                match pipeline.submit(Request::new(&model, stream.clone())) {
                    Ok(ticket) => tickets.push(ticket),
                    Err(_) => break error,
                }
            }
        }
        assert!(tickets.len() < 20);
    };
    assert_eq!(refused, Error::QueueFull { waiting: 2 });
    assert!(tickets.len() <= 9, "{} accepted", tickets.len());
    gate.open();
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    pipeline.submit(Request::new(&model, stream)).unwrap().wait().unwrap();
}

#[test]
fn late_and_cancelled_requests_are_not_drawn() {
    let (model, gate) = Gate::model(false, false);
    let pipeline = Pipeline::new(small(8, 8)).unwrap();
    let stream = stream(32, 32, PixelFormat::Rgb8);
    let first = pipeline.submit(Request::new(&model, stream.clone())).unwrap();
    gate.wait_until_begun();
    let soon = Instant::now() + Duration::from_millis(20);
    let late = pipeline.submit(Request::new(&model, stream.clone()).by(soon)).unwrap();
    let dropped = pipeline.submit(Request::new(&model, stream.clone())).unwrap();
    let wanted = pipeline.submit(Request::new(&model, stream)).unwrap();
    drop(dropped);
    std::thread::sleep(Duration::from_millis(30));
    gate.open();
    assert!(first.wait().is_ok() && wanted.wait().is_ok());
    assert!(matches!(late.wait(), Err(Error::DeadlineExceeded(_))));
    assert_eq!(pipeline.load().pictures, 2);
}

#[test]
fn equal_shapes_are_drawn_together() {
    let (model, gate) = Gate::model(false, false);
    let mut config = small(32, 32);
    config.batch_delay = Duration::from_millis(50);
    let pipeline = Pipeline::new(config).unwrap();
    let wide = stream(48, 32, PixelFormat::Rgb8);
    let high = stream(32, 48, PixelFormat::Gray8);
    let submit = |stream: &Vec<u8>| pipeline.submit(Request::new(&model, stream.clone())).unwrap();
    let first = submit(&wide);
    gate.wait_until_begun();
    let tickets: Vec<_> = (0..12).map(|i| submit(if i % 2 == 0 { &wide } else { &high })).collect();
    while pipeline.load().ready < 12 {
        std::thread::sleep(Duration::from_millis(1));
    }
    gate.open();
    first.wait().unwrap();
    for (i, ticket) in tickets.into_iter().enumerate() {
        let decoded = ticket.wait().unwrap();
        let size = (decoded.picture.width(), decoded.picture.height());
        assert_eq!(size, if i % 2 == 0 { (48, 32) } else { (32, 48) });
    }
    // Six of each shape, at most four at once.
    let mut sizes = gate.sizes.lock().unwrap().split_off(1);
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 2, 4, 4]);
}

#[test]
fn a_panic_costs_its_request_only() {
    let (bad, _) = Gate::model(true, true);
    let pipeline = Pipeline::new(small(8, 8)).unwrap();
    let stream = stream(32, 32, PixelFormat::Rgb8);
    for _ in 0..3 {
        let answer = pipeline.submit(Request::new(&bad, stream.clone())).unwrap().wait();
        assert_eq!(answer.unwrap_err(), Error::Panicked("on purpose".to_owned()));
    }
    pipeline.submit(Request::new(&model(), stream)).unwrap().wait().unwrap();
}

#[test]
fn hostile_streams_are_told_apart() {
    let model = model();
    let pipeline = Pipeline::new(small(8, 8)).unwrap();
    let good = stream(32, 32, PixelFormat::Rgb8);
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut bytes = good.clone();
    bytes.truncate(good.len() / 2);
    for stream in [Vec::new(), b"GIF89a".to_vec(), flipped, bytes] {
        let answer = pipeline.submit(Request::new(&model, stream)).unwrap().wait();
        assert!(matches!(answer, Err(Error::Stream(_))), "{answer:?}");
    }
    let mut options = Options::default();
    options.decoder = Some(DecoderKind::Gan);
    let refused = pipeline.submit(Request::new(&model, good.clone()).with_options(options));
    assert!(matches!(refused, Err(Error::NoDecoder { .. })));
    let mut options = Options::default();
    options.realism = Some(0.5);
    let answer = pipeline.submit(Request::new(&model, good).with_options(options)).unwrap().wait();
    assert!(matches!(answer, Err(Error::Unsupported(_))));
}

#[test]
fn shutting_down_finishes_what_was_accepted() {
    let model = model();
    let pipeline = Pipeline::new(small(16, 2)).unwrap();
    let stream = stream(48, 48, PixelFormat::Rgb8);
    let tickets: Vec<_> =
        (0..10).map(|_| pipeline.submit(Request::new(&model, stream.clone())).unwrap()).collect();
    pipeline.shut_down();
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    let refused = pipeline.submit(Request::new(&model, stream));
    assert_eq!(refused.unwrap_err(), Error::ShuttingDown);
}
