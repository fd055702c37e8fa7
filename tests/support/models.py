"""The importable test models by the names under which tests serve them."""

from pathlib import Path

MODULES = sorted(path.stem for path in (Path(__file__).parents[1] / "models").glob("*.py"))
OBJECTS = {
    "a_class": "models.as_class:Model",
    "an_object": "models.as_class:an_object",
    "abstract_class": "models.abstract:Model",
    "without_default": "models.negotiated:WithoutDefault",
    "anything": "models.negotiated:Anything",
    "chosen_streams": "models.streams:Chosen",
    "checked_streams": "models.streams:Checked",
    "async_streams": "models.streams:Asynchronous",
    "any_streams": "models.streams:Anything",
}
SPELLINGS_OF_ACCEPT = {
    f"accepts_{name}": f"models.accepts:{name}"
    for name in (
        "InHeaders",
        "InHeadersAsBefore",
        "InHeadersRequired",
        "InHeadersRenamed",
        "InForm",
        "InQuery",
        "Anywhere",
    )
}
"""Models that declare `accept` in every spelling and place that public modules use."""
OBJECTS |= SPELLINGS_OF_ACCEPT | {
    "accepts_anything": "models.accepts:WithoutChoices",
    "accepts_pictures": "models.accepts:Wildcard",
}
HEALTHY = {name: f"models.{name}" for name in MODULES} | OBJECTS
