"""The public names of the V2 model API."""
