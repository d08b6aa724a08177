//! The order in which images are shown: shuffled anew each epoch, whole batches only, mirrored and moved if the recipe says so.

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::Dataset;
use crate::recipe::TrainConfig;
use crate::rng::Rng;
use crate::systems::Batch;

/// An endless stream of batches that can be stopped and continued anywhere.
pub(super) struct Order<'a> {
    dataset: &'a Dataset,
    /// What each image should be made from, where there are pairs.
    inputs: Option<&'a Dataset>,
    config: &'a TrainConfig,
    /// The generator before it shuffled the current epoch: with `next`, all there is to remember.
    epoch_start: Rng,
    rng: Rng,
    epoch: Vec<View>,
    next: usize,
}

/// One image as it is shown in one epoch.
struct View {
    index: u32,
    flip: bool,
    /// Columns and rows by which it moves to the right and down.
    shift: [isize; 2],
}

impl View {
    /// Writes the image `[H, W, C]` as `[C, H, W]` in [−1, 1].
    fn show(&self, pixels: &[u8], [h, w, c]: [usize; 3], to: &mut [f32]) {
        let [right, down] = self.shift;
        let moved = |at: usize, by: isize, end: usize| at.saturating_add_signed(-by).min(end - 1);
        for y in 0..h {
            let row = moved(y, down, h);
            for x in 0..w {
                let column = moved(x, right, w);
                let column = if self.flip { w - 1 - column } else { column };
                for channel in 0..c {
                    let byte = pixels[(row * w + column) * c + channel];
                    to[(channel * h + y) * w + x] = f32::from(byte) / 127.5 - 1.0;
                }
            }
        }
    }
}

impl<'a> Order<'a> {
    /// Continues at `position` of the epoch that `rng` shuffles.
    ///
    /// `dataset` has at least one batch of images, and `inputs`, if there are any, as many as it.
    pub(super) fn new(
        dataset: &'a Dataset,
        inputs: Option<&'a Dataset>,
        config: &'a TrainConfig,
        rng: Rng,
        position: usize,
    ) -> Self {
        let mut order = Self { dataset, inputs, config, epoch_start: rng.clone(), rng, epoch: Vec::new(), next: 0 };
        order.shuffle();
        order.next = position;
        order
    }

    /// What [`Order::new`] needs to continue here.
    pub(super) fn position(&self) -> (Rng, usize) {
        (self.epoch_start.clone(), self.next)
    }

    /// The next batch. Images left over at the end of an epoch wait for the next one.
    pub(super) fn next_batch(&mut self, device: &Device) -> Batch {
        let batch = self.config.batch;
        if self.next + batch > self.epoch.len() {
            self.shuffle();
        }
        let chosen = &self.epoch[self.next..][..batch];
        let show = |dataset: &Dataset| {
            let [h, w, c] = dataset.shape;
            let mut values = vec![0.0; batch * c * h * w];
            for (view, image) in chosen.iter().zip(values.chunks_exact_mut(c * h * w)) {
                view.show(dataset.image(view.index as usize), dataset.shape, image);
            }
            Tensor::from_data(TensorData::new(values, [batch, c, h, w]), device)
        };
        let label = |view: &View| self.dataset.labels.as_ref().map(|labels| labels[view.index as usize]);
        let labels = chosen.iter().filter_map(label).collect();
        let batch = Batch { inputs: self.inputs.map(show), images: show(self.dataset), labels };
        self.next += batch.images.dims()[0];
        batch
    }

