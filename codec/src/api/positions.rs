//! Where latents lie: one position for each patch of the picture.

use core::ops::Range;

use crate::engine::Size;
use crate::format::Header;
use crate::latent::Geometry;

/// Picture pixels per latent position and axis.
pub(super) const PATCH: usize = 16;

/// Positions that cover a picture of so many pixels.
pub(super) fn positions(width: u32, height: u32) -> Size {
    let cover = |side: u32| (side as usize).div_ceil(PATCH);
    Size { height: cover(height), width: cover(width) }
}

/// Latent rows of a band and its size.
pub(super) fn band_geometry(header: &Header, band: u16) -> (Range<usize>, Geometry) {
    let rows = header.band_rows(band);
    let rows = rows.start as usize / PATCH..(rows.end as usize).div_ceil(PATCH);
    let columns = positions(header.width, header.height).width;
    (rows.clone(), Geometry { rows: rows.len(), columns })
}
