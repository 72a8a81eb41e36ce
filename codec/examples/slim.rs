//! Writes a bundle with some of a model's transforms: what a device, a page or a server needs of it.
//!
//!     cargo run --release -p pinhole --example slim -- models/zoo/photo/photo.pinm page.pinm default lite

use std::error::Error;
use std::{env, fs};

use pinhole::bundle::Parts;
use pinhole::{Bundle, Effort, Synthesis};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [from, to, names @ ..] = arguments.as_slice() else {
        return Err("slim FROM.pinm TO.pinm [fast|default|best|standard|lite]...".into());
    };
    let mut parts = Parts::default();
    for name in names {
        if let Some(effort) = Effort::from_name(name) {
            parts.efforts.push(effort);
        } else if let Some(synthesis) = Synthesis::from_name(name) {
            parts.syntheses.push(synthesis);
        } else {
            return Err(format!("{name}: no transform is called that").into());
        }
    }
    let file = fs::read(from)?;
    fs::write(to, Bundle::parse(&file)?.slim(&parts)?.to_bytes())?;
    Ok(())
}
