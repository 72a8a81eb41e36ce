//! Packs an exported model on real pictures.
//!
//! Runs where `PINHOLE_EXPORT` names the exported folder and `PINHOLE_PICTURES` a folder of PNG or JPEG pictures.
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
    let (Some(export), Some(folder)) =
        (env::var_os("PINHOLE_EXPORT"), env::var_os("PINHOLE_PICTURES"))
    else {
        eprintln!("skipped: PINHOLE_EXPORT and PINHOLE_PICTURES are not set");
        return;
    };
    let (export, pictures) = (Path::new(&export), pictures(Path::new(&folder), 3));
    let start = Instant::now();
    let packed = pack(export, &pictures, Options::default()).unwrap();
    eprintln!("{} bytes in {:.1?}\n{}", packed.bytes.len(), start.elapsed(), packed.report);
    let bundle = Bundle::parse(&packed.bytes).unwrap();
    eprintln!("{}", bundle.manifest());
    assert!(bundle.synthesis().is_ok());

    let device = encoder_only(&packed.bytes).unwrap();
    let small = Bundle::parse(&device).unwrap();
    eprintln!("encoder only: {} bytes", device.len());
    assert!(small.synthesis().is_err());
    assert_eq!(small.latent_space(), bundle.latent_space());

    assert!(verify(&packed.bytes, export, &pictures[..1]).is_ok());
    assert!(verify(&device, export, &pictures[..1]).is_ok());
}
