"""Models that others published, served and compared with what Python's ONNX Runtime gives.

python strangers_models.py prepare WHEELS FOLDER    makes a model folder of the ONNX files in the wheels
python strangers_models.py check FOLDER NAME=URL... asks each server: every model alone, and in company

The first server is an edge, on which each model is loaded for its turn, because all at once take a lot of memory.
`check` prints a line for each model and server, `same` or what differs, and ends with status 1 when something does.
"""

import concurrent.futures
import glob
import json
import os
import re
import sys
import threading
import urllib.error
import urllib.request
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

CALLERS = 6
DATATYPES = {
    "bool": "BOOL", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "float16": "FP16", "float32": "FP32", "float64": "FP64",
}
# Shapes that suit the models of packages where their files leave dimensions open; by a part of the file's name.
SHAPES = {
    "silero_vad": {"input": [1, 512], "state": [2, 1, 128], "h": [2, 1, 64], "c": [2, 1, 64]},
    "magika": {"bytes": [1, 2048]},
    "det": {"x": [1, 3, 96, 96]},
    "rec": {"x": [1, 3, 48, 160]},
    "cls": {"x": [1, 3, 48, 192]},
    "common_det": {"images": [1, 3, 416, 416]},
    "common": {"input1": [1, 1, 64, 160]},
    "320n": {"images": [1, 3, 320, 320]},
    "nmp": {"serving_default_input_2:0": [1, 43844, 1]},
}


def prepare(wheels, folder):
    for wheel in sorted(glob.glob(os.path.join(wheels, "*.whl"))):
        with zipfile.ZipFile(wheel) as archive:
            for path in archive.namelist():
                if not path.endswith(".onnx"):
                    continue
                parts = path[: -len(".onnx")].split("/")
                name = re.sub(r"[^A-Za-z0-9_]", "_", parts[-2] if parts[-1] == "model" else parts[-1])
                # Large pictures nets of the ONNX tests have made-up weights and add nothing but time.
                if name.startswith("light_"):
                    continue
                place = os.path.join(folder, name)
                os.makedirs(os.path.join(place, "1"), exist_ok=True)
                with open(os.path.join(place, "1", "model.onnx"), "wb") as file:
                    file.write(archive.read(path))
                inputs = os.path.dirname(path) + "/test_data_set_0/"
                for data in archive.namelist():
                    if data.startswith(inputs + "input_"):
                        with open(os.path.join(place, os.path.basename(data)), "wb") as file:
                            file.write(archive.read(data))


def session_of(folder, name):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(os.path.join(folder, name, "1", "model.onnx"), options)


def first_feeds(folder, name, session):
    """The inputs that came with a test, else random ones of a shape that suits the model."""
    files = sorted(glob.glob(os.path.join(folder, name, "input_*.pb")))
    if files:
        feeds = {}
        for wanted, path in zip(session.get_inputs(), files):
            tensor = onnx.TensorProto()
            with open(path, "rb") as file:
                tensor.ParseFromString(file.read())
            feeds[wanted.name] = numpy_helper.to_array(tensor)
        return feeds
    known = next((shapes for part, shapes in SHAPES.items() if part in name), {})
    random = np.random.default_rng(0)
    feeds = {}
    for wanted in session.get_inputs():
        open_to = [size if isinstance(size, int) and size > 0 else 1 for size in wanted.shape]
        shape = known.get(wanted.name, open_to)
        if wanted.type == "tensor(float)":
            feeds[wanted.name] = random.standard_normal(shape).astype("f4")
        elif wanted.name == "sr":
            feeds[wanted.name] = np.array(16000, "i8")
        else:
            feeds[wanted.name] = random.integers(0, 200, shape).astype(re.search(r"\((\w+)\)", wanted.type)[1])
    return feeds


def another(feeds, caller):
    """Other values of the same shapes for another caller; texts and scalars stay."""
    random = np.random.default_rng(caller)
    other = {}
    for name, value in feeds.items():
        if value.dtype.kind == "f" and value.ndim > 0:
            other[name] = (value + 0.5 * random.standard_normal(value.shape)).astype(value.dtype)
        elif value.dtype.kind in "iub" and value.size > 1:
            other[name] = random.permutation(value.reshape(-1)).reshape(value.shape)
        else:
            other[name] = value
    return other


