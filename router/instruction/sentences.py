"""The sentences understood, in the notation of `patterns`: what is said → the meaning that `meaning` builds.

Nonterminals: <things> a list of things, <or_things> one joined by "or", <palette> classes with their colours,
<described> "how many dogs are on the sofa". Tables in upper case are in `lexicon`.
"""

from __future__ import annotations

SENTENCES: tuple[tuple[str, str], ...] = (
    ("open_question", "what (is|are) [there]|what (do|can) (you|we|i) see|describe (IMAGE|this)|caption (IMAGE|this)"),
    # ---- detection
    ("detect", "FIND <things>"),
    ("detect_all", "FIND EVERYTHING"),
    ("detect", "[MAKE] [ARTICLE] BOXES (of|for|around) <things>"),
    ("detect", "DRAW [ARTICLE] BOXES (on|over) <things>"),
    ("detect_all", "[MAKE] [ARTICLE] BOXES (of|for|around) (EVERYTHING|IMAGE)"),
    ("detect_all", "[MAKE] [ARTICLE] (bounding boxes|bboxes|DETECTION) [(of|for|on) (EVERYTHING|IMAGE)]"),
    ("detect", "[MAKE] [ARTICLE] DETECTION (of|for) <things>"),
    ("detect", "[MAKE] <things> (detection|BOXES)"),
    ("detect", "where BE <things> [located]"),
    ("detect", "[TELL] where <things> BE [located]"),
    ("detect", "(BE there|(do|can) (you|we|i) see) <things> [there|anywhere|visible]"),
    ("detect", "(see|check|find out|[TELL]) (if|whether) (there BE|you see|you can see) <things>"),
    ("detect", "[does] IMAGE (contain|have|show|include) <things>"),
    ("detect", "(which|what) [of] <described>"),
    ("seen", "(what|which) [KIND] <things> (BE [there|visible|shown|present|here]|(can|do) you (see|find|detect))"),
    ("which", "(which|what) BE <things>"),
    ("detect_all", "(what|which) (objects|things|items) (BE [there|visible|present|shown|here]|(can|do) you (see|find|detect))"),
    # ---- segmentation
    ("referring", "SEGMENT <things> [AS_MASK]"),
    ("segmentation", "[MAKE] <things> segmentation"),
    ("referring", "[MAKE] [ARTICLE] segmentation (of|for|on) <things> [AS_MASK]"),
    ("referring", "(show|create|make|draw|generate|give me|show me) <things> AS_MASK"),
    ("referring", "(cut|crop|segment|mask|trace) <things> out"),
    ("mask", "[MAKE] [ARTICLE] MASK (of|for|around) <things> [AS_MASK]"),
    ("masks", "[MAKE] [ARTICLE] MASKS (of|for|around) <things>"),
    ("mask_each", "[MAKE] [ARTICLE|one] (MASK|INSTANCE) per <things>"),
    ("mask_each", "[MAKE] [ARTICLE|one] INSTANCE (of|for|on) <things>"),
    ("mask_each", "(give|assign) <things> (a|an|its|their) (own|separate|different|unique|individual|distinct) (mask|segment|colour|color)"),
    ("instance_all", "[MAKE] [ARTICLE] INSTANCE [(of|for|on) (EVERYTHING|IMAGE)]"),
    ("instance", "(SEGMENT|SEGMENT_BY_INSTANCE|COLOUR_IN|detect and segment|find and segment) <things> <distinct>"),
    ("instance", "SEGMENT_BY_INSTANCE <things>"),
    ("instance_all", "(SEGMENT|COLOUR_IN) EVERYTHING <distinct>"),
    ("instance_all", "SEGMENT_BY_INSTANCE (EVERYTHING|IMAGE)"),
    ("instance", "[MAKE] <things> instance segmentation"),
    ("semantic_all", "[MAKE] [ARTICLE] SEMANTIC [(of|for|on) (EVERYTHING|IMAGE)]"),
    ("semantic", "[MAKE] [ARTICLE] SEMANTIC (of|for|into|with|:|with classes|with the classes) [:] <things>"),
    ("semantic_all", "SEGMENT_BY_CLASS [EVERYTHING|IMAGE|of IMAGE] [BY_CLASS]"),
    ("semantic", "SEGMENT_BY_CLASS <things>"),
    ("semantic", "(SEGMENT_BY_CLASS|SEGMENT|parse|split|divide|partition) [EVERYTHING|IMAGE] (into|as) [:] <things>"),
    ("semantic_all", "(SEGMENT|COLOUR_IN|label|parse|split|divide|partition) (EVERYTHING|IMAGE) BY_CLASS"),
    ("semantic", "(SEGMENT|COLOUR_IN|label) <things> BY_CLASS"),
    ("palette", "(SEGMENT|COLOUR_IN|SEGMENT_BY_CLASS) [IMAGE] [:] <palette>"),
    ("palette", "[MAKE] [ARTICLE] SEMANTIC [of IMAGE] [:|,] [with] <palette>"),
    ("palette", "(SEGMENT|COLOUR_IN|SEGMENT_BY_CLASS) [IMAGE|EVERYTHING] [BY_CLASS] [,] <using_palette> [:] <palette>"),
    ("palette", "[MAKE] [ARTICLE] (SEMANTIC|MASK|MASKS|segmentation) [(of|for) (IMAGE|EVERYTHING)] [,] <using_palette> [:] <palette>"),
    ("palette", "(with|using|use|given) [this|the|these] [following] [colour|color] (mapping|palette|map|scheme|colours|colors) [:] <palette>"),
    ("coloured", "(SEGMENT|SEGMENT_BY_CLASS|SEMANTIC of|SEMANTIC for) <things> [,] <using_palette> [:] <palette>"),
    ("promptable", "SEGMENT <pointed>"),
    ("promptable", "[MAKE] [ARTICLE] MASK (of|for|at|around|from) <pointed>"),
    ("promptable", "(what|which object) (is|lies) <pointed_at>"),
    ("vague", "(VAGUE|identify|recognise|recognize|name|label) [me] <things>"),
    # ---- depth, normals, intrinsics, pose
    ("depth", "[MAKE] [ARTICLE] [METRIC] DEPTH [(of|for|from|at) (SCENE|IMAGE|SURROUNDINGS)] [UNITS]"),
    ("depth_metres", "how FAR BE SCENE [AWAY] [FROM_VIEWER] [UNITS]"),
    ("depth_metres", "[TELL] how FAR SCENE BE [AWAY] [FROM_VIEWER] [UNITS]"),
    ("depth_metres", "[MAKE] [ARTICLE] [METRIC] (distance|distances) (to|of) SCENE [UNITS]"),
    ("depth", "how deep BE (SCENE|IMAGE|SURROUNDINGS)"),
    ("normals", "[MAKE] [ARTICLE] NORMALS [(of|for|from) (SCENE|IMAGE)]"),
    ("intrinsics", "[MAKE] [ARTICLE] INTRINSICS [(of|for|from) (SCENE|IMAGE|SURROUNDINGS)]"),
    ("intrinsics", "(decompose|split|factor|factorise|factorize) IMAGE into [its|the|an|a] INTRINSICS"),
    ("pose_all", "[MAKE] [ARTICLE] POSE [(of|for|from|in) IMAGE]"),
    ("pose_all", "where BE [ARTICLE] POSE"),
    ("pose", "[MAKE] [ARTICLE] POSE (of|from) <things>"),
    ("pose", "(MAKE [ARTICLE] POSE|[human] pose estimation|keypoints|skeletons|joints) for <things>"),
    ("pose", "DRAW [ARTICLE] POSE (on|over) <things>"),
    ("pose", "where BE [ARTICLE] POSE of <things>"),
    ("pose", "[MAKE] <things> 's POSE"),
    ("pose", "where BE <things> 's POSE"),
    # ---- classification
    ("classify_all", "WHAT_IS_THIS|classify|categorise|categorize"),
    ("classify_all", "CLASSIFY (IMAGE|THIS|the object|the subject|the main object|the main subject)"),
    ("classify_all", "[MAKE] [ARTICLE] CLASSIFICATION [(of|for) (IMAGE|THIS)]"),
    ("choose", "CLASSIFY [IMAGE|THIS] (as|into|between|among|as either|as one of|into one of|:) [:] <or_things>"),
    ("choose", "BE (THIS|IMAGE) [a picture of|a photo of|an image of|of] [either] <or_things>"),
    ("choose", "(which|what) is (THIS|IMAGE) [:|,] <or_things>"),
    ("kind", "(what|which) [KIND] <things> (BE (THIS|IMAGE|shown|depicted|pictured)|(am i|are we) (looking at|seeing)|do you see)"),
    ("kind", "what (breed|species|kind|type|sort|make|model) BE <things>"),
    ("kind", "[TELL] (what|which) [KIND] <things> THIS BE"),
    ("kind", "(classify|categorise|categorize) <things>"),
    ("kind", "CLASSIFY the KIND <things>"),
    ("classify_all", "what is the KIND THIS"),
    ("kind", "what is the KIND <things>"),
    # ---- composites
    ("count", "HOW_MANY <things> [THERE|BE]"),
    ("count_all", "HOW_MANY (objects|things|items) [THERE]"),
    ("count", "HOW_MANY <described>"),
    ("count", "HOW_MANY <things> does IMAGE (have|contain|show)"),
    ("count", "COUNT <things> [THERE]"),
    ("count_all", "COUNT EVERYTHING"),
    ("count", "[MAKE|what is|TELL|COUNT] NUMBER_OF <things> [THERE]"),
    ("count", "[MAKE] <things> COUNTING"),
    ("distance", "how FAR [AWAY] FROM_VIEWER BE <things>"),
    ("distance", "how FAR BE <things> [AWAY] [FROM_VIEWER] [UNITS]"),
    ("distance", "[TELL] how FAR <things> BE [AWAY] [FROM_VIEWER] [UNITS]"),
    ("distance", "[MAKE|what BE|how much is] DISTANCE <things> [FROM_VIEWER] [UNITS]"),
    ("distance", "[MAKE] <things> 's DISTANCE_NOUN [FROM_VIEWER] [UNITS]"),
    ("redact", "REDACT <things>"),
    ("redact", "COVER <things> COVERING"),
    ("redact", "make <things> BLURRED"),
)  # fmt: skip

