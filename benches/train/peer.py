"""PyTorch for the training benchmark: one JSON request a line on standard input, one JSON answer a line on standard output.

{"do": "load", "device": D, "threads": T, "batch": N, "recipe": {...}, "style": {...}}   builds the networks of the
recipe's [dcgan] table, and those of the other's [style] table for images of "image", [C, H, W], "batch" at a time
{"do": "time", "case": C, "count": K}                       does case C K times; wall and CPU time in nanoseconds

A case is the name of a layer (forward and backward, with the gradients of input, weights and bias) or "step", the whole
step: critic on real and generated images, hinge loss, spectral norm, Adam, generator, Adam, averaged weights. Layers and
step exist twice, in PyTorch's usual order of memory and, after " last", in its channels-last one. D is "cpu" or "cuda"; the
step reads its losses, so on either it is over when it returns. "style step" is the whole step of the style-based
generator: non-saturating loss, slopes penalized at real and generated images, style mixing, noise.
"""

import copy
import json
import platform
import sys
import time

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

FORMATS = {"": torch.contiguous_format, " last": torch.channels_last}


def generator(table):
    """Linear, then 4×4 transposed convolutions with stride 2 up to 28 × 28, as recipes/fashion-dcgan.toml has it."""
    first, *rest = table["channels"]
    layers = [nn.Linear(table["latent"], first * 49), nn.Unflatten(1, (first, 7, 7)), nn.BatchNorm2d(first), nn.ReLU()]
    for before, after in zip([first, *rest], rest):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
    last = rest[-1] if rest else first
    return nn.Sequential(*layers, nn.ConvTranspose2d(last, 1, 4, 2, 1), nn.Tanh())


def critic(table, before=1, side=28, norm=spectral_norm):
    """4×4 convolutions that halve an even map, 3×3 ones that keep an odd one, then a score; all with `norm`."""
    layers = []
    for channels in table["critic_channels"]:
        if side % 2 == 0 and side > 4:
            layers.append(norm(nn.Conv2d(before, channels, 4, 2, 1)))
            side //= 2
        else:
            layers.append(norm(nn.Conv2d(before, channels, 3, 1, 1)))
        layers.append(nn.LeakyReLU(0.2))
        before = channels
    return nn.Sequential(*layers, nn.Flatten(), norm(nn.Linear(before * side * side, 1)))


class StyleLayer(nn.Module):
    """A 3×3 convolution whose weights a style scales and which are divided by their norm, then noise or offsets.

    Maps are scaled instead of weights, before and behind one convolution for all images: that takes fewest operations.
    """

    def __init__(self, style, before, channels, doubled, noisy):
        super().__init__()
        self.doubled = doubled
        self.style = nn.Linear(style, before)
        nn.init.ones_(self.style.bias)
        self.weight = nn.Parameter(torch.randn(channels, before, 3, 3) * (2 / (9 * before)) ** 0.5)
        self.strength = nn.Parameter(torch.zeros([])) if noisy else None
        self.bias = nn.Parameter(torch.zeros(channels)) if noisy else None
        self.offsets = None if noisy else nn.Linear(style, channels)

    def forward(self, x, w):
        style = self.style(w)
        x = x * style[:, :, None, None]
        if self.doubled:
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
        x = nn.functional.conv2d(x, self.weight, padding=1)
        norms = (style.square() @ self.weight.square().sum([2, 3]).T + 1e-8).rsqrt()
        x = x * norms[:, :, None, None]
        if self.offsets is None:
            noise = torch.randn(len(x), 1, *x.shape[2:])
            x = x + self.strength * noise + self.bias[:, None, None]
        else:
            x = x + self.offsets(w)[:, :, None, None]
        return nn.functional.leaky_relu(x, 0.2)


class StyleGenerator(nn.Module):
    """As recipes/faces-style.toml has it."""

    def __init__(self, table, image):
        super().__init__()
        channels, depth = table["channels"], table["depth"]
        side = image[1] >> (len(channels) - 1)
        mapping, before = [], table["latent"]
        for _ in range(table["mapping"]):
            mapping += [nn.Linear(before, table["style"]), nn.LeakyReLU(0.2)]
            before = table["style"]
        self.mapping, self.mixing, self.latent = nn.Sequential(*mapping), table["mixing"], table["latent"]
        self.constant = nn.Parameter(torch.randn(1, channels[0], side, side))
        layers, before = [], channels[0]
        for index in range(depth * len(channels)):
            now = channels[index // depth]
            doubled = index > 0 and index % depth == 0
            layers.append(StyleLayer(table["style"], before, now, doubled, index < table["noise"]))
            before = now
        self.layers = nn.ModuleList(layers)
        self.last = nn.Conv2d(before, image[0], 1)

    def forward(self, batch, order):
        w, other = self.mapping(torch.randn(2 * batch, self.latent)).split(batch)
        behind = torch.randint(1, len(self.layers), [batch])
        behind[torch.rand(batch) >= self.mixing] = len(self.layers)
        x = self.constant.expand(batch, -1, -1, -1).contiguous(memory_format=order)
        for index, layer in enumerate(self.layers):
            x = layer(x, torch.where((behind <= index)[:, None], other, w))
        return torch.tanh(self.last(x))


class StyleStep:
    """One training step of the style-based generator."""

    def __init__(self, recipe, order):
        table, image, self.batch, self.order = recipe["style"], recipe["image"], recipe["batch"], order
        self.weight = table["penalty"]["zero-centred"]
        self.generator = StyleGenerator(table, image).to(memory_format=order)
        self.critic = critic(table, image[0], image[1], lambda layer: layer).to(memory_format=order)
        self.average = copy.deepcopy(self.generator)
        adam = {"lr": 1e-3, "betas": (0.0, 0.99), "eps": 1e-8, "fused": True}
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), **adam)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), **adam)
        self.real = torch.rand(self.batch, *image).mul(2).sub(1).contiguous(memory_format=order)

    def __call__(self):
        with torch.no_grad():
            fake = self.generator(self.batch, self.order)
        images = torch.cat([self.real, fake]).requires_grad_(True)
        scores = self.critic(images)
        (slopes,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        real, fake = scores.split(self.batch)
        loss = nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()
        # Means over the real and the generated ones, added.
        penalty = 0.5 * self.weight * slopes.square().sum() / self.batch
        self.critic_optimizer.zero_grad(set_to_none=True)
        (loss + penalty).backward()
        told = [loss.item(), penalty.item()]
        self.critic_optimizer.step()

        self.critic.requires_grad_(False)
        loss = nn.functional.softplus(-self.critic(self.generator(self.batch, self.order))).mean()
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_optimizer.step()
        self.critic.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 0.002)
        return [loss.item(), *told]


