//! Attention of a panel of 32 queries to the keys of their sequence, for one key head.
//!
//! Queries lie in the lanes of a vector, so maximum, sum and weighted sum over the keys are chains in the order of the keys, with
//! no step across lanes; a masked key has weight zero exactly. The result does not depend on where the keys come from.
#![expect(clippy::inline_always, reason = "a vector kernel must be compiled inside the function that enables the instructions")]

use std::cell::RefCell;

use pulp::{Simd, WithSimd};

use super::prefix_cache::Node;
use super::simd::{PANEL, power_of_two};

/// Keys taken at a time.
const KEYS: usize = 8;
/// Keys whose weights and values stay in the nearest cache.
const BLOCK: usize = 64;
/// Dimensions of the values summed at a time.
const DIMENSIONS: usize = 8;

thread_local! {
    static WEIGHTS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Attention of one panel of queries.
#[derive(Debug)]
pub struct PanelAttention<'a, const D: usize> {
    /// Queries, scaled so that scores are in powers of two, `[D][32]`.
    pub queries: &'a [[f32; PANEL]; D],
    /// How many of the lanes hold queries.
    pub lanes: usize,
    /// Slots of the keys seen by all queries, then those under the mask.
    pub slots: &'a [Node],
    /// Zero or −∞ for the last keys.
    pub mask: &'a [[f32; PANEL]],
    /// Keys by slot.
    pub keys: &'a [f32],
    /// Values by slot.
    pub values: &'a [f32],
    /// The result, `[D][32]`.
    pub output: &'a mut [[f32; PANEL]],
}

impl<const D: usize> PanelAttention<'_, D> {
    /// Runs it on the calling thread.
    pub fn run(self) {
        WEIGHTS.with_borrow_mut(|weights| {
            let size = self.slots.len() * PANEL;
            weights.resize(weights.len().max(size), 0.0);
            pulp::Arch::new().dispatch(Dispatched { panel: self, weights: &mut weights[..size] });
        });
    }
}

struct Dispatched<'a, 'b, const D: usize> {
    panel: PanelAttention<'a, D>,
    /// One for each key and lane.
    weights: &'b mut [f32],
}

impl<const D: usize> WithSimd for Dispatched<'_, '_, D> {
    type Output = ();

    // no closure may surround vector code: it would be compiled without the instructions
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dispatched { panel, weights } = self;
        let half = panel.lanes <= PANEL / 2;
        match (S::F32_LANES, half) {
            (16, true) => panel.attend::<S, 1>(simd, weights),
            (16, false) | (8, true) => panel.attend::<S, 2>(simd, weights),
            (8, false) => panel.attend::<S, 4>(simd, weights),
            (4, _) => panel.attend::<S, 8>(simd, weights),
            _ => panel.attend::<S, PANEL>(simd, weights),
        }
    }
}

impl<const D: usize> PanelAttention<'_, D> {
    /// `V` vectors of each row of 32 lanes are worked on.
    #[inline(always)]
    fn attend<S: Simd, const V: usize>(self, simd: S, weights: &mut [f32]) {
        let stride = PANEL / S::F32_LANES;
        let queries = S::as_simd_f32s(self.queries.as_flattened()).0;
        let weights = S::as_mut_simd_f32s(weights).0;
        let maxima = self.scores::<S, V>(simd, queries, weights);
        let output = S::as_mut_simd_f32s(self.output.as_flattened_mut()).0;
        output.fill(simd.splat_f32s(0.0));
        let mut totals = [simd.splat_f32s(0.0); V];
        for (slots, weights) in self.slots.chunks(BLOCK).zip(weights.chunks_mut(BLOCK * stride)) {
            weigh::<S, V>(simd, &maxima, weights, &mut totals);
            sum_values::<S, D, V>(simd, slots, self.values, weights, output);
        }
        for output in output.chunks_exact_mut(stride) {
            for v in 0..V {
                output[v] = simd.div_f32s(output[v], totals[v]);
            }
        }
    }

    /// Writes the masked scores and returns their maxima.
    #[inline(always)]
    fn scores<S: Simd, const V: usize>(&self, simd: S, queries: &[S::f32s], scores: &mut [S::f32s]) -> [S::f32s; V] {
        let stride = PANEL / S::F32_LANES;
        let keys = self.keys.as_chunks::<D>().0;
        let mask = S::as_simd_f32s(self.mask.as_flattened()).0;
        let unmasked = self.slots.len() - self.mask.len();
        let mut maxima = [simd.splat_f32s(f32::NEG_INFINITY); V];
        let groups = self.slots.chunks(KEYS).zip(scores.chunks_mut(KEYS * stride));
        for (index, (slots, scores)) in groups.enumerate() {
            let last = slots.len() - 1;
            let rows: [&[f32; D]; KEYS] = std::array::from_fn(|i| &keys[slots[i.min(last)] as usize]);
            let mut sums = [[simd.splat_f32s(0.0); V]; KEYS];
            for (d, query) in queries.chunks_exact(stride).enumerate().take(D) {
                for (row, sums) in rows.iter().zip(&mut sums) {
                    let factor = simd.splat_f32s(row[d]);
                    for v in 0..V {
                        sums[v] = simd.mul_add_f32s(factor, query[v], sums[v]);
                    }
                }
            }
            for (i, (sums, scores)) in sums.iter_mut().zip(scores.chunks_exact_mut(stride)).enumerate() {
                let key = index * KEYS + i;
                if let Some(masked) = key.checked_sub(unmasked) {
                    for (sum, mask) in sums.iter_mut().zip(&mask[masked * stride..]) {
                        *sum = simd.add_f32s(*sum, *mask);
                    }
                }
                for v in 0..V {
                    maxima[v] = simd.max_f32s(maxima[v], sums[v]);
                    scores[v] = sums[v];
                }
            }
        }
        maxima
    }
}

/// Turns scores into weights and adds them to their totals.
#[inline(always)]
fn weigh<S: Simd, const V: usize>(simd: S, maxima: &[S::f32s; V], scores: &mut [S::f32s], totals: &mut [S::f32s; V]) {
    for scores in scores.chunks_exact_mut(PANEL / S::F32_LANES) {
        for v in 0..V {
            scores[v] = power_of_two(simd, simd.sub_f32s(scores[v], maxima[v]));
            totals[v] = simd.add_f32s(totals[v], scores[v]);
        }
    }
}

/// Adds a block's weighted values to the sums.
#[inline(always)]
fn sum_values<S: Simd, const D: usize, const V: usize>(
    simd: S,
    slots: &[Node],
    values: &[f32],
    weights: &[S::f32s],
    output: &mut [S::f32s],
) {
    let stride = PANEL / S::F32_LANES;
    let values = values.as_chunks::<DIMENSIONS>().0;
    for (part, output) in output.chunks_exact_mut(DIMENSIONS * stride).enumerate() {
        let mut sums = [[simd.splat_f32s(0.0); V]; DIMENSIONS];
        for (sums, output) in sums.iter_mut().zip(output.chunks_exact(stride)) {
            sums.copy_from_slice(&output[..V]);
        }
        for (slot, weight) in slots.iter().zip(weights.chunks_exact(stride)) {
            let value = &values[*slot as usize * (D / DIMENSIONS) + part];
            for (value, sums) in value.iter().zip(&mut sums) {
                let factor = simd.splat_f32s(*value);
                for v in 0..V {
                    sums[v] = simd.mul_add_f32s(factor, weight[v], sums[v]);
                }
            }
        }
        for (sums, output) in sums.iter().zip(output.chunks_exact_mut(stride)) {
            output[..V].copy_from_slice(sums);
        }
    }
}
