"""Fuzz one law by coverage: `python -m fuzz.target NAME FOLDER [options of libFuzzer]`.

Law: what breaks a law is printed, and left in the folder; with its path instead of options, it is
tried again. The process never returns: libFuzzer ends it.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["holdfast"]):
    from fuzz.laws import LAWS


def main() -> None:
    """Fill the folder with samples, and begin."""
    name, folder, *options = sys.argv[1:]
    law = LAWS[name]
    corpus = Path(folder) / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, sample in enumerate(law.samples):
        (corpus / str(number)).write_bytes(sample)

    def check(data: bytes) -> None:
        try:
            law.check(data)
        except BaseException:
            print(f"{name}: {data!r}", flush=True)  # noqa: T201 - who reads it can try it again
            raise

    tried = [] if any(not option.startswith("-") for option in options) else [str(corpus)]
    atheris.Setup([sys.argv[0], f"-artifact_prefix={folder}/", *options, *tried], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
