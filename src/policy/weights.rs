//! Reads a GGUF file of a llama-architecture model into plain f32 arrays. Another format needs only to fill [`Weights`].

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value};

use super::error::PolicyError;
use super::simd::PANEL;
use super::tokenizer::Vocabulary;

/// Longest window taken; a file that names a longer one is damaged or needs another attention.
const LONGEST_CONTEXT: usize = 1 << 20;

/// Sizes of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Number of layers.
    pub layers: usize,
    /// Features of the hidden state.
    pub width: usize,
    /// Features inside the feed-forward part.
    pub feed_width: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub key_heads: usize,
    /// Features of a head.
    pub head_size: usize,
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Most tokens of a sequence.
    pub context_length: usize,
    /// Base of the rotary embedding.
    pub rotation_base: f64,
    /// Added to the mean square in the norms.
    pub epsilon: f32,
}

impl Shape {
    /// Features of queries, keys and values together.
    pub fn projected_width(&self) -> usize {
        (self.heads + 2 * self.key_heads) * self.head_size
    }
}

/// Weights of one layer; matrices are row-major `[outputs, inputs]`. Queries and keys turn feature `i` with `i + head size / 2`.
#[derive(Debug)]
pub struct LayerWeights {
    /// Norm before the attention.
    pub attention_norm: Vec<f32>,
    /// Queries.
    pub query: Vec<f32>,
    /// Keys.
    pub key: Vec<f32>,
    /// Values.
    pub value: Vec<f32>,
    /// Projection after the attention.
    pub output: Vec<f32>,
    /// Norm before the feed-forward part.
    pub feed_norm: Vec<f32>,
    /// Gate.
    pub gate: Vec<f32>,
    /// What the gate multiplies.
    pub up: Vec<f32>,
    /// Back to the hidden state.
    pub down: Vec<f32>,
}

/// A model's weights.
#[derive(Debug)]
pub struct Weights {
    /// Sizes.
    pub shape: Shape,
    /// `[vocabulary, width]`.
    pub embedding: Vec<f32>,
    /// `[vocabulary, width]`, if it is not the embedding.
    pub head: Option<Vec<f32>>,
    /// First layer first.
    pub layers: Vec<LayerWeights>,
    /// Norm before the head.
    pub last_norm: Vec<f32>,
}

/// Reads weights and vocabulary.
pub fn read_gguf(path: &Path) -> Result<(Weights, Vocabulary), PolicyError> {
    let mut gguf = Gguf::open(path)?;
    let shape = gguf.shape()?;
    let layers = (0..shape.layers).map(|layer| gguf.layer(layer, &shape)).collect::<Result<_, _>>()?;
    let matrix = shape.vocabulary * shape.width;
    let embedding = gguf.tensor("token_embd.weight", matrix)?;
    let has_head = gguf.content.tensor_infos.contains_key("output.weight");
    let head = has_head.then(|| gguf.tensor("output.weight", matrix)).transpose()?;
    let last_norm = gguf.tensor("output_norm.weight", shape.width)?;
    let vocabulary = gguf.vocabulary()?;
    Ok((Weights { shape, embedding, head, layers, last_norm }, vocabulary))
}

/// The error without the backtrace that candle puts into its text.
fn bare(error: candle_core::Error) -> candle_core::Error {
    if let candle_core::Error::WithBacktrace { inner, .. } = error { *inner } else { error }
}

struct Gguf<'a> {
    path: &'a Path,
    file: BufReader<File>,
    content: Content,
}

