"""Lightning with its tqdm progress bar."""

from _lightning import fit
from lightning.pytorch.callbacks import TQDMProgressBar

fit(TQDMProgressBar())
