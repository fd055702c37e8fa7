"""transformers Trainer with an evaluation after each epoch."""

import tempfile
import time

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)


class Slow(TrainerCallback):
    """Slows training down to the pace of a real model."""

    def on_step_end(self, *_: object, **__: object) -> None:
        time.sleep(0.1)


config = BertConfig(
    vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
)
rows = [{"input_ids": torch.randint(20, (8,)), "labels": row % 2} for row in range(80)]
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder, num_train_epochs=4, logging_steps=5, eval_strategy="epoch", report_to=[], use_cpu=True
    )
    Trainer(
        BertForSequenceClassification(config),
        arguments,
        train_dataset=rows,
        eval_dataset=rows,
        callbacks=[Slow()],
    ).train()
