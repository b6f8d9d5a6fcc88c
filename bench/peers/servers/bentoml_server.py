"""BentoML: JSON, so bytes travel as base64; its batcher adapts by itself. Started by `bentoml serve`."""

from base64 import b64decode, b64encode

import bentoml
from models import MAX_ROWS, open_model


@bentoml.service(workers=1, traffic={"timeout": 30, "max_concurrency": 2048})
class Model:
    def __init__(self):
        self.run = open_model()

    @bentoml.api(batchable=True, max_batch_size=MAX_ROWS, max_latency_ms=30_000, route="/infer")
    def infer(self, x: list[str]) -> list[str]:
        return [b64encode(row).decode() for row in self.run([b64decode(each) for each in x])]
