//! What is asked of a provider: a generation at once, a stream, vectors.

use async_trait::async_trait;
use crucible_services::inference::GenerateRequest;
use tokio::time::Instant;

use super::failure::Failure;
use super::protocol::{Vectors, Whole};
use super::provider::{Call, Provider};
use super::stream::Opened;

/// A generation that comes at once; it may take the whole time that an answer may.
pub(crate) struct Generate<'a>(pub(crate) &'a GenerateRequest);

#[async_trait]
impl Call for Generate<'_> {
    type Answer = Whole;

    async fn once(
        &self,
        provider: &Provider,
        model: &str,
        deadline: Instant,
    ) -> Result<Whole, Failure> {
        let ask = provider.protocol.ask_generation(model, self.0, false);
        let patience = provider.config.timeout;
        let body = provider.ask(&ask, patience, deadline).await?;
        let read = provider.protocol.read_generation(&body);
        read.map_err(Failure::Unreadable)
    }
}

/// A generation that comes piece by piece; asked until the first piece is there.
pub(crate) struct Stream<'a>(pub(crate) &'a GenerateRequest);

#[async_trait]
impl Call for Stream<'_> {
    type Answer = Opened;

    async fn once(
        &self,
        provider: &Provider,
        model: &str,
        deadline: Instant,
    ) -> Result<Opened, Failure> {
        let ask = provider.protocol.ask_generation(model, self.0, true);
        let (framing, wants) = provider.protocol.framing();
        let patience = provider.config.first_byte_timeout;
        let response = provider.send(&ask, wants, patience, deadline).await?;
        let mut opened = Opened::new(response, framing, provider.protocol.reader(), deadline);
        opened.first(provider).await?;
        Ok(opened)
    }
}

/// Vectors of the first of some texts: of as many as go into one request, each cut to what the
/// provider is sent of it.
pub(crate) struct Embed<'a>(pub(crate) &'a [String]);

#[async_trait]
impl Call for Embed<'_> {
    type Answer = Vectors;

    async fn once(
        &self,
        provider: &Provider,
        model: &str,
        deadline: Instant,
    ) -> Result<Vectors, Failure> {
        let bytes_max = provider.config.embed_text_bytes_max;
        let first = self.0.iter().take(provider.config.embed_texts_max);
        let texts: Vec<&str> = first.map(|text| cut(text, bytes_max)).collect();
        let Some(ask) = provider.protocol.ask_vectors(model, &texts) else {
            return Err(Failure::Unusable("it has no embeddings".to_owned()));
        };
        let patience = provider.config.first_byte_timeout;
        let body = provider.ask(&ask, patience, deadline).await?;
        let mut vectors = provider
            .protocol
            .read_vectors(&body)
            .map_err(Failure::Unreadable)?;
        normalise(&mut vectors.vectors, texts.len()).map_err(Failure::Unreadable)?;
        Ok(vectors)
    }
}

/// Returns what fits into `bytes_max`, whole characters only.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Checks the shape `[texts, dimensions]` and makes each vector one of unit length.
fn normalise(vectors: &mut [Vec<f32>], texts: usize) -> Result<(), String> {
    let count = vectors.len();
    if count != texts {
        return Err(format!("{count} vectors for {texts} texts"));
    }
    let dimensions = vectors.first().map_or(0, Vec::len);
    for vector in vectors {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if vector.len() != dimensions || dimensions == 0 {
            return Err("vectors of different lengths".to_owned());
        }
        if !length.is_normal() {
            return Err("a vector that has no direction".to_owned());
        }
        vector.iter_mut().for_each(|x| *x /= length);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("aé🥖", 7), "aé🥖");
        assert_eq!(cut("aé🥖", 6), "aé");
        assert_eq!(cut("aé🥖", 2), "a");
    }

    #[test]
    fn vectors_get_unit_length() {
        let mut vectors = vec![vec![3.0, 4.0], vec![0.0, -2.0]];
        normalise(&mut vectors, 2).unwrap();
        assert_eq!(vectors, [[0.6, 0.8], [0.0, -1.0]]);
    }

    #[test]
    fn vectors_of_the_wrong_shape_are_refused() {
        for (vectors, texts) in [
            (vec![vec![1.0]], 2),
            (vec![vec![1.0], vec![1.0, 2.0]], 2),
            (vec![vec![]], 1),
            (vec![vec![0.0, 0.0]], 1),
            (vec![vec![f32::NAN]], 1),
            (vec![vec![f32::MAX, f32::MAX]], 1),
        ] {
            let mut vectors: Vec<Vec<f32>> = vectors;
            assert!(normalise(&mut vectors, texts).is_err(), "{vectors:?}");
        }
    }
}
