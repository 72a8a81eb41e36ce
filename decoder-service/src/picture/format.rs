//! Which picture format a client wants.

use std::fmt;

use crate::error::{ApiError, Kind};

/// Formats of decoded pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputFormat {
    /// Lossless; what is sent if anything will do.
    Png,
    /// Lossless WebP.
    Webp,
    /// Quality 95, 4:4:4.
    Jpeg,
    /// Quality 90; needs the feature `avif`.
    Avif,
    /// Samples alone: rows without gaps, 8 bits each, as many channels as the stream has.
    Raw,
}

impl OutputFormat {
    /// Those that this build can write, the preferred first.
    const AVAILABLE: &'static [OutputFormat] = &[
        OutputFormat::Png,
        OutputFormat::Webp,
        OutputFormat::Jpeg,
        #[cfg(feature = "avif")]
        OutputFormat::Avif,
        OutputFormat::Raw,
    ];

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            OutputFormat::Png => "image/png",
            OutputFormat::Webp => "image/webp",
            OutputFormat::Jpeg => "image/jpeg",
            OutputFormat::Avif => "image/avif",
            OutputFormat::Raw => "application/octet-stream",
        }
    }

    /// The best of an `Accept` header (RFC 9110, section 12.5.1): highest weight, then the order of this type. The most
    /// specific range that matches a format decides its weight.
    ///
    /// # Errors
    /// [`Kind::NotAcceptable`] if there is none; the words list what there is.
    pub fn negotiate(accept: Option<&str>) -> Result<Self, ApiError> {
        let Some(accept) = accept.filter(|text| !text.trim().is_empty()) else {
            return Ok(OutputFormat::Png);
        };
        let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
        let weight = |format: OutputFormat| {
            let matching = ranges.iter().filter_map(|r| Some((r.specificity(format)?, r.weight)));
            matching.max_by_key(|&(specificity, _)| specificity).map_or(0, |(_, weight)| weight)
        };
        let mut best: Option<(OutputFormat, u16)> = None;
        for &format in Self::AVAILABLE {
            let weight = weight(format);
            // `*/*` is no wish for samples without a format.
            if weight > best.map_or(0, |(_, known)| known) {
                best = Some((format, weight));
            }
        }
        best.map(|(format, _)| format).ok_or_else(|| {
            let all: Vec<_> = Self::AVAILABLE.iter().map(|f| f.media_type()).collect();
            let detail = format!("'{accept}' matches none of {}", all.join(", "));
            ApiError::new(Kind::NotAcceptable, detail)
        })
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OutputFormat::Png => "png",
            OutputFormat::Webp => "webp",
            OutputFormat::Jpeg => "jpeg",
            OutputFormat::Avif => "avif",
            OutputFormat::Raw => "raw",
        })
    }
}

/// One element of an `Accept` header.
struct Range<'a> {
    media: &'a str,
    /// Thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    /// None for weights that are no numbers: such a range is ignored.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next()?;
        let mut weight = 1000;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                let value: f32 = value.trim().parse().ok()?;
                weight = (1000.0 * value.clamp(0.0, 1.0)) as u16;
            }
        }
        Some(Range { media, weight })
    }

    /// 2 for the format itself, 1 for `image/*`, 0 for anything.
    fn specificity(&self, format: OutputFormat) -> Option<u8> {
        let (kind, _) = format.media_type().split_once('/')?;
        if self.media.eq_ignore_ascii_case(format.media_type()) {
            return Some(2);
        }
        match self.media.split_once('/')? {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(accept: &str) -> Result<OutputFormat, Kind> {
        OutputFormat::negotiate(Some(accept)).map_err(|error| error.kind())
    }

    #[test]
    fn weights_and_wildcards() {
        assert_eq!(OutputFormat::negotiate(None).unwrap(), OutputFormat::Png);
        assert_eq!(negotiate("image/webp"), Ok(OutputFormat::Webp));
        assert_eq!(negotiate("image/jpeg;q=0.5, image/webp;q=0.9"), Ok(OutputFormat::Webp));
        assert_eq!(negotiate("*/*"), Ok(OutputFormat::Png));
        assert_eq!(negotiate("image/*;q=0.1, image/jpeg"), Ok(OutputFormat::Jpeg));
        assert_eq!(negotiate("image/*, image/png;q=0"), Ok(OutputFormat::Webp));
        assert_eq!(negotiate("application/octet-stream"), Ok(OutputFormat::Raw));
        assert_eq!(negotiate("text/html, */*;q=0.8"), Ok(OutputFormat::Png));
        assert_eq!(negotiate("text/html"), Err(Kind::NotAcceptable));
        assert_eq!(negotiate("image/png;q=none"), Err(Kind::NotAcceptable));
        assert_eq!(negotiate(" "), Ok(OutputFormat::Png));
    }

    #[cfg(not(feature = "avif"))]
    #[test]
    fn what_was_left_out_of_the_build_is_not_acceptable() {
        assert_eq!(negotiate("image/avif"), Err(Kind::NotAcceptable));
        assert_eq!(negotiate("image/avif, image/*;q=0.5"), Ok(OutputFormat::Png));
    }
}
