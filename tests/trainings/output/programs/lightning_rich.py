"""Lightning with its rich bar."""

from _lightning import fit
from lightning.pytorch.callbacks import RichProgressBar

fit(RichProgressBar())
