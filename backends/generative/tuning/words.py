"""The tokenizer of the nano model, made from the words of its instructions, always the same for the same words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from transformers.models.clip.tokenization_clip import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789=,:-"
WORD_END = "</w>"

Pair = tuple[str, str]


def make_tokenizer(lines: Iterable[str], longest: int, folder: Path) -> CLIPTokenizer:
    """A byte-pair tokenizer that holds every word of `lines` whole and spells other words in pieces.

    Writes `vocab.json` and `merges.txt` into `folder`. A prompt has at most `longest` tokens.
    """
    words = sorted({word for line in lines for word in re.findall(r"[a-z0-9]+|[^a-z0-9\s]", line.lower())})
    merges = byte_pairs(words)
    pieces = [START, END, *LETTERS, *(letter + WORD_END for letter in LETTERS), *map("".join, merges)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=longest, pad_token=END
    )


def byte_pairs(words: Iterable[str]) -> list[Pair]:
    """Merges until every word is whole: the pair in most words first, of several the first in the alphabet."""
    spelled = [[*word[:-1], word[-1] + WORD_END] for word in words]
    merges: list[Pair] = []
    while any(len(pieces) > 1 for pieces in spelled):
        counts = Counter(pair for pieces in spelled for pair in pairwise(pieces))
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        spelled = [_merged(pieces, best) for pieces in spelled]
    return merges


def _merged(pieces: list[str], pair: Pair) -> list[str]:
    out: list[str] = []
    for piece in pieces:
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return out
