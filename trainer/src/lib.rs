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
//! | [`eval`] | how good it is: the measures of `edgegen-metrics`, through a judge |
//! | [`invert`](mod@invert) | from an image to a latent vector that makes it |
//! | [`morph`](mod@morph) | the way between two points of latent space |
//! | [`lower`](mod@lower) | Burn's layers → the exporter's float layers |
//! | [`images`] | sample sheets, GIFs, NumPy arrays |
//! | [`cli`] | the `edgegen` command |

pub mod checkpoint;
pub mod cli;
pub mod data;
pub mod device;
pub mod eval;
pub mod files;
pub mod images;
pub mod invert;
pub mod lower;
pub mod morph;
pub mod nets;
mod parse;
pub mod recipe;
pub mod rng;
pub mod run;
pub mod systems;
pub mod train;
