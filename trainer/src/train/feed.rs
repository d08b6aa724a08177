//! Where a run's batches come from: the images of a data set, epoch by epoch, or points drawn as they are needed.

use burn::tensor::{Device, Tensor, TensorData};

use super::order::Order;
use crate::data::Plane;
use crate::rng::Rng;
use crate::systems::Batch;

/// An endless stream of batches that can be stopped and continued anywhere.
pub(super) enum Feed<'a> {
    Images(Order<'a>),
    Points(Points<'a>),
}

/// Fresh points of a mixture; their labels are the numbers of their modes.
pub(super) struct Points<'a> {
    pub(super) plane: &'a Plane,
    pub(super) batch: usize,
    pub(super) rng: Rng,
}

impl Feed<'_> {
    pub(super) fn next_batch(&mut self, device: &Device) -> Batch {
        match self {
            Self::Images(order) => order.next_batch(device),
            Self::Points(points) => points.next_batch(device),
        }
    }

    /// The source of randomness and the position with which the same feed continues here.
    pub(super) fn position(&self) -> (Rng, usize) {
        match self {
            Self::Images(order) => order.position(),
            Self::Points(points) => (points.rng.clone(), 0),
        }
    }
}

impl Points<'_> {
    fn next_batch(&mut self, device: &Device) -> Batch {
        let (values, labels) = self.plane.draw(self.batch, &mut self.rng);
        Batch::alone(Tensor::from_data(TensorData::new(values, [self.batch, 2, 1, 1]), device), labels)
    }
}
