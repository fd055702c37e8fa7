"""An async predict_batch, and no predict."""

import asyncio

from webargs import fields


async def get_predict_args():
    return {"number": fields.Int(required=True)}


async def predict_batch(calls):
    await asyncio.sleep(0)
    return [{"number": call["number"]} for call in calls]
