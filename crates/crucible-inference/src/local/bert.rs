//! The forward pass of a BERT encoder over texts laid end to end, with nothing between them.
//!
//! Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers" (2018): embeddings, then
//! layers of attention and feed-forward, each followed by a sum with what came in and a
//! normalisation. Everything but attention treats tokens one by one, so texts need no padding:
//! their tokens are rows of one matrix, and attention looks at the rows of one text only.

use std::sync::atomic::{AtomicBool, Ordering};

use pulp::Arch;

use super::attention::{Heads, attend};
use super::pointwise::Norm;
use super::product::{Then, Weights as Matrix, multiply};
use super::shape::{Pooling, Shape};
use super::weights::Weights;

/// Rows that go through the feed-forward layer together: their intermediate values stay in the
/// second-level cache.
const BLOCK_ROWS: usize = 64;

/// The weights of an encoder, laid out for this machine.
#[derive(Debug)]
pub(crate) struct Bert {
    arch: Arch,
    shape: Shape,
    words: Vec<f32>,
    /// Positions, with the first token type already added.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    /// Queries, keys and values side by side; queries already scaled.
    attention: Matrix,
    attention_out: Matrix,
    attention_norm: Norm,
    up: Matrix,
    down: Matrix,
    norm: Norm,
}

/// Texts as one list of tokens.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    /// The tokens of all texts.
    pub tokens: Vec<u32>,
    /// How many of them belong to each text; none is 0.
    pub lengths: Vec<usize>,
}

impl Bert {
    /// Reads the weights.
    ///
    /// # Errors
    /// In words: which tensor is missing or of the wrong shape.
    pub(crate) fn load(weights: &mut Weights, shape: Shape) -> Result<Self, String> {
        let arch = Arch::new();
        let hidden = shape.hidden;
        let words = weights.read(
            "embeddings.word_embeddings.weight",
            &[shape.vocabulary, hidden],
        )?;
        let mut positions = weights.read(
            "embeddings.position_embeddings.weight",
            &[shape.positions, hidden],
        )?;
        let types = weights.read(
            "embeddings.token_type_embeddings.weight",
            &[shape.types, hidden],
        )?;
        for row in positions.chunks_exact_mut(hidden) {
            add(row, &types[..hidden]);
        }
        let norm = read_norm(weights, &shape, "embeddings.LayerNorm")?;
        let layers = (0..shape.layers)
            .map(|index| Layer::load(weights, &shape, arch, index))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            arch,
            shape,
            words,
            positions,
            norm,
            layers,
        })
    }

    /// Returns what the configuration says about it.
    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns one vector of unit length per text, or `None` when told to stop.
    ///
    /// `threads` of them share the work; it pays from some 64 tokens on.
    pub(crate) fn embed(
        &self,
        pack: &Pack,
        threads: usize,
        stop: &AtomicBool,
    ) -> Option<Vec<Vec<f32>>> {
        let rows = pack.tokens.len();
        let hidden = self.shape.hidden;
        // Whole groups of eight rows for each thread: that is what a product takes at once.
        let share = rows.div_ceil(threads.max(1)).next_multiple_of(8);
        let mut state = vec![0.0; rows * hidden];
        let mut projected = vec![0.0; rows * 3 * hidden];
        let mut next = projected.clone();
        self.look_up(pack, &mut state);
        let first = &self.layers.first()?.attention;
        side_by_side(
            &mut state,
            &mut projected,
            share,
            hidden,
            |_, state, out| {
                self.norm.apply(self.arch, state);
                multiply(self.arch, state, first, out, Then::Write);
            },
        );
        for (index, layer) in self.layers.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let following = self.layers.get(index + 1).map(|layer| &layer.attention);
            side_by_side(&mut state, &mut next, share, hidden, |first, state, out| {
                layer.apply(self, pack, &projected, first, state);
                if let Some(following) = following {
                    multiply(self.arch, state, following, out, Then::Write);
                }
            });
            std::mem::swap(&mut projected, &mut next);
        }
        Some(self.pool(pack, &state))
    }

    fn look_up(&self, pack: &Pack, state: &mut [f32]) {
        let hidden = self.shape.hidden;
        let mut rows = state.chunks_exact_mut(hidden);
        let mut tokens = pack.tokens.iter();
        for length in &pack.lengths {
            let positions = self.positions.chunks_exact(hidden).take(*length);
            for ((position, row), token) in positions.zip(&mut rows).zip(&mut tokens) {
                row.copy_from_slice(position);
                add(row, &self.words[*token as usize * hidden..][..hidden]);
            }
        }
    }

    fn pool(&self, pack: &Pack, state: &[f32]) -> Vec<Vec<f32>> {
        let hidden = self.shape.hidden;
        let mut start = 0;
        let mut vectors = Vec::with_capacity(pack.lengths.len());
        for length in &pack.lengths {
            let rows = &state[start * hidden..][..length * hidden];
            let mut vector = rows[..hidden].to_vec();
            if self.shape.pooling == Pooling::Mean {
                for row in rows.chunks_exact(hidden).skip(1) {
                    add(&mut vector, row);
                }
            }
            // Scaling to unit length also divides the sum by the number of tokens.
            let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            let factor = 1.0 / norm.max(f32::MIN_POSITIVE);
            vector.iter_mut().for_each(|value| *value *= factor);
            vectors.push(vector);
            start += length;
        }
        vectors
    }
}

