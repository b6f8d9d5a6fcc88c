"""LitServe: it takes JSON, so bytes travel as base64; its fast queue is on."""

from base64 import b64decode, b64encode

import litserve
from models import MAX_ROWS, PORT, open_model


class Model(litserve.LitAPI):
    def setup(self, device):
        self.run = open_model()

    def decode_request(self, request):
        return b64decode(request["x"])

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        return self.run(inputs) if isinstance(inputs, list) else self.run([inputs])[0]

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return {"y": b64encode(output).decode()}


if __name__ == "__main__":
    api = Model(max_batch_size=MAX_ROWS, batch_timeout=0.001, api_path="/infer")
    server = litserve.LitServer(
        api, accelerator="cpu", devices=1, workers_per_device=1, timeout=30, fast_queue=True
    )
    server.run(
        host="127.0.0.1", port=PORT, num_api_servers=1, log_level="warning", access_log=False,
        generate_client_file=False,
    )
