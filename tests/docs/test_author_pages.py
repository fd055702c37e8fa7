"""Model authors can refer to our API in their Sphinx documentation without warnings."""

import subprocess
import sys
from pathlib import Path

CONF = 'project = "A model"\nextensions = ["sphinx.ext.autodoc"]\n'
PAGE = """
.. _integrating:

How our model is served
=======================

.. warning::
   It is named with `--model-name`; what it has is below, in :ref:`functions`.

.. _Sphinx: https://www.sphinx-doc.org/

Its entry point, for `Sphinx`_ and everybody else:

.. code-block:: ini

   [entry_points]

   deepaas.v2.model =
       our_model = our_package.our_module:Model

.. _functions:

Functions
---------

Arguments
#########

.. autofunction:: deepaas.model.v2.base.BaseModel.get_metadata
   :no-index:

.. autofunction:: deepaas.model.v2.base.BaseModel.warm
   :no-index:

.. autofunction:: deepaas.model.v2.base.BaseModel.get_train_args
   :no-index:

.. autofunction:: deepaas.model.v2.base.BaseModel.train
   :no-index:

.. autofunction:: deepaas.model.v2.base.BaseModel.get_predict_args
   :no-index:

.. autofunction:: deepaas.model.v2.base.BaseModel.predict
   :no-index:

Files
*****

It takes them as::

    def get_predict_args():
        return {"file": fields.Field(type="file", location="form")}

.. important::
  Say both, the ``type`` and the ``location``.

.. autoclass:: deepaas.model.v2.wrapper.UploadedFile
   :no-index:

.. autodata:: deepaas.model.v2.base.BaseModel.schema
   :no-index:

The class
---------

.. autoclass:: deepaas.model.v2.base.BaseModel
   :members:
"""


def test_build(tmp_path: Path) -> None:
    """A page with all functions, files and the schema builds with warnings as errors."""
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "index.rst").write_text(PAGE)
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    built = subprocess.run(
        [*command, str(tmp_path), str(tmp_path / "html")], text=True, capture_output=True, check=False
    )
    assert built.returncode == 0, built.stderr
    text = (tmp_path / "html" / "index.html").read_text()
    for said in ("original_filename", "ModelPredictionResponse", "NotImplementedError", "OneOf"):
        assert said in text
