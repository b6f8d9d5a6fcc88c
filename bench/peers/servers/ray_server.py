"""Ray Serve: raw bytes, one replica, no wait for a batch."""

import signal

import ray
from models import MAX_ROWS, PORT, open_model
from ray import serve
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(num_replicas=1, max_ongoing_requests=2048)
class Model:
    def __init__(self):
        self.run = open_model()

    @serve.batch(max_batch_size=MAX_ROWS, batch_wait_timeout_s=0)
    async def batch(self, rows: list[bytes]) -> list[bytes]:
        return self.run(rows)

    async def __call__(self, request: Request) -> Response:
        return Response(await self.batch(await request.body()))


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 2**20)
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(Model.bind(), route_prefix="/infer")
    signal.pause()
