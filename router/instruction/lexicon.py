"""What sentences are made of beside things: verbs, names of tasks, words of politeness.

Each table maps phrases, in the notation of `patterns`, to a meaning; most have one meaning and are read for the match.
"""

from __future__ import annotations

from visionrouter.instruction.patterns import Phrases
from visionrouter.instruction.wordlist import words


def _phrases(text: str) -> Phrases[str]:
    return Phrases([("", text)])


IMAGE = _phrases(
    """[the|this|that|my|an|each] [whole|entire|full|input|given|attached|following|uploaded]
    (image|picture|photo|photograph|pic|scene|frame|shot|screenshot|snapshot|view)"""
)
EVERYTHING = _phrases(
    """everything [visible|there]|all|anything|all (things|objects|items|pixels|the things|the objects|of it)|
    (every|each) (thing|object|pixel|item)|all (of the|the) (objects|things|pixels|items)|every single (object|thing|pixel)"""
)
SCENE = _phrases("everything [visible|there]|all of it|(every|each) (pixel|point)|(all|all the) pixels")
SURROUNDINGS = _phrases("(the|this|my) (room|street|landscape|space|surroundings)")
THIS = _phrases(
    "this|that|it|this one|this here|(this|that) (object|thing|item)|[in|on] (this|the) (image|picture|photo)"
)
ARTICLE = _phrases(
    "a|an|the|its|my|their|some|all|me (a|an|the|some)|me|us (a|an|the)|any|one|the full|a full|a dense|dense"
)
BE = _phrases("is|are|'s|was|were|be")

MAKE = _phrases(
    """(make|create|generate|produce|compute|calculate|estimate|predict|infer|give|show|draw|output|return|render|do|run|
    perform|get|provide|visualise|visualize|display|plot|obtain|recover|extract|measure|determine|find|detect|want|need|
    build|apply|overlay|see|locate|print|report|annotate|mark|label|put|place|add) [me|us]|
    i (want|need)|what (is|are) the|figure out|work out"""
)
DRAW = _phrases("(draw|put|place|overlay|mark|add|plot) [me]")
TELL = _phrases(
    "(tell|show|give) [me|us]|estimate|measure|calculate|compute|find [out]|determine|say|work out|predict|report"
)

FIND = _phrases(
    """(detect|find|locate|spot|box|see|list|localise|localize|pinpoint|point out) [me|us|out]|find and (box|locate|detect)|
    detect and (box|locate|localise|localize|find)|locate and box|box in|[i am|we are] (look|looking|search|searching) for|point (to|at)|
    (show|tell|give) [me] the (location|locations|position|positions|coordinates) of|(tell|show) me where to find"""
)
BOXES = _phrases(
    "[bounding] (box|boxes|rectangles)|bounding rectangle|bbox|bboxes|[object] (location|locations|positions)"
)
DETECTION = _phrases("[object] (detection|detections|detector|localisation|localization)")
SEGMENT = _phrases(
    """(segment|outline|extract|isolate|mask|select|cut|crop|trace|delineate|silhouette|separate) [out]|segment me|
    find and segment|separate out"""
)
SEMANTIC = _phrases(
    """semantic (segmentation|segmentations|segmentation map|segmentation mask|segmentation masks|mask|masks|map|labels|labelling|
    labeling|class map|segmentation visualization|segmentation visualisation|segmentation image|segments)|[semantic] class (map|mask|segmentation)|
    semseg|(pixel|per pixel|pixelwise|pixel wise) (classification|labels|labelling|labeling|classes)|scene parsing"""
)
SEGMENT_BY_CLASS = _phrases(
    """semantically segment|semantic segment|
    (label|classify|categorise|categorize|colour|color) (every|each|all|all the|all of the) (pixel|pixels)"""
)
BY_CLASS = _phrases(
    """(by|per|into|according to) [their|its|the|semantic|object|different] (class|classes|category|categories|label|labels|kind|
    type|types|kinds|regions|semantic class|semantic classes|semantic regions)|semantically|with (class labels|its class|a class label)"""
)
INSTANCE = _phrases(
    """instance (segmentation|segmentations|segmentation mask|segmentation masks|mask|masks|segments|map|segmentation map)|
    (separate|individual|different|distinct) (masks|segments)|per instance masks|instseg|
    a (separate|different|distinct|individual|unique) (mask|segment)"""
)
SEGMENT_BY_INSTANCE = _phrases("instance segment|segment [out] (all|every|each) (instances of|instance of)")
MASK = _phrases(
    """[segmentation|binary|object|pixel|pixelwise|alpha|segmentation object] mask|segmentation image|segment|silhouette|cutout|cut out|
    outline|contour|matte|alpha matte|pixels"""
)
MASKS = _phrases(
    "[segmentation|binary|object|pixel] masks|segmentations|segments|silhouettes|outlines|cutouts|contours"
)
AS_MASK = _phrases(
    """[in|as] white (on|over|against) [a] black [background]|as [a|an] [binary|segmentation|black and white|white] mask|
    (with|as) a mask|to a mask|from (the|its) background|from the (rest|image|picture|photo|scene)"""
)
SELECTED = _phrases(
    "selected|clicked|marked|indicated|highlighted|chosen|boxed|given|prompted|drawn|pointed at"
)
CLICKED = _phrases(
    "clicked|click|pointed|selected|marked|tapped|boxed|pointed at|drew a box around|indicated"
)
VAGUE = _phrases(
    "show|highlight|mark|get|display|track|give|visualise|visualize|bring up|check|recognise|analyse|analyze"
)
POINTER = _phrases(
    "point|points|click|clicks|cursor|dot|location|position|spot|place|pixel|marker|mark|coordinate|coordinates|pointer"
)
FRAME = _phrases("box|boxes|bounding box|rectangle|region|area|selection|bbox|zone|roi|crop")

