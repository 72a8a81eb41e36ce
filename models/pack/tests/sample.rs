//! Packs an exported model on real pictures.
//!
//! Runs where `PINHOLE_EXPORT` names an exported folder; on the project's samples, or on the PNG and JPEG pictures of the
//! folder that `PINHOLE_PICTURES` names.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pinhole::bundle::Bundle;
use pinhole_pack::{Options, Picture, encoder_only, pack, verify};

fn pictures(folder: &Path, count: usize) -> Vec<Picture> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let opened = paths.iter().filter_map(|p| image::open(p).ok()).take(count);
    opened
        .map(|i| i.to_rgb8())
        .map(|i| Picture {
            width: i.width() as usize,
            height: i.height() as usize,
            rgb: i.into_raw(),
        })
        .collect()
}

#[test]
fn an_exported_model_packs_and_verifies() {
    let Some(export) = env::var_os("PINHOLE_EXPORT") else {
        eprintln!("skipped: PINHOLE_EXPORT is not set");
        return;
    };
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    let folder = env::var_os("PINHOLE_PICTURES").map_or(samples, PathBuf::from);
    let (export, pictures) = (Path::new(&export), pictures(&folder, 3));
    let start = Instant::now();
    let packed = pack(export, &pictures, Options::default()).unwrap();
    eprintln!("{} bytes in {:.1?}\n{}", packed.bytes.len(), start.elapsed(), packed.report);
    let bundle = Bundle::parse(&packed.bytes).unwrap();
    eprintln!("{}", bundle.manifest());
    assert!(bundle.can_decode());

    let device = encoder_only(&packed.bytes).unwrap();
    let small = Bundle::parse(&device).unwrap();
    eprintln!("encoder only: {} bytes", device.len());
    assert!(small.can_encode() && !small.can_decode());
    assert_eq!(small.latent_space(), bundle.latent_space());

    assert!(verify(&packed.bytes, export, &pictures[..1]).is_ok());
    assert!(verify(&device, export, &pictures[..1]).is_ok());
}
