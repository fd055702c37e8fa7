"""YOLO training from scratch on generated pictures."""

import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from ultralytics import YOLO

random = np.random.default_rng(0)
folder = Path(tempfile.mkdtemp(dir=Path.home()))
for part, count in (("train", 16), ("val", 4)):
    (folder / "images" / part).mkdir(parents=True)
    (folder / "labels" / part).mkdir(parents=True)
    for number in range(count):
        picture = Image.fromarray(random.integers(0, 255, (64, 64, 3), dtype=np.uint8))
        picture.save(folder / "images" / part / f"{number}.png")
        (folder / "labels" / part / f"{number}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
data = folder / "data.yaml"
data.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames: [thing]\n")
model = YOLO("yolo11n.yaml")
# slow training down to the pace of a real model
model.add_callback("on_train_batch_end", lambda _: time.sleep(0.2))
model.train(
    data=str(data),
    epochs=4,
    imgsz=64,
    batch=4,
    workers=0,
    device="cpu",
    amp=False,
    plots=False,
    project=str(folder),
)
