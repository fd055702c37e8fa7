"""An example model for DEEPaaS: it recognises the handwritten digit in a picture."""