def wire_of(feeds):
    head, data = [], b""
    for name, value in feeds.items():
        if value.dtype.kind in "OUS":
            texts = [text if isinstance(text, bytes) else str(text).encode() for text in value.reshape(-1)]
            raw = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
            datatype = "BYTES"
        else:
            raw, datatype = np.ascontiguousarray(value).tobytes(), DATATYPES[value.dtype.name]
        parameters = {"binary_data_size": len(raw)}
        head.append({"name": name, "shape": list(value.shape), "datatype": datatype, "parameters": parameters})
        data += raw
    text = json.dumps({"inputs": head, "parameters": {"binary_data_output": True}}).encode()
    return text + data, len(text)


def ask(url, name, feeds):
    body, length = wire_of(feeds)
    headers = {"inference-header-content-length": str(length), "content-type": "application/octet-stream"}
    request = urllib.request.Request(f"{url}/v2/models/{name}/infer", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            answer = reply.read()
            length = int(reply.headers["inference-header-content-length"])
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read()[:160].decode(errors='replace')}"
    at, outputs = length, {}
    for output in json.loads(answer[:length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        raw = answer[at : at + size]
        at += size
        if output["datatype"] == "BYTES":
            texts = []
            while raw:
                count = int.from_bytes(raw[:4], "little")
                texts.append(raw[4 : 4 + count].decode())
                raw = raw[4 + count :]
            outputs[output["name"]] = np.array(texts, dtype=object).reshape(output["shape"])
        else:
            dtype = next(each for each, datatype in DATATYPES.items() if datatype == output["datatype"])
            outputs[output["name"]] = np.frombuffer(raw, dtype).reshape(output["shape"])
    return outputs


def change(url, name, what):
    """Loads or unloads a model; why not, when the server refuses."""
    request = urllib.request.Request(f"{url}/v2/repository/models/{name}/{what}", b"{}")
    try:
        with urllib.request.urlopen(request, timeout=120):
            return ""
    except urllib.error.HTTPError as error:
        return error.read()[:200].decode(errors="replace")


def difference(expected, got):
    """What is wrong with an answer; an empty text when nothing is."""
    if isinstance(got, str):
        return got
    for name, value in expected.items():
        value = np.asarray(value)
        if name not in got or got[name].shape != value.shape:
            return f"{name} has shape {got[name].shape if name in got else None}, not {value.shape}"
        if value.dtype.kind == "f":
            scale = np.nanmax(np.abs(value), initial=0) + 1e-6
            if not np.allclose(got[name], value, rtol=1e-3, atol=2e-3 * scale, equal_nan=True):
                return f"{name} differs by {np.nanmax(np.abs(got[name].astype('f8') - value)):.3g} of {scale:.3g}"
        elif not (got[name] == value).all():
            return f"{name} has other values"
    return ""


def together(url, name, all_feeds):
    start = threading.Barrier(len(all_feeds))

    def one(feeds):
        start.wait()
        return ask(url, name, feeds)

    with concurrent.futures.ThreadPoolExecutor(len(all_feeds)) as pool:
        return list(pool.map(one, all_feeds))


def check(folder, servers):
    differing = 0
    for name in sorted(os.listdir(folder)):
        try:
            session = session_of(folder, name)
            feeds = first_feeds(folder, name, session)
            if any(not isinstance(value, np.ndarray) for value in feeds.values()):
                raise ValueError("takes something else than tensors")
            all_feeds = [another(feeds, caller) if caller else feeds for caller in range(CALLERS)]
            outputs = [output.name for output in session.get_outputs()]
            expected = [dict(zip(outputs, session.run(None, each))) for each in all_feeds]
            for value in expected[0].values():
                if not isinstance(value, np.ndarray) or (value.dtype.name not in DATATYPES and value.dtype.kind != "O"):
                    raise ValueError("gives something else than tensors of the protocol")
        except Exception as error:  # what Python's runtime cannot run is no test for another server
            print(f"{name}: left out, {str(error).splitlines()[0][:120]}")
            continue
        refused = change(servers[0][1], name, "load")
        if refused:
            differing += 1
            print(f"{name}: cannot be loaded, {refused}")
            continue
        for server, url in servers:
            found = [difference(expected[0], ask(url, name, all_feeds[0]))]
            for _ in range(3):
                found += map(difference, expected, together(url, name, all_feeds))
            wrong = [each for each in found if each]
            differing += bool(wrong)
            print(f"{name} at {server}: {'same' if not wrong else f'{len(wrong)} of {len(found)} differ: {wrong[0]}'}")
            sys.stdout.flush()
        change(servers[0][1], name, "unload")
    print(f"{differing} differ")
    sys.exit(1 if differing else 0)


if sys.argv[1] == "prepare":
    prepare(*sys.argv[2:4])
else:
    check(sys.argv[2], [each.split("=", 1) for each in sys.argv[3:]])
