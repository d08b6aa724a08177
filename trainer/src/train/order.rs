//! The order in which images are shown: shuffled anew each epoch, whole batches only, mirrored and moved if the recipe says so.

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::{Attributes, Dataset};
use crate::recipe::TrainConfig;
use crate::rng::Rng;
use crate::systems::Batch;

/// An endless stream of batches that can be stopped and continued anywhere.
pub(super) struct Order<'a> {
    dataset: &'a Dataset,
    /// What each image should be made from, where there are pairs, or images of another set.
    inputs: Option<Inputs<'a>>,
    /// What is known of each image, where a system learns it.
    attributes: Option<&'a Attributes>,
    config: &'a TrainConfig,
    /// The generator before it shuffled the current epoch: with `next`, all there is to remember.
    epoch_start: Rng,
    rng: Rng,
    epoch: Vec<View>,
    /// As many of the images beside it, where they are shuffled on their own.
    beside: Vec<View>,
    next: usize,
}

/// Images that are shown beside those of the data set.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) dataset: &'a Dataset,
    /// Whether image i is shown beside image i; else any beside any.
    pub(super) matched: bool,
}

/// One image as it is shown in one epoch.
#[derive(Clone)]
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
    /// `dataset` has at least one batch of images, and `inputs`, if there are any, at least one image, and as many as it where they are
    /// matched.
    pub(super) fn new(
        dataset: &'a Dataset,
        inputs: Option<Inputs<'a>>,
        config: &'a TrainConfig,
        rng: Rng,
        position: usize,
    ) -> Self {
        let epoch_start = rng.clone();
        let (epoch, beside) = (Vec::new(), Vec::new());
        let attributes = None;
        let mut order = Self { dataset, inputs, attributes, config, epoch_start, rng, epoch, beside, next: 0 };
        order.shuffle();
        order.next = position;
        order
    }

    /// Itself with what is known of each image.
    pub(super) fn with_attributes(self, attributes: Option<&'a Attributes>) -> Self {
        Self { attributes, ..self }
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
        let shown = self.next..self.next + batch;
        let show = |dataset: &Dataset, views: &[View]| {
            let [h, w, c] = dataset.shape;
            let mut values = vec![0.0; batch * c * h * w];
            for (view, image) in views.iter().zip(values.chunks_exact_mut(c * h * w)) {
                view.show(dataset.image(view.index as usize), dataset.shape, image);
            }
            let labels = dataset.labels.iter().flat_map(|labels| views.iter().map(|view| labels[view.index as usize]));
            (Tensor::from_data(TensorData::new(values, [batch, c, h, w]), device), labels.collect())
        };
        let (images, labels) = show(self.dataset, &self.epoch[shown.clone()]);
        let inputs = self.inputs.map(|Inputs { dataset, matched }| {
            show(dataset, if matched { &self.epoch[shown.clone()] } else { &self.beside[shown.clone()] })
        });
        let (inputs, input_labels) = inputs.map_or((None, Vec::new()), |(inputs, labels)| (Some(inputs), labels));
        let known = self.attributes.iter().flat_map(|attributes| {
            self.epoch[shown.clone()].iter().flat_map(|view| attributes.of(view.index as usize).iter().copied())
        });
        let attributes = known.collect();
        self.next = shown.end;
        Batch { inputs, input_labels, images, labels, attributes }
    }

    fn shuffle(&mut self) {
        self.epoch_start = self.rng.clone();
        // Drawn for the whole epoch, so that its start and a position are still all there is to remember.
        self.epoch = self.views(self.dataset.len());
        if let Some(Inputs { dataset, matched: false }) = self.inputs {
            // Of a larger set other images in each epoch, a smaller one several times.
            self.beside.clear();
            while self.beside.len() < self.epoch.len() {
                let views = self.views(dataset.len());
                self.beside.extend(views);
            }
        }
        self.next = 0;
    }

    /// `count` images in an order and each in a view that are drawn.
    fn views(&mut self, count: usize) -> Vec<View> {
        let mut indices: Vec<u32> = (0..count as u32).collect();
        self.rng.shuffle(&mut indices);
        let &TrainConfig { flip, shift, .. } = self.config;
        let rng = &mut self.rng;
        let mut by = || if shift == 0 { 0 } else { rng.below(2 * shift + 1) as isize - shift as isize };
        let view = |index| View { index, flip: false, shift: [by(), by()] };
        let mut views: Vec<View> = indices.into_iter().map(view).collect();
        if flip {
            views.iter_mut().for_each(|view| view.flip = self.rng.below(2) == 1);
        }
        views
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
        let attributes = Attributes {
            names: vec!["a".into(), "b".into()],
            words: vec![Vec::new(); 2],
            values: (1..7).flat_map(|label| [label, 50 + label]).collect(),
            phrases: Vec::new(),
        };
        let order = Order::new(&dataset, None, &config, Rng::new(1, 0), 0);
        let mut order = order.with_attributes(Some(&attributes));
        let mut seen = Vec::new();
        for _ in 0..3 {
            let batch = order.next_batch(&Device::flex());
            assert_eq!(batch.images.dims(), [2, 3, 1, 2]);
            for (index, (image, &label)) in values(&batch).chunks(6).zip(&batch.labels).enumerate() {
                assert_eq!(batch.attributes[2 * index..][..2], [label, 50 + label], "and so does what is known of it");
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
        let beside = Inputs { dataset: &inputs, matched: true };
        let mut order = Order::new(&dataset, Some(beside), &config, Rng::new(1, 0), 0);
        for _ in 0..4 {
            let batch = order.next_batch(&Device::flex());
            let inputs: Vec<f32> = batch.inputs.clone().unwrap().to_data().try_to_vec().unwrap();
            assert!(values(&batch).iter().zip(&inputs).all(|(image, input)| (image + input).abs() < 1e-6));
        }
    }

    #[test]
    fn two_sets_are_shuffled_apart_whatever_their_lengths() {
        let (few, many) = (dataset(3), dataset(8));
        let config = TrainConfig { batch: 2, ..TrainConfig::default() };
        for (targets, inputs, batches, each) in [(&many, &few, 4, 2..=3), (&few, &many, 1, 0..=1)] {
            let order = |rng, position| {
                let beside = Inputs { dataset: inputs, matched: false };
                Order::new(targets, Some(beside), &config, rng, position)
            };
            let mut first = order(Rng::new(5, 0), 0);
            let mut seen = vec![0; inputs.len()];
            let mut apart = false;
            for _ in 0..batches {
                let batch = first.next_batch(&Device::flex());
                assert_eq!((batch.inputs.unwrap().dims(), batch.input_labels.len()), ([2, 3, 1, 2], 2));
                batch.input_labels.iter().for_each(|&label| seen[usize::from(label) - 1] += 1);
                apart |= batch.labels != batch.input_labels;
            }
            assert!(seen.iter().all(|count| each.contains(count)) && apart, "{seen:?}");
            first.next_batch(&Device::flex());
            let (rng, position) = first.position();
            let mut resumed = order(rng, position);
            for _ in 0..5 {
                let [a, b] = [&mut first, &mut resumed].map(|order| order.next_batch(&Device::flex()).input_labels);
                assert_eq!(a, b);
            }
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
