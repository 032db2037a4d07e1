"""What is wrong with a catalog file: all of it at once, each with its line, its column and the nearest right spelling.

``document`` reads the YAML and knows where everything stands, ``form`` holds it to ``catalog.schema.json``, and
``names`` holds what it names to the provider's schema.  Only files of the user are read like this: the tests hold those
that ship with TFDrift to the same.
"""

from typing import Any

import yaml

from tfdrift_core.drift.change.check.document import Document, Fault, faults_of_yaml
from tfdrift_core.drift.change.check.form import misfits
from tfdrift_core.drift.change.check.names import unknown_names

__all__ = ["Fault", "read"]


def read(text: str) -> tuple[Any, list[Fault]]:
    """The content of a file and what is wrong with it, in the order of the file."""
    try:
        document = Document(text)
        if document.unreadable:
            return None, sorted(document.faults)
        wrong = misfits(document.content)
        wrong += unknown_names(document.content, {place.steps for place, _ in wrong})
    except yaml.YAMLError as error:
        return None, [faults_of_yaml(error)]
    except RecursionError:
        return None, [Fault(1, 1, "nested too deeply")]
    # What an alias repeats has the same faults once more.
    told = {document.fault(place, reason) for place, reason in wrong}
    return document.content, sorted({*document.faults, *told})
