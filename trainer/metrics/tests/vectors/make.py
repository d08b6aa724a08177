"""Writes vectors.json: small inputs, and what other people's code says of them.

    python3 -m venv V && V/bin/pip install numpy scipy prdc scikit-learn && V/bin/python make.py

SciPy: matrix square root of the Frechet distance. prdc (Naeem et al.'s own package): precision, recall, density, coverage.
scikit-learn: kernel density and the polynomial kernel, k-means and EM from given beginnings. NumPy: Fourier transform of the checkerboard energy.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.stats
from prdc import compute_prdc
from sklearn.cluster import KMeans
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

rng = np.random.default_rng(7)
mix = rng.normal(size=(6, 6))
real = (rng.normal(size=(60, 6)) @ mix + 1).astype(np.float32)
fake = (rng.normal(size=(50, 6)) @ (0.7 * mix) + rng.normal(size=6)).astype(np.float32)
x, y = real.astype(float), fake.astype(float)

covariances = [np.cov(x, rowvar=False), np.cov(y, rowvar=False)]
root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
frechet = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(covariances[0] + covariances[1] - 2 * root.real)


def unbiased(xx, yy, xy):
    n, m = len(xx), len(yy)
    return (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()


# One subset of 50 of each: all of y, and the first 50 of x as the whole set, so that no draw matters.
x50 = x[:50]
mean, deviation = x50.mean(0), x50.std(0)
a, b = (x50 - mean) / deviation, (y - mean) / deviation
kernel = lambda p, q: polynomial_kernel(p, q, degree=3, gamma=1 / 6, coef0=1)
kid = unbiased(kernel(a, a), kernel(b, b), kernel(a, b))

pooled = np.concatenate([x, y])
squares = ((pooled[:, None] - pooled[None]) ** 2).sum(-1)
above = np.sort(squares[np.triu_indices(len(pooled), 1)])
median = above[len(above) // 2]
kernel = lambda p, q: rbf_kernel(p, q, gamma=1 / median)
mmd = unbiased(kernel(x, x), kernel(y, y), kernel(x, y))

centres, points = x / 20, y / 20
sigma = max(np.logspace(-1, 0, 10), key=lambda s: KernelDensity(bandwidth=s).fit(centres).score(points))
scores = KernelDensity(bandwidth=sigma).fit(centres).score_samples(points)

image = rng.integers(0, 256, size=(6, 8))
energy = np.abs(np.fft.fft2(image)) ** 2
pattern = [energy[3, 0], energy[0, 4], energy[3, 4]]
others = energy.sum() - energy[0, 0] - sum(pattern)
checkerboard = np.mean(pattern) / (others / (energy.size - 4))

# Three passes from the first four samples, and five steps of EM from the first three with unit covariances. Neither converges by then.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    passes = KMeans(4, init=x[:4], n_init=1, max_iter=3, tol=0, algorithm="lloyd").fit(x)
    mixtures = {}
    for kind, precisions in [("full", np.stack([np.eye(6)] * 3)), ("tied", np.eye(6))]:
        weights = np.array([0.5, 0.3, 0.2])
        em = GaussianMixture(
            3, covariance_type=kind, reg_covar=0.5, max_iter=5, tol=0, means_init=x[:3], precisions_init=precisions, weights_init=weights
        ).fit(x)
        mixtures[kind] = {
            "weights": em.weights_.tolist(),
            "means": em.means_.ravel().tolist(),
            "covariances": em.covariances_.ravel().tolist(),
            "score": em.score(y),
        }

vectors = {
    "dims": 6,
    "kmeans": {"centres": passes.cluster_centers_.ravel().tolist(), "inertia": passes.inertia_},
    "gmm": mixtures,
    "eigenvalues": np.linalg.eigvalsh(np.cov(x, rowvar=False, bias=True)).tolist(),
    "normal": scipy.stats.multivariate_normal(x.mean(0), np.cov(x, rowvar=False, bias=True)).logpdf(y).mean(),
    "real": real.ravel().tolist(),
    "fake": fake.ravel().tolist(),
    "frechet": frechet,
    "kid": kid,
    "mmd": mmd,
    "prdc": compute_prdc(x, y, nearest_k=3),
    "parzen": {"mean": scores.mean(), "error": scores.std() / np.sqrt(len(scores)), "sigma": sigma},
    "image": image.ravel().tolist(),
    "checkerboard": checkerboard,
}
path = Path(__file__).with_name("vectors.json")
path.write_text(json.dumps(vectors, indent=None, default=float) + "\n")
