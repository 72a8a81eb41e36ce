//! Sizes of a chunk's latents, and the order in which they are coded.

/// Latent positions of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Latent rows.
    pub(crate) rows: usize,
    /// Latent columns.
    pub(crate) columns: usize,
}

/// One of the passes in which latent positions are coded. The first is predicted from the hyperprior alone, each other one
/// with all passes before as context.
///
/// Two passes are the halves of a checkerboard (He et al. 2021), first those with an even row + column. Four double
/// the coded positions each: every second row and column in two halves of a checkerboard of their own, the middles between
/// four of those, then the other half of the whole checkerboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    /// 2 or 4.
    of: u8,
    index: u8,
}

impl Pass {
    /// All of `of` passes, in order.
    pub(crate) fn all(of: u8) -> impl Iterator<Item = Pass> {
        (0..of).map(move |index| Pass { of, index })
    }

    /// Those that are decoded already.
    pub(super) fn before(self) -> impl Iterator<Item = Pass> {
        Pass::all(self.of).take(self.index.into())
    }

    /// Whether it codes the latents of a row and column.
    pub(crate) fn codes(self, row: usize, column: usize) -> bool {
        self.first_and_step(row)
            .is_some_and(|(first, step)| column >= first && (column - first).is_multiple_of(step))
    }

    /// The first column in a row, and how far apart they are.
    fn first_and_step(self, row: usize) -> Option<(usize, usize)> {
        let index = usize::from(self.index);
        match (self.of, index, row % 2) {
            (4, 0 | 1, 0) => Some(((row / 2 + index) % 2 * 2, 4)),
            (4, 2, 1) => Some((1, 2)),
            (4, 0..=2, _) => None,
            _ => Some(((row + index) % 2, 2)),
        }
    }
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
