"""User code of a model: discovery, arguments, output, and the public names of the V2 API."""
