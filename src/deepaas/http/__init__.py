"""The REST interface: routes, uploads, errors and the specification."""
