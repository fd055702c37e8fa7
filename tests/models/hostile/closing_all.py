"""Closes the descriptors of others when it is imported in a worker, as a daemon does."""

import os
import sys

if not {"deepaas.cmd.run", "deepaas.describer.child"} & set(sys.orig_argv):
    os.closerange(3, 1000)


def predict():
    return "never"


def train():
    return "never"
