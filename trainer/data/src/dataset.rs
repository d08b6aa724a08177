//! Images of one size in memory.

/// Images of one size in memory, with labels where the source has them.
#[derive(Clone, PartialEq, Eq)]
pub struct Dataset {
    /// `data.name` of the recipe that it was loaded by.
    pub name: String,
    /// `N·H·W·C` bytes, row-major, channels innermost, 0 = black.
    pub images: Vec<u8>,
    /// One class number an image, from 0, or nothing for unlabelled data.
    pub labels: Option<Vec<u8>>,
    /// Names of the classes in the order of their numbers; empty where they have none.
    pub class_names: Vec<String>,
    /// `[H, W, C]`, `C` = 1 (grey) or 3 (RGB).
    pub shape: [usize; 3],
}

impl Dataset {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len() / self.image_len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The `H·W·C` bytes of image `index`.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let length = self.image_len();
        &self.images[index * length..][..length]
    }

    /// Number of classes: of names, or the highest label plus one where there are none; 0 for unlabelled data.
    pub fn classes(&self) -> usize {
        let highest = self.labels.iter().flatten().max().map_or(0, |&label| usize::from(label) + 1);
        if self.labels.is_some() { highest.max(self.class_names.len()) } else { 0 }
    }

    fn image_len(&self) -> usize {
        self.shape.iter().product()
    }
}

// Megabytes of pixels tell nobody anything.
impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset")
            .field("name", &self.name)
            .field("len", &self.len())
            .field("shape", &self.shape)
            .field("labelled", &self.labels.is_some())
            .finish_non_exhaustive()
    }
}

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// What a generator learns from. A path without parts is all training data.
    Train,
    /// What it never sees; for metrics.
    Test,
}

impl Split {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Test => "test",
        }
    }
}
