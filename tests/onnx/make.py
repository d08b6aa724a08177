"""Writes the ONNX files that `trainer/export/tests/onnx.rs` reads, and what onnxruntime makes of each.

    pip install numpy onnx onnxruntime && python tests/onnx/make.py

Each file is a generator of a few hundred random weights with one thing in it that exporters write. NAME.f32 holds little-endian
floats: what goes into the network's inputs (the latent vector, then a 1 for the class and 0 for the others, then the image),
and then the picture, in the order channels, rows, columns.
"""

import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = pathlib.Path(__file__).parent / "files"
LATENT, CHANNELS, SIDE, CLASSES = 4, 4, 4, 5


class Graph:
    """A graph that grows node by node; calling it adds a node and gives the name of its output."""

    def __init__(self, name, opset, **inputs):
        self.random = np.random.default_rng(sum(map(ord, name)))
        self.name, self.opset, self.nodes, self.weights, self.count = name, opset, [], [], 0
        self.inputs = [
            helper.make_tensor_value_info(key, TensorProto.INT64 if key == "y" else TensorProto.FLOAT, shape)
            for key, shape in inputs.items()
        ]

    def constant(self, values, kind=np.float32):
        self.count += 1
        self.weights.append(numpy_helper.from_array(np.array(values, dtype=kind), f"constant{self.count}"))
        return f"constant{self.count}"

    def ints(self, *values):
        return self.constant(values, np.int64)

    def weight(self, *shape, scale=None):
        scale = scale or 1 / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 4)
        return self.constant(self.random.normal(size=shape) * scale)

    def positive(self, *shape):
        return self.constant(self.random.uniform(0.5, 1.5, shape))

    def __call__(self, operator, *inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"value{self.count}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=f"{operator}{self.count}", **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, x, outputs=CHANNELS, inputs=CHANNELS, kernel=3, **attributes):
        pads = attributes.pop("pads", [kernel // 2] * 4)
        return self("Conv", x, self.weight(outputs, inputs, kernel, kernel), pads=pads, **attributes)

    def norm(self, x, channels=CHANNELS):
        vectors = [self.positive(channels), self.weight(channels), self.weight(channels), self.positive(channels)]
        return self("BatchNormalization", x, *vectors)

    def stem(self, latent="z", inputs=LATENT):
        size = CHANNELS * SIDE * SIDE
        x = self("Gemm", latent, self.weight(size, inputs), self.weight(size, scale=0.3), transB=1)
        return self("Relu", self("Reshape", x, self.ints(-1, CHANNELS, SIDE, SIDE)))

    def head(self, x, last="Tanh", inputs=CHANNELS):
        weight = self.weight(inputs, 1, 4, 4)
        return self(last, self("ConvTranspose", x, weight, strides=[2, 2], pads=[1, 1, 1, 1]))

    def save(self, *pictures):
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in pictures]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, outputs, self.weights)
        version = {9: 4, 10: 5, 11: 6}.get(self.opset, 8)
        opsets = [helper.make_opsetid("", self.opset)]
        model = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=opsets, ir_version=version))
        path = FOLDER / f"{self.name}.onnx"
        onnx.save(model, path)
        answer(path, self.random)


