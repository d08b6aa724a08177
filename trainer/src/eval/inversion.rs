//! Whether a generator can be turned round: latent vectors for images of its own, and for images that nobody trained on.

use burn::tensor::Device;
use edgegen_metrics::neighbours::nearest;
use edgegen_metrics::{Features, pixels};
use serde::Serialize;

use crate::data::Dataset;
use crate::invert::{Found, Search, invert};
use crate::rng::Rng;
use crate::run::Run;

/// How near a found image must come to count as found again, in dB.
const AGAIN_DB: f64 = 30.0;

/// How [`invert`] does on a generator.
#[derive(Clone, Debug, Serialize)]
pub struct Inversion {
    /// Images of each kind.
    pub count: usize,
    /// Share of the generator's own images that are found again, to 30 dB.
    pub own_found: f64,
    /// Median over its own images.
    pub own_median_db: f64,
    /// Share of test images to which what is found is at least as near as the nearest training image.
    pub test_nearer: f64,
    /// Median over test images.
    pub test_median_db: f64,
    /// The same of the nearest training image.
    pub nearest_median_db: f64,
}

/// Inverts `count` images that the float generator draws itself and as many test images.
///
/// # Panics
///
/// If the data has other images than the generator, or fewer than `count` test images.
pub fn inversion(
    run: &Run,
    [train, test]: [&Dataset; 2],
    count: usize,
    search: &Search,
    seed: u64,
    device: &Device,
) -> Inversion {
    let mut rng = Rng::new(seed, 3);
    let own = run.generate_pixels(&run.generator.draw(count, &mut rng));
    let mut order: Vec<usize> = (0..test.len()).collect();
    rng.shuffle(&mut order);
    let tested: Vec<Vec<u8>> = order[..count].iter().map(|&index| test.image(index).to_vec()).collect();

    let mut found = |images: &[Vec<u8>]| -> Vec<f64> {
        let found = invert(&run.generator, images, search, &mut rng, device);
        found.iter().map(|found: &Found| found.psnr_db).collect()
    };
    let (of_own, of_test) = (found(&own), found(&tested));
    let all = Features::from_pixels((0..train.len()).map(|index| train.image(index)));
    let near: Vec<f64> = nearest(&all, &Features::from_pixels(tested.iter().map(Vec::as_slice)))
        .into_iter()
        .zip(&tested)
        .map(|((index, _), image)| {
            let neighbour = train.image(index).to_vec();
            pixels::difference(std::slice::from_ref(image), &[neighbour]).psnr
        })
        .collect();
    let share = |hits: usize| hits as f64 / count as f64;
    Inversion {
        count,
        own_found: share(of_own.iter().filter(|&&psnr| psnr >= AGAIN_DB).count()),
        own_median_db: median(&of_own),
        test_nearer: share(of_test.iter().zip(&near).filter(|(found, near)| found >= near).count()),
        test_median_db: median(&of_test),
        nearest_median_db: median(&near),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::{Split, load_split};
    use crate::recipe::DataConfig;

    #[test]
    fn own_images_are_found_again_and_others_less_well() {
        let device = Device::flex();
        let run = Run::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/icons"), &device).unwrap();
        let icons = DataConfig { limit: Some(300), ..DataConfig::new("icons", 5, 1) };
        let [train, test] = [Split::Train, Split::Test].map(|split| load_split(&icons, split).unwrap());
        let of = |train: &Dataset, steps: usize| {
            let search = Search { steps, ..Search::default() };
            inversion(&run, [train, &test], 24, &search, 1, &device)
        };
        let found = of(&train, 600);
        assert_eq!(found.count, 24);
        assert!(found.own_found >= 0.5 && found.own_median_db > found.test_median_db, "{found:?}");
        assert!(found.test_nearer > 0.0 && found.test_nearer < 1.0, "{found:?}");

        let hurried = of(&train, 1);
        assert!(
            hurried.own_found < found.own_found && hurried.own_median_db < found.own_median_db - 10.0,
            "{hurried:?}"
        );
        assert_eq!(hurried.nearest_median_db, found.nearest_median_db, "the neighbours do not depend on the search");
        // Where all test images are training images, too, nothing can be nearer.
        let known = of(&test, 1);
        assert!(known.nearest_median_db > 90.0 && known.test_nearer == 0.0, "{known:?}");
    }
}
