//! How good a generator is: its images beside real ones, through a judge's eyes.
//!
//! | file | what |
//! |---|---|
//! | `rotations.rs` | a judge that learns from images without labels |
//! | `figures.rs` | all measures of one set of images |
//! | `gan_train.rs` | a classifier that learns from generated images |
//! | `stacked.rs` | modes of stacked digits |
//! | `inversion.rs` | whether latent vectors are found for images |
//! | `probe.rs` | what a linear classifier reads out of a critic's features |
//! | `controls.rs` | samplers that are bad on purpose, which the figures must give away |
//! | `plane.rs` | measures of points of the plane, without a judge |
//!
//! The measures themselves are in `edgegen-metrics`; here is what they are given. Distances are to the test images, which no
//! generator has seen; the floor is what training images, as many as are generated, come to.

pub mod controls;
pub mod figures;
pub mod gan_train;
pub mod inversion;
pub mod plane;
pub mod probe;
pub mod rotations;
pub mod stacked;

pub use crate::judge::Judge;
pub use figures::{Figures, Flag, Reference};
pub use inversion::{Inversion, inversion};
pub use probe::{Probed, probe};
