"""Logs of inspect_ai as scores: .eval (a zip) and .json, log version 2.

Each scorer is a metric, each key of a scorer that gives several a metric `scorer/key`; epochs are replicas. Values
become numbers as in inspect_ai's own `value_to_float`: C and true 1, P 0.5, I, N and false 0. A sample that ended with
an error is a failed answer. A log that did not end with success is refused: its missing samples would be dropped.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from assay.errors import BadInput, MissingExtra
from assay.evals.faults import shortened
from assay.evals.foreign_score import ForeignScore
from assay.evals.importers import json_file, json_object
from assay.evals.lines import open_regular

_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_ZSTD = 93
_LOCAL_HEADER = 30
_LARGEST_MEMBER_BYTES = 256 << 20
_AGAIN = "Export the log again, as JSON: inspect log convert --to json --output-dir out FILE"


def read_inspect_log(path: Path) -> list[ForeignScore]:
    """Every score of a log. Raises NotFound, Unreadable, MissingExtra or BadInput naming the sample."""
    with open_regular(path, what="a log of inspect_ai") as file:
        packed = file.read(4) == b"PK\x03\x04"
        if packed:
            return _scores(path, *_unpacked(path, file))
    shape = json_file(path, what="a log of inspect_ai")
    samples = shape.get("samples")
    if not isinstance(samples, list):
        raise BadInput(f"{path} holds no samples.", hint="Log them: inspect eval without --no-log-samples.")
    return _scores(path, shape, samples)


def _scores(path: Path, header: Mapping[str, Any], samples: list[Any]) -> list[ForeignScore]:
    if (status := header.get("status")) != "success":
        raise BadInput(
            f"{path} is the log of a run that ended with {shortened(str(status))!r}: samples are missing.",
            hint="Finish it first: inspect eval-retry FILE",
        )
    return [score for number, sample in enumerate(samples) for score in _of_sample(path, sample, number)]


def _of_sample(path: Path, sample: Any, number: int) -> Iterator[ForeignScore]:
    if not isinstance(sample, dict) or "id" not in sample:
        raise BadInput(f"{path}: sample {number + 1} has no id.", hint=_AGAIN)
    case, epoch = str(sample["id"]), sample.get("epoch", 1)
    where = f"{path}: sample {shortened(case)}, epoch {epoch}"
    if not isinstance(epoch, int) or epoch < 1:
        raise BadInput(f"{where}: its epoch is no number from 1.", hint=_AGAIN)
    seconds = sample.get("working_time") or sample.get("total_time")
    latency_ms = float(seconds) * 1000 if isinstance(seconds, int | float) and seconds >= 0 else None
    error = sample.get("error")
    if error:
        said = error.get("message") if isinstance(error, dict) else error
        said = shortened(str(said)) or "failed"
        yield ForeignScore(case, None, replica=epoch - 1, latency_ms=latency_ms, error=said)
        return
    scores = sample.get("scores")
    if not isinstance(scores, dict) or not scores:
        raise BadInput(f"{where} has no scores.", hint="Score it first: inspect score FILE")
    for name, score in scores.items():
        value = score.get("value") if isinstance(score, dict) else score
        parts = value if isinstance(value, dict) else {"": value}
        for key, part in parts.items():
            metric = f"{name}/{key}" if key else name
            yield ForeignScore(
                case, _number(part, f"{where}: {metric}"), metric, replica=epoch - 1, latency_ms=latency_ms
            )


def _number(value: Any, where: str) -> float | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None  # NaN: the scorer failed
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        if value in _GRADES:
            return _GRADES[value]
        if value.lower() in _WORDS:
            return _WORDS[value.lower()]
        try:
            return float(value)
        except ValueError:
            pass
    raise BadInput(
        f"{where} has the value {shortened(str(value))!r}, which is no score.",
        hint="Give the scorer numeric values, or C, P, I or N.",
    )


# --- the .eval format -------------------------------------------------------------------------------------------------


def _unpacked(path: Path, file: BinaryIO) -> tuple[Mapping[str, Any], list[Any]]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [info.filename for info in archive.infolist()]
            if "header.json" not in names:
                raise BadInput(
                    f"{path} has no header: the run did not end.", hint="Finish it first: inspect eval-retry FILE"
                )
            header = json_object(_member(path, file, archive.getinfo("header.json")), f"{path}: header.json")
            samples = [
                json_object(_member(path, file, info), f"{path}: {info.filename}")
                for info in archive.infolist()
                if info.filename.startswith("samples/") and info.filename.endswith(".json")
            ]
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise BadInput(f"{path} is a damaged archive: {error}.", hint=_AGAIN) from None
    return header, sorted(samples, key=lambda sample: (str(sample.get("epoch")), str(sample.get("id"))))


def _member(path: Path, file: BinaryIO, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > _LARGEST_MEMBER_BYTES:
        raise BadInput(f"{path}: {info.filename} is larger than {_LARGEST_MEMBER_BYTES >> 20} MB.", hint=_AGAIN)
    if info.compress_type != _ZSTD:
        with zipfile.ZipFile(file) as archive:
            return archive.read(info)
    # Python's zipfile reads Zstandard from 3.14 on; the packed bytes stand behind the member's own header.
    file.seek(info.header_offset)
    local = file.read(_LOCAL_HEADER)
    name, extra = (int.from_bytes(local[at : at + 2], "little") for at in (26, 28))
    file.seek(name + extra, 1)
    raw = _unzstd(path)(file.read(info.compress_size), info.file_size)
    if len(raw) != info.file_size or zlib.crc32(raw) != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename} does not match its checksum")
    return raw


def _unzstd(path: Path) -> Callable[[bytes, int], bytes]:
    """A function of packed bytes and their size unpacked, from whichever library is there."""
    try:
        from zstandard import ZstdDecompressor
    except ImportError:
        raise MissingExtra(
            f"{path} is packed with Zstandard, which this Python cannot read.",
            hint="Install zstandard, or write the log as JSON: inspect log convert --to json --output-dir out FILE",
        ) from None

    def unpack(packed: bytes, size: int) -> bytes:

        pieces = []
        with ZstdDecompressor().stream_reader(io.BytesIO(packed), read_across_frames=True) as reader:
            pieces.append(reader.read(size + 1))
        return b"".join(pieces)

    return unpack
