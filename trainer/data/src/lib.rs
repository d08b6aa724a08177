//! Pictures and sounds to train on: from folders and arrays as people have them to one block of images of one size,
//! with an account of everything that was found.
//!
//! ```text
//! folder ─► find ─► decide ─► decode ─► fit ─► check ─► cache ─► Dataset, Account
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `dataset.rs` | images of one size in memory |
//! | `attribute.rs` | what is known of images beside their class |
//! | `config.rs` | the table `[data]` of a recipe |
//! | `find.rs` | walks a folder; what is left out is kept with the reason |
//! | `decide.rs` | parts (`train`, `test`), classes by the names of folders |
//! | `decode.rs`, `jpeg.rs` | one file to pixels: by content, upright, refused if it is cut |
//! | `fit.rs`, `resample.rs` | crop, pad or stretch; resample; grey ↔ RGB; limit |
//! | `check.rs` | what is odd about a set: constant images, copies, few images, uneven classes |
//! | `cache.rs` | fitted images on disk, so that the next start is at once |
//! | `account.rs` | what was read, what was not and why |
//! | `pipeline.rs` | these stages in a row, over all cores; `sounds.rs` of it for WAV files |
//! | `idx.rs`, `array.rs` | IDX files, NumPy's `.npy` and `.npz` |
//! | `sheet.rs` | a contact sheet |
//! | `sound.rs`, `wav.rs` | sounds as images: the μ-law, WAV files |
//! | `sentence.rs` | sentences as images: numbers of words |

mod account;
mod array;
mod attribute;
mod cache;
mod check;
mod config;
mod dataset;
mod decide;
mod decode;
mod find;
mod fit;
pub mod idx;
mod jpeg;
mod natural;
mod pipeline;
mod resample;
pub mod sentence;
mod sheet;
pub mod sound;
mod wav;

pub use account::{Account, ClassCount, Skipped};
pub use attribute::Attribute;
pub use check::shared_images;
pub use config::{Background, Config, Fit, Resize, Size};
pub use dataset::{Dataset, Split};
pub use decide::part;
pub use decode::{Picture, open, over};
pub use find::{File, Found, Kind, find};
pub use fit::{fit_dataset, fit_image, select};
pub use natural::natural;
pub use pipeline::{Interrupted, Prepared, Progress, load_picture, prepare};
pub use sheet::contact_sheet;
pub use wav::read_wav;
