"""Writes and reads the project's two model files (FORMAT.md) with h5py."""

import hashlib
import os
import stat

import h5py
import numpy as np

import fields

SEAL_BYTES = 512


def _checked(field, values, path):
    values = np.asarray(values)
    if values.shape != field.dims:
        raise ValueError(f"{path}: not written: {field.name} is {values.shape}; it must be {field.dims}")
    outside = ~((values >= field.low) & (values <= field.high))
    if field.bits:
        outside |= values == 0
    if outside.any():
        raise ValueError(f"{path}: not written: {field.name} holds {values[outside][0]}; it must be {field.low} to "
                         f"{field.high}")
    exact = values.astype(field.type)
    if field.type[-2] in "iu" and (exact != values).any():
        raise ValueError(f"{path}: not written: {field.name} holds {values[exact != values][0]}, no whole number")
    return np.packbits(exact > 0, axis=1, bitorder="little") if field.bits else exact


def _seal(path, kind):
    """The seal's digits count as zeros in the sum they tell."""
    def text(digits):
        lines = f"pqbert file\nkind {kind}\nversion 1\nbytes {os.path.getsize(path)}\nsha256 {digits}\n"
        return lines.encode().ljust(SEAL_BYTES, b"\0")
    with open(path, "r+b") as file:
        file.write(text("0" * 64))
        file.seek(0)
        digest = hashlib.sha256(file.read()).hexdigest()
        file.seek(0)
        file.write(text(digest))
        file.flush()
        os.fsync(file.fileno())


def _write(path, kind, shape, found, start, attributes):
    """One file under its temporary name; returns the SHA-256 of its content. attributes(digest): what stands beside
    the shape."""
    digest = hashlib.sha256(start)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if kind == "model-secret" else 0o644))
    with h5py.File(path, "w", userblock_size=SEAL_BYTES) as file:
        for field, values in found:
            stored = _checked(field, values, path)
            digest.update(stored.tobytes())
            row = stored[0].nbytes if stored.ndim > 1 else stored.itemsize
            rows = min(len(stored), -(-(1 << 20) // row))
            file.create_dataset(field.name, data=stored, chunks=(rows, *stored.shape[1:]), fletcher32=True,
                                track_times=False)
        file.attrs["format"] = np.bytes_(kind)
        file.attrs["version"] = np.uint32(1)
        for name in fields.SHAPE:
            file.attrs[name] = np.uint32(shape[name])
        for name, value in attributes(digest.digest()).items():
            file.attrs[name] = np.frombuffer(value, np.uint8)
    _seal(path, kind)
    return digest.digest()


def write(prefix, shape, values, vocabulary=""):
    """PREFIX.secret.h5 (mode 0600) and PREFIX.public.h5 of a shape and {dataset: array}. Nothing is written unless
    every value is in its range: ValueError otherwise. vocabulary: the text of vocab.txt."""
    fields.check_shape(shape)
    words = np.frombuffer(vocabulary.encode(), np.uint8)
    values = dict(values) | {"vocab": words}
    sizes = np.array([shape[name] for name in fields.SHAPE], "<u4").tobytes()
    final = [f"{prefix}.secret.h5", f"{prefix}.public.h5"]
    temporary = [f"{path}.tmp{os.getpid()}" for path in final]
    try:
        model = _write(temporary[0], "model-secret", shape, [(f, values[f.name]) for f in fields.secret(shape)], sizes,
                       lambda digest: {"model_id": digest})
        _write(temporary[1], "model-public", shape, [(f, values[f.name]) for f in fields.public(shape, len(words))],
               sizes + model, lambda digest: {"model_id": model, "content_sha256": digest})
        for old, new in zip(temporary, final):
            os.rename(old, new)
    finally:
        for path in temporary:
            if os.path.exists(path):
                os.unlink(path)


def read(prefix):
    """(shape, {dataset: array}, vocabulary text) of a model. For models of one's own: the program's readers are the
    ones that distrust what they read."""
    shape, values = {}, {}
    path = f"{prefix}.secret.h5"
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        raise ValueError(f"{path}: others may open it; chmod 600 {path}")
    with h5py.File(path, "r") as file, h5py.File(f"{prefix}.public.h5", "r") as other:
        if bytes(file.attrs["model_id"]) != bytes(other.attrs["model_id"]):
            raise ValueError(f"{prefix}: its two files do not belong together")
        for name in fields.SHAPE:
            shape[name] = int(file.attrs[name])
        for field in fields.secret(shape):
            stored = file[field.name][()]
            if field.bits:
                signs = np.unpackbits(stored, axis=1, count=field.dims[1], bitorder="little")
                stored = signs.astype(np.int8) * 2 - 1
            values[field.name] = stored
        words = other["vocab"][()].tobytes().decode() if "vocab" in other else ""
        for field in fields.public(shape, 0):
            values[field.name] = other[field.name][()]
    return shape, values, words
