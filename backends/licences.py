"""Licences of weights by hub id: the weights' own licence decides, whatever that of the code that runs them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

UNKNOWN = "unknown"
"""Of weights whose licence nobody has stated. A policy may refuse it."""

PERMISSIVE = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "cc0-1.0", "cc-by-4.0", "unlicense"}
)
"""SPDX ids, in lower case, whose weights are fetched without asking."""


class Known(NamedTuple):
    """Weights whose licence is known.

    `pattern`: of hub ids, in lower case. `licence`: SPDX id, or a `LicenseRef-` of its own. `note`: where that is
    stated, and what a user must know. `gated`: the hub asks for an account that has accepted the terms.
    """

    pattern: str
    licence: str
    note: str
    gated: bool = False


TABLE: tuple[Known, ...] = (
    # Instruction-tuned editors
    Known("timbrooks/instruct-pix2pix", "MIT", "model card; on Stable Diffusion 1.5's weights"),
    Known("alaa-lab/instructcv", "MIT", "model card; on Stable Diffusion 1.5's weights"),
    Known("diffusers/sdxl-instructpix2pix-768", "OpenRAIL", "model card; use restrictions of Stable Diffusion XL"),
    Known("funailab/open-vision-banana*9b*", "non-commercial", "model card; tuned from FLUX.2 klein 9B"),
    Known("funailab/open-vision-banana*", "Apache-2.0", "model card; tuned from FLUX.2 klein 4B"),
    Known("black-forest-labs/flux.2-klein-*4b*", "Apache-2.0", "model card"),
    Known("black-forest-labs/flux.2-klein-*9b*", "non-commercial", "FLUX Non-Commercial License", gated=True),
    Known("black-forest-labs/flux*", "non-commercial", "FLUX Non-Commercial License", gated=True),
    Known("qwen/qwen-image*", "Apache-2.0", "model card"),
    # Generative depth, normals and intrinsics
    Known("prs-eth/marigold-*-v1-1", "OpenRAIL", "README of Marigold; models under RAIL++-M, with use restrictions"),
    Known("prs-eth/marigold-*", "Apache-2.0", "model card"),
    Known("gonzalomg/marigold-e2e-ft-*", "Apache-2.0", "model card"),
    Known("jingheya/lotus-*", "Apache-2.0", "model card"),
    Known("madebyollin/taesd*", "MIT", "model card"),
    # Specialists
    Known("pekingu/rtdetr*", "Apache-2.0", "model card"),
    Known("ustc-community/dfine*", "Apache-2.0", "model card"),
    Known("google/owlv2*", "Apache-2.0", "model card"),
    Known("idea-research/grounding-dino*", "Apache-2.0", "model card"),
    Known("facebook/sam-vit-*", "Apache-2.0", "model card"),
    Known("facebook/sam2*", "Apache-2.0", "model card"),
    Known("facebook/sam3*", "LicenseRef-SAM", "SAM License on the model page", gated=True),
    Known("depth-anything/depth-anything-v2-small*", "Apache-2.0", "README of Depth-Anything-V2"),
    Known("depth-anything/depth-anything-v2-metric-*-small*", "Apache-2.0", "README of Depth-Anything-V2"),
    Known("depth-anything/depth-anything-v2-*", "CC-BY-NC-4.0", "README of Depth-Anything-V2"),
    Known("depth-anything/da3-small*", "Apache-2.0", "README of Depth-Anything-3"),
    Known("depth-anything/da3-base*", "Apache-2.0", "README of Depth-Anything-3"),
    Known("depth-anything/da3metric-*", "Apache-2.0", "README of Depth-Anything-3"),
    Known("depth-anything/da3mono-*", "Apache-2.0", "README of Depth-Anything-3"),
    Known("depth-anything/da3*", "CC-BY-NC-4.0", "README of Depth-Anything-3"),
    Known("apple/depthpro*", "LicenseRef-Apple-AMLR-NC", "model card; research only"),
    Known("intel/zoedepth*", "MIT", "model card"),
    Known("usyd-community/vitpose*", "Apache-2.0", "model card"),
    Known("ultralytics/*", "AGPL-3.0", "LICENSE of ultralytics"),
    Known("jameslahm/yoloe*", "AGPL-3.0", "model card"),
    Known("apple/mobileclip*", "LicenseRef-Apple-AMLR-NC", "model card; research only"),
    Known("timm/mobileclip*", "LicenseRef-Apple-AMLR-NC", "model card; research only"),
    Known("timm/tf_efficientnet*", "Apache-2.0", "model card"),
    Known("timm/mobilenet*", "Apache-2.0", "model card"),
    Known("timm/resnet*", "Apache-2.0", "model card"),
)  # fmt: skip
"""The first that fits decides."""


def known(source: str) -> Known:
    """What is known of the weights that a hub id names; `unknown` for a path or an id that is not in the table."""
    wanted = source.lower()
    return next(
        (row for row in TABLE if fnmatchcase(wanted, row.pattern)), Known(wanted, UNKNOWN, "not stated")
    )


def licence_of(source: str) -> str:
    """SPDX id of the weights that a hub id names; `unknown` for a path or an id that is not in the table."""
    return known(source).licence


def is_permissive(licence: str) -> bool:
    """Whether weights under this SPDX id may be used for anything, by anybody."""
    return licence.lower() in PERMISSIVE
