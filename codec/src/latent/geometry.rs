//! Sizes of a chunk's latents and the checkerboard order.

/// Latent positions of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Latent rows.
    pub(crate) rows: usize,
    /// Latent columns.
    pub(crate) columns: usize,
}

/// Which half of the checkerboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// Even row + column: decoded first, from the hyperprior alone.
    Anchors,
    /// The rest: decoded with the anchors as context.
    Others,
}

impl Geometry {
    /// Latent positions per hyper-latent position and axis.
    const HYPER: usize = 4;

    /// Positions.
    pub(crate) fn positions(self) -> usize {
        self.rows * self.columns
    }

    /// Rows and columns of the hyper-latents.
    pub(crate) fn hyper(self) -> Geometry {
        let cover = |n: usize| n.div_ceil(Self::HYPER);
        Geometry { rows: cover(self.rows), columns: cover(self.columns) }
    }

    /// The size of the latents padded to whole hyper-latents.
    pub(crate) fn padded(self) -> Geometry {
        let Geometry { rows, columns } = self.hyper();
        Geometry { rows: rows * Self::HYPER, columns: columns * Self::HYPER }
    }

    /// Columns of one row that belong to a half.
    pub(crate) fn columns_of(self, row: usize, half: Half) -> impl Iterator<Item = usize> {
        let first = (row + usize::from(half == Half::Others)) % 2;
        (first..self.columns).step_by(2)
    }

    /// Positions (row · columns + column) of one half, in coding order.
    pub(crate) fn half(self, half: Half) -> impl Iterator<Item = usize> {
        (0..self.rows).flat_map(move |row| {
            self.columns_of(row, half).map(move |column| row * self.columns + column)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn halves_partition_the_positions(rows in 1usize..20, columns in 1usize..20) {
            let g = Geometry { rows, columns };
            let mut seen: Vec<usize> = g.half(Half::Anchors).chain(g.half(Half::Others)).collect();
            prop_assert_eq!(g.half(Half::Others).count(), g.positions() / 2);
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..rows * columns));
        }

        #[test]
        fn hyper_covers(rows in 1usize..200, columns in 1usize..200) {
            let g = Geometry { rows, columns };
            prop_assert!(g.padded().rows >= rows && g.padded().rows < rows + 4);
            prop_assert!(g.padded().columns >= columns && g.padded().columns < columns + 4);
        }
    }
}
