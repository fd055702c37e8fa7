"""Prints what not every encoding has."""


def predict():
    print("grüße \udcff")
    return "printed"
