//! Activations from panels of 32 features, `[features / 32][rows][32]`, to the panels of 12 rows that [`super::matmul`] takes on its
//! left, `[rows / 12][features][12]`; with the norm applied on the way where one is due.

use rayon::prelude::*;

use super::simd::{PANEL, ROWS};

/// Room for `rows` rows of `features` features; rows that fill the last panel up hold old values, which no result reads.
fn resize(rows: usize, features: usize, packed: &mut Vec<[f32; ROWS]>) {
    packed.resize(rows.div_ceil(ROWS) * features, [0.0; ROWS]);
}

/// The values as they are.
pub fn plain(values: &[f32], rows: usize, features: usize, packed: &mut Vec<[f32; ROWS]>) {
    resize(rows, features, packed);
    packed.par_chunks_exact_mut(features).enumerate().for_each(|(index, packed)| {
        let first = index * ROWS;
        let count = ROWS.min(rows - first);
        scatter(values, rows, first..first + count, packed, |_, _, value| value);
    });
}

/// Each row divided by its root mean square (with `epsilon` under the root) and multiplied by `weight`.
pub fn normed(values: &[f32], rows: usize, weight: &[f32], epsilon: f32, packed: &mut Vec<[f32; ROWS]>) {
    let features = weight.len();
    resize(rows, features, packed);
    packed.par_chunks_exact_mut(features).enumerate().for_each(|(index, packed)| {
        let first = index * ROWS;
        let count = ROWS.min(rows - first);
        let mut scales = [0.0; ROWS];
        for (row, scale) in (first..first + count).zip(&mut scales) {
            *scale = 1.0 / (mean_square(values, rows, row) + epsilon).sqrt();
        }
        scatter(values, rows, first..first + count, packed, |feature, i, value| value * scales[i] * weight[feature]);
    });
}

fn mean_square(values: &[f32], rows: usize, row: usize) -> f32 {
    let mut sums = [0.0_f32; PANEL];
    let mut panels = 0;
    for panel in values.chunks_exact(rows * PANEL) {
        panels += 1;
        for (sum, value) in sums.iter_mut().zip(&panel[row * PANEL..(row + 1) * PANEL]) {
            *sum += value * value;
        }
    }
    sums.iter().sum::<f32>() / (panels * PANEL) as f32
}

/// Transposes the rows of one panel; `map` gets the feature, the row's place in the panel and the value.
fn scatter(values: &[f32], rows: usize, taken: std::ops::Range<usize>, packed: &mut [[f32; ROWS]], map: impl Fn(usize, usize, f32) -> f32) {
    let sources = values.chunks_exact(rows * PANEL);
    for (panel, (source, packed)) in sources.zip(packed.as_chunks_mut::<PANEL>().0).enumerate() {
        let source = &source[taken.start * PANEL..taken.end * PANEL];
        for (i, row) in source.as_chunks::<PANEL>().0.iter().enumerate().take(ROWS) {
            for lane in 0..PANEL {
                packed[lane][i] = map(panel * PANEL + lane, i, row[lane]);
            }
        }
    }
}
