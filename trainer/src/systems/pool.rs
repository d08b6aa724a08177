//! Generated images that are kept for a while, so that a critic does not forget what it has seen before.
//!
//! Of each batch the first half goes by way of the pool: while it is not full, they are kept and passed on; then each
//! is exchanged for a kept one that is drawn at random. Shrivastava et al., "Learning from Simulated and Unsupervised
//! Images through Adversarial Training" (2017), §2.3, as CycleGAN has it.

use anyhow::{Context, Result};
use burn::tensor::{Tensor, TensorData};

use crate::rng::Rng;

/// Kept images, all of one shape.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Images at most; 0 keeps none and passes everything on.
    capacity: usize,
    /// One after the other.
    kept: Vec<f32>,
}

impl Pool {
    /// An empty pool for `capacity` images.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, kept: Vec::new() }
    }

    /// Generated images `[batch, C, H, W]`, without autodiff, as the critic learns from them.
    pub fn replay(&mut self, fake: Tensor<4>, rng: &mut Rng) -> Tensor<4> {
        if self.capacity == 0 {
            return fake;
        }
        let (shape, device) = (fake.dims(), fake.device());
        let length: usize = shape[1..].iter().product();
        let mut fresh = fake.into_data().try_into_vec::<f32>().expect("networks compute in 32-bit floats");
        for image in fresh.chunks_exact_mut(length).take(shape[0] / 2) {
            let kept = self.kept.len() / length;
            if kept < self.capacity {
                self.kept.extend_from_slice(image);
            } else {
                let at = rng.below(kept) * length;
                self.kept[at..][..length].swap_with_slice(image);
            }
        }
        Tensor::from_data(TensorData::new(fresh, shape), &device)
    }

    /// The kept images as bytes, for a checkpoint.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.kept.iter().flat_map(|value| value.to_le_bytes())
    }

    /// Takes over what [`Pool::bytes`] gave.
    ///
    /// # Errors
    ///
    /// If they are no whole number of 32-bit floats.
    pub fn take_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let (values, rest) = bytes.as_chunks();
        let whole = Some(values).filter(|_| rest.is_empty());
        let values = whole.with_context(|| format!("expected 32-bit floats, found {} bytes", bytes.len()))?;
        self.kept = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn column(values: &[f32]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1, 1, 1]), &Device::flex())
    }

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn it_gives_back_what_was_made_before() {
        let (mut pool, mut rng) = (Pool::new(6), Rng::new(1, 0));
        let mut batch = |number: u8| {
            let given = values(pool.replay(column(&[f32::from(number); 8]), &mut rng));
            (given, pool.kept.clone())
        };
        assert_eq!(batch(1), (vec![1.0; 8], vec![1.0; 4]));
        let (given, kept) = batch(2);
        assert_eq!(given[4..], [2.0; 4], "the other half is new");
        assert_eq!(kept.len(), 6, "full");
        for number in 3..9 {
            let (given, kept) = batch(number);
            let number = f32::from(number);
            assert!(given[..4].iter().any(|&value| value < number), "some are old: {given:?}");
            assert_eq!(given[4..], [number; 4]);
            assert!(kept.contains(&number) && kept.len() == 6);
        }
        assert_eq!(values(Pool::new(0).replay(column(&[3.0, 4.0]), &mut rng)), [3.0, 4.0]);
    }

    #[test]
    fn a_checkpoint_has_all_of_it() {
        let (mut pool, mut rng) = (Pool::new(3), Rng::new(1, 0));
        pool.replay(column(&[1.5, -2.0, 3.0, 4.0]), &mut rng);
        let bytes: Vec<u8> = pool.bytes().collect();
        let mut other = Pool::new(3);
        other.take_bytes(&bytes).unwrap();
        assert_eq!((other.kept, pool.kept.len()), (pool.kept, 2));
        assert!(Pool::new(3).take_bytes(&bytes[1..]).unwrap_err().to_string().contains("7 bytes"));
    }
}
