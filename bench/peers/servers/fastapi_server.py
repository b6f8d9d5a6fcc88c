"""FastAPI with the batcher that a user would write: what waits is run together as soon as the model is free."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request, Response
from models import MAX_ROWS, PORT, open_model

waiting: asyncio.Queue = asyncio.Queue()


async def batches():
    model, thread, loop = open_model(), ThreadPoolExecutor(1), asyncio.get_running_loop()
    while True:
        batch = [await waiting.get()]
        while len(batch) < MAX_ROWS and not waiting.empty():
            batch.append(waiting.get_nowait())
        try:
            answers = await loop.run_in_executor(thread, model, [row for row, _ in batch])
            for answer, (_, future) in zip(answers, batch):
                if not future.done():
                    future.set_result(answer)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)


@asynccontextmanager
async def lifespan(_):
    task = asyncio.create_task(batches())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.post("/infer")
async def infer(request: Request) -> Response:
    future = asyncio.get_running_loop().create_future()
    waiting.put_nowait((await request.body(), future))
    return Response(await future, media_type="application/octet-stream")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning", access_log=False, loop="uvloop")
