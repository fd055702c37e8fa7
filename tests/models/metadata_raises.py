"""A model that cannot say what it is."""


def get_metadata():
    raise FileNotFoundError("no rclone here")


def predict():
    return "still predicts"
