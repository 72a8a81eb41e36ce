//! A bundle without what only decoders need, for apps that only encode.
//!
//! `cargo run -p pinhole-jni --example encoder_bundle -- models/zoo/photo/photo.pinm photo-encoder.pinm`
#![allow(clippy::print_stdout)]

use std::error::Error;

use pinhole::Bundle;
use pinhole::bundle::{BundleBuilder, Tag};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else {
        return Err("give the bundle to read and the one to write".into());
    };
    let file = std::fs::read(from)?;
    let bundle = Bundle::parse(&file)?;
    let mut builder = BundleBuilder::new();
    for (tag, bytes) in bundle.sections() {
        if *tag != Tag::SYNTHESIS {
            builder.section(*tag, bytes.to_vec());
        }
    }
    let smaller = builder.to_bytes();
    // Files of the one are files of the other.
    let parsed = Bundle::parse(&smaller)?;
    if parsed.latent_space() != bundle.latent_space() || !parsed.can_encode() {
        return Err("the result cannot encode".into());
    }
    std::fs::write(to, &smaller)?;
    println!("{to}: {} bytes of {}", smaller.len(), file.len());
    Ok(())
}
