"""An example model for DEEPaaS: it tells what kind of file a file is."""
