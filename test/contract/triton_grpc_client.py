"""Triton's own Python client for gRPC against a server that serves the models of conformance-models.ts.

python triton_grpc_client.py HOST:PORT; prints a line for each thing that works, and ends with an error at the first that
does not.
"""

import asyncio
import queue
import sys

import grpc
import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

ROW = np.arange(16, dtype=np.int32).reshape(1, 16)
ONES = np.ones((1, 16), dtype=np.int32)


def inputs(client=triton):
    result = []
    for name, data in (("INPUT0", ROW), ("INPUT1", ONES)):
        tensor = client.InferInput(name, list(data.shape), "INT32")
        tensor.set_data_from_numpy(data)
        result.append(tensor)
    return result


def check(result):
    assert (result.as_numpy("OUTPUT0") == ROW + ONES).all()
    assert (result.as_numpy("OUTPUT1") == ROW - ONES).all()


def health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "3")
    assert not client.is_model_ready("nope")
    metadata = client.get_server_metadata()
    assert "binary_tensor_data" in metadata.extensions
    model = client.get_model_metadata("simple", as_json=True)
    assert model["name"] == "simple" and [each["name"] for each in model["inputs"]] == ["INPUT0", "INPUT1"]
    assert model["inputs"][0]["shape"] == ["-1", "16"]
    config = client.get_model_config("simple", "3").config
    assert config.max_batch_size == 64 and list(config.input[0].dims) == [16]
    assert config.input[0].data_type == 8


def inference(client):
    check(client.infer("simple", inputs()))
    outputs = [triton.InferRequestedOutput(name) for name in ("OUTPUT0", "OUTPUT1")]
    result = client.infer("simple", inputs(), "3", outputs, "request-1", priority=1, timeout=5_000_000)
    check(result)
    response = result.get_response()
    assert response.id == "request-1" and response.model_version == "3"
    only = client.infer("simple", inputs(), outputs=outputs[1:])
    assert only.as_numpy("OUTPUT0") is None and (only.as_numpy("OUTPUT1") == ROW - ONES).all()


def texts(client):
    tensor = triton.InferInput("IN_BYTES", [2, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([["å".encode()], [b""]], dtype=np.object_))
    got = client.infer("text", [tensor]).as_numpy("OUT_BYTES")
    assert [each.decode() for each in got.flatten()] == ["å", ""]


def datatypes(client):
    rows = {
        "BOOL": np.array([[True, False]]),
        "FP16": np.array([[0.5, np.inf]], dtype=np.float16),
        "FP32": np.array([[1.5, np.nan]], dtype=np.float32),
        "FP64": np.array([[1e300, -0.0]]),
        "BYTES": np.array([["å".encode(), b"b"]], dtype=np.object_),
    }
    for bits in (8, 16, 32, 64):
        for kind, least in (("INT", -(2 ** (bits - 1))), ("UINT", 0)):
            most = 2 ** (bits - 1) - 1 if kind == "INT" else 2**bits - 1
            rows[f"{kind}{bits}"] = np.array([[least, most]], dtype=f"{kind.lower()}{bits}")
    tensors = []
    for datatype, data in rows.items():
        tensor = triton.InferInput(f"IN_{datatype}", [1, 2], datatype)
        tensor.set_data_from_numpy(data)
        tensors.append(tensor)
    result = client.infer("types", tensors)
    for datatype, data in rows.items():
        got = result.as_numpy(f"OUT_{datatype}")
        if datatype == "BYTES":
            assert got.tolist() == [["å".encode(), b"b"]], got
        else:
            assert got.tobytes() == data.tobytes(), (datatype, got)


def contents_as_lists(url):
    """What clients made from the .proto alone send: lists of values, which come back as lists."""
    stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(url))
    request = service_pb2.ModelInferRequest(model_name="types", id="lists")
    lists = {
        "BOOL": ("bool_contents", [True, False]),
        "INT8": ("int_contents", [-128, 127]),
        "INT16": ("int_contents", [-32768, 32767]),
        "INT32": ("int_contents", [-(2**31), 2**31 - 1]),
        "INT64": ("int64_contents", [-(2**63), 2**63 - 1]),
        "UINT8": ("uint_contents", [0, 255]),
        "UINT16": ("uint_contents", [0, 65535]),
        "UINT32": ("uint_contents", [0, 2**32 - 1]),
        "UINT64": ("uint64_contents", [0, 2**64 - 1]),
        "FP32": ("fp32_contents", [1.5, -2.25]),
        "FP64": ("fp64_contents", [1e300, 0.1]),
        "BYTES": ("bytes_contents", [b"a", b""]),
    }
    for datatype, (name, values) in lists.items():
        tensor = request.inputs.add(name=f"IN_{datatype}", datatype=datatype, shape=[1, 2])
        getattr(tensor.contents, name).extend(values)
        request.outputs.add(name=f"OUT_{datatype}")
    tensor = request.inputs.add(name="IN_FP16", datatype="FP16", shape=[1, 2])
    try:
        stub.ModelInfer(request)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "FP16" in error.details()
    else:
        raise AssertionError("FP16 has no list")
    text = service_pb2.ModelInferRequest(model_name="text", id="lists")
    tensor = text.inputs.add(name="IN_BYTES", datatype="BYTES", shape=[2, 1])
    tensor.contents.bytes_contents.extend([b"a", "å".encode()])
    answer = stub.ModelInfer(text)
    assert list(answer.outputs[0].contents.bytes_contents) == [b"a", "å".encode()]
    assert answer.id == "lists" and not answer.raw_output_contents
    simple = service_pb2.ModelInferRequest(model_name="simple")
    for name, data in (("INPUT0", ROW), ("INPUT1", ONES)):
        tensor = simple.inputs.add(name=name, datatype="INT32", shape=[1, 16])
        tensor.contents.int_contents.extend(data.flatten().tolist())
    answer = stub.ModelInfer(simple)
    assert list(answer.outputs[0].contents.int_contents) == (ROW + ONES).flatten().tolist()


