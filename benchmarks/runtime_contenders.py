"""Inference engines: ONNX Runtime and OpenVINO, on the ONNX file that PyTorch wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from contenders import Made, Task, data


def _pictures(task: Task) -> Any:
    pictures, _ = data(task.network, task.batch)
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def make_onnxruntime(task: Task, mode: str) -> Made:
    """ONNX Runtime on the CPU. As it comes it computes in float32 with all its optimisations: one mode is enough."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    session = onnxruntime.InferenceSession(str(task.onnx), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: _pictures(task)}
    return Made(lambda: session.run(None, feed), note="float32 is also what it comes with")


def make_openvino(task: Task, mode: str) -> Made:
    """OpenVINO on the CPU: in float32 and for low latency, or (mode "default") with nothing set but the threads."""
    import openvino

    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": task.threads}
    if mode != "default":
        settings.update(INFERENCE_PRECISION_HINT="f32", PERFORMANCE_HINT="LATENCY")
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(str(task.onnx)), "CPU", settings)
    request = compiled.create_infer_request()
    x = _pictures(task)
    precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
    hint = str(compiled.get_property("PERFORMANCE_HINT")).rpartition(".")[2]
    streams = compiled.get_property("NUM_STREAMS")
    return Made(lambda: request.infer([x]), precision, f"{precision}, {hint.lower()}, streams {streams}")


MAKERS: dict[str, Callable[[Task, str], Made]] = {"onnxruntime": make_onnxruntime, "openvino": make_openvino}
