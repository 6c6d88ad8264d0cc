//! Products of activations with weight matrices stored for it.
//!
//! Weights lie in panels of 32 output features, `[outputs / 32][inputs][32]`; the left side in panels of 12 rows,
//! `[rows / 12][inputs][12]` (see [`super::pack`]); results in panels of 32 features, `[outputs / 32][rows][32]`.
//! Threads share the output panels.
#![expect(clippy::inline_always, reason = "a vector kernel must be compiled inside the function that enables the instructions")]

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::simd::{PANEL, ROWS, swish, tile};

/// A weight matrix in panels.
#[derive(Debug)]
pub struct Matrix {
    inputs: usize,
    panels: Vec<f32>,
}

impl Matrix {
    /// Lays out matrices of `inputs` columns, row-major `[outputs, inputs]`, one under the other; each must have a multiple of 32 rows.
    pub fn new(inputs: usize, parts: &[&[f32]]) -> Matrix {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let mut panels = vec![0.0; size];
        let sources = parts.iter().flat_map(|part| part.chunks_exact(inputs * PANEL));
        for (panel, source) in panels.chunks_exact_mut(inputs * PANEL).zip(sources) {
            for (output, row) in source.chunks_exact(inputs).enumerate() {
                for (input, value) in row.iter().enumerate() {
                    panel[input * PANEL + output] = *value;
                }
            }
        }
        Matrix { inputs, panels }
    }

    /// Input features.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The panels, `[inputs][32]` each.
    pub fn panels(&self) -> std::slice::ChunksExact<'_, f32> {
        self.panels.chunks_exact(self.inputs * PANEL)
    }

    /// One panel, `[inputs][32]`.
    pub fn panel(&self, index: usize) -> &[f32] {
        let size = self.inputs * PANEL;
        &self.panels[index * size..(index + 1) * size]
    }

    /// The weights of one output feature, that is an embedding when the matrix is the vocabulary.
    pub fn row(&self, output: usize) -> impl Iterator<Item = f32> + '_ {
        self.panel(output / PANEL).chunks_exact(PANEL).map(move |column| column[output % PANEL])
    }
}

/// What becomes of a product.
#[derive(Clone, Copy, Debug)]
pub enum Finish {
    /// It replaces the output.
    Store,
    /// It is added to the output.
    Add,
    /// The output becomes swish(output) · product.
    Gate,
}

/// `output = finish(left · matrixᵀ)` for all rows; `output` is `[outputs / 32][rows][32]`.
pub fn multiply(left: &[[f32; ROWS]], matrix: &Matrix, finish: Finish, rows: usize, output: &mut [f32]) {
    output
        .par_chunks_exact_mut(rows * PANEL)
        .zip(matrix.panels.par_chunks_exact(matrix.inputs * PANEL))
        .for_each(|(output, panel)| multiply_panel(left, panel, finish, output));
}

/// `output = swish(left · gateᵀ) · (left · upᵀ)`, element by element.
pub fn multiply_gated(left: &[[f32; ROWS]], gate: &Matrix, up: &Matrix, rows: usize, output: &mut [f32]) {
    let size = gate.inputs * PANEL;
    let weights = gate.panels.par_chunks_exact(size).zip(up.panels.par_chunks_exact(size));
    output.par_chunks_exact_mut(rows * PANEL).zip(weights).for_each(|(output, (gate, up))| {
        multiply_panel(left, gate, Finish::Store, output);
        multiply_panel(left, up, Finish::Gate, output);
    });
}

/// One output panel, `[rows][32]`, on the calling thread.
pub fn multiply_panel(left: &[[f32; ROWS]], panel: &[f32], finish: Finish, output: &mut [f32]) {
    pulp::Arch::new().dispatch(PanelProduct { left, panel, finish, output });
}

struct PanelProduct<'a> {
    left: &'a [[f32; ROWS]],
    panel: &'a [f32],
    finish: Finish,
    output: &'a mut [f32],
}

impl WithSimd for PanelProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let inputs = self.panel.len() / PANEL;
        let columns = S::as_simd_f32s(self.panel).0;
        let left = self.left.chunks_exact(inputs);
        for (rows, output) in left.zip(self.output.chunks_mut(ROWS * PANEL)) {
            let output = S::as_mut_simd_f32s(output).0;
            match S::F32_LANES {
                16 => wide(simd, rows, columns.as_chunks().0, self.finish, output.as_chunks_mut().0),
                8 => by_three::<S, 4>(simd, rows, columns.as_chunks().0, self.finish, output.as_chunks_mut().0),
                4 => by_three::<S, 8>(simd, rows, columns.as_chunks().0, self.finish, output.as_chunks_mut().0),
                _ => by_three::<S, PANEL>(simd, rows, columns.as_chunks().0, self.finish, output.as_chunks_mut().0),
            }
        }
    }
}