def asynchronous(client):
    results = queue.Queue()
    for _ in range(20):
        client.async_infer("simple", inputs(), callback=lambda result, error: results.put((result, error)))
    for _ in range(20):
        result, error = results.get(timeout=20)
        assert error is None, error
        check(result)


def streaming(client):
    results = queue.Queue()
    client.start_stream(callback=lambda result, error: results.put((result, error)))
    for number in range(200):
        client.async_stream_infer("simple", inputs(), request_id=str(number))
    client.async_stream_infer("nope", inputs(), request_id="wrong")
    ids, errors = set(), []
    for _ in range(201):
        result, error = results.get(timeout=20)
        if error is not None:
            errors.append(error)
            continue
        check(result)
        ids.add(result.get_response().id)
    client.stop_stream()
    assert ids == {str(number) for number in range(200)} and len(errors) == 1, [str(each) for each in errors[:3]]


async def with_asyncio(url):
    async with triton_aio.InferenceServerClient(url) as client:
        assert await client.is_server_ready()
        for result in await asyncio.gather(*(client.infer("simple", inputs(triton_aio)) for _ in range(8))):
            check(result)


def compression(client):
    rows = np.ones((64, 16), dtype=np.int32)
    large = [triton.InferInput(name, [64, 16], "INT32") for name in ("INPUT0", "INPUT1")]
    for tensor in large:
        tensor.set_data_from_numpy(rows)
    for algorithm in ("gzip", "deflate"):
        result = client.infer("simple", large, compression_algorithm=algorithm)
        assert (result.as_numpy("OUTPUT0") == rows + rows).all()


def statistics(client):
    before = client.get_inference_statistics("simple").model_stats[0].inference_count
    client.infer("simple", inputs())
    stats = client.get_inference_statistics("simple", "3").model_stats[0]
    assert stats.inference_count == before + 1 and len(stats.batch_stats) > 0
    assert stats.inference_stats.success.count > 0 and stats.inference_stats.success.ns > 0
    assert len(client.get_inference_statistics().model_stats) >= 4


def repository(client):
    assert {each.name for each in client.get_model_repository_index().models} >= {"simple", "types", "off"}
    client.unload_model("identity", unload_dependents=True)
    assert not client.is_model_ready("identity")
    client.load_model("identity")
    client.load_model("identity", config='{"maxBatchRows": 8}')
    assert client.get_model_config("identity").config.max_batch_size == 8


def errors(client):
    two = triton.InferInput("INPUT0", [2, 16], "INT32")
    two.set_data_from_numpy(np.ones((2, 16), dtype=np.int32))
    for code, call in (
        ("NOT_FOUND", lambda: client.infer("nope", inputs())),
        ("INVALID_ARGUMENT", lambda: client.infer("simple", inputs()[:1])),
        ("INVALID_ARGUMENT", lambda: client.infer("simple", [two, inputs()[1]])),
        ("NOT_FOUND", lambda: client.load_model("nope")),
        ("NOT_FOUND", lambda: client.get_model_metadata("simple", "9")),
        ("UNIMPLEMENTED", lambda: client.get_system_shared_memory_status()),
    ):
        try:
            call()
        except InferenceServerException as error:
            assert error.status() == f"StatusCode.{code}", error
        else:
            raise AssertionError("no error")


def main(url):
    client = triton.InferenceServerClient(url)
    checks = (
        health_and_metadata,
        inference,
        texts,
        datatypes,
        asynchronous,
        streaming,
        compression,
        statistics,
        repository,
        errors,
    )
    for check_of in checks:
        check_of(client)
        print(f"{check_of.__name__}: passed")
    client.close()
    contents_as_lists(url)
    print("contents_as_lists: passed")
    asyncio.run(with_asyncio(url))
    print("with_asyncio: passed")


if __name__ == "__main__":
    main(sys.argv[1])
