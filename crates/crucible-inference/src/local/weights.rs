//! Reads tensors from a safetensors file, one at a time: the file is never in memory whole.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

/// The longest header that is read; that of a model of this kind has some 10 kB.
const HEADER_BYTES_MAX: u64 = 8 << 20;
/// The prefix that tensors have in files written from a model with a head.
const PREFIX: &str = "bert.";

/// An open file of tensors.
#[derive(Debug)]
pub(crate) struct Weights {
    file: File,
    metadata: Metadata,
    /// Where the first tensor begins.
    start: u64,
}

impl Weights {
    /// Opens the file and checks that it holds what its header says.
    ///
    /// # Errors
    /// In words: what is wrong with the file.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let failed = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        let mut file = File::open(path).map_err(|error| failed(&error))?;
        let length = file.metadata().map_err(|error| failed(&error))?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size)
            .map_err(|_| failed(&"too short for a safetensors file"))?;
        let header = u64::from_le_bytes(size);
        if header > HEADER_BYTES_MAX || header > length {
            return Err(failed(&"not a safetensors file"));
        }
        let mut bytes = Vec::new();
        file.by_ref()
            .take(header)
            .read_to_end(&mut bytes)
            .map_err(|error| failed(&error))?;
        // This checks as well that offsets follow each other and fit shapes and types.
        let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|error| failed(&error))?;
        let start = 8 + header;
        let expected = start.saturating_add(metadata.data_len() as u64);
        if expected != length {
            return Err(failed(&format_args!(
                "{length} bytes where its header promises {expected}: it is cut short or damaged"
            )));
        }
        Ok(Self {
            file,
            metadata,
            start,
        })
    }

    /// Reads one tensor of 32-bit floats.
    ///
    /// # Errors
    /// In words: it is not there, or has another type or shape.
    pub(crate) fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let info = self
            .metadata
            .info(name)
            .or_else(|| self.metadata.info(&format!("{PREFIX}{name}")))
            .ok_or_else(|| format!("has no tensor {name}"))?;
        if info.dtype != Dtype::F32 {
            return Err(format!(
                "tensor {name} has numbers of type {:?}; only F32 is read",
                info.dtype
            ));
        }
        if info.shape != shape {
            return Err(format!(
                "tensor {name} has the shape {:?} where its configuration says {shape:?}",
                info.shape
            ));
        }
        let (begin, end) = info.data_offsets;
        let mut bytes = vec![0; end - begin];
        self.file
            .seek(SeekFrom::Start(self.start + begin as u64))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|error| format!("tensor {name}: {error}"))?;
        let values = bytes.as_chunks::<4>().0;
        Ok(values
            .iter()
            .map(|value| f32::from_le_bytes(*value))
            .collect())
    }
}