class Step:
    """One training step."""

    def __init__(self, recipe, batch, order):
        table = recipe["dcgan"]
        self.batch, self.latent, self.order = batch, table["latent"], order
        self.generator = generator(table).to(memory_format=order)
        self.critic = critic(table).to(memory_format=order)
        self.average = copy.deepcopy(self.generator)
        adam = {"lr": 1e-3, "betas": (0.0, 0.99), "eps": 1e-8, "fused": True}
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), **adam)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), **adam)
        self.real = torch.rand(batch, 1, 28, 28).mul(2).sub(1).contiguous(memory_format=order)

    def __call__(self):
        with torch.no_grad():
            fake = self.generator(torch.randn(self.batch, self.latent))
        real, fake = self.critic(torch.cat([self.real, fake])).split(self.batch)
        loss = nn.functional.relu(1 - real).mean() + nn.functional.relu(1 + fake).mean()
        scores = [real.mean().item(), fake.mean().item()]
        self.critic_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.critic_optimizer.step()

        self.critic.requires_grad_(False)
        fake = self.generator(torch.randn(self.batch, self.latent))
        loss = -self.critic(fake).mean()
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_optimizer.step()
        self.critic.requires_grad_(True)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.generator.parameters()), 0.002)
        return [loss.item(), *scores]


class Layer:
    """Forward and backward of one layer."""

    def __init__(self, layer, shape, order):
        self.layer = layer.to(memory_format=order)
        self.input = torch.randn(shape)
        if len(shape) == 4:
            self.input = self.input.contiguous(memory_format=order)
        self.input.requires_grad_(True)
        with torch.no_grad():
            self.gradient = torch.randn_like(self.layer(self.input))

    def __call__(self):
        self.input.grad = None
        self.layer.zero_grad(set_to_none=True)
        self.layer(self.input).backward(self.gradient)


def cases(recipe, batch, style):
    """All cases by name."""
    layers = {
        "linear 32 → 64×7×7": (lambda: nn.Linear(32, 3136), [batch, 32]),
        "transposed 4×4 /2, 64×7×7 → 32×14×14": (lambda: nn.ConvTranspose2d(64, 32, 4, 2, 1), [batch, 64, 7, 7]),
        "transposed 4×4 /2, 32×14×14 → 1×28×28": (lambda: nn.ConvTranspose2d(32, 1, 4, 2, 1), [batch, 32, 14, 14]),
        "conv 4×4 /2, 1×28×28 → 32×14×14": (lambda: nn.Conv2d(1, 32, 4, 2, 1), [batch, 1, 28, 28]),
        "conv 4×4 /2, 32×14×14 → 64×7×7": (lambda: nn.Conv2d(32, 64, 4, 2, 1), [batch, 32, 14, 14]),
        "conv 3×3, 64×7×7 → 64×7×7": (lambda: nn.Conv2d(64, 64, 3, 1, 1), [batch, 64, 7, 7]),
        "linear 64×7×7 → 1": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3136, 1)), [batch, 64, 7, 7]),
        "batch norm 32×14×14": (lambda: nn.BatchNorm2d(32), [batch, 32, 14, 14]),
        "leaky ReLU 32×14×14": (lambda: nn.LeakyReLU(0.2), [batch, 32, 14, 14]),
        "tanh 1×28×28": (lambda: nn.Tanh(), [batch, 1, 28, 28]),
    }
    found = {}
    for suffix, order in FORMATS.items():
        for name, (layer, shape) in layers.items():
            found[name + suffix] = Layer(layer(), shape, order)
        found["step" + suffix] = Step(recipe, batch, order)
        found["style step" + suffix] = StyleStep(style, order)
    return found


def main():
    """Answers until the input ends."""
    known = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "load" and request["device"] == "cuda" and not torch.cuda.is_available():
            answer = {"error": "PyTorch finds no GPU here: nothing to measure beside"}
        elif request["do"] == "load":
            # Whatever is made from now on is made there.
            torch.set_default_device(request["device"])
            torch.set_num_threads(request["threads"])
            torch.manual_seed(1)
            known = cases(request["recipe"], request["batch"], request["style"])
            there = f" on {torch.cuda.get_device_name()}" if request["device"] == "cuda" else ""
            answer = {"version": f"PyTorch {torch.__version__}{there}, Python {platform.python_version()}"}
        else:
            case = known[request["case"]]
            wall, cpu = time.perf_counter_ns(), time.process_time_ns()
            for _ in range(request["count"]):
                case()
            answer = {"wall": time.perf_counter_ns() - wall, "cpu": time.process_time_ns() - cpu}
        print(json.dumps(answer), flush=True)


main()
