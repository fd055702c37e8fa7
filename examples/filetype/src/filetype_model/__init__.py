"""An example model for DEEPaaS: it detects the type of a file."""
