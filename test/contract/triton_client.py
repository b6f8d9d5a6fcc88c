"""Triton's own Python client against a V2 server that serves the models of conformance-models.ts.

python triton_client.py HOST:PORT; prints a line for each thing that works, and ends with an error at the first that does not.
"""

import asyncio
import sys

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

ROW = np.arange(16, dtype=np.int32).reshape(1, 16)
ONES = np.ones((1, 16), dtype=np.int32)


def inputs(binary, client=triton):
    result = []
    for name, data in (("INPUT0", ROW), ("INPUT1", ONES)):
        tensor = client.InferInput(name, list(data.shape), "INT32")
        tensor.set_data_from_numpy(data, binary_data=binary)
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
    assert "binary_tensor_data" in metadata["extensions"]
    model = client.get_model_metadata("simple")
    assert model["name"] == "simple" and [each["name"] for each in model["inputs"]] == ["INPUT0", "INPUT1"]
    assert client.get_model_config("simple", "3")["max_batch_size"] == 64


def inference(client):
    check(client.infer("simple", inputs(binary=True)))
    check(client.infer("simple", inputs(binary=False)))
    for binary in (True, False):
        outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("OUTPUT0", "OUTPUT1")]
        result = client.infer(
            "simple", inputs(binary=not binary), "3", outputs, "request-1", priority=1, timeout=5_000_000
        )
        check(result)
        response = result.get_response()
        assert response["id"] == "request-1" and response["model_version"] == "3"


def texts(client):
    tensor = triton.InferInput("IN_BYTES", [2, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([["å".encode()], [b""]], dtype=np.object_))
    got = client.infer("text", [tensor]).as_numpy("OUT_BYTES")
    assert [each.decode() for each in got.flatten()] == ["å", ""]


def asynchronous(client):
    for request in [client.async_infer("simple", inputs(binary=True)) for _ in range(20)]:
        check(request.get_result())


async def with_asyncio(url):
    async with triton_aio.InferenceServerClient(url) as client:
        assert await client.is_server_ready()
        for result in await asyncio.gather(*(client.infer("simple", inputs(True, triton_aio)) for _ in range(8))):
            check(result)


def compression(client):
    rows = np.ones((64, 16), dtype=np.int32)
    large = [triton.InferInput(name, [64, 16], "INT32") for name in ("INPUT0", "INPUT1")]
    for tensor in large:
        tensor.set_data_from_numpy(rows)
    for algorithm in ("gzip", "deflate"):
        result = client.infer(
            "simple", large, request_compression_algorithm=algorithm, response_compression_algorithm=algorithm
        )
        assert (result.as_numpy("OUTPUT0") == rows + rows).all()


def statistics(client):
    before = client.get_inference_statistics("simple")["model_stats"][0]["inference_count"]
    client.infer("simple", inputs(binary=True))
    stats = client.get_inference_statistics("simple", "3")["model_stats"][0]
    assert stats["inference_count"] == before + 1 and stats["batch_stats"]
    assert len(client.get_inference_statistics()["model_stats"]) >= 4


def repository(client):
    assert {each["name"] for each in client.get_model_repository_index()} >= {"simple", "types", "off"}
    client.unload_model("identity", unload_dependents=True)
    assert not client.is_model_ready("identity")
    client.load_model("identity")
    client.load_model("identity", config='{"maxBatchRows": 8}')
    assert client.get_model_config("identity")["max_batch_size"] == 8


def errors(client):
    for call in (
        lambda: client.infer("nope", inputs(binary=True)),
        lambda: client.infer("simple", inputs(binary=True)[:1]),
        lambda: client.load_model("nope"),
        lambda: client.get_model_metadata("simple", "9"),
    ):
        try:
            call()
        except InferenceServerException as error:
            assert error.status() in ("400", "404"), error
        else:
            raise AssertionError("no error")


def main(url):
    client = triton.InferenceServerClient(url, concurrency=4)
    for check_of in (health_and_metadata, inference, texts, asynchronous, compression, statistics, repository, errors):
        check_of(client)
        print(f"{check_of.__name__}: passed")
    client.close()
    asyncio.run(with_asyncio(url))
    print("with_asyncio: passed")


if __name__ == "__main__":
    main(sys.argv[1])