METRIC = Phrases(
    {"metric": "metric|absolute|true|real|metrical", "relative": "relative|normalised|normalized"}
)
DEPTH = _phrases(
    """[monocular|pixelwise|pixel wise|per pixel|z|dense|single image|scene|image] (depth|depths|depth [estimation|prediction] (map|maps|image|picture|estimation|prediction|
    estimate|values|channel|perception|visualization|visualisation))|depthmap|distance map|range (map|image)|z buffer|depth (of|for|at) (every|each) pixel"""
)
UNITS = Phrases(
    {"metric": "[,] in (metres|meters|m|metric units|feet|centimetres|centimeters)|(to|for) scale"}
)
NORMALS = _phrases(
    """[surface] (normals|normal (map|maps|vectors|estimation|prediction|image|estimates|vector map))|surface (normal|orientation|
    orientations|normals map|normals estimation|normals image)|normals map|normalmap|
    per pixel [surface] normals|(surface|face) directions"""
)
INTRINSICS = Phrases(
    {
        "": """intrinsic [image] (decomposition|decompositions|decomposition maps)|intrinsic (images|image maps|maps|components|
            layers)|(decomposition|split) into intrinsic (images|components|layers)""",
        "albedo": """[diffuse|surface] (albedo|albedos|reflectance) [map|maps|image|layer|channel|estimation|prediction|values]|
            base (colour|color) (map|image|layer)""",
        "roughness": """[surface|material] roughness [map|maps|image|channel|estimation|prediction|values]|
            (albedo|reflectance) and roughness [maps]""",
        "metallicity": """(metallicity|metalness) [map|maps|image|channel|estimation|prediction|values]|metallic map|
            (albedo|reflectance) and (metallicity|metalness) [maps]""",
        "shading": """[diffuse] shading [map|maps|image|layer|estimation|prediction]|(albedo|reflectance) and [diffuse] shading [maps|images]|
            [diffuse] shading and (albedo|reflectance) [maps|images]|diffuse illumination [map|image]""",
        "residual": "[non diffuse|specular] residual (map|image|layer)|(non diffuse|specular) residual",
    }
)
"""The map that must be among those answered, "" for any."""
POSE = _phrases(
    """[human|body|person|people|multi person|2d|full body|skeletal|human body] (pose|poses|keypoint|keypoints|key points|skeleton|
    skeletons|joint|joints|landmarks|pose (estimation|estimates|estimate|detection|keypoints|skeleton|skeletons|landmarks|joints)|keypoint
    detection|keypoints detection|skeleton (detection|estimation|tracking)|joint (positions|locations|coordinates|keypoints)|body joints|body keypoints)|
    stick (figure|figures)|posture|postures|(body|human) (landmarks|posture)"""
)
CLASSIFY = _phrases("classify|categorise|categorize|identify|recognise|recognize|name")
CLASSIFICATION = _phrases("[image|object|scene] (classification|class|category|label)")
WHAT_IS_THIS = _phrases(
    """what is (this|that|it)|what (is|are) (this|that|it) [a] (picture|photo|image|photograph) of|what is this [thing|object]|
    what (am i|are we) (looking at|seeing)|what is (shown|depicted|pictured) [here]|what does (this|the) (image|picture|photo) (show|depict)|
    what is the [main] (subject|object)|what is the main (thing|object|subject)|what (thing|object|item) is (this|that|it)|
    what do you think (this|that|it) is|tell me what (this|that|it) is|what [is] this is|what would you call this|what could this be|what might this be"""
)
KIND = _phrases(
    "(kind|type|sort|species|breed|make|model|variety|class|category|style) of|breed of|species of|(kinds|types|sorts) of"
)

HOW_MANY = _phrases("how many [of (the|these|those)]")
COUNT = _phrases("count [up] [how many]|tally|enumerate|count [up] [the] (number|amount) of")
NUMBER_OF = _phrases(
    "[the] [total|exact] (number|count|amount|total|total number) of|count of|number of|how many"
)
COUNTING = _phrases("count|counting|counts")
THERE = _phrases(
    """(are|is) (there|visible|present|shown|seen|depicted|here) [in total|altogether|here|in all]|(do|can) (you|we|i) (see|find|count|spot|detect)|
    there (are|is)|in total|altogether|you (can|could) see|you see|(are|is) in (here|there|view)|appear|are in it|can be seen"""
)