def answer(path, random):
    """Runs a file on random values and writes these and the picture."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds, values = {}, []
    for tensor in sorted(session.get_inputs(), key=lambda tensor: "int" in tensor.type):
        shape = [size if isinstance(size, int) else 1 for size in tensor.shape]
        if "int" in tensor.type:
            feeds[tensor.name] = np.full(shape, 2, np.int64)
            values.append(np.eye(CLASSES, dtype=np.float32)[2])
        else:
            feeds[tensor.name] = random.normal(size=shape).astype(np.float32)
            # An image with channels last enters the network with channels first.
            values.append(feeds[tensor.name].ravel())
    picture = session.run(None, feeds)[-1][0]
    if picture.ndim == 3 and picture.shape[2] <= 3 < picture.shape[0]:
        picture = picture.transpose(2, 0, 1)
    values.append(picture.ravel())
    path.with_suffix(".f32").write_bytes(np.concatenate(values).astype("<f4").tobytes())


def simple(name, layer, opset=17):
    """A layer between a first and a last one."""
    graph = Graph(name, opset, z=["batch", LATENT])
    graph.save(graph.head(layer(graph, graph.stem())))


def functions():
    for name in ["Elu", "Selu", "Softplus", "Softsign", "HardSigmoid", "Celu", "Erf", "Abs", "ThresholdedRelu", "HardSwish", "Mish"]:
        simple(f"function_{name.lower()}", lambda g, x: g(name, g.conv(x)), 18)
    simple("function_gelu_tanh", lambda g, x: g("Gelu", g.conv(x), approximate="tanh"), 20)

    def swish(g, x):
        x = g.conv(x)
        return g("Mul", x, g("Sigmoid", g("Mul", x, g.constant(1.7))))

    def choice(g, x):
        x = g.conv(x)
        return g("Where", g("Less", x, g.constant(0.3)), g("Mul", x, g.constant(0.1)), x)

    simple("function_swish", swish)
    simple("function_where", choice)
    simple("function_prelu", lambda g, x: g("PRelu", g.conv(x), g.weight(CHANNELS, 1, 1)))


def normalizations():
    ones, zeros = [1.0] * 2, [0.0] * 2
    simple("instance", lambda g, x: g("InstanceNormalization", x, g.positive(CHANNELS), g.weight(CHANNELS)))
    group = lambda g, x: g("GroupNormalization", x, g.positive(CHANNELS), g.weight(CHANNELS), num_groups=2)
    simple("group", group, 21)
    simple("layer", lambda g, x: g("LayerNormalization", x, g.positive(CHANNELS, SIDE, SIDE), axis=1))

    def by_instances(g, x):
        y = g("InstanceNormalization", g("Reshape", x, g.ints(0, 2, -1)), g.constant(ones), g.constant(zeros))
        return g("Mul", g("Reshape", y, g("Shape", x)), g.positive(CHANNELS, 1, 1))

    def last(operator):
        def layer(g, x):
            y = g(operator, g("Transpose", x, perm=[0, 2, 3, 1]), g.positive(CHANNELS))
            return g("Transpose", y, perm=[0, 3, 1, 2])

        return layer

    def pixel(g, x):
        mean = g("ReduceMean", g("Mul", x, x), axes=[1], keepdims=1)
        return g("Div", x, g("Sqrt", g("Add", mean, g.constant(1e-8))))

    def tensorflow(g, x):
        x = g("Transpose", g.conv(x), perm=[0, 2, 3, 1])
        mean = g("ReduceMean", x, axes=[3], keepdims=1)
        difference = g("Sub", x, mean)
        variance = g("ReduceMean", g("Mul", difference, difference), axes=[3], keepdims=1)
        root = g("Reciprocal", g("Sqrt", g("Add", variance, g.constant(1e-3))))
        scale = g("Mul", root, g.positive(CHANNELS))
        y = g("Add", g("Mul", x, scale), g("Sub", g.weight(CHANNELS), g("Mul", mean, scale)))
        return g("Transpose", y, perm=[0, 3, 1, 2])

    def flax(g, x):
        x = g("Transpose", g.conv(x), perm=[0, 2, 3, 1])
        y = g("Reshape", x, g.ints(-1, SIDE, SIDE, 2, 2))
        mean = g("ReduceMean", y, axes=[1, 2, 4], keepdims=1)
        squares = g("ReduceMean", g("Mul", y, y), axes=[1, 2, 4], keepdims=1)
        variance = g("Max", g("Sub", squares, g("Mul", mean, mean)), g.constant(0.0))
        root = g("Reciprocal", g("Sqrt", g("Add", variance, g.constant(1e-6))))
        y = g("Mul", g("Sub", y, mean), g("Mul", root, g.positive(1, 1, 1, 2, 2)))
        return g("Transpose", g("Reshape", y, g.ints(-1, SIDE, SIDE, CHANNELS)), perm=[0, 3, 1, 2])

    simple("group_by_instances", by_instances)
    simple("layer_channels_last", last("LayerNormalization"))
    simple("rms_channels_last", last("RMSNormalization"), 23)
    simple("pixel", pixel)
    simple("layer_tensorflow", tensorflow)
    simple("group_flax", flax)


def maps():
    for mode in ["reflect", "edge", "constant"]:
        pads = lambda g: g.ints(0, 0, 1, 2, 0, 0, 2, 1)
        simple(f"pad_{mode}", lambda g, x: g.conv(g("Pad", x, pads(g), mode=mode), kernel=4, pads=[0] * 4))
    simple("pad_value", lambda g, x: g.conv(g("Pad", x, g.ints(0, 0, 1, 1, 0, 0, 1, 1), g.constant(0.7)), pads=[0] * 4))
    simple("pad_negative", lambda g, x: g("Pad", g.conv(x, pads=[2] * 4), g.ints(0, 0, -1, -1, 0, 0, -1, 1)))
    simple("pad_opset9", lambda g, x: g.conv(g("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="reflect"), pads=[0] * 4), 9)
    simple("upsample_opset9", lambda g, x: g("Upsample", x, g.constant([1, 1, 3, 3]), mode="nearest"), 9)
    simple("resize_opset10", lambda g, x: g("Resize", x, g.constant([1, 1, 3, 3]), mode="nearest"), 10)
    simple("resize_sizes", lambda g, x: g("Resize", x, "", "", g.ints(1, CHANNELS, 8, 12), mode="nearest"), 13)
    for rule in ["half_pixel", "align_corners", "asymmetric"]:
        scales = {"mode": "linear", "coordinate_transformation_mode": rule}
        simple(f"linear_{rule}", lambda g, x: g("Resize", x, "", g.constant([1, 1, 2, 3]), **scales), 13)
    simple("cubic", lambda g, x: g("Resize", x, "", g.constant([1, 1, 2, 2]), mode="cubic"), 13)
    for mode in ["DCR", "CRD"]:
        simple(f"depth_to_space_{mode.lower()}", lambda g, x: g("DepthToSpace", g.conv(x, 16), blocksize=2, mode=mode))
    simple("space_to_depth", lambda g, x: g.conv(g("SpaceToDepth", x, blocksize=2), CHANNELS, 16, 1))
    simple("flip", lambda g, x: g("Slice", x, g.ints(-1), g.ints(-1000), g.ints(3), g.ints(-1)))
    simple("shuffle", lambda g, x: g("Gather", x, g.ints(3, 1, 0, 2), axis=1))
    simple("tile", lambda g, x: g("Tile", x, g.ints(1, 1, 2, 2)))
    simple("rows", lambda g, x: g("Concat", x, g("Neg", x), axis=2))
    simple("average_pool", lambda g, x: g("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4))
    simple("max_pool", lambda g, x: g("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]))


def convolutions():
    simple("same_upper", lambda g, x: g("Conv", x, g.weight(CHANNELS, CHANNELS, 4, 4), auto_pad="SAME_UPPER"))
    simple("depthwise", lambda g, x: g("Conv", x, g.weight(CHANNELS, 1, 3, 3), group=CHANNELS, pads=[1] * 4))
    simple("dilated", lambda g, x: g.conv(x, dilations=[2, 1], pads=[2, 1, 2, 1]))
    weight = lambda g, kernel=3: g.weight(CHANNELS, CHANNELS, kernel, kernel)
    simple("transposed_same", lambda g, x: g("ConvTranspose", x, weight(g), auto_pad="SAME_UPPER", strides=[2, 2]))
    simple("transposed_shape", lambda g, x: g("ConvTranspose", x, weight(g, 5), output_shape=[8, 8], strides=[2, 2]))
    simple("transposed_groups", lambda g, x: g("ConvTranspose", x, g.weight(4, 2, 4, 4), group=2, pads=[1] * 4, strides=[2, 2]))
    padded = {"output_padding": [1, 1], "pads": [1] * 4, "strides": [2, 2]}
    simple("transposed_padding", lambda g, x: g("ConvTranspose", x, weight(g), **padded))


def branches():
    def residual(g, x):
        large = lambda x: g("Resize", x, "", g.constant([1, 1, 2, 2]), mode="nearest")
        y = g.conv(g("Relu", g.norm(g.conv(large(g("Relu", g.norm(x)))))))
        return g("Mul", g("Add", y, g.conv(large(x), kernel=1)), g.constant(0.70710678))

    def excite(g, x):
        s = g("Gemm", g("ReduceMean", x, axes=[2, 3], keepdims=0), g.weight(CHANNELS, CHANNELS), transB=1)
        return g("Mul", g("Reshape", g("Sigmoid", s), g.ints(-1, CHANNELS, 1, 1)), x)

    def gate(g, x):
        a, b = g("Split", g.conv(x, 8), outputs=2, axis=1)
        return g("Mul", a, g("Sigmoid", b))

    simple("residual", residual)
    simple("squeeze_excite", excite)
    simple("gate", gate)
    simple("maxout", lambda g, x: g("Max", x, g.conv(x)))
    simple("map", lambda g, x: g("Add", g("Mul", x, g.positive(1, 1, SIDE, SIDE)), g.weight(1, CHANNELS, SIDE, SIDE)))

    g = Graph("class_norm", 17, z=["batch", LATENT], y=["batch"])
    a, b = g("Split", g("Gather", g.weight(CLASSES, 8, scale=1), "y"), outputs=2, axis=1)
    a, b = g("Unsqueeze", a, g.ints(2, 3)), g("Reshape", b, g.ints(-1, CHANNELS, 1, 1))
    g.save(g.head(g("Relu", g("Add", g("Mul", g.norm(g.stem()), g("Add", a, g.constant(1.0))), b))))

    g = Graph("class_equal", 17, z=["batch", LATENT], y=["batch"])
    labels = g("Equal", g("Unsqueeze", "y", g.ints(1)), g.constant([range(CLASSES)], np.int64))
    z = g("Concat", "z", g("Cast", labels, to=TensorProto.FLOAT), axis=1)
    g.save(g.head(g.stem(z, LATENT + CLASSES)))

    g = Graph("style", 17, z=["batch", LATENT])
    one = g("Gather", g("Shape", "z"), g.ints(0), axis=0)
    x = g("Expand", g.weight(1, CHANNELS, SIDE, SIDE, scale=1), g("Concat", one, g.ints(CHANNELS, SIDE, SIDE), axis=0))
    style = g("Unsqueeze", g("Gemm", "z", g.weight(8, LATENT), g.weight(8), transB=1), g.ints(2, 3))
    a, b = g("Split", style, outputs=2, axis=1)
    for _ in range(2):
        x = g("InstanceNormalization", g.conv(x), g.constant([1.0] * CHANNELS), g.constant([0.0] * CHANNELS))
        x = g("Relu", g("Add", g("Mul", g("Add", a, g.constant(1.0)), x), b))
    g.save(g.head(x))

    g = Graph("modulated", 17, z=["batch", LATENT])
    style = g("Gemm", "z", g.weight(CHANNELS, LATENT), g.constant([1.0] * CHANNELS), transB=1)
    weight = g("Mul", g.weight(1, CHANNELS, CHANNELS, 3, 3), g("Reshape", style, g.ints(-1, 1, CHANNELS, 1, 1)))
    sums = g("ReduceSum", g("Mul", weight, weight), g.ints(2, 3, 4), keepdims=1)
    weight = g("Mul", weight, g("Reciprocal", g("Sqrt", g("Add", sums, g.constant(1e-8)))))
    x = g("Reshape", g.stem(), g.ints(1, -1, SIDE, SIDE))
    x = g("Conv", x, g("Reshape", weight, g.ints(-1, CHANNELS, 3, 3)), pads=[1] * 4, group=1)
    g.save(g.head(g("Reshape", x, g.ints(-1, CHANNELS, SIDE, SIDE))))

    g = Graph("image", 17, x=["batch", 1, 16, 16])
    a = g("LeakyRelu", g.conv("x", inputs=1, kernel=4, strides=[2, 2], pads=[1] * 4), alpha=0.2)
    b = g.norm(g.conv(a, kernel=4, strides=[2, 2], pads=[1] * 4))
    up = g("ConvTranspose", g("Relu", b), g.weight(CHANNELS, CHANNELS, 4, 4), strides=[2, 2], pads=[1] * 4)
    g.save(g.head(g("Concat", g("Relu", g.norm(up)), a, axis=1), inputs=8))

    g = Graph("channels_last", 13, z=["batch", LATENT])
    x = g("Reshape", g("MatMul", "z", g.weight(LATENT, 64)), g.ints(-1, SIDE, SIDE, CHANNELS))
    x = g("Relu", g("Add", g("Mul", x, g.positive(CHANNELS)), g.weight(CHANNELS)))
    x = g("ConvTranspose", g("Transpose", x, perm=[0, 3, 1, 2]), g.weight(4, 3, 5, 5), strides=[2, 2], pads=[1, 1, 2, 2])
    x = g("Add", g("Transpose", x, perm=[0, 2, 3, 1]), g.weight(3))
    g.save(g("Sigmoid", g("Mul", g("Relu", x), g.positive(1, 1, 1, 3))))

    g = Graph("squeeze_excite_last", 17, z=["batch", LATENT])
    x = g("Reshape", g("MatMul", "z", g.weight(LATENT, 64)), g.ints(-1, SIDE, SIDE, CHANNELS))
    s = g("Sigmoid", g("MatMul", g("ReduceMean", x, axes=[1, 2], keepdims=0), g.weight(CHANNELS, CHANNELS)))
    x = g("Mul", x, g("Reshape", s, g.ints(-1, 1, 1, CHANNELS)))
    g.save(g.head(g("Transpose", x, perm=[0, 3, 1, 2])))

    g = Graph("signal_last", 17, z=["batch", LATENT])
    x = g("Relu", g("Reshape", g("MatMul", "z", g.weight(LATENT, 64)), g.ints(-1, 8, 8)))
    x = g("ConvTranspose", g("Transpose", x, perm=[0, 2, 1]), g.weight(8, 1, 8), strides=[4])
    x = g("Slice", g("Transpose", x, perm=[0, 2, 1]), g.ints(2), g.ints(34), g.ints(1))
    g.save(g("Tanh", g("Add", x, g.weight(1))))

    g = Graph("signal", 17, z=["batch", LATENT])
    x = g("Relu", g("Reshape", g("Gemm", "z", g.weight(64, LATENT), transB=1), g.ints(-1, 8, 8)))
    x = g("ConvTranspose", x, g.weight(8, 4, 4), strides=[2], pads=[1, 1])
    g.save(g("Tanh", g("Conv", x, g.weight(1, 4, 5), pads=[2, 2])))


def pictures():
    """Two residual blocks from picture to picture whose weights are set by hand, so that everybody sees whether it works:
    the first darkens edges, the second drives colours apart. `../outlines.egm` is what `edgegen export` makes of it."""
    g = Graph("outlines", 17, picture=["batch", 3, 32, 32])
    across = np.array([[0, 0, 0], [-1, 0, 1], [0, 0, 0]]) / 6
    edges = np.stack([np.stack([kernel] * 3) for kernel in (across, -across, across.T, -across.T)])
    x = g("Relu", g("Conv", "picture", g.constant(edges), pads=[1] * 4))
    x = g("Conv", x, g.constant(np.full((3, 4, 3, 3), -0.5)), pads=[1] * 4)
    x = g("Add", "picture", x)
    bright = np.concatenate([np.eye(3), -np.eye(3)]).reshape(6, 3, 1, 1)
    y = g("Relu", g("Conv", x, g.constant(bright), g.constant([-0.2] * 6)))
    y = g("Conv", y, g.constant(bright.reshape(6, 3).T.reshape(3, 6, 1, 1)))
    g.save(g("Clip", g("Add", x, y), g.constant(-1.0), g.constant(1.0)))


def noise(name, operator, like=True, batch="batch", **attributes):
    """A file that draws noise, to which onnxruntime has no answer: a value a pixel, then scaled for each channel."""
    g = Graph(name, 17, z=[batch, LATENT])
    x = g.conv(g.stem())
    if like:
        shape = g("ReduceMean", x, axes=[1], keepdims=1)
        drawn = g(operator, shape, **attributes)
    else:
        drawn = g(operator, shape=[1 if batch == "batch" else batch, 1, SIDE, SIDE], **attributes)
    # What nothing reads is no input.
    g(operator.removesuffix("Like") + "Like", x)
    x = g("Add", x, g("Mul", drawn, g.constant([[[[0.5]], [[-0.3]], [[0.2]], [[0.8]]]])))
    x = g("Relu", g("Add", x, g("Mul", g(operator, x, **attributes), g.constant(0.1))) if like else x)
    picture = g.head(x)
    outputs = [helper.make_tensor_value_info(picture, TensorProto.FLOAT, None)]
    graph = helper.make_graph(g.nodes, g.name, g.inputs, outputs, g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, FOLDER.parent / "noise" / f"{name}.onnx")


def noises():
    noise("normal_like", "RandomNormalLike")
    noise("normal", "RandomNormal", like=False, mean=0.25, scale=2.0)
    noise("uniform_batch", "RandomUniform", like=False, batch=16)
    noise("uniform_like", "RandomUniformLike", low=-1.0, high=3.0)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER.parent / "noise").mkdir(exist_ok=True)
    noises()
    for part in [functions, normalizations, maps, convolutions, branches, pictures]:
        part()
    print(len(list(FOLDER.glob("*.onnx"))), "files in", FOLDER)
