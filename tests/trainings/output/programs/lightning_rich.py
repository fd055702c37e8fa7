"""Lightning with its rich progress bar."""

from _lightning import fit
from lightning.pytorch.callbacks import RichProgressBar

fit(RichProgressBar())
