"""An application folder, however it is written, as one `Application`."""

from __future__ import annotations

from jupiter.formats import app_toml, seed_folder
from jupiter.formats.seed_folder import Files
from jupiter.formats.text import Faults, Parsed
from jupiter.model.app import Application

FILES_READ = frozenset(
    {
        app_toml.FILE_NAME,
        seed_folder.CONFIGURATION,
        *seed_folder.CONFIG_JSON,
        seed_folder.PORTS,
        seed_folder.NAMES,
        seed_folder.ENTRY_NODES,
    }
)
"""Paths whose contents `load_application` needs; of all others the name is enough."""


def load_application(files: Files, root: str, name: str) -> Parsed[Application]:
    """Return the application that a folder holds.

    ``app.toml`` wins over the seeds' ``configuration.txt`` where both are there.

    Args:
        files: Contents by path relative to the folder, with ``/``; None for a file that is there
            but was not read. Those of `FILES_READ` must be read.
        root: The folder as the user gave it.
        name: Of the application, where no file gives one.

    Raises:
        InputError: The folder is no application, or its files have faults; all of them.
    """
    faults = Faults()
    app = None
    content = files.get(app_toml.FILE_NAME)
    if content is not None:
        of_file = faults.of_file(seed_folder.place(root, app_toml.FILE_NAME))
        app = app_toml.read(content, files.keys(), root, name, of_file)
        if seed_folder.CONFIGURATION in files:
            of_file.note(f"{seed_folder.CONFIGURATION} is there too, and is ignored")
    elif files.get(seed_folder.CONFIGURATION) is not None:
        app = seed_folder.read(files, root, name, faults)
    else:
        faults.of_file(root).error(
            "the folder holds no application",
            expected=f"{app_toml.FILE_NAME} or {seed_folder.CONFIGURATION}",
            remedy=faults.suggestion(
                seed_folder.CONFIGURATION,
                [path for path in files if "/" not in path],
                "check that it is the right folder",
            ),
        )
    faults.raise_errors()
    if app is None:
        raise AssertionError("a reader reported nothing and returned nothing")
    return Parsed(app, faults.notes)
