//! The order in which images are shown: shuffled anew each epoch, whole batches only.

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::Dataset;
use crate::rng::Rng;

/// An endless stream of batches that can be stopped and continued anywhere.
pub(super) struct Order<'a> {
    dataset: &'a Dataset,
    batch: usize,
    /// The generator before it shuffled the current epoch: with `next`, all there is to remember.
    epoch_start: Rng,
    rng: Rng,
    indices: Vec<u32>,
    next: usize,
}

impl<'a> Order<'a> {
    /// Continues at `position` of the epoch that `rng` shuffles.
    ///
    /// `dataset` has at least `batch` images.
    pub(super) fn new(dataset: &'a Dataset, batch: usize, rng: Rng, position: usize) -> Self {
        let mut order = Self { dataset, batch, epoch_start: rng.clone(), rng, indices: Vec::new(), next: 0 };
        order.shuffle();
        order.next = position;
        order
    }

    /// What [`Order::new`] needs to continue here.
    pub(super) fn position(&self) -> (Rng, usize) {
        (self.epoch_start.clone(), self.next)
    }

    /// The next `[batch, C, H, W]` in [−1, 1]. Images left over at the end of an epoch wait for the next one.
    pub(super) fn next_batch(&mut self, device: &Device) -> Tensor<4> {
        if self.next + self.batch > self.indices.len() {
            self.shuffle();
        }
        let [h, w, c] = self.dataset.shape;
        let plane = h * w;
        let mut values = vec![0.0; self.batch * c * plane];
        let chosen = &self.indices[self.next..][..self.batch];
        for (&index, image) in chosen.iter().zip(values.chunks_exact_mut(c * plane)) {
            let pixels = &self.dataset.images[index as usize * plane * c..][..plane * c];
            for (at, &byte) in pixels.iter().enumerate() {
                // H·W·C to C·H·W.
                image[at % c * plane + at / c] = f32::from(byte) / 127.5 - 1.0;
            }
        }
        self.next += self.batch;
        Tensor::from_data(TensorData::new(values, [self.batch, c, h, w]), device)
    }

    fn shuffle(&mut self) {
        self.epoch_start = self.rng.clone();
        self.indices = (0..self.dataset.len() as u32).collect();
        self.rng.shuffle(&mut self.indices);
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(count: u8) -> Dataset {
        Dataset {
            name: "test".into(),
            images: (0..count).flat_map(|i| [i, 0, 255, 100 + i, 0, 255]).collect(),
            labels: None,
            shape: [1, 2, 3],
        }
    }

    fn values(batch: &Tensor<4>) -> Vec<f32> {
        batch.to_data().try_to_vec().unwrap()
    }

    #[test]
    fn an_epoch_shows_each_image_once_in_chw_order() {
        let dataset = dataset(6);
        let mut order = Order::new(&dataset, 2, Rng::new(1, 0), 0);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let batch = order.next_batch(&Device::flex());
            assert_eq!(batch.dims(), [2, 3, 1, 2]);
            for image in values(&batch).chunks(6) {
                assert_eq!(&image[2..], [-1.0, -1.0, 1.0, 1.0]);
                seen.push(((image[0] + 1.0) * 127.5).round() as u8);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn continues_in_the_middle_of_a_later_epoch() {
        let dataset = dataset(7);
        let mut order = Order::new(&dataset, 2, Rng::new(1, 0), 0);
        for _ in 0..5 {
            order.next_batch(&Device::flex());
        }
        let (rng, position) = order.position();
        let mut resumed = Order::new(&dataset, 2, rng, position);
        for _ in 0..5 {
            let [a, b] = [&mut order, &mut resumed].map(|o| values(&o.next_batch(&Device::flex())));
            assert_eq!(a, b);
        }
    }
}
