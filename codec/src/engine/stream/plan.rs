//! Which rows of which tensor are made in which step, and how many of them must be kept.
//!
//! A *unit* is the smallest run of input rows that is a whole number of rows in every tensor: 16 picture rows for
//! an analysis transform down to 1/16. Step `u` completes unit `u` of the outputs. For each tensor,
//!
//! * `per_unit` rows make up one unit,
//! * step `u` makes the rows up to `(u + 1) · per_unit + ahead`, because later operations look that far ahead,
//! * rows from `u · per_unit + keep_from` on may still be read in step `u` or later,
//! * a band that starts at unit `u0` needs rows from `u0 · per_unit − behind` on.
//!
//! All four are constants of the program; rows outside the picture are clamped away. Hence every tensor's ring holds
//! `per_unit + ahead − keep_from` rows, and a band starts with steps before its first unit that fill the pipeline.

use alloc::vec::Vec;

use crate::engine::op::Op;
use crate::engine::{Program, Size};

/// The schedule of one tensor, in rows of that tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Schedule {
    /// Whether any output depends on this tensor.
    pub used: bool,
    /// Height and width of the tensor.
    pub height: i64,
    /// Positions per row.
    pub width: usize,
    /// Rows per unit.
    pub per_unit: i64,
    /// Rows made in advance of the unit's end.
    pub ahead: i64,
    /// Rows needed before the first unit.
    pub behind: i64,
    /// First row, relative to the unit's first, that may still be read. At most `ahead`.
    pub keep_from: i64,
    /// Positions of padding that readers want left and right of a row.
    pub pad: usize,
}

impl Schedule {
    /// Rows of the ring.
    pub(super) fn capacity(&self) -> i64 {
        (self.per_unit + self.ahead - self.keep_from).clamp(1, self.height.max(1))
    }

    /// First row of the tensor that a band starting at unit `first` needs.
    pub(super) fn start(&self, first: i64) -> i64 {
        (first * self.per_unit - self.behind).clamp(0, self.height)
    }

    /// End of the rows that are made when step `unit` is over, in a band whose first row is `start`.
    pub(super) fn end(&self, unit: i64, start: i64) -> i64 {
        ((unit + 1) * self.per_unit + self.ahead).min(self.height).max(start)
    }

    /// The first step that makes a row of this tensor.
    pub(super) fn first_step(&self, start: i64) -> i64 {
        (start - self.ahead).div_euclid(self.per_unit)
    }
}

/// One schedule a tensor.
pub(super) fn schedules(program: &Program<'_>, size: Size, plan: &mut Vec<Schedule>) {
    let unit = program.unit();
    plan.clear();
    for info in program.tensors() {
        let own = size.shifted(info.shift);
        let per_unit = Size { height: unit, width: 1 }.shifted(info.shift).height as i64;
        let (height, width) = (own.height as i64, own.width);
        plan.push(Schedule { height, width, per_unit, keep_from: i64::MAX, ..Schedule::default() });
    }
    for &output in program.outputs() {
        let s = &mut plan[usize::from(output)];
        s.used = true;
        s.keep_from = 0;
    }
    for (index, op) in program.ops().iter().enumerate().rev() {
        let out = plan[program.inputs() + index];
        if !out.used {
            continue;
        }
        // How the rows of an operand follow from those of the output.
        let (ahead, behind, keep_from, pad) = match *op {
            Op::Depthwise(ref d) => {
                let half = (d.k / 2) as i64;
                (out.ahead + half, out.behind + half, out.ahead - half, d.k / 2)
            }
            Op::SpaceToDepth { b, .. } => {
                let b = b as i64;
                (out.ahead * b, out.behind * b, out.ahead * b, 0)
            }
            Op::DepthToSpace { b, .. } => {
                let b = b as i64;
                let up = |v: i64| (v + b - 1).div_euclid(b);
                (up(out.ahead), up(out.behind), out.ahead.div_euclid(b), 0)
            }
            _ => (out.ahead, out.behind, out.ahead, 0),
        };
        let residual = if let Op::Depthwise(d) = op { d.residual } else { None };
        for (position, operand) in op.operands().enumerate() {
            let s = &mut plan[usize::from(operand)];
            s.used = true;
            if residual.is_some() && position == 1 {
                s.ahead = s.ahead.max(out.ahead);
                s.behind = s.behind.max(out.behind);
                s.keep_from = s.keep_from.min(out.ahead);
            } else {
                s.ahead = s.ahead.max(ahead);
                s.behind = s.behind.max(behind);
                s.keep_from = s.keep_from.min(keep_from);
                s.pad = s.pad.max(pad);
            }
        }
    }
    for s in plan.iter_mut().filter(|s| !s.used) {
        s.keep_from = 0;
    }
}

/// The first step of a band whose first unit is `first`.
pub(super) fn first_step(plan: &[Schedule], first: i64) -> i64 {
    plan.iter()
        .filter(|s| s.used)
        .map(|s| s.first_step(s.start(first)))
        .min()
        .unwrap_or(first)
        .min(first)
}
