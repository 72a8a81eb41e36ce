//! Float decoders: where their bundles are, and pictures from them.

#[cfg(feature = "float")]
pub(crate) use with::FloatDecoders;
#[cfg(not(feature = "float"))]
pub(crate) use without::FloatDecoders;

#[cfg(feature = "float")]
mod with {
    use std::path::{Path, PathBuf};

    use anyhow::{Context, Result, anyhow};
    use pinhole::bundle::Tag;
    use pinhole::format::{Header, MetadataKind};
    use pinhole_decoder::{DecoderKind, LoadOptions, Model, Options};

    use crate::args::PictureDecoder;
    use crate::codec::{self, DecodeOptions, Decoded, Metadata};
    use crate::report::shown;

    /// The float decoders that a run needs, loaded when the first stream of a latent space is met.
    pub(crate) struct FloatDecoders {
        kind: DecoderKind,
        /// The bundle that `--model` names.
        file: Option<PathBuf>,
        options: Options,
        threads: usize,
        loaded: Vec<Model>,
    }

    impl FloatDecoders {
        /// As [`crate::drawer::Drawer::new`]; `settings` say everything but which decoder.
        pub(crate) fn new(
            decoder: PictureDecoder,
            realism: Option<f32>,
            model: Option<&Path>,
            settings: &DecodeOptions,
        ) -> Self {
            let kind = match decoder {
                PictureDecoder::Gan => DecoderKind::Gan,
                _ => DecoderKind::Hq,
            };
            let mut options = Options::default();
            options.conceal = settings.conceal;
            options.max_pixels = settings.max_pixels;
            options.scale = settings.scale;
            options.realism = realism;
            options.decoder = Some(kind);
            let (file, threads) = (model.map(Path::to_owned), codec::threads(settings.threads));
            FloatDecoders { kind, file, options, threads, loaded: Vec::new() }
        }

        pub(crate) fn decode(&mut self, stream: &[u8]) -> Result<Decoded> {
            let space = Header::parse(stream)?.header.latent_space;
            let known = self.loaded.iter().position(|model| model.latent_space() == space);
            let at = match known {
                Some(at) => at,
                None => {
                    self.loaded.push(self.load(space)?);
                    self.loaded.len() - 1
                }
            };
            let decoded = self.loaded[at].decode(stream, &self.options)?;
            let get = |wanted| {
                let record = decoded.metadata.iter().find(|(kind, _)| *kind == wanted);
                record.map(|(_, data)| data.clone())
            };
            let metadata = Metadata {
                icc: get(MetadataKind::Icc),
                exif: get(MetadataKind::Exif),
                xmp: get(MetadataKind::Xmp),
            };
            let damaged_chunks = decoded.damaged.len();
            Ok(Decoded { picture: codec::drawn(decoded.picture)?, metadata, damaged_chunks })
        }

        fn load(&self, space: [u8; 8]) -> Result<Model> {
            let mut options = LoadOptions::default();
            options.threads = self.threads;
            let open =
                |path: &Path| Model::open(path, &options).with_context(|| shown(path).clone());
            if let Some(path) = &self.file {
                return open(path);
            }
            if self.options.realism.is_some() {
                let hq = open(&find(DecoderKind::Hq, space)?)?;
                let gan = open(&find(DecoderKind::Gan, space)?)?;
                return Ok(Model::blend(&hq, &gan)?);
            }
            open(&find(self.kind, space)?)
        }
    }

    /// Folders where models are looked for: `PINHOLE_MODELS`, else `pinhole/models` in the user's data folder.
    fn folders() -> Vec<PathBuf> {
        if let Some(paths) = std::env::var_os("PINHOLE_MODELS") {
            return std::env::split_paths(&paths).collect();
        }
        let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share"));
        let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(home);
        data.into_iter().map(|data| data.join("pinhole/models")).collect()
    }

    /// The bundle of a decoder for a latent space: `*.pinm` in a folder of models, or in a folder of such a folder.
    fn find(kind: DecoderKind, space: [u8; 8]) -> Result<PathBuf> {
        let folders = folders();
        let inside = |folder: &Path| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
            paths.sort();
            paths
        };
        for path in folders.iter().flat_map(|folder| inside(folder)) {
            let nested = if path.is_dir() { inside(&path) } else { vec![path] };
            let fits = |path: &PathBuf| {
                path.extension().is_some_and(|suffix| suffix == "pinm") && serves(path, kind, space)
            };
            if let Some(found) = nested.into_iter().find(fits) {
                return Ok(found);
            }
        }
        let looked: Vec<_> = folders.iter().map(|folder| shown(folder)).collect();
        let space: String = space.iter().map(|b| format!("{b:02x}")).collect();
        Err(anyhow!(
            "no model with decoder {kind} for latent space {space} in {} (name one with --model, or a folder with PINHOLE_MODELS)",
            looked.join(", ")
        ))
    }

    /// Whether a bundle has the decoder; one that cannot be read has not.
    fn serves(path: &Path, kind: DecoderKind, space: [u8; 8]) -> bool {
        let Ok(bytes) = std::fs::read(path) else { return false };
        let Ok(bundle) = pinhole::Bundle::parse(&bytes) else { return false };
        let manifest: serde_json::Value =
            serde_json::from_str(bundle.manifest()).unwrap_or_default();
        bundle.latent_space() == space
            && bundle.section(Tag::ONNX).is_some()
            && manifest["decoder"].as_str() == Some(kind.name())
    }
}

#[cfg(not(feature = "float"))]
mod without {
    use std::path::Path;

    use anyhow::{Result, anyhow};

    use crate::args::PictureDecoder;
    use crate::codec::{DecodeOptions, Decoded};

    /// Stands for the float decoders of a program that has none.
    pub(crate) struct FloatDecoders;

    impl FloatDecoders {
        pub(crate) fn new(
            _decoder: PictureDecoder,
            _realism: Option<f32>,
            _model: Option<&Path>,
            _settings: &DecodeOptions,
        ) -> Self {
            FloatDecoders
        }

        pub(crate) fn decode(&mut self, _stream: &[u8]) -> Result<Decoded> {
            Err(anyhow!(
                "this program was built without float decoders: build it with `--features float`"
            ))
        }
    }
}
