"""PyTorch for the training benchmark: one JSON request a line on standard input, one JSON answer a line on standard output.

{"do": "load", "device": D, "threads": T, "batch": N, "recipe": {...}}   builds the networks of the recipe's [dcgan] table
{"do": "time", "case": C, "count": K}                       does case C K times; wall and CPU time in nanoseconds

A case is the name of a layer (forward and backward, with the gradients of input, weights and bias) or "step", the whole
step: critic on real and generated images, hinge loss, spectral norm, Adam, generator, Adam, averaged weights. Layers and
step exist twice, in PyTorch's usual order of memory and, after " last", in its channels-last one. D is "cpu" or "cuda"; the
step reads its losses, so on either it is over when it returns.
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


def critic(table):
    """4×4 convolutions that halve an even map, 3×3 ones that keep an odd one, then a score; all spectrally normalized."""
    layers, before, side = [], 1, 28
    for channels in table["critic_channels"]:
        if side % 2 == 0 and side > 4:
            layers.append(spectral_norm(nn.Conv2d(before, channels, 4, 2, 1)))
            side //= 2
        else:
            layers.append(spectral_norm(nn.Conv2d(before, channels, 3, 1, 1)))
        layers.append(nn.LeakyReLU(0.2))
        before = channels
    return nn.Sequential(*layers, nn.Flatten(), spectral_norm(nn.Linear(before * side * side, 1)))


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


def cases(recipe, batch):
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
            known = cases(request["recipe"], request["batch"])
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
