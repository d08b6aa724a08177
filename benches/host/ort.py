"""onnxruntime for the host benchmark: one JSON request a line on standard input, one JSON answer a line on standard output.

{"do": "load", "folder": F}                reads F/model.onnx, F/latents.f32 and F/calibration.f32, makes sessions
{"do": "images", "session": S}             writes all images of the latent vectors to F/images.f32
{"do": "time", "session": S, "count": N}   makes N images, going through the latent vectors
{"do": "call", "count": N}                 the same with a graph that does nothing: what a call from Python costs

Times are nanoseconds of CPU time of this process. All sessions use one thread. Inputs and outputs are bound before the
clock starts. int8 models come from onnxruntime's own quantizer, see VARIANTS.
"""

import collections
import json
import logging
import pathlib
import platform
import sys
import time

import numpy
import onnx
import onnxruntime
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

QDQ = {"quant_format": quantization.QuantFormat.QDQ, "per_channel": True, "weight_type": quantization.QuantType.QInt8}
# Static quantization of everything that the quantizer knows, with signed and with unsigned activations; static
# quantization that leaves transposed convolutions alone, which have no int8 kernel; dynamic quantization.
VARIANTS = {
    "int8 static s8": {**QDQ, "activation_type": quantization.QuantType.QInt8},
    "int8 static u8": {**QDQ, "activation_type": quantization.QuantType.QUInt8},
    "int8 static u8 but ConvTranspose": {
        **QDQ,
        "activation_type": quantization.QuantType.QUInt8,
        "op_types_to_quantize": ["Gemm", "Conv", "Relu", "Resize"],
    },
    "int8 dynamic": None,
}


class Calibration(quantization.CalibrationDataReader):
    """Latent vectors one by one."""

    def __init__(self, latents):
        self.latents = iter(latents)

    def get_next(self):
        latent = next(self.latents, None)
        return None if latent is None else {"latent": latent[None]}


class Session:
    """A model with one bound input for each latent vector."""

    def __init__(self, path, latents):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_free_dimension_override_by_name("batch", 1)
        options.log_severity_level = 3
        optimized = path.with_suffix(".optimized.onnx")
        options.optimized_model_filepath = str(optimized)
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        nodes = collections.Counter(node.op_type for node in onnx.load(optimized).graph.node)
        self.note = ", ".join(op if count == 1 else f"{count} {op}" for op, count in sorted(nodes.items()))
        self.bindings = []
        for latent in latents:
            binding = self.session.io_binding()
            binding.bind_cpu_input("latent", latent[None])
            binding.bind_output("image")
            self.bindings.append(binding)

    def images(self):
        for binding in self.bindings:
            self.session.run_with_iobinding(binding)
            yield binding.copy_outputs_to_cpu()[0]

    def time(self, count):
        run, bindings = self.session.run_with_iobinding, self.bindings
        start = time.process_time_ns()
        for index in range(count):
            run(bindings[index % len(bindings)])
        return time.process_time_ns() - start


class Server:
    def load(self, request):
        self.folder = pathlib.Path(request["folder"])
        model = self.folder / "model.onnx"
        onnx.checker.check_model(onnx.load(model), full_check=True)
        dims = onnxruntime.InferenceSession(str(model)).get_inputs()[0].shape[1]
        latents, calibration = (
            numpy.fromfile(self.folder / f"{name}.f32", "<f4").reshape(-1, dims) for name in ("latents", "calibration")
        )
        prepared = self.folder / "prepared.onnx"
        quant_pre_process(str(model), str(prepared), skip_symbolic_shape=True)
        self.sessions, names, failed = [Session(model, latents)], ["float32"], []
        for name, settings in VARIANTS.items():
            path = self.folder / f"{name.replace(' ', '-')}.onnx"
            try:
                if settings is None:
                    quantization.quantize_dynamic(str(prepared), str(path), per_channel=True)
                else:
                    quantization.quantize_static(str(prepared), str(path), Calibration(calibration), **settings)
                self.sessions.append(Session(path, latents))
                names.append(name)
            except Exception as error:  # Whatever the quantizer cannot do belongs into the record.
                failed.append(f"{name}: {error}".splitlines()[0])
        nothing = self.folder / "nothing.onnx"
        shapes = [("latent", ["batch", dims]), ("image", ["batch", dims])]
        values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes]
        identity = onnx.helper.make_node("Identity", ["latent"], ["image"])
        graph = onnx.helper.make_graph([identity], "nothing", values[:1], values[1:])
        opset = onnx.helper.make_opsetid("", 17)
        onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), nothing)
        self.nothing = Session(nothing, latents)
        sessions = [{"name": name, "note": session.note} for name, session in zip(names, self.sessions)]
        version = f"onnxruntime {onnxruntime.__version__}, Python {platform.python_version()}"
        return {"sessions": sessions, "failed": failed, "version": version}

    def images(self, request):
        images = list(self.sessions[request["session"]].images())
        numpy.concatenate(images).astype("<f4").tofile(self.folder / "images.f32")
        return {}

    def time(self, request):
        return {"ns": self.sessions[request["session"]].time(request["count"])}

    def call(self, request):
        return {"ns": self.nothing.time(request["count"])}


def main():
    logging.disable(logging.WARNING)
    server = Server()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(server, request["do"])(request)
        except Exception as error:  # The other side tells.
            answer = {"error": str(error).splitlines()[0] if str(error) else type(error).__name__}
        print(json.dumps(answer), flush=True)


main()
