//! Our step and layers, and the same layers of Burn's own operations.

use anyhow::{Context, Result};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::module::{batch_norm_train, conv_transpose2d, conv2d, linear};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Tensor, TensorData, activation};
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_flex::FlexTensor;
use edgegen::nets::{Init, Mode, Net, NetBuilder};
use edgegen::recipe::Recipe;
use edgegen::rng::Rng;
use edgegen::systems::{self, Batch, Step};

/// Something to time: does its work once.
pub type Case = Box<dyn FnMut()>;

/// A layer as `peer.py` calls it, its input, how our builder and how Burn's operations make it.
struct LayerCase {
    name: &'static str,
    input: [usize; 3],
    ours: fn(NetBuilder<'_>) -> NetBuilder<'_>,
    burns: fn(Tensor<4>, &[Tensor<4>]) -> Tensor<4>,
    /// Shapes of the parameters that `burns` is given.
    parameters: &'static [[usize; 4]],
}

fn vector(x: &Tensor<4>) -> Tensor<1> {
    x.clone().reshape([-1])
}

fn burn_conv(x: Tensor<4>, p: &[Tensor<4>], stride: usize) -> Tensor<4> {
    conv2d(x, p[0].clone(), Some(vector(&p[1])), ConvOptions::new([stride; 2], [1; 2], [1; 2], 1))
}

fn burn_transposed(x: Tensor<4>, p: &[Tensor<4>]) -> Tensor<4> {
    let options = ConvTransposeOptions::new([2; 2], [1; 2], [0; 2], [1; 2], 1);
    conv_transpose2d(x, p[0].clone(), Some(vector(&p[1])), options)
}

fn burn_linear(x: Tensor<4>, p: &[Tensor<4>], shape: [usize; 3]) -> Tensor<4> {
    let batch = x.dims()[0];
    let weight = p[0].clone().reshape([p[0].dims()[0] as i64, -1]);
    let flat = x.reshape([batch as i64, -1]);
    linear(flat, weight.transpose(), Some(vector(&p[1]))).reshape([batch, shape[0], shape[1], shape[2]])
}

const LAYERS: [LayerCase; 10] = [
    LayerCase {
        name: "linear 32 → 64×7×7",
        input: [32, 1, 1],
        ours: |net| net.linear([64, 7, 7]),
        burns: |x, p| burn_linear(x, p, [64, 7, 7]),
        parameters: &[[3136, 32, 1, 1], [3136, 1, 1, 1]],
    },
    LayerCase {
        name: "transposed 4×4 /2, 64×7×7 → 32×14×14",
        input: [64, 7, 7],
        ours: |net| net.conv_transpose(32, 4, 2, 1),
        burns: burn_transposed,
        parameters: &[[64, 32, 4, 4], [32, 1, 1, 1]],
    },
    LayerCase {
        name: "transposed 4×4 /2, 32×14×14 → 1×28×28",
        input: [32, 14, 14],
        ours: |net| net.conv_transpose(1, 4, 2, 1),
        burns: burn_transposed,
        parameters: &[[32, 1, 4, 4], [1, 1, 1, 1]],
    },
    LayerCase {
        name: "conv 4×4 /2, 1×28×28 → 32×14×14",
        input: [1, 28, 28],
        ours: |net| net.conv(32, 4, 2, 1),
        burns: |x, p| burn_conv(x, p, 2),
        parameters: &[[32, 1, 4, 4], [32, 1, 1, 1]],
    },
    LayerCase {
        name: "conv 4×4 /2, 32×14×14 → 64×7×7",
        input: [32, 14, 14],
        ours: |net| net.conv(64, 4, 2, 1),
        burns: |x, p| burn_conv(x, p, 2),
        parameters: &[[64, 32, 4, 4], [64, 1, 1, 1]],
    },
    LayerCase {
        name: "conv 3×3, 64×7×7 → 64×7×7",
        input: [64, 7, 7],
        ours: |net| net.conv(64, 3, 1, 1),
        burns: |x, p| burn_conv(x, p, 1),
        parameters: &[[64, 64, 3, 3], [64, 1, 1, 1]],
    },
    LayerCase {
        name: "linear 64×7×7 → 1",
        input: [64, 7, 7],
        ours: |net| net.linear([1, 1, 1]),
        burns: |x, p| burn_linear(x, p, [1, 1, 1]),
        parameters: &[[1, 3136, 1, 1], [1, 1, 1, 1]],
    },
    LayerCase {
        name: "batch norm 32×14×14",
        input: [32, 14, 14],
        ours: |net| net.batch_norm(),
        burns: |x, p| batch_norm_train(x, vector(&p[0]), vector(&p[1]), 1e-5).output,
        parameters: &[[32, 1, 1, 1], [32, 1, 1, 1]],
    },
    LayerCase {
        name: "leaky ReLU 32×14×14",
        input: [32, 14, 14],
        ours: |net| net.leaky_relu(0.2),
        burns: |x, _| activation::relu(x.clone()).mul_scalar(0.8) + x.mul_scalar(0.2),
        parameters: &[],
    },
    LayerCase {
        name: "tanh 1×28×28",
        input: [1, 28, 28],
        ours: |net| net.tanh(),
        burns: |x, _| activation::tanh(x),
        parameters: &[],
    },
];

/// The whole steps, of the recipe and of the style-based generator.
pub const STEPS: [&str; 2] = ["step", "style step"];

/// Names of all cases, the whole steps first.
pub fn names() -> Vec<&'static str> {
    STEPS.into_iter().chain(LAYERS.iter().map(|layer| layer.name)).collect()
}

