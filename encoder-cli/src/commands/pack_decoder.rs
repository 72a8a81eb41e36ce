//! `pinhole model pack-decoder`.

use crate::args::PackDecoderArgs;
use crate::report::Outcome;

#[cfg(feature = "float")]
pub(crate) fn run(args: &PackDecoderArgs) -> Outcome {
    with::pack(args).map_err(super::about(&args.graph))
}

#[cfg(feature = "float")]
mod with {
    use anyhow::{Context, Result};
    use pinhole_decoder::{DecoderKind, Packing, pack_decoder};

    use crate::args::{PackDecoderArgs, PictureDecoder};
    use crate::codec;
    use crate::commands::print;
    use crate::output;
    use crate::report::shown;

    pub(super) fn pack(args: &PackDecoderArgs) -> Result<()> {
        let graph = std::fs::read(&args.graph)?;
        let base = codec::bundle_bytes(args.base.as_deref())?;
        let manifest = match &args.manifest {
            Some(path) => {
                let text = std::fs::read(path).with_context(|| shown(path))?;
                serde_json::from_slice(&text).with_context(|| shown(path))?
            }
            None => serde_json::Map::new(),
        };
        let kind = match args.decoder {
            PictureDecoder::Standard => DecoderKind::Standard,
            PictureDecoder::Lite => DecoderKind::Lite,
            PictureDecoder::Hq => DecoderKind::Hq,
            PictureDecoder::Gan => DecoderKind::Gan,
        };
        let (name, version) = (args.name.clone(), args.model_version.clone());
        let bytes = pack_decoder(&graph, &base, &Packing { kind, name, version, manifest })?;
        output::write_file(&args.output, &bytes)?;
        print(&format!("{}: {} bytes\n", shown(&args.output), bytes.len()))
    }
}

#[cfg(not(feature = "float"))]
pub(crate) fn run(_args: &PackDecoderArgs) -> Outcome {
    Err(crate::report::Failure::Failed(
        "this program was built without float decoders: build it with `--features float`".into(),
    ))
}
