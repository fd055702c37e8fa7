"""REST API: routes, request bodies, responses, errors and API documents."""
