"""MLServer: V2 in JSON, so bytes travel as base64; one worker process. Started by `mlserver start`."""

from mlserver import MLModel
from mlserver.codecs import Base64Codec
from mlserver.types import InferenceRequest, InferenceResponse
from models import open_model


class Model(MLModel):
    async def load(self) -> bool:
        self.run = open_model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        answers = self.run(Base64Codec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, outputs=[Base64Codec.encode_output("y", answers)])
