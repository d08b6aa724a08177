//! What issue 3 asks for: figures of CMSIS-NN as it gives them, and the aims.

use serde::Serialize;

/// A figure to beat and one to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Goal {
    /// What CMSIS-NN takes.
    pub theirs: f64,
    /// What we aim for at most.
    pub aim: f64,
}

const fn goal(theirs: f64, aim: f64) -> Goal {
    Goal { theirs, aim }
}

/// The goals of a core by its name, where there are any.
pub fn of(cpu: &str) -> Option<&'static [Goal; 8]> {
    ALL.iter().find(|(name, _)| *name == cpu).map(|(_, goals)| goals)
}

/// For the layers of [`crate::workload::LAYERS`] instructions per product, for the whole generator millions of instructions.
static ALL: [(&str, [Goal; 8]); 3] = [
    (
        "cortex-m4",
        [
            goal(2.47, 1.00),
            goal(2.74, 1.05),
            goal(3.16, 1.15),
            goal(4.16, 1.60),
            goal(1.92, 1.05),
            goal(2.32, 1.15),
            goal(2.65, 1.30),
            goal(48.8, 8.5),
        ],
    ),
    (
        "cortex-m0",
        [
            goal(7.74, 4.5),
            goal(8.35, 4.7),
            goal(9.21, 5.0),
            goal(11.2, 6.0),
            goal(6.70, 4.5),
            goal(7.55, 4.8),
            goal(7.49, 5.0),
            goal(171.6, 36.0),
        ],
    ),
    (
        "cortex-m55",
        [
            goal(0.561, 0.14),
            goal(0.720, 0.16),
            goal(0.967, 0.20),
            goal(1.81, 0.60),
            goal(0.253, 0.15),
            goal(0.387, 0.20),
            goal(0.664, 0.30),
            goal(6.7, 1.4),
        ],
    ),
];
