"""A model whose metadata changes with each call."""

asked = []


def get_metadata():
    asked.append(True)
    return {"id": "my-id", "checkpoints": len(asked), "links": "own"}
