"""model.gguf through llama.cpp's own converter, without a vocabulary.

Run as a program of its own: gguf_file.py LLAMA_CPP FOLDER. The converter's modules are imported
from LLAMA_CPP as they are; only set_vocab is replaced, since a variant has no tokenizer.
"""

import json
import logging
import math
import sys
from pathlib import Path


def embedding_rows(folder):
    return json.loads((folder / "config.json").read_text())["vocab_size"]


def without_vocabulary(converter):
    """A subclass of `converter` that says there is no vocabulary.

    `{arch}.vocab_size` is where the family's converter writes it and nowhere else: in other
    families' files the rows of token_embd.weight are what says how many tokens there are.
    """

    class NoVocabulary(converter):
        model_arch = converter.model_arch

        def set_vocab(self):
            self.gguf_writer.add_tokenizer_model("no_vocab")

    return NoVocabulary


def check_opens(gguf, folder):
    """The file opens, and holds every value of the checkpoint once."""
    from safetensors import safe_open

    reader = gguf.GGUFReader(folder / "model.gguf")
    # Frequency factors come from the config, not from the checkpoint.
    held = sum(int(t.n_elements) for t in reader.tensors if not t.name.startswith("rope_"))
    with safe_open(folder / "model.safetensors", "numpy") as checkpoint:
        want = sum(math.prod(checkpoint.get_slice(n).get_shape()) for n in checkpoint.keys())
    if held != want:
        sys.exit(f"{folder}: model.gguf holds {held} values, the checkpoint {want}")


def convert(llama_cpp, folder):
    sys.path.insert(0, str(llama_cpp / "gguf-py"))
    sys.path.insert(0, str(llama_cpp))
    import gguf
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class

    hparams = ModelBase.load_hparams(folder, False)
    architecture = get_model_architecture(hparams, ModelType.TEXT)
    try:
        converter = get_model_class(architecture)
    except NotImplementedError:
        return None
    path = folder / "model.gguf"
    # Gemma 3's converter counts the tokens of tokenizer.json to cut unused rows off.
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(json.dumps(
        {"model": {"vocab": {str(i): i for i in range(embedding_rows(folder))}},
         "added_tokens": []}))
    try:
        without_vocabulary(converter)(
            folder, gguf.LlamaFileType.MOSTLY_BF16, path, model_name=folder.name).write()
    finally:
        tokenizer.unlink()
    check_opens(gguf, folder)
    return path


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    if convert(Path(sys.argv[1]), Path(sys.argv[2])) is None:
        sys.exit(3)
