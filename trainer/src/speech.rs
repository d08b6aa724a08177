//! Speech as frames: what a voice does every five milliseconds, and a voice again.
//!
//! ```text
//! samples ─ cepstrum ─► 25 values a frame ─ trajectory ─► with how they change ─► … ─► smooth again ─ voice ─► samples
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `cepstrum.rs` | mel cepstra of samples, and the spectra that they stand for |
//! | `trajectory.rs` | the smooth curve that values and their changes agree on best |
//! | `voice.rs` | samples of cepstra: pulses and noise through the spectra, phases by Griffin and Lim |

pub mod cepstrum;
pub mod trajectory;
pub mod voice;

/// Samples a second.
pub const RATE: u32 = 16_000;
/// Samples from one frame to the next: 5 ms.
pub const HOP: usize = 80;
/// Cepstral coefficients of a frame; the first is its loudness.
pub const CEPSTRA: usize = 25;
