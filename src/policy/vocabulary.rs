//! From final hidden states to log-probabilities over the full vocabulary, block by block, so that the logits of all rows are never
//! held at once.
#![expect(clippy::inline_always, reason = "a vector kernel must be compiled inside the function that enables the instructions")]

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::matmul::{Finish, Matrix, multiply_panel};
use super::simd::{PANEL, ROWS, exponential};

/// Panels of 32 tokens in a block.
const BLOCK: usize = 16;

/// A log-probability asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// The token.
    pub token: u32,
    /// The row, counted among the rows projected.
    pub row: usize,
}

/// Normalised log-probabilities.
#[derive(Debug)]
pub struct Distribution {
    /// Logarithm of the sum of the exponentials of each row's logits.
    normalizers: Vec<f64>,
    /// Logits asked for.
    logits: Vec<f32>,
    /// All logits of the first rows, `[row][vocabulary]`.
    full: Vec<Vec<f32>>,
}

impl Distribution {
    /// Log-probability number `index` of those asked for.
    pub fn log_probability(&self, index: usize, wanted: Wanted) -> f32 {
        (f64::from(self.logits[index]) - self.normalizers[wanted.row]) as f32
    }

    /// Log-probabilities of all tokens after one of the rows kept whole.
    pub fn row(&self, row: usize) -> impl Iterator<Item = f32> + '_ {
        self.full[row].iter().map(move |logit| (f64::from(*logit) - self.normalizers[row]) as f32)
    }
}

struct Block {
    /// For each row the maximum and the sum of exponentials above it.
    parts: Vec<(f32, f64)>,
    /// Place among the wanted, and logit.
    found: Vec<(usize, f32)>,
    /// For each row kept whole, its logits of this block.
    full: Vec<Vec<f32>>,
}

/// Projects `rows` rows; the first `whole` of them are kept whole.
pub fn project(left: &[[f32; ROWS]], rows: usize, matrix: &Matrix, wanted: &[Wanted], whole: usize) -> Distribution {
    if rows == 0 {
        return combine(&[], rows, wanted.len(), whole);
    }
    let mut order: Vec<(Wanted, usize)> = wanted.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let panels: Vec<&[f32]> = matrix.panels().collect();
    let projected: Vec<Block> = panels
        .par_chunks(BLOCK)
        .enumerate()
        .map_init(Vec::new, |logits, (index, panels)| {
            logits.resize(panels.len() * rows * PANEL, 0.0);
            for (panel, logits) in panels.iter().zip(logits.chunks_exact_mut(rows * PANEL)) {
                multiply_panel(left, panel, Finish::Store, logits);
            }
            summarise(logits, rows, index * BLOCK * PANEL, &order, whole)
        })
        .collect();
    combine(&projected, rows, wanted.len(), whole)
}

/// What is kept of the logits `[panel][rows][32]` of a block whose first token is `first`.
fn summarise(logits: &[f32], rows: usize, first: usize, order: &[(Wanted, usize)], whole: usize) -> Block {
    let size = logits.len() / rows;
    let start = order.partition_point(|(wanted, _)| (wanted.token as usize) < first);
    let end = order.partition_point(|(wanted, _)| (wanted.token as usize) < first + size);
    let at = |token: usize, row: usize| logits[(token / PANEL * rows + row) * PANEL + token % PANEL];
    let found = order[start..end].iter().map(|(wanted, index)| (*index, at(wanted.token as usize - first, wanted.row)));
    Block {
        found: found.collect(),
        parts: (0..rows).map(|row| pulp::Arch::new().dispatch(RowSum { logits, rows, row })).collect(),
        full: (0..whole).map(|row| (0..size).map(|token| at(token, row)).collect()).collect(),
    }
}

fn combine(blocks: &[Block], rows: usize, wanted: usize, whole: usize) -> Distribution {
    let mut logits = vec![0.0; wanted];
    for (index, logit) in blocks.iter().flat_map(|block| &block.found) {
        logits[*index] = *logit;
    }
    let normalizer = |row: usize| {
        let parts = || blocks.iter().map(|block| block.parts[row]);
        let maximum = f64::from(parts().map(|(maximum, _)| maximum).fold(f32::NEG_INFINITY, f32::max));
        maximum + parts().map(|(part, sum)| sum * (f64::from(part) - maximum).exp()).sum::<f64>().ln()
    };
    Distribution {
        logits,
        normalizers: (0..rows).map(normalizer).collect(),
        full: (0..whole).map(|row| blocks.iter().flat_map(|block| &block.full[row]).copied().collect()).collect(),
    }
}

/// Maximum of a row's logits in a block, and the sum of exponentials above it: 32 sums, then those in order.
struct RowSum<'a> {
    logits: &'a [f32],
    rows: usize,
    row: usize,
}

impl WithSimd for RowSum<'_> {
    type Output = (f32, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f32, f64) {
        let row = self.row * PANEL..(self.row + 1) * PANEL;
        let mut maxima = simd.splat_f32s(f32::NEG_INFINITY);
        for panel in self.logits.chunks_exact(self.rows * PANEL) {
            for logit in S::as_simd_f32s(&panel[row.clone()]).0 {
                maxima = simd.max_f32s(maxima, *logit);
            }
        }
        let maximum = simd.reduce_max_f32s(maxima);
        let mut sums = [0.0; PANEL];
        for panel in self.logits.chunks_exact(self.rows * PANEL) {
            let logits = S::as_simd_f32s(&panel[row.clone()]).0;
            for (sum, logit) in S::as_mut_simd_f32s(&mut sums).0.iter_mut().zip(logits) {
                let above = exponential(simd, simd.sub_f32s(*logit, simd.splat_f32s(maximum)));
                *sum = simd.add_f32s(*sum, above);
            }
        }
        let mut total = 0.0;
        for sum in sums {
            total += f64::from(sum);
        }
        (maximum, total)
    }
}