    fn shuffle(&mut self) {
        self.epoch_start = self.rng.clone();
        let mut indices: Vec<u32> = (0..self.dataset.len() as u32).collect();
        self.rng.shuffle(&mut indices);
        // Drawn for the whole epoch, so that its start and a position are still all there is to remember.
        let &TrainConfig { flip, shift, .. } = self.config;
        let rng = &mut self.rng;
        let mut by = || if shift == 0 { 0 } else { rng.below(2 * shift + 1) as isize - shift as isize };
        self.epoch = indices.into_iter().map(|index| View { index, flip: false, shift: [by(), by()] }).collect();
        if flip {
            self.epoch.iter_mut().for_each(|view| view.flip = self.rng.below(2) == 1);
        }
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
            labels: Some((0..count).map(|i| i + 1).collect()),
            class_names: Vec::new(),
            shape: [1, 2, 3],
        }
    }

    fn values(batch: &Batch) -> Vec<f32> {
        batch.images.to_data().try_to_vec().unwrap()
    }

    #[test]
    fn an_epoch_shows_each_image_once_in_chw_order() {
        let (dataset, config) = (dataset(6), TrainConfig { batch: 2, ..TrainConfig::default() });
        let mut order = Order::new(&dataset, None, &config, Rng::new(1, 0), 0);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let batch = order.next_batch(&Device::flex());
            assert_eq!(batch.images.dims(), [2, 3, 1, 2]);
            for (image, &label) in values(&batch).chunks(6).zip(&batch.labels) {
                assert_eq!(&image[2..], [-1.0, -1.0, 1.0, 1.0]);
                seen.push(((image[0] + 1.0) * 127.5).round() as u8);
                assert_eq!(seen.last(), Some(&(label - 1)), "a label stays with its image");
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn pairs_stay_together_and_are_moved_alike() {
        let (dataset, config) = (dataset(6), TrainConfig { batch: 3, flip: true, shift: 1, ..TrainConfig::default() });
        let inputs = Dataset { images: dataset.images.iter().map(|byte| 255 - byte).collect(), ..dataset.clone() };
        let mut order = Order::new(&dataset, Some(&inputs), &config, Rng::new(1, 0), 0);
        for _ in 0..4 {
            let batch = order.next_batch(&Device::flex());
            let inputs: Vec<f32> = batch.inputs.clone().unwrap().to_data().try_to_vec().unwrap();
            assert!(values(&batch).iter().zip(&inputs).all(|(image, input)| (image + input).abs() < 1e-6));
        }
    }

    #[test]
    fn continues_in_the_middle_of_a_later_epoch() {
        let (dataset, config) = (dataset(7), TrainConfig { batch: 2, flip: true, shift: 1, ..TrainConfig::default() });
        let mut order = Order::new(&dataset, None, &config, Rng::new(1, 0), 0);
        for _ in 0..5 {
            order.next_batch(&Device::flex());
        }
        let (rng, position) = order.position();
        let mut resumed = Order::new(&dataset, None, &config, rng, position);
        for _ in 0..5 {
            let [a, b] = [&mut order, &mut resumed].map(|o| values(&o.next_batch(&Device::flex())));
            assert_eq!(a, b);
        }
    }

    #[test]
    fn views_mirror_and_move_and_repeat_the_border() {
        let show = |flip, shift| {
            let mut shown = [0.0; 12];
            View { index: 0, flip, shift }.show(&[0, 5, 1, 6, 2, 7, 10, 15, 11, 16, 12, 17], [2, 3, 2], &mut shown);
            shown.map(|value| ((value + 1.0) * 127.5).round() as u8)
        };
        assert_eq!(show(false, [0, 0]), [0, 1, 2, 10, 11, 12, 5, 6, 7, 15, 16, 17]);
        assert_eq!(show(true, [0, 0]), [2, 1, 0, 12, 11, 10, 7, 6, 5, 17, 16, 15]);
        assert_eq!(show(false, [1, 0]), [0, 0, 1, 10, 10, 11, 5, 5, 6, 15, 15, 16]);
        assert_eq!(show(true, [-2, 1]), [0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 5]);
    }

    #[test]
    fn every_view_is_drawn() {
        let (dataset, config) = (dataset(100), TrainConfig { flip: true, shift: 1, ..TrainConfig::default() });
        let order = Order::new(&dataset, None, &config, Rng::new(1, 0), 0);
        let seen: std::collections::BTreeSet<_> = order.epoch.iter().map(|view| (view.flip, view.shift)).collect();
        assert_eq!(seen.len(), 2 * 3 * 3);
        assert!(seen.iter().all(|(_, shift)| shift.iter().all(|by| by.abs() <= 1)));
    }
}
