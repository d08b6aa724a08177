//! Each measure against what SciPy, scikit-learn, NumPy and the prdc package say (`vectors/make.py`).

use edgegen_metrics::baselines::gmm::{Covariance, Gmm};
use edgegen_metrics::baselines::kmeans;
use edgegen_metrics::baselines::normal::{Moments, Normal};
use edgegen_metrics::{Features, frechet, mmd, neighbours, parzen, pixels};
use serde_json::Value;

struct Vectors(Value);

impl Vectors {
    fn load() -> Self {
        Self(serde_json::from_str(include_str!("vectors/vectors.json")).expect("make.py wrote it"))
    }

    fn number(&self, path: &str) -> f64 {
        self.0.pointer(path).and_then(Value::as_f64).expect(path)
    }

    fn list(&self, key: &str) -> Vec<f64> {
        self.values(&format!("/{key}"))
    }

    fn values(&self, path: &str) -> Vec<f64> {
        self.0.pointer(path).and_then(Value::as_array).expect(path).iter().filter_map(Value::as_f64).collect()
    }

    fn features(&self, key: &str) -> Features {
        Features::new(self.number("/dims") as usize, self.list(key).into_iter().map(|x| x as f32).collect())
    }
}

#[track_caller]
fn close(found: f64, expected: f64, relative: f64) {
    assert!((found / expected - 1.0).abs() <= relative, "{found}, expected {expected}");
}

#[test]
fn frechet_distance_is_scipys() {
    let vectors = Vectors::load();
    close(frechet::distance(&vectors.features("real"), &vectors.features("fake")), vectors.number("/frechet"), 1e-6);
}

#[test]
fn precision_recall_density_coverage_are_prdcs() {
    let vectors = Vectors::load();
    let found = neighbours::overlap(&vectors.features("real"), &vectors.features("fake"), 3);
    close(found.precision, vectors.number("/prdc/precision"), 1e-9);
    close(found.recall, vectors.number("/prdc/recall"), 1e-9);
    close(found.density, vectors.number("/prdc/density"), 1e-9);
    close(found.coverage, vectors.number("/prdc/coverage"), 1e-9);
}

#[test]
fn kernel_distances_are_scikit_learns() {
    let vectors = Vectors::load();
    let (real, fake) = (vectors.features("real"), vectors.features("fake"));
    close(mmd::kid(&real.first(50), &fake, 1, 50, 0).mean, vectors.number("/kid"), 1e-4);
    close(mmd::test(&real, &fake, 0, 0).statistic, vectors.number("/mmd"), 1e-4);
}

#[test]
fn parzen_window_is_scikit_learns() {
    let vectors = Vectors::load();
    let scaled = |key: &str| {
        let features = vectors.features(key);
        Features::new(features.dims(), features.samples().flatten().map(|x| x / 20.0).collect())
    };
    let found = parzen::log_likelihood(&scaled("real"), &scaled("fake"), &scaled("fake"));
    close(found.sigma, vectors.number("/parzen/sigma"), 1e-9);
    close(found.mean, vectors.number("/parzen/mean"), 1e-4);
    close(found.error, vectors.number("/parzen/error"), 1e-4);
}

#[test]
fn k_means_is_scikit_learns() {
    let vectors = Vectors::load();
    let samples = vectors.features("real");
    let centres = (0..3).fold(samples.first(4), |centres, _| kmeans::lloyd(&samples, &centres).centres);
    let expected = vectors.values("/kmeans/centres");
    assert_eq!(centres.len() * centres.dims(), expected.len());
    for (&found, expected) in centres.samples().flatten().zip(expected) {
        close(f64::from(found), expected, 1e-4);
    }
    close(kmeans::lloyd(&samples, &centres).inertia, vectors.number("/kmeans/inertia"), 1e-5);
}

#[test]
fn expectation_and_maximization_are_scikit_learns() {
    let vectors = Vectors::load();
    let (real, fake) = (vectors.features("real"), vectors.features("fake"));
    let means: Vec<f64> = real.first(3).samples().flatten().map(|&x| f64::from(x)).collect();
    let unit: Vec<f64> = (0..36).map(|at| f64::from(u8::from(at % 7 == 0))).collect();
    for (kind, name, of) in [(Covariance::Full, "full", 3), (Covariance::Tied, "tied", 1)] {
        let mut gmm = Gmm::new(kind, 0.5, &[0.5, 0.3, 0.2], &means, &unit.repeat(of));
        for _ in 0..5 {
            gmm.step(&real);
        }
        for (key, found) in [("weights", gmm.weights()), ("means", gmm.means()), ("covariances", gmm.covariances())] {
            let expected = vectors.values(&format!("/gmm/{name}/{key}"));
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{name} {key}: {found}, {expected}");
            }
        }
        close(gmm.log_likelihood(&fake), vectors.number(&format!("/gmm/{name}/score")), 1e-6);
    }
}

#[test]
fn a_gaussian_is_scipys_and_its_directions_are_numpys() {
    let vectors = Vectors::load();
    let [real, fake] = ["real", "fake"].map(|key| {
        let mut moments = Moments::new(6);
        moments.add(&vectors.features(key));
        moments
    });
    let normal = Normal::fit(&real, 0.0);
    close(normal.log_likelihood(&fake), vectors.number("/normal"), 1e-6);
    // The squared length of each direction is an eigenvalue.
    let directions = normal.directions(6);
    for (at, expected) in vectors.list("eigenvalues").into_iter().rev().enumerate() {
        let square: f64 = directions.iter().skip(at).step_by(6).map(|&x| f64::from(x).powi(2)).sum();
        close(square, expected, 1e-5);
    }
}

#[test]
fn checkerboard_energy_is_numpys() {
    let vectors = Vectors::load();
    let image: Vec<u8> = vectors.list("image").into_iter().map(|x| x as u8).collect();
    close(pixels::checkerboard([image.as_slice()], [6, 8, 1]), vectors.number("/checkerboard"), 1e-9);
}