impl Gguf<'_> {
    fn open(path: &Path) -> Result<Gguf<'_>, PolicyError> {
        let file = File::open(path).map_err(|source| PolicyError::Read { path: path.into(), source })?;
        let mut file = BufReader::new(file);
        let content = Content::read(&mut file).map_err(|source| PolicyError::Format {
            path: path.into(),
            part: "the header".into(),
            source: Box::new(bare(source)),
        })?;
        Ok(Gguf { path, file, content })
    }

    fn shape(&self) -> Result<Shape, PolicyError> {
        let architecture = self.setting("general.architecture", |value| value.to_string().ok().cloned())?;
        if architecture != "llama" {
            return Err(self.unsupported(format!("its architecture is {architecture}, not llama")));
        }
        let (width, heads) = (self.number("llama.embedding_length")?, self.number("llama.attention.head_count")?);
        let tokens = self.setting("tokenizer.ggml.tokens", |value| value.to_vec().ok())?;
        let shape = Shape {
            layers: self.number("llama.block_count")?,
            width,
            feed_width: self.number("llama.feed_forward_length")?,
            heads,
            key_heads: self.number("llama.attention.head_count_kv")?,
            head_size: width / heads.max(1),
            vocabulary: tokens.len(),
            context_length: self.number("llama.context_length")?,
            rotation_base: self.setting("llama.rope.freq_base", |value| value.to_f32().ok())?.into(),
            epsilon: self.setting("llama.attention.layer_norm_rms_epsilon", |value| value.to_f32().ok())?,
        };
        self.check(&shape)?;
        Ok(shape)
    }

    fn check(&self, shape: &Shape) -> Result<(), PolicyError> {
        let Shape { width, feed_width, heads, key_heads, head_size, vocabulary, .. } = *shape;
        if ![64, 128].contains(&head_size) || heads * head_size != width {
            return Err(self.unsupported(format!("{heads} heads on {width} features are not of size 64 or 128")));
        }
        if key_heads == 0 || heads % key_heads != 0 {
            return Err(self.unsupported(format!("{heads} heads do not share {key_heads} key heads evenly")));
        }
        if [width, feed_width, vocabulary].iter().any(|size| *size == 0 || size % PANEL != 0) {
            return Err(self.unsupported(format!("{width}, {feed_width} or {vocabulary} is not a multiple of {PANEL}")));
        }
        if shape.context_length > LONGEST_CONTEXT {
            return Err(self.unsupported(format!("its window is {} tokens", shape.context_length)));
        }
        let scaled = self.content.metadata.keys().any(|key| key.starts_with("llama.rope.scaling"));
        if scaled || self.content.tensor_infos.contains_key("rope_freqs.weight") {
            return Err(self.unsupported("its rotary embedding is scaled".into()));
        }
        Ok(())
    }

    fn layer(&mut self, layer: usize, shape: &Shape) -> Result<LayerWeights, PolicyError> {
        let (width, feed, key) = (shape.width, shape.feed_width, shape.key_heads * shape.head_size);
        let mut tensor = |name: &str, size| self.tensor(&format!("blk.{layer}.{name}.weight"), size);
        Ok(LayerWeights {
            attention_norm: tensor("attn_norm", width)?,
            query: halves_apart(&tensor("attn_q", width * width)?, width, shape.head_size),
            key: halves_apart(&tensor("attn_k", key * width)?, width, shape.head_size),
            value: tensor("attn_v", key * width)?,
            output: tensor("attn_output", width * width)?,
            feed_norm: tensor("ffn_norm", width)?,
            gate: tensor("ffn_gate", feed * width)?,
            up: tensor("ffn_up", feed * width)?,
            down: tensor("ffn_down", width * feed)?,
        })
    }

    fn tensor(&mut self, name: &str, size: usize) -> Result<Vec<f32>, PolicyError> {
        let values = self
            .content
            .tensor(&mut self.file, name, &Device::Cpu)
            .and_then(|tensor| tensor.dequantize(&Device::Cpu))
            .and_then(|tensor| tensor.flatten_all()?.to_vec1::<f32>())
            .map_err(|source| PolicyError::Format { path: self.path.into(), part: name.into(), source: Box::new(bare(source)) })?;
        if values.len() == size {
            return Ok(values);
        }
        Err(self.unsupported(format!("{name} has {} numbers instead of {size}", values.len())))
    }

    fn vocabulary(&self) -> Result<Vocabulary, PolicyError> {
        let texts =
            |value: &Value| -> Option<Vec<String>> { value.to_vec().ok()?.iter().map(|text| text.to_string().ok().cloned()).collect() };
        let numbers = |value: &Value| -> Option<Vec<i32>> { value.to_vec().ok()?.iter().map(|number| number.to_i32().ok()).collect() };
        let splitting = self.setting("tokenizer.ggml.pre", |value| value.to_string().ok().cloned())?;
        if splitting != "smollm" {
            return Err(self.unsupported(format!("its tokenizer splits text as {splitting}, not as smollm")));
        }
        Ok(Vocabulary {
            tokens: self.setting("tokenizer.ggml.tokens", texts)?,
            merges: self.setting("tokenizer.ggml.merges", texts)?,
            kinds: self.setting("tokenizer.ggml.token_type", numbers)?,
        })
    }

    fn number(&self, key: &str) -> Result<usize, PolicyError> {
        self.setting(key, |value| value.to_u32().ok().map(|number| number as usize))
    }

    fn setting<'a, T>(&'a self, key: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<T, PolicyError> {
        let value = self.content.metadata.get(key).and_then(read);
        value.ok_or_else(|| PolicyError::Missing { path: self.path.into(), key: key.into() })
    }

    fn unsupported(&self, detail: String) -> PolicyError {
        PolicyError::Unsupported { path: self.path.into(), detail }
    }
}

/// GGUF stores rows of queries and keys so that features `2i` and `2i + 1` turn together; this puts them half a head apart.
fn halves_apart(matrix: &[f32], inputs: usize, head_size: usize) -> Vec<f32> {
    let mut apart = Vec::with_capacity(matrix.len());
    for head in matrix.chunks_exact(inputs * head_size) {
        for first in 0..2 {
            for row in (first..head_size).step_by(2) {
                apart.extend_from_slice(&head[row * inputs..(row + 1) * inputs]);
            }
        }
    }
    apart
}