NONTERMINALS: dict[str, str] = {
    "distinct": """
        [,] [and] [give|colour|color|with] [each [one]] [in|with|using] [a|an] (different|separate|distinct|unique|individual
          |another|[its|their] own) (colour|color|colours|colors|shade|mask|masks)
        | [each] (individually|separately|independently|one by one)
        | [as] [by|per|into|as|with|in] [separate|individual|different|distinct|its own] (instance|instances|masks|segments)
        | as (individual|separate) objects""",
    "using_palette": """
        (with|using|use|by|follow|following|and use|given|according to) [the|this|these|a|my] [following|given|custom|specific]
          [class] [colour|color] (mapping|mappings|palette|map|scheme|colours|colors|coding|code|codes|key|legend|assignment)
        | where | as follows | in these (colours|colors) | with | using | [colour|color] (mapping|palette|key|legend)""",
    "pointed": """
        (this|that|here|there) [one|here] | (this|that) (object|thing|item|one|region|area|part|spot|point)
        | the (SELECTED) (object|thing|item|region|area|one|part)
        | [ARTICLE|this|that] [SELECTED] (object|thing|item|one|region|area|part|what|whatever|everything|anything|all)
          [that|which] [is|lies] <pointed_at>
        | (what|whatever) is <pointed_at> | <pointed_at>
        | (the (object|thing|item|one|region|part)|what|whatever|where) [that] i [have] CLICKED [on|at|in|with]""",
    "pointed_at": "(at|under|in|inside|within|around|on|near|from) (this|that|the|these|those|my) [SELECTED] (POINTER|FRAME)",
}

# Named in messages; every one is understood.
EXAMPLES = (
    "detect every dog", "segment the dog", "segment each car", "semantic segmentation", "depth map", "surface normals", "albedo map",
    "human pose", "classify the image", "how far is each person", "how many dogs", "blur every face",
)  # fmt: skip
MORE_EXAMPLES = (
    "segment everything by class", "segment the people in different colours", "segment sky in blue, road gray",
    "mask of the red car on the left", "instance segmentation", "segment this", "what is in this box",
    "estimate metric depth", "how far is everything", "what is this", "what kind of animal is this", "where is the dog",
    "where are the joints of each person", "detect everything", "pixelate the faces", "black out number plates",
    "distance to the nearest car", "intrinsic decomposition", "roughness map", "albedo and shading", "count the cars",
    "is there a dog", "skeleton", "bounding boxes of the cars",
)  # fmt: skip
PALETTE_EXAMPLE = "semantic segmentation: sky blue, road gray"
