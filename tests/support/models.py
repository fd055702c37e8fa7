"""The ten-line models that can be imported, by the names that tests serve them under."""

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
HEALTHY = {name: f"models.{name}" for name in MODULES} | OBJECTS
