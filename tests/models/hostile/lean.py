"""Has no async functions."""

import sys


def predict():
    return {"asyncio": "asyncio" in sys.modules}
