//! Sizes of a chunk's latents, and which of them a pass codes.

use crate::passes::Pass;

/// Latent positions of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Latent rows.
    pub(crate) rows: usize,
    /// Latent columns.
    pub(crate) columns: usize,
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

    /// Columns of one row that a pass codes.
    pub(crate) fn columns_of(self, row: usize, pass: Pass) -> impl Iterator<Item = usize> {
        let (first, step) = pass.first_and_step(row).unwrap_or((self.columns, 1));
        (first..self.columns).step_by(step)
    }

    /// Positions (row · columns + column) that a pass codes, in coding order.
    pub(crate) fn positions_of(self, pass: Pass) -> impl Iterator<Item = usize> {
        (0..self.rows).flat_map(move |row| {
            self.columns_of(row, pass).map(move |column| row * self.columns + column)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn passes_partition_the_positions(
            rows in 1usize..20, columns in 1usize..20, of in prop_oneof![Just(2), Just(4)],
        ) {
            let g = Geometry { rows, columns };
            let mut seen = Vec::new();
            for pass in Pass::all(of) {
                let mut before: Vec<usize> = pass.before().flat_map(|p| g.positions_of(p)).collect();
                before.sort_unstable();
                prop_assert!(g.positions_of(pass).all(|at| pass.codes(at / columns, at % columns)));
                prop_assert_eq!(&before, &seen);
                seen.extend(g.positions_of(pass));
                seen.sort_unstable();
            }
            prop_assert!(seen.into_iter().eq(0..rows * columns));
        }

        #[test]
        fn the_last_pass_is_half(rows in 1usize..20, columns in 1usize..20, of in prop_oneof![Just(2), Just(4)]) {
            let g = Geometry { rows, columns };
            prop_assert_eq!(Pass::all(of).last().map(|p| g.positions_of(p).count()), Some(rows * columns / 2));
        }

        #[test]
        fn hyper_covers(rows in 1usize..200, columns in 1usize..200) {
            let g = Geometry { rows, columns };
            prop_assert!(g.padded().rows >= rows && g.padded().rows < rows + 4);
            prop_assert!(g.padded().columns >= columns && g.padded().columns < columns + 4);
        }
    }
}
