//! Another runtime says of our ONNX files what our interpreter says of the networks: `just test-onnx`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use edgegen_bench_host::contender::{Contender, FLOAT_ERROR, Task};
use edgegen_bench_host::tract::{Apart, Tract};
use edgegen_tests::{cases, network, plan, rgb64};
use proptest::prelude::*;

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn tract_says_what_the_interpreter_says(plan in plan()) {
        // Some layers ONNX has no word for.
        let network = network(&plan);
        // Tasks are latent vectors.
        prop_assume!(network.inputs().count() == 1);
        prop_assume!(edgegen_export::onnx::to_bytes(&network, "random").is_ok());
        let task = Task::new("random", network).unwrap();
        let plain = Tract::unoptimized(&task.onnx, &task.latents).unwrap();
        let optimized = match Tract::new(&task.onnx, &task.latents) {
            // A fault of tract 0.23.9: it moves strides of one tap over a Reshape.
            Err(error) if format!("{error:#}").contains("Downsample over") => None,
            result => Some(result.unwrap()),
        };
        for mut tract in [Some(plain), optimized].into_iter().flatten() {
            for (latent, expected) in task.images.iter().enumerate().take(2) {
                let (dims, image) = tract.image(latent).unwrap();
                let shape = expected.shape;
                prop_assert_eq!(dims, [1, shape.c, shape.h, shape.w].map(usize::from));
                let difference = task.difference(latent, &image);
                prop_assert!(difference <= FLOAT_ERROR, "{}", difference);
            }
        }
    }
}

#[test]
fn tract_agrees_about_a_64_by_64_rgb_generator() {
    let task = Task::new("rgb64", rgb64()).unwrap();
    let levels = Apart::new(&task).unwrap().levels(&task).unwrap();
    assert!(task.psnr(&levels).unwrap() > 80.0);
}