impl Layer {
    fn load(
        weights: &mut Weights,
        shape: &Shape,
        arch: Arch,
        index: usize,
    ) -> Result<Self, String> {
        let hidden = shape.hidden;
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let mut dense = |part: &str, inputs: usize, outputs: usize| {
            let rows = weights.read(&name(&format!("{part}.weight")), &[outputs, inputs])?;
            let bias = weights.read(&name(&format!("{part}.bias")), &[outputs])?;
            Ok::<_, String>((rows, bias))
        };
        let (mut rows, mut bias) = dense("attention.self.query", hidden, hidden)?;
        let scale = 1.0 / ((hidden / shape.heads) as f32).sqrt();
        for value in rows.iter_mut().chain(&mut bias) {
            *value *= scale;
        }
        for part in ["attention.self.key", "attention.self.value"] {
            let (more, more_bias) = dense(part, hidden, hidden)?;
            rows.extend(more);
            bias.extend(more_bias);
        }
        let attention = Matrix::new(arch, &rows, &bias, hidden);
        let mut matrix = |part: &str, inputs: usize, outputs: usize| {
            let (rows, bias) = dense(part, inputs, outputs)?;
            Ok::<_, String>(Matrix::new(arch, &rows, &bias, inputs))
        };
        Ok(Self {
            attention,
            attention_out: matrix("attention.output.dense", hidden, hidden)?,
            up: matrix("intermediate.dense", hidden, shape.intermediate)?,
            down: matrix("output.dense", shape.intermediate, hidden)?,
            attention_norm: read_norm(weights, shape, &name("attention.output.LayerNorm"))?,
            norm: read_norm(weights, shape, &name("output.LayerNorm"))?,
        })
    }

    /// Takes `state`, the rows from `first` on, through the layer.
    fn apply(&self, bert: &Bert, pack: &Pack, projected: &[f32], first: usize, state: &mut [f32]) {
        let arch = bert.arch;
        let hidden = bert.shape.hidden;
        let heads = Heads {
            arch,
            count: bert.shape.heads,
            hidden,
        };
        let mut context = vec![0.0; state.len()];
        attend(heads, &pack.lengths, projected, first, &mut context);
        multiply(arch, &context, &self.attention_out, state, Then::Add);
        self.attention_norm.apply(arch, state);
        let mut middle = vec![0.0; BLOCK_ROWS * self.up.outputs()];
        for rows in state.chunks_mut(BLOCK_ROWS * hidden) {
            let middle = &mut middle[..rows.len() / hidden * self.up.outputs()];
            multiply(arch, rows, &self.up, middle, Then::Gelu);
            multiply(arch, middle, &self.down, rows, Then::Add);
        }
        self.norm.apply(arch, state);
    }
}

fn read_norm(weights: &mut Weights, shape: &Shape, name: &str) -> Result<Norm, String> {
    Ok(Norm {
        scale: weights.read(&format!("{name}.weight"), &[shape.hidden])?,
        shift: weights.read(&format!("{name}.bias"), &[shape.hidden])?,
        epsilon: shape.epsilon,
    })
}

fn add(row: &mut [f32], other: &[f32]) {
    for (value, other) in row.iter_mut().zip(other) {
        *value += other;
    }
}

/// Runs `work` over shares of `state` and of `out` at the same time, a thread for each but the
/// last, which this thread does. `work` is told the first row of its share.
fn side_by_side(
    state: &mut [f32],
    out: &mut [f32],
    share: usize,
    hidden: usize,
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) {
    let work = &work;
    std::thread::scope(|scope| {
        let mut shares = state
            .chunks_mut(share * hidden)
            .zip(out.chunks_mut(share * hidden * 3))
            .enumerate()
            .peekable();
        while let Some((index, (state, out))) = shares.next() {
            if shares.peek().is_some() {
                scope.spawn(move || work(index * share, state, out));
            } else {
                work(index * share, state, out);
            }
        }
    });
}
