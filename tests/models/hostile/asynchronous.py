"""Every function is async, and shares a lock, a background task and context variables with the others."""

import asyncio
import contextvars
import sys
from pathlib import Path

from webargs import fields

lock = None
ticks = []
background = set()
step = contextvars.ContextVar("step", default=0)


async def tick():
    try:
        while True:
            ticks.append(len(ticks))
            await asyncio.sleep(0.001)
    finally:
        Path("closed").touch()


async def warm():
    global lock
    lock = asyncio.Lock()
    background.add(asyncio.create_task(tick()))


async def get_metadata():
    await asyncio.sleep(0)
    return {"author": "async"}


async def get_predict_args():
    return {"number": fields.Int(load_default=0), "act": fields.Str(load_default="answer")}


async def predict(number, act):
    if act == "exit":
        sys.exit(3)
    if act == "stop":
        asyncio.get_running_loop().stop()
        await asyncio.sleep(60)
    if act in ("timeout", "context"):
        return stream(act)
    async with lock:
        seen = len(ticks)
        while len(ticks) == seen:
            await asyncio.sleep(0.001)
        return {"number": number, "tasks": len(background)}


async def stream(act):
    async with asyncio.timeout(0.05 if act == "timeout" else None):
        for number in range(3):
            step.set(number)
            yield {"number": step.get()}
            assert step.get() == number
            await asyncio.sleep(0.04 if act == "timeout" else 0)


async def train():
    await asyncio.sleep(0)
    return "trained"
