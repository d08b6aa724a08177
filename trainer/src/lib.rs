//! edgegen: trains image generators and ships them to microcontrollers.
//!
//! ```text
//! recipe ─► data ─► train: System::step … ─► run folder ─ lower ─► edgegen-export ─► model file
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`recipe`] | the TOML file that decides everything about a run |
//! | `parse` | reads and checks that file |
//! | [`data`] | images by name, from IDX files or from folders |
//! | [`nets`] | the layers that networks are made of |
//! | [`systems`] | one file for each way of training a generator |
//! | [`train`](mod@train) | the loop: the only place with steps and files |
//! | [`checkpoint`] | everything a run needs to go on bit for bit |
//! | [`run`] | a finished run, ready to draw |
//! | [`judge`] | a frozen classifier, through which measures look |
//! | [`eval`] | how good it is: the measures of `edgegen-metrics`, through a judge |
//! | [`invert`](mod@invert) | from an image to a latent vector that makes it |
//! | [`morph`](mod@morph) | the way between two points of latent space |
//! | [`closeup`] | nearest training images, and int8 beside float: what the report adds to a run |
//! | [`lab`] | what lectures claim, measured and drawn |
//! | [`lower`](mod@lower) | Burn's layers → the exporter's float layers |
//! | [`images`] | sample sheets, GIFs, NumPy arrays |
//! | [`translate`] | sentences through a translator, and how good that is |
//! | [`sounds`] | WAV files, and waves as pictures |
//! | [`speech`] | mel cepstra of speech, smooth trajectories, a voice again |
//! | `markup` | what pages of HTML need: the report of a run, the lab |
//! | [`cli`] | the `edgegen` command |
//!
//! The cargo feature `train`, a default, brings everything that only training needs, Burn above all. Without it there
//! are `cli`, `files`, `images`, `morph` and `sounds`, and the command draws, inspects, exports, flashes and simulates
//! what is trained already.

pub mod cli;
pub mod files;
pub mod images;
pub mod morph;
pub mod sounds;
mod stderr;

#[cfg(feature = "train")]
pub mod checkpoint;
#[cfg(feature = "train")]
pub mod closeup;
#[cfg(feature = "train")]
pub mod data;
#[cfg(feature = "train")]
pub mod device;
#[cfg(feature = "train")]
pub mod eval;
#[cfg(feature = "train")]
pub mod examples;
#[cfg(feature = "train")]
pub mod invert;
#[cfg(feature = "train")]
pub mod judge;
#[cfg(feature = "train")]
pub mod lab;
#[cfg(feature = "train")]
pub mod lower;
#[cfg(feature = "train")]
mod markup;
#[cfg(feature = "train")]
pub mod nets;
#[cfg(feature = "train")]
mod parse;
#[cfg(feature = "train")]
pub mod recipe;
#[cfg(feature = "train")]
pub mod rng;
#[cfg(feature = "train")]
pub mod run;
#[cfg(feature = "train")]
pub mod speech;
#[cfg(feature = "train")]
pub mod systems;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "train")]
pub mod translate;