FAR = Phrases(
    {"": "far [away|off|out]|distant|many (metres|meters|feet|m) [away|distant]", "close": "close|near"}
)
DISTANCE = _phrases(
    """[the] [estimated|metric|absolute|exact|approximate] (distance|distances) [in (metres|meters)] [from (the camera|me|us|here|the viewer)]
    (to|of|for|from)|[the] [metric] depth (of|at)|[the] (distance|distances) between (the camera|me|us) and|[the] depths of"""
)
AWAY = _phrases("away|off|distant")
DISTANCE_NOUN = _phrases("distance|distances|distance from (the camera|me)")

REDACT = Phrases(
    {
        "blur": "blur [out]|blurring|(apply|add) [a] blur [effect] (to|on|over)|obscure with blur|gaussian blur",
        "pixelate": """(pixelate|pixelise|pixelize|pixellate|mosaic) [out]|(apply|add) [a] (pixelation|mosaic) [effect] (to|on|over)|
            censor with pixels""",
        "black": """black out|blackout|blacken [out]|(put|draw|place|add) [a] black (box|boxes|bar|bars|rectangle|rectangles)
            (over|on|across|in front of|on top of)|cover up in black""",
        "": """redact|censor [out]|anonymise|anonymize|hide|obscure|conceal|obfuscate|de-identify|deidentify|cover up|
            protect the identity of|block out|make unrecognisable|make unrecognizable""",
    }
)
COVER = _phrases("cover|hide|obscure|mask|redact|censor|conceal|anonymise|anonymize|block out")
COVERING = Phrases(
    {
        "black": "(with|using|by|in) [a|solid] (black [box|boxes|bar|bars|rectangle|rectangles|out])",
        "blur": "(with|using|by) [a|gaussian] (blur|blurring|gaussian blur)",
        "pixelate": "(with|using|by) [a] (pixels|pixelation|mosaic|pixelating|pixelisation|pixelization|mosaics)",
    }
)
BLURRED = Phrases(
    {"blur": "blurry|blurred [out]", "pixelate": "pixelated|pixellated", "black": "blacked out"}
)

COLOUR_IN = _phrases("(colour|color) [in|code]|mark|highlight")
AS_COLOUR = _phrases(
    "in|as|is|to|with|into|should be|must be|->|=>|→|:|=|-|be|painted|coloured|colored|in the colour|in the color"
)
FOR_LABEL = _phrases("for|means|is|:|=|->|=>|→|marks|to|represents|denotes|-")
SEPARATOR = Phrases(
    {"soft": "and|, and|& |,|plus|as well as|, as well as|and also|, plus|&", "hard": ";|; and"}
)
REST = _phrases(
    "[all|the|and] (everything else|anything else|rest|other|others|remainder|the rest|other pixels|everything else)|all other (things|pixels|classes)"
)

# Dropped wherever they stand.
POLITE_WORDS = words("please kindly pls plz thanks thx ta cheers only just simply")
# Dropped, longest first and again and again, at the start or at the end.
POLITE_START = _phrases(
    """hi [there]|hello [there]|hey [there]|ok|okay|so|now|well|right|alright|good (morning|afternoon|evening|day)|dear (all|model|assistant|sir)|
    (can|could|would|will|may|might) (you|we|i) [perhaps|maybe|possibly|just|also|now|quickly|kindly|then]|would you mind|
    would you be able to|(are|were) you able to|is it possible to|do you think you could|might you|
    i [would|want|need|just|really|only] [really|just] (want|need|like|love|wish|have) [you|it] to|i (would|want|need) you to|i would like to [see|know|get|have]|
    i want to (see|know|get|have)|i would like|i would love|i am (looking|trying) to|(do you have|have you) any idea|any idea|do you know|i wonder|we (want|need) to|we need you to|
    your (task|job) is to|you (should|must|need to|have to)|let us|let me|help me [to]|go ahead and|go and|try to|
    just|then|first|first of all|in this (image|picture|photo|photograph|pic|scene|frame|shot|view|screenshot)|in the (image|picture|photo|photograph|
    pic|scene|frame|shot|view|screenshot)|(for|given|on|from) (this|the) (image|picture|photo|photograph|frame|scene)|for me|,|:|!|.|and|
    from now on|the task is to|task|instruction|prompt|visionrouter|hey visionrouter|computer|(please|kindly)|thanks|do me a favour and|do me a favor and"""
)
POLITE_END = _phrases(
    """(in|from|within|on|of|across) (this|the|that|my) [given|attached|whole|entire|following]
    (image|picture|photo|photograph|pic|scene|frame|shot|view|screenshot)|for (me|us)|
    thanks [a lot|so much|again|very much|in advance]|thank you [so much|very much|kindly|in advance]|many thanks|
    if you (can|could|please)|if possible|(will|would|could|can) you|right now|now|,|:|!|.|?|;|ok|okay|mate|asap|then|
    that you [can] (see|find)|i (uploaded|attached|gave you|sent)"""
)

NEGATIVE_PHRASES = _phrases(
    "other than|apart from|aside from|rather than|instead of|anything but|everything but|all but|leave out"
)
