//! Whole generators on the host, one thread, beside tract and onnxruntime: `just bench-host`.
//!
//! | module | what it does |
//! |---|---|
//! | [`contender`] | what can make images and be timed |
//! | [`ours`] | edgegen-runtime with each kernel that this CPU has |
//! | [`tract`] | tract-onnx |
//! | [`ort`] | onnxruntime, in a Python process |
//! | [`measure`] | rounds, medians, ratios |
//! | [`record`] | the table, and the dated record |

pub mod contender;
pub mod measure;
pub mod ort;
pub mod ours;
pub mod record;
pub mod tract;
