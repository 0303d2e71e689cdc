"""Checkpoints of BERT encoders in Hugging Face's layout: a folder with config.json, model.safetensors, vocab.txt."""

import json
import os
import struct

import numpy as np

from data import DataError

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def read_tensors(path):
    """{name: array} of a safetensors file. bfloat16 is widened to float32."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length > size - 8:
            raise DataError(f"{path}: not a safetensors file, or cut off: its header would have {length} bytes")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise DataError(f"{path}: not a safetensors file: {error}") from None
        data = file.read()
    tensors = {}
    for name, about in header.items():
        if name == "__metadata__":
            continue
        begin, end = about["data_offsets"]
        kind = about["dtype"]
        if kind not in TYPES and kind != "BF16":
            raise DataError(f"{path}: {name} has type {kind}; {', '.join(TYPES)} and BF16 are known")
        if not 0 <= begin <= end <= len(data):
            raise DataError(f"{path}: {name} stands beyond the file's end: it was cut off")
        raw = data[begin:end]
        if kind == "BF16":
            values = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, TYPES[kind])
        tensors[name] = values.reshape(about["shape"])
    return tensors


def write_tensors(path, tensors):
    """Writes float32 arrays as a safetensors file."""
    header, offset = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, offset + 4 * values.size]}
        offset += 4 * values.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values, dtype="<f4").tobytes())


SIZES = {"layers": "num_hidden_layers", "hidden": "hidden_size", "heads": "num_attention_heads",
         "ffn": "intermediate_size", "vocab": "vocab_size", "max_seq": "max_position_embeddings",
         "types": "type_vocab_size"}

# Our name of a part, and Hugging Face's; {} is the layer.
PARTS = {
    "word.weight": "embeddings.word_embeddings.weight", "position.weight": "embeddings.position_embeddings.weight",
    "kind.weight": "embeddings.token_type_embeddings.weight",
    "embedding_norm.{wb}": "embeddings.LayerNorm.{wb}",
    "layer.{i}.query.{wb}": "encoder.layer.{i}.attention.self.query.{wb}",
    "layer.{i}.key.{wb}": "encoder.layer.{i}.attention.self.key.{wb}",
    "layer.{i}.value.{wb}": "encoder.layer.{i}.attention.self.value.{wb}",
    "layer.{i}.attention_out.{wb}": "encoder.layer.{i}.attention.output.dense.{wb}",
    "layer.{i}.attention_norm.{wb}": "encoder.layer.{i}.attention.output.LayerNorm.{wb}",
    "layer.{i}.ffn1.{wb}": "encoder.layer.{i}.intermediate.dense.{wb}",
    "layer.{i}.ffn2.{wb}": "encoder.layer.{i}.output.dense.{wb}",
    "layer.{i}.ffn_norm.{wb}": "encoder.layer.{i}.output.LayerNorm.{wb}",
    "pooler.{wb}": "pooler.dense.{wb}",
}


def _names(layers):
    for ours, theirs in PARTS.items():
        for i in range(layers if "{i}" in ours else 1):
            for wb in ("weight", "bias") if "{wb}" in ours else ("",):
                yield ours.format(i=i, wb=wb), theirs.format(i=i, wb=wb)


def read_config(folder):
    """Sizes of a checkpoint."""
    path = os.path.join(folder, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}; a checkpoint is a folder with config.json, model.safetensors, vocab.txt") \
            from None
    lacking = [theirs for theirs in SIZES.values() if not isinstance(config.get(theirs), int)]
    if lacking:
        raise DataError(f"{path}: no {', '.join(lacking)}; encoders of BERT's layout have them")
    if config.get("hidden_act", "gelu") != "gelu":
        raise DataError(f"{path}: hidden_act is {config['hidden_act']}; gelu alone is trained")
    return {ours: config[theirs] for ours, theirs in SIZES.items()}


def load(folder, network):
    """Fills a network's parts from a checkpoint; returns the names of parts the checkpoint lacks (left as they are)."""
    import torch

    tensors = read_tensors(os.path.join(folder, "model.safetensors"))
    tensors = {name.removeprefix("bert."): values for name, values in tensors.items()}
    # Classifiers stand outside of the encoder, under their own name.
    names = [*_names(network.shape["layers"]), ("classifier.weight", "classifier.weight"),
             ("classifier.bias", "classifier.bias")]
    own, missing = dict(network.named_parameters()), []
    for ours, theirs in names:
        if theirs not in tensors:
            missing.append(theirs)
            continue
        values = torch.from_numpy(np.array(tensors[theirs], dtype=np.float32))
        if ours.startswith("position"):
            values = values[:network.shape["max_seq"]]
        if values.shape != own[ours].shape:
            raise DataError(f"{folder}: {theirs} is {tuple(values.shape)}, config.json says {tuple(own[ours].shape)}")
        own[ours].data.copy_(values)
    if any(name.startswith(("encoder", "embeddings")) for name in missing):
        raise DataError(f"{folder}: model.safetensors lacks {missing[0]}: no encoder of BERT's layout")
    return missing


def save(folder, network, tokenizer):
    """Writes a full-precision network as a checkpoint."""
    os.makedirs(folder, exist_ok=True)
    own = dict(network.named_parameters())
    tensors = {"bert." + theirs: own[ours] for ours, theirs in _names(network.shape["layers"])}
    tensors |= {name: own[name] for name in ("classifier.weight", "classifier.bias")}
    write_tensors(os.path.join(folder, "model.safetensors"),
                  {name: values.detach().cpu().numpy() for name, values in tensors.items()})
    config = {theirs: network.shape[ours] for ours, theirs in SIZES.items()}
    config |= {"architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_act": "gelu",
               "num_labels": network.shape["labels"], "layer_norm_eps": 1e-12}
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
        file.write(tokenizer.text())
