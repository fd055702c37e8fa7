"""Lightning with the bar that it has without rich."""

from _lightning import fit
from lightning.pytorch.callbacks import TQDMProgressBar

fit(TQDMProgressBar())
