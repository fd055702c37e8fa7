"""A model without any function."""
