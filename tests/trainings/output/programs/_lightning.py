"""Lightning training that both Lightning programs run, each with its own bar."""

import time
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset


class Model(lightning.LightningModule):
    """A linear model with slow training steps."""

    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(4, 1)

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        time.sleep(0.1)
        loss = ((self.line(batch[0]) - batch[1]) ** 2).mean()
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor]) -> None:
        self.log("val_loss", ((self.line(batch[0]) - batch[1]) ** 2).mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.05)


def fit(bar: Any) -> None:
    """Fit the model for four epochs of ten batches."""
    x = torch.rand(320, 4)
    data = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=32)
    trainer = lightning.Trainer(
        max_epochs=4, accelerator="cpu", callbacks=[bar], logger=False, enable_checkpointing=False
    )
    trainer.fit(Model(), data, data)
