"""mosec: raw bytes, one worker; 1 ms is the shortest wait that it takes."""

from models import MAX_ROWS, open_model
from mosec import Server, Worker


class Model(Worker):
    def __init__(self):
        self.run = open_model()

    def deserialize(self, data):
        return bytes(data)

    def serialize(self, data):
        return data

    def forward(self, data):
        return self.run(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Model, num=1, max_batch_size=MAX_ROWS, max_wait_time=1)
    server.run()
