//! The committed header is the one that the source gives.
#![allow(clippy::unwrap_used)]

use std::path::Path;

/// In the order of the header.
const SOURCES: [&str; 14] = [
    "version",
    "status",
    "picture",
    "options",
    "model",
    "encoder",
    "stream",
    "decoder",
    "info",
    "sensor/options",
    "sensor/model",
    "sensor/encoder",
    "sensor/decoder",
    "sensor/frame",
];

fn generate(root: &Path) -> String {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in SOURCES {
        builder = builder.with_src(root.join(format!("src/{name}.rs")));
    }
    let mut header = Vec::new();
    builder.generate().unwrap().write(&mut header);
    String::from_utf8(header).unwrap()
}

#[test]
fn header_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("include/pinhole.h");
    let fresh = generate(root);
    if std::env::var_os("PINHOLE_BLESS").is_some_and(|part| part == "header") {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == fresh,
        "include/pinhole.h is not what the source gives. If that is meant:\n\
         PINHOLE_BLESS=header cargo test -p pinhole-ffi --test header"
    );
}

/// Every module with functions for C is in the header: none is forgotten in the list above.
#[test]
fn every_function_is_declared() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = std::fs::read_to_string(root.join("include/pinhole.h")).unwrap();
    let mut count = 0;
    let files = |folder: &str| std::fs::read_dir(root.join(folder)).unwrap();
    for entry in files("src").chain(files("src/sensor")) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let source = std::fs::read_to_string(path).unwrap();
        for part in source.split("extern \"C\" fn ").skip(1) {
            let name = part.split('(').next().unwrap();
            if name.starts_with("pinhole_") {
                assert!(header.contains(&format!("{name}(")), "{name}");
                count += 1;
            }
        }
    }
    assert!(count > 25, "{count} functions found");
}

/// CMake's package has the crate's version.
#[test]
fn package_has_the_version() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read_to_string(root.join("cmake/pinhole-config-version.cmake")).unwrap();
    let wanted = format!("set(PACKAGE_VERSION \"{}\")", env!("CARGO_PKG_VERSION"));
    assert!(file.contains(&wanted), "{wanted}");
}
