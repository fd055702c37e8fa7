# Generated from _async/__init__.py by tools/sync_client.py; do not edit.
