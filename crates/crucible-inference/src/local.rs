//! Models that run in this process: BERT encoders that turn texts into vectors.
//!
//! Start reading at [`Encoder`]: a `tokenizer` cuts texts into tokens, `bert` turns tokens into
//! vectors with the arithmetic of `attention`, `product` and `pointwise`; `shape` and `weights`
//! read a model's files. Nothing here knows of requests, queues or tasks.

mod attention;
mod bert;
mod cache;
mod encoder;
mod pointwise;
mod product;
mod shape;
mod tokenizer;
mod weights;

pub(crate) use cache::{Cache, Key};
pub(crate) use encoder::{Encoder, WEIGHTS_FILE};
pub(crate) use shape::{Shape, read_small};
pub(crate) use tokenizer::cut;
