"""The models of the bench for servers in Python: arrays of one row each in, arrays of one row each out."""

import os
import time
from collections.abc import Callable, Sequence

import numpy as np

MAX_ROWS = 32
PORT = int(os.environ.get("PEER_PORT", "0"))


def open_model() -> Callable[[Sequence[bytes]], list[bytes]]:
    """The model that PEER_MODEL names; it takes and gives the bytes of a tensor's row for each request."""
    name = os.environ["PEER_MODEL"]
    if name == "no-op":
        return list
    if name == "timed":
        return timed
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        os.environ["PEER_ONNX"], options, providers=["CPUExecutionProvider"]
    )
    input_name = session.get_inputs()[0].name

    def classify(rows: Sequence[bytes]) -> list[bytes]:
        batch = np.stack([np.frombuffer(row, np.float32).reshape(3, 48, 192) for row in rows])
        (scores,) = session.run(None, {input_name: batch})
        return [row.tobytes() for row in scores]

    return classify


def timed(rows: Sequence[bytes]) -> list[bytes]:
    time.sleep((20 + len(rows)) / 1000)
    return list(rows)
