//! Where a network starts.

use bytemuck::{Pod, Zeroable};

use super::{Kind, Parameters};

/// Where a network starts. It reads nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Input {
    /// [`Source`] as a number.
    pub source: u16,
    /// [`Prior`] as a number, of a latent vector, of a style or of noise.
    pub prior: u16,
    /// Values of the latent vector or the style; the rest of the node, which has one row and one column, is a value for
    /// each class. Of noise its number: noises of one number are the same. Of a class that is one value of a
    /// combination its stride, see [`Point::fill_classes`](crate::Point::fill_classes); 0 where it is the whole class.
    /// Of rows that are fed 1 where the [pictures](Self::pictures) lie in runs.
    pub dims: u16,
    /// Pictures in the data for rows that are fed, see [`Pictures`](crate::pictures::Pictures); else 0.
    pub pictures: u16,
    /// Offset in the data of a constant's codes, `[h, w, c]`; of pictures as many bytes, one behind the other, or in
    /// runs.
    pub values: u32,
}

impl Parameters for Input {
    const KIND: Kind = Kind::Input;
}

impl Input {
    /// Where its values come from; `None` where the number stands for nothing.
    pub fn source(&self) -> Option<Source> {
        Source::ALL.get(usize::from(self.source)).copied()
    }

    /// How it is drawn if it is a latent vector.
    pub fn latent(&self) -> Option<Latent> {
        let prior = self.prior()?;
        (self.source == Source::Latent as u16).then_some(Latent { prior, dims: self.dims })
    }

    /// The distribution of a latent vector, of a style or of noise; `None` where the number stands for none.
    pub fn prior(&self) -> Option<Prior> {
        Prior::ALL.get(usize::from(self.prior)).copied()
    }
}

/// Where the values of an [`Input`] come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Source {
    /// The latent vector, drawn from the seed, with a value for each class behind it where there are classes.
    Latent,
    /// A value for each class, [`Source::CLASS_STEPS`] for the one to draw.
    Class,
    /// Rows that the caller hands in, bytes of an image: see [`Source::pixel_code`].
    Fed,
    /// The data of the model file.
    Constant,
    /// A value for each place of a map, drawn from the seed: see [`crate::latent::noise`].
    Noise,
    /// A second latent vector, that of the seed of a point's [`Style`](crate::latent::Style); without one it is drawn
    /// as the first.
    Style,
    /// A value for each layer that has a style, [`Source::CLASS_STEPS`], 1.0, for those that follow the second latent
    /// vector in place of the first, and 0 for the others.
    Mix,
    /// The image itself, a row late: row y is row y − 1 of the image in the codes of [`Source::pixel_code`], and row
    /// 0 is zeros. So a row can depend on all that were drawn before it (autoregressive models). Known to a runtime
    /// with the feature `int16`.
    Previous,
}

impl Source {
    /// All of them; the position is the number in the file.
    pub const ALL: [Self; 8] =
        [Self::Latent, Self::Class, Self::Fed, Self::Constant, Self::Noise, Self::Style, Self::Mix, Self::Previous];

    /// The code of 1.0 of a class, and of a layer that follows the second style.
    pub const CLASS_STEPS: u8 = 127;

    /// The code of a byte of an image that is read: 0 … 255 becomes −127 … 127, 127 and 128 are both 0. With zero point
    /// 0 and scale 1/127 the image lies in −1 … 1, with zero point −127 and scale 1/254 in 0 … 1.
    pub fn pixel_code(byte: u8) -> i8 {
        (i16::from(byte) - 127 - i16::from(byte >= 128)) as i8
    }
}

/// How a latent vector is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latent {
    /// The distribution.
    pub prior: Prior,
    /// Its length, without values for classes.
    pub dims: u16,
}

/// The distribution of latent values, with the meaning of one int8 step. The zero point is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Prior {
    /// Standard normal: one step is [`Prior::GAUSSIAN_STEPS`]⁻¹, so codes ±127 are ±3.97 σ, where it is clipped.
    Gaussian,
    /// Uniform on [−1, 1]: one step is [`Prior::UNIFORM_STEPS`]⁻¹.
    Uniform,
    /// Uniform on [0, 1]: one step is [`Prior::UNIFORM_STEPS`]⁻¹.
    UnitUniform,
}

impl Prior {
    /// All of them; the position is the number in the file.
    pub const ALL: [Self; 3] = [Self::Gaussian, Self::Uniform, Self::UnitUniform];
    /// Codes in one standard deviation of [`Prior::Gaussian`].
    pub const GAUSSIAN_STEPS: u8 = 32;
    /// Codes from 0 to 1 of [`Prior::Uniform`] and [`Prior::UnitUniform`].
    pub const UNIFORM_STEPS: u8 = 127;

    /// Codes in one unit of the latent variable; the scale of its node is its inverse.
    pub fn steps(self) -> u8 {
        match self {
            Prior::Gaussian => Self::GAUSSIAN_STEPS,
            Prior::Uniform | Prior::UnitUniform => Self::UNIFORM_STEPS,
        }
    }

    /// The code nearest to its mean.
    pub fn middle(self) -> i8 {
        match self {
            Prior::Gaussian | Prior::Uniform => 0,
            Prior::UnitUniform => 64,
        }
    }
}
