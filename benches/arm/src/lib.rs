//! Counts of instructions, flash and stack on Arm microcontrollers, all emulated.
//!
//! | module | what it gives |
//! |---|---|
//! | [`workload`] | the layers and the generator that are measured, as models |
//! | [`operators`] | operators that those layers do not have, as models |
//! | [`board`] | a model in the bench firmware (`firmware/bench`), in QEMU |
//! | [`goals`] | what CMSIS-NN takes and what we aim for |
//! | [`record`] | the table and its files |
//! | [`size`] | flash of the runtime by parts, stack |
//! | [`boards`] | flash, RAM and stack of each board's firmware |
//! | [`loops`] | inner loops out of a disassembly |
//! | [`mca`] | their cycles, estimated by llvm-mca |

#![deny(missing_docs, unsafe_code, rustdoc::broken_intra_doc_links)]

pub mod board;
pub mod boards;
pub mod goals;
pub mod loops;
pub mod mca;
pub mod operators;
pub mod record;
pub mod size;
pub mod workload;
