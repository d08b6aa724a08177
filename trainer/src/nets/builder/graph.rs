//! Branches and what brings them together.

use edgegen_runtime::graph::Border;

use super::NetBuilder;
use crate::nets::Source;
use crate::nets::layer::{Fade, Join, JoinKind, Layer, Pad, Part, Pool, PoolKind};

/// A place in a net that is being built: what a layer or an input holds.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    pub(super) source: Source,
    /// `[C, H, W]`.
    pub(super) shape: [usize; 3],
}

impl Mark {
    /// How many channels the map has.
    pub fn channels(self) -> usize {
        self.shape[0]
    }
}

impl NetBuilder<'_> {
    /// One more input, which the next layer reads.
    pub fn input(mut self, shape: [usize; 3]) -> Self {
        self.here = Mark { source: Source::Input(self.inputs.len()), shape };
        self.shared = true;
        self.inputs.push(shape);
        self
    }

    /// What the next layer reads, for a branch from here ([`at`](Self::at)) or a join with it ([`add`](Self::add)).
    pub fn mark(&mut self) -> Mark {
        self.shared = true;
        self.here
    }

    /// Goes on from `mark`.
    pub fn at(mut self, mark: Mark) -> Self {
        self.here = mark;
        self.shared = true;
        self
    }

    /// The sum with `other`, which has the same shape. Either of the two may be a vector `[C, 1, 1]`, added to all
    /// pixels, or have one channel, added to all channels.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    #[expect(
        clippy::should_implement_trait,
        reason = "a layer like `multiply` and `concat`, not a sum of two builders"
    )]
    pub fn add(self, other: Mark) -> Self {
        self.add_scaled(other, [1.0; 2])
    }

    /// `scales[0]` times what is here and `scales[1]` times `other`, as [`add`](Self::add).
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn add_scaled(self, other: Mark, scales: [f32; 2]) -> Self {
        self.join(JoinKind::Add(scales), other)
    }

    /// The product with `other` value by value, with shapes as in [`add`](Self::add).
    ///
    /// # Panics
    ///
    /// If the shapes do not fit.
    pub fn multiply(self, other: Mark) -> Self {
        self.join(JoinKind::Multiply, other)
    }

    /// The channels of `other` behind those that are here.
    ///
    /// # Panics
    ///
    /// If heights or widths differ.
    pub fn concat(self, other: Mark) -> Self {
        let ([c, h, w], [more, other_h, other_w]) = (self.here.shape, other.shape);
        assert_eq!([h, w], [other_h, other_w], "maps whose channels are put together have one height and width");
        let reads = vec![self.here.source, other.source];
        self.push_reading(Layer::Join(Join { kind: JoinKind::Concat }), reads, [c + more, h, w])
    }

    /// A factor and an offset for each channel, both linear in the vector `style`: behind
    /// [`instance_norm`](Self::instance_norm) adaptive instance normalization (Huang and Belongie, 2017, eq. 8; Karras
    /// et al., "A Style-Based Generator", 2019, eq. 1). Factors start around 1, offsets around 0.
    pub fn modulate(self, style: Mark) -> Self {
        let map = self.here;
        let vector = [map.shape[0], 1, 1];
        let mut net = self.at(style).dense(vector, 1.0);
        let factor = net.mark();
        net = net.at(map).multiply(factor);
        let map = net.mark();
        net = net.at(style).dense(vector, 0.0);
        let offset = net.mark();
        net.at(map).add(offset)
    }

    /// What is here in place of `old`, which has the same shape, by and by: `old` at α = 0, what is here at α = 1,
    /// where it starts ([`Net::fade`](crate::nets::Net::fade)).
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn fade(mut self, old: Mark) -> Self {
        let shape = self.here.shape;
        assert_eq!(old.shape, shape, "what is faded into each other has one shape");
        let share = self.param(vec![1.0], [1], false);
        let reads = vec![old.source, self.here.source];
        self.push_reading(Layer::Fade(Fade { share }), reads, shape)
    }

    /// `count` channels from channel `first` on.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub fn part(self, first: usize, count: usize) -> Self {
        let [c, h, w] = self.here.shape;
        assert!(first + count <= c, "expected channels {first} to {} of a map, found {c}", first + count);
        self.push(Layer::Part(Part { first, count }), [count, h, w])
    }

    /// Rows and columns around the map, `[[top, bottom], [left, right]]`.
    ///
    /// # Panics
    ///
    /// If a mirrored border is not smaller than the map.
    pub fn pad(self, padding: [[usize; 2]; 2], border: Border) -> Self {
        let [c, h, w] = self.here.shape;
        let fits = |[before, after]: [usize; 2], side: usize| border != Border::Reflect || before.max(after) < side;
        assert!(fits(padding[0], h) && fits(padding[1], w), "a map of {h} × {w} has nothing to mirror for {padding:?}");
        let side = |[before, after]: [usize; 2], side: usize| before + side + after;
        self.push(Layer::Pad(Pad { padding, border }), [c, side(padding[0], h), side(padding[1], w)])
    }

    /// The map mirrored at its outermost rows and columns, `size` of them at each side.
    ///
    /// # Panics
    ///
    /// If the map has no more rows or columns than that.
    pub fn reflect_pad(self, size: usize) -> Self {
        self.pad([[size; 2]; 2], Border::Reflect)
    }

    /// The mean of each block of `factor` × `factor` pixels.
    ///
    /// # Panics
    ///
    /// If `factor` does not divide height and width.
    pub fn average_pool(self, factor: usize) -> Self {
        self.average_pool_by([factor; 2])
    }

    /// The mean of each block of pixels, `[vertical, horizontal]`.
    ///
    /// # Panics
    ///
    /// If the blocks do not divide height and width.
    pub fn average_pool_by(self, block: [usize; 2]) -> Self {
        let [c, h, w] = self.here.shape;
        assert!(h % block[0] == 0 && w % block[1] == 0, "a map of {h} × {w} has no whole blocks of {block:?}");
        self.push(Layer::Pool(Pool { kind: PoolKind::Block(block) }), [c, h / block[0], w / block[1]])
    }

    /// The mean of all pixels of each channel.
    pub fn global_mean(self) -> Self {
        let [c, _, _] = self.here.shape;
        self.push(Layer::Pool(Pool { kind: PoolKind::Map }), [c, 1, 1])
    }

    fn join(self, kind: JoinKind, other: Mark) -> Self {
        let shapes @ [here, there] = [self.here.shape, other.shape];
        let fits = |[small, large]: [[usize; 3]; 2]| {
            let [pixels, all] = [&small[1..], &large[1..]];
            (small[0] == large[0] || small[0] == 1) && (pixels == all || pixels == [1, 1])
        };
        assert!(
            fits(shapes) || fits([there, here]),
            "expected maps of one shape or a vector for each, found {shapes:?}"
        );
        let shape = if fits(shapes) { there } else { here };
        let reads = vec![self.here.source, other.source];
        self.push_reading(Layer::Join(Join { kind }), reads, shape)
    }
}
