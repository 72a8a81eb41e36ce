//! The order in which the latents of a chunk are coded: a bundle says how many passes, the latent coder goes through them.

/// One of the passes in which latent positions are coded. The first is predicted from the hyperprior alone, each other one
/// with all passes before as context.
///
/// Two passes are the halves of a checkerboard (He et al. 2021, arXiv:2103.15306), first those with an even row + column.
/// Four double the coded positions each: every second row and column in two halves of a checkerboard of their own, the
/// middles between four of those, then the other half of the whole checkerboard.
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
    pub(crate) fn before(self) -> impl Iterator<Item = Pass> {
        Pass::all(self.of).take(self.index.into())
    }

    /// Whether it codes the latents of a row and column.
    pub(crate) fn codes(self, row: usize, column: usize) -> bool {
        self.first_and_step(row)
            .is_some_and(|(first, step)| column >= first && (column - first).is_multiple_of(step))
    }

    /// The first column in a row, and how far apart they are.
    pub(crate) fn first_and_step(self, row: usize) -> Option<(usize, usize)> {
        let index = usize::from(self.index);
        match (self.of, index, row % 2) {
            (4, 0 | 1, 0) => Some(((row / 2 + index) % 2 * 2, 4)),
            (4, 2, 1) => Some((1, 2)),
            (4, 0..=2, _) => None,
            _ => Some(((row + index) % 2, 2)),
        }
    }
}