/// Registers for a whole panel of rows: the smallest tile that holds the rows there are.
#[inline(always)]
fn wide<S: Simd>(simd: S, rows: &[[f32; ROWS]], columns: &[[S::f32s; 2]], finish: Finish, output: &mut [[S::f32s; 2]]) {
    match output.len() {
        1 => write(simd, finish, &tile::<S, 0, 1, 2>(simd, rows, columns), output),
        2 => write(simd, finish, &tile::<S, 0, 2, 2>(simd, rows, columns), output),
        3 | 4 => write(simd, finish, &tile::<S, 0, 4, 2>(simd, rows, columns), output),
        5 | 6 => write(simd, finish, &tile::<S, 0, 6, 2>(simd, rows, columns), output),
        7 | 8 => write(simd, finish, &tile::<S, 0, 8, 2>(simd, rows, columns), output),
        _ => write(simd, finish, &tile::<S, 0, 12, 2>(simd, rows, columns), output),
    }
}

/// Registers for three rows at a time.
#[inline(always)]
fn by_three<S: Simd, const V: usize>(simd: S, rows: &[[f32; ROWS]], columns: &[[S::f32s; V]], finish: Finish, output: &mut [[S::f32s; V]]) {
    for (third, output) in output.chunks_mut(3).enumerate() {
        let sums = match third {
            0 => tile::<S, 0, 3, V>(simd, rows, columns),
            1 => tile::<S, 3, 3, V>(simd, rows, columns),
            2 => tile::<S, 6, 3, V>(simd, rows, columns),
            _ => tile::<S, 9, 3, V>(simd, rows, columns),
        };
        write(simd, finish, &sums, output);
    }
}

#[inline(always)]
fn write<S: Simd, const R: usize, const V: usize>(simd: S, finish: Finish, sums: &[[S::f32s; V]; R], output: &mut [[S::f32s; V]]) {
    for (sums, output) in sums.iter().zip(output) {
        for (sum, output) in sums.iter().zip(output) {
            *output = match finish {
                Finish::Store => *sum,
                Finish::Add => simd.add_f32s(*output, *sum),
                Finish::Gate => simd.mul_f32s(swish(simd, *output), *sum),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack;
    use super::*;

    fn values(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 9) as f32 / 8_388_608.0 - 0.5
        };
        (0..count).map(|_| next()).collect()
    }

    /// Product of `rows` rows, as panels.
    fn product(activations: &[f32], rows: usize, matrix: &Matrix, outputs: usize) -> Vec<f32> {
        let mut left = Vec::new();
        pack::plain(activations, rows, matrix.inputs(), &mut left);
        let mut output = vec![0.0; outputs * rows];
        multiply(&left, matrix, Finish::Store, rows, &mut output);
        output
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn bits_do_not_depend_on_the_width_of_the_vectors() {
        use pulp::x86::{V3, V4};
        let (Some(narrow), Some(broad)) = (V3::try_new(), V4::try_new()) else {
            return println!("skipped: this processor has one kind of vectors");
        };
        let (inputs, rows) = (96, 17);
        let matrix = Matrix::new(inputs, &[&values(inputs * PANEL, 3)]);
        let mut left = Vec::new();
        pack::plain(&values(inputs * rows, 4), rows, inputs, &mut left);
        for finish in [Finish::Store, Finish::Add, Finish::Gate] {
            let mut outputs = [values(rows * PANEL, 5), values(rows * PANEL, 5)];
            let [first, second] = &mut outputs;
            let panel = matrix.panel(0);
            let product = |output| PanelProduct { left: &left, panel, finish, output };
            pulp::Simd::vectorize(narrow, product(first));
            pulp::Simd::vectorize(broad, product(second));
            assert_eq!(outputs[0], outputs[1]);
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_batch_and_the_right_value() {
        let (inputs, outputs, rows) = (96, 64, 29);
        let weights = values(inputs * outputs, 7);
        let activations = values(inputs * rows, 9); // panels: [inputs / 32][rows][32]
        let matrix = Matrix::new(inputs, &[&weights]);
        let all = product(&activations, rows, &matrix, outputs);
        let at = |row: usize, input: usize| activations[(input / PANEL * rows + row) * PANEL + input % PANEL];
        for count in 1..=rows {
            let some: Vec<f32> =
                (0..inputs / PANEL).flat_map(|panel| &activations[panel * rows * PANEL..][..count * PANEL]).copied().collect();
            let few = product(&some, count, &matrix, outputs);
            for panel in 0..outputs / PANEL {
                let few = &few[panel * count * PANEL..][..count * PANEL];
                assert_eq!(few, &all[panel * rows * PANEL..][..count * PANEL]);
            }
        }
        for (row, output) in [(0, 0), (12, 33), (28, 63)] {
            let exact: f32 = (0..inputs).map(|input| at(row, input) * weights[output * inputs + input]).sum();
            let found = all[(output / PANEL * rows + row) * PANEL + output % PANEL];
            assert!((exact - found).abs() < 1e-4);
        }
    }
}
