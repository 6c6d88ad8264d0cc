//! The layers: rows of a [`Pass`] in, hidden states out; keys and values are written on the way.

use rayon::prelude::*;

use super::attention::PanelAttention;
use super::matmul::{self, Finish, Matrix};
use super::pack;
use super::plan::{Pass, QueryPanel};
use super::simd::{PANEL, ROWS};
use super::weights::{Shape, Weights};

/// The weights, laid out for the products.
#[derive(Debug)]
pub struct Network {
    shape: Shape,
    embedding: Matrix,
    head: Option<Matrix>,
    layers: Vec<Layer>,
    last_norm: Vec<f32>,
    /// Cosine and sine, `[position][head size / 2]`.
    rotations: Vec<(f32, f32)>,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Vec<f32>,
    query_key_value: Matrix,
    output: Matrix,
    feed_norm: Vec<f32>,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

/// Keys and values of all slots, a plane for each layer and key head.
#[derive(Debug)]
pub struct KeyValues {
    planes: Vec<Plane>,
    head_size: usize,
}

#[derive(Clone, Debug)]
struct Plane {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl KeyValues {
    /// Room for `slots` tokens; memory is taken up as slots are used.
    pub fn new(shape: &Shape, slots: usize) -> KeyValues {
        let size = slots * shape.head_size;
        let plane = || Plane { keys: vec![0.0; size], values: vec![0.0; size] };
        let planes = (0..shape.layers * shape.key_heads).map(|_| plane()).collect();
        KeyValues { planes, head_size: shape.head_size }
    }

    /// Bytes that one token takes.
    pub fn bytes_per_token(shape: &Shape) -> usize {
        2 * shape.layers * shape.key_heads * shape.head_size * size_of::<f32>()
    }

    /// Makes room for `slots` tokens.
    pub fn grow(&mut self, slots: usize) {
        let size = slots * self.head_size;
        for plane in &mut self.planes {
            if plane.keys.len() < size {
                plane.keys.resize(size, 0.0);
                plane.values.resize(size, 0.0);
            }
        }
    }
}

/// Buffers kept between passes.
#[derive(Debug, Default)]
pub struct Scratch {
    hidden: Vec<f32>,
    left: Vec<[f32; ROWS]>,
    projected: Vec<f32>,
    attended: Vec<[f32; PANEL]>,
    fed: Vec<f32>,
}

impl Network {
    /// Lays the weights out.
    pub fn new(weights: &Weights) -> Network {
        let shape = weights.shape.clone();
        let width = shape.width;
        let layers = weights.layers.par_iter().map(|layer| Layer {
            attention_norm: layer.attention_norm.clone(),
            query_key_value: Matrix::new(width, &[&layer.query, &layer.key, &layer.value]),
            output: Matrix::new(shape.heads * shape.head_size, &[&layer.output]),
            feed_norm: layer.feed_norm.clone(),
            gate: Matrix::new(width, &[&layer.gate]),
            up: Matrix::new(width, &[&layer.up]),
            down: Matrix::new(shape.feed_width, &[&layer.down]),
        });
        Network {
            layers: layers.collect(),
            embedding: Matrix::new(width, &[&weights.embedding]),
            head: weights.head.as_ref().map(|head| Matrix::new(width, &[head])),
            last_norm: weights.last_norm.clone(),
            rotations: rotations(&shape),
            shape,
        }
    }