/// Ours, and that of Burn's operations, which the steps have not. Steps are on `device`, layers are on the CPU.
///
/// # Errors
///
/// For an unknown name, or recipes that no system takes.
pub fn cases(name: &str, recipes: [&Recipe; 2], device: &Device) -> Result<(Case, Option<Case>)> {
    let [recipe, _] = recipes;
    if let Some(which) = STEPS.iter().position(|step| *step == name) {
        return Ok((step(recipes[which], device)?, None));
    }
    let layer = LAYERS.iter().find(|layer| layer.name == name).with_context(|| format!("unknown case {name}"))?;
    let batch = recipe.train.batch;
    let device = Device::flex().autodiff();
    let mut rng = Rng::new(1, 0);
    let net = (layer.ours)(NetBuilder::new(layer.input, Init::He, &device, &mut rng)).build();
    let [c, h, w] = layer.input;
    let [oc, oh, ow] = net.output;
    let last = random([batch, h, w, c], &mut rng).permute([0, 3, 1, 2]);
    let gradient = random([batch, oh, ow, oc], &mut rng).permute([0, 3, 1, 2]);
    let ours = pass(last, gradient.clone(), move |x| forward(&net, x));

    let first = random([batch, c, h, w], &mut rng);
    let parameters: Vec<_> = layer.parameters.iter().map(|&shape| learned(random(shape, &mut rng))).collect();
    let burns = layer.burns;
    let gradient = random([batch, oc, oh, ow], &mut rng);
    let burns = pass(first, gradient, move |x| burns(x, &parameters));
    Ok((ours, Some(burns)))
}

fn forward(net: &Net, x: Tensor<4>) -> Tensor<4> {
    // Nothing here draws from it.
    net.forward(x, &mut Mode::Train(&mut Rng::new(0, 0)))
}

fn random(shape: [usize; 4], rng: &mut Rng) -> Tensor<4> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal()).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn learned(x: Tensor<4>) -> Tensor<4> {
    x.autodiff().require_grad()
}

/// Forward and backward from a given gradient of the output.
fn pass(x: Tensor<4>, gradient: Tensor<4>, layer: impl Fn(Tensor<4>) -> Tensor<4> + 'static) -> Case {
    let x = learned(x);
    let gradient = gradient.try_into_primitive::<Flex>().expect("the gradient is on flex");
    Box::new(move || {
        let y = layer(x.clone());
        let gradients = begin(y, gradient.clone()).backward();
        assert!(x.grad(&gradients).is_some(), "the input has a gradient");
    })
}

/// A scalar whose gradient with respect to `y` is `gradient`, in its order of memory, at no cost.
fn begin(y: Tensor<4>, gradient: FlexTensor) -> Tensor<1> {
    #[derive(Debug)]
    struct Begin;
    impl Backward<Flex, 1> for Begin {
        type State = FlexTensor;

        fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
            gradients.consume::<Flex>(&ops.node);
            if let [Some(node)] = ops.parents {
                gradients.register::<Flex>(node.id, ops.state);
            }
        }
    }
    let y: FloatTensor<Autodiff<Flex>> = y.try_into_primitive::<Autodiff<Flex>>().expect("the output is on flex");
    let zero = Tensor::<1>::zeros([1], &Device::flex()).try_into_primitive::<Flex>().expect("zero is on flex");
    let output = match Begin.prepare::<NoCheckpointing>([y.node()]).compute_bound().stateful() {
        OpsKind::Tracked(operation) => operation.finish(gradient, zero),
        OpsKind::UnTracked(operation) => operation.finish(zero),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// The whole step of the recipe's system, on random images that lie ready. It reads its losses, so it is over when it
/// returns.
fn step(recipe: &Recipe, device: &Device) -> Result<Case> {
    let kind = systems::find(&recipe.system)?;
    let mut rng = Rng::new(1, 0);
    let mut system = (kind.build)(recipe, &device.clone().autodiff(), &mut rng)?;
    let [c, h, w] = recipe.image();
    let images = random([recipe.train.batch, c, h, w], &mut rng).clamp(-1.0, 1.0).to_device(device);
    let (lr_generator, lr_critic, ema) = (recipe.train.lr_generator, recipe.train.lr_critic, recipe.train.ema);
    Ok(Box::new(move || {
        let next_batch = &mut || Batch::alone(images.clone(), Vec::new());
        system.step(&mut Step { lr_generator, lr_critic, ema, rng: &mut rng, next_batch });
    }))
}
