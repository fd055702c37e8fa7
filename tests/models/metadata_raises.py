"""A model whose get_metadata() raises."""


def get_metadata():
    raise FileNotFoundError("no rclone here")


def predict():
    return "still predicts"
