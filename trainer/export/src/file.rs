//! A model file in memory, aligned as the runtime wants it.

use std::io;
use std::path::Path;

use edgegen_runtime::format::ALIGNMENT;

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(16))]
struct Chunk([u8; ALIGNMENT]);

/// The bytes of a model file at an aligned address.
#[derive(Clone)]
pub struct ModelFile {
    chunks: Vec<Chunk>,
    len: usize,
}

impl ModelFile {
    /// Copies bytes, whatever they are.
    pub fn new(bytes: &[u8]) -> Self {
        let mut chunks = vec![Chunk([0; ALIGNMENT]); bytes.len().div_ceil(ALIGNMENT)];
        bytemuck::cast_slice_mut(&mut chunks)[..bytes.len()].copy_from_slice(bytes);
        Self { chunks, len: bytes.len() }
    }

    /// Reads a file, whatever is in it.
    ///
    /// # Errors
    ///
    /// Those of reading.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::new(&std::fs::read(path)?))
    }

    /// The bytes, for [`edgegen_runtime::Model::parse`].
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.chunks)[..self.len]
    }
}

impl std::fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelFile").field("len", &self.len).finish_non_exhaustive()
    }
}