    /// Sizes of the model.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The projection to the vocabulary.
    pub fn vocabulary(&self) -> &Matrix {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// Runs the layers.
    pub fn run(&self, pass: &Pass, memory: &mut KeyValues, scratch: &mut Scratch) {
        let Scratch { hidden, left, projected, attended, fed } = scratch;
        let rows = pass.rows.len();
        let shape = &self.shape;
        let epsilon = shape.epsilon;
        self.embed(pass, hidden);
        projected.resize(rows * shape.projected_width(), 0.0);
        fed.resize(rows * shape.feed_width, 0.0);
        let planes = memory.planes.chunks_exact_mut(shape.key_heads);
        for (layer, planes) in self.layers.iter().zip(planes) {
            pack::normed(hidden, rows, &layer.attention_norm, epsilon, left);
            matmul::multiply(left, &layer.query_key_value, Finish::Store, rows, projected);
            self.remember(pass, projected, planes);
            match shape.head_size {
                128 => self.attend::<128>(pass, projected, planes, attended),
                _ => self.attend::<64>(pass, projected, planes, attended),
            }
            self.pack_attended(pass, attended, left);
            matmul::multiply(left, &layer.output, Finish::Add, rows, hidden);
            pack::normed(hidden, rows, &layer.feed_norm, epsilon, left);
            matmul::multiply_gated(left, &layer.gate, &layer.up, rows, fed);
            pack::plain(fed, rows, shape.feed_width, left);
            matmul::multiply(left, &layer.down, Finish::Add, rows, hidden);
        }
    }

    /// Final hidden states of some rows of the last pass, normed, as left side of the vocabulary projection.
    pub fn last_hidden(&self, rows: usize, chosen: &[usize], scratch: &Scratch) -> Vec<[f32; ROWS]> {
        let mut picked = Vec::with_capacity(chosen.len() * self.shape.width);
        for panel in scratch.hidden.chunks_exact(rows * PANEL) {
            for row in chosen {
                picked.extend_from_slice(&panel[row * PANEL..(row + 1) * PANEL]);
            }
        }
        let mut left = Vec::new();
        pack::normed(&picked, chosen.len(), &self.last_norm, self.shape.epsilon, &mut left);
        left
    }

    fn embed(&self, pass: &Pass, hidden: &mut Vec<f32>) {
        let rows = pass.rows.len();
        hidden.resize(rows * self.shape.width, 0.0);
        for (row, wanted) in pass.rows.iter().enumerate() {
            for (feature, value) in self.embedding.row(wanted.token as usize).enumerate() {
                hidden[(feature / PANEL * rows + row) * PANEL + feature % PANEL] = value;
            }
        }
    }

    /// Writes keys, rotated, and values of all rows.
    fn remember(&self, pass: &Pass, projected: &[f32], planes: &mut [Plane]) {
        let rows = pass.rows.len();
        let size = self.shape.head_size;
        let panels = size / PANEL;
        planes.par_iter_mut().enumerate().for_each(|(head, plane)| {
            let key_head = self.shape.heads + head;
            let value_head = key_head + self.shape.key_heads;
            for (index, row) in pass.rows.iter().enumerate() {
                let start = row.slot as usize * size;
                let part = |head: usize, panel: usize| ((head * panels + panel) * rows + index) * PANEL;
                let (keys, values) = (&mut plane.keys[start..][..size], &mut plane.values[start..][..size]);
                let targets = keys.chunks_exact_mut(PANEL).zip(values.chunks_exact_mut(PANEL));
                for (panel, (key, value)) in targets.enumerate() {
                    key.copy_from_slice(&projected[part(key_head, panel)..][..PANEL]);
                    value.copy_from_slice(&projected[part(value_head, panel)..][..PANEL]);
                }
                self.rotate(row.position, keys);
            }
        });
    }

    /// Rotary embedding: feature `i` turns with feature `i + head size / 2`.
    fn rotate(&self, position: usize, head: &mut [f32]) {
        let half = head.len() / 2;
        let (low, high) = head.split_at_mut(half);
        let turns = &self.rotations[position * half..(position + 1) * half];
        for ((low, high), (cosine, sine)) in low.iter_mut().zip(high).zip(turns) {
            let (x, y) = (*low, *high);
            *low = x * cosine - y * sine;
            *high = y * cosine + x * sine;
        }
    }

    /// Attention of all panels and key heads; `attended` is `[panel][key head][D][32]`.
    fn attend<const D: usize>(&self, pass: &Pass, projected: &[f32], planes: &[Plane], attended: &mut Vec<[f32; PANEL]>) {
        let key_heads = self.shape.key_heads;
        attended.resize(pass.panels.len() * key_heads * D, [0.0; PANEL]);
        attended.par_chunks_exact_mut(D).enumerate().with_max_len(1).for_each(|(task, output)| {
            let panel = &pass.panels[task / key_heads];
            let head = task % key_heads;
            let end = panel.seen_by_all + panel.mask.len();
            PanelAttention {
                queries: &self.queries::<D>(pass, panel, head, projected),
                lanes: panel.queries.len(),
                slots: &pass.groups[panel.group].keys[..end],
                mask: &panel.mask,
                keys: &planes[head].keys,
                values: &planes[head].values,
                output,
            }
            .run();
        });
    }

    /// The queries of a panel, rotated and scaled so that scores are in powers of two.
    fn queries<const D: usize>(&self, pass: &Pass, panel: &QueryPanel, key_head: usize, projected: &[f32]) -> [[f32; PANEL]; D] {
        let rows = pass.rows.len();
        let heads = self.shape.heads / self.shape.key_heads;
        let first = pass.groups[panel.group].rows.start;
        let scale = std::f32::consts::LOG2_E / (D as f32).sqrt();
        let mut queries = [[0.0; PANEL]; D];
        for (lane, query) in panel.queries.clone().enumerate() {
            let row = first + query / heads;
            let head = key_head * heads + query % heads;
            let mut values = [0.0; D];
            for (part, values) in values.chunks_exact_mut(PANEL).enumerate() {
                let start = ((head * (D / PANEL) + part) * rows + row) * PANEL;
                values.copy_from_slice(&projected[start..start + PANEL]);
            }
            self.rotate(pass.rows[row].position, &mut values);
            for (target, value) in queries.iter_mut().zip(values) {
                target[lane] = value * scale;
            }
        }
        queries
    }

    /// The attention's results as left side of the output projection.
    fn pack_attended(&self, pass: &Pass, attended: &[[f32; PANEL]], left: &mut Vec<[f32; ROWS]>) {
        let (size, key_heads) = (self.shape.head_size, self.shape.key_heads);
        let heads = self.shape.heads / key_heads;
        let mut groups = Vec::with_capacity(pass.rows.len());
        for group in &pass.groups {
            groups.extend(group.rows.clone().map(|row| (group, row - group.rows.start)));
        }
        let features = self.shape.heads * size;
        left.resize(groups.len().div_ceil(ROWS) * features, [0.0; ROWS]);
        left.par_chunks_exact_mut(features).zip(groups.par_chunks(ROWS)).for_each(|(left, rows)| {
            for (i, (group, row)) in rows.iter().enumerate() {
                for (head, left) in left.chunks_exact_mut(size).enumerate() {
                    let (panel, lane) = Pass::place(group, row * heads + head % heads);
                    let start = (panel * key_heads + head / heads) * size;
                    for (left, value) in left.iter_mut().zip(&attended[start..start + size]) {
                        left[i] = value[lane];
                    }
                }
            }
        });
    }
}

fn rotations(shape: &Shape) -> Vec<(f32, f32)> {
    let half = shape.head_size / 2;
    let mut rotations = Vec::with_capacity(shape.context_length * half);
    for position in 0..shape.context_length {
        for i in 0..half {
            let turn = position as f64 / shape.rotation_base.powf(i as f64 / half as f64);
            rotations.push((turn.cos() as f32, turn.sin() as f32));
        }
    }
    rotations
}
