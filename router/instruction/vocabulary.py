"""The closed words of noun phrases: determiners, numbers, colours, adjectives, places, relations.

Nouns are open: any word that is none of these, nor of `lexicon`, may be one.
"""

from __future__ import annotations

from visionrouter.instruction.patterns import Phrases
from visionrouter.instruction.wordlist import words
from visionrouter.schema.task import RelationKind

R = RelationKind

DETERMINERS: Phrases[str] = Phrases(
    {
        "the": "the|this|that|these|those|the only|my|our|your",
        "a": "a|an|a single",
        "every": "(every|each) [single]|(every|each) (one|instance|example) of [the|these|those|a|an]|each of (the|these|those)",
        "all": """(all|any|some) [of] [the|these|those|my|our|your]|all [the] (instances|examples|types|kinds) of
            [the]|all [the] (visible|different)""",
    }
)
PEOPLE: Phrases[str] = Phrases(
    {"every": "everyone|everybody", "all": "anyone|anybody", "a": "someone|somebody"}
)

_NUMBER_WORDS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty"""
NUMBERS: Phrases[int] = Phrases(
    [
        *((number, word) for number, word in enumerate(_NUMBER_WORDS.split(), 1)),
        (1, "one of (the|these|those)"),
        (2, "two of (the|these|those)|[the|a] couple of|both [of] [the|these|those]"),
        (3, "three of (the|these|those)"),
        (12, "a dozen|dozen"),
    ]
)
ORDINALS: Phrases[int] = Phrases(
    enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"), 1
    )
)

COLOURS = words(
    """red green blue yellow cyan magenta white black orange purple lime teal navy gray grey maroon pink brown beige
    violet turquoise indigo gold golden silver crimson scarlet khaki tan olive aqua fuchsia lavender cream ivory
    burgundy bronze copper charcoal mauve salmon peach blond blonde ginger transparent colourless colorless colorful
    colourful multicolored multicoloured"""
)
SHADES = words("light dark bright deep pale vivid neon pastel dull")
DULL = SHADES - {"light"}  # shades that are adjectives by themselves
COLOUR_SPELLING = {"grey": "gray", "fuchsia": "magenta", "aqua": "cyan", "colourful": "colorful"} | {
    "multicoloured": "multicolored", "colourless": "colorless",
}  # fmt: skip

# Adjectives that are no colour: what they say is kept as an attribute.
ADJECTIVES = words(
    """big large huge giant enormous small little tiny mini miniature tall short long wide narrow broad thick thin
    fat slim skinny heavy high deep round square rectangular triangular oval circular flat curved straight pointed
    striped stripy stripey spotted dotted checkered chequered checked plaid floral patterned plain camouflage
    tie-dyed tartan polka-dot
    wooden wood metal metallic plastic glass stone brick concrete leather paper cardboard steel iron aluminium aluminum
    rubber ceramic porcelain wool woollen woolen cotton denim silk fabric furry fluffy hairy woolly shaggy shiny
    glossy matte rusty dirty muddy dusty clean wet dry smooth rough soft transparent translucent reflective
    old young new ancient modern vintage antique elderly middle-aged teenage adult baby toddler
    broken cracked damaged bent torn empty full open closed shut lit unlit folded rolled parked moving stationary
    standing sitting seated lying sleeping walking running jumping smiling laughing crying barking swimming flying
    waving kneeling crouching squatting leaning dancing cycling riding skiing skating surfing climbing eating drinking
    talking playing grazing blooming burning falling floating hanging
    bald bearded blonde-haired blond-haired naked shirtless barefoot masked hooded pregnant male female
    front rear back frontal ripe unripe rotten fresh frozen hot cold raw cooked fried snowy sandy leafy grassy
    far whole entire visible hidden nearby distant electric wild stray foreign american british domestic urban rural fake real
    famous beautiful pretty cute ugly handsome happy sad angry"""
)
# Adjectives that may follow the noun bare: "the man sitting", "cars parked on the road".
POSTURES = words(
    """standing sitting seated lying sleeping walking running jumping smiling laughing crying barking swimming flying
    waving kneeling crouching squatting leaning dancing cycling skiing skating surfing climbing eating drinking talking
    playing grazing blooming burning falling floating hanging parked moving stationary resting waiting
    lit broken open closed perched mounted stacked visible"""
)
ADJECTIVES |= POSTURES
# Filler participles before a relation: they add a place, not a property.
PLACED = words("located placed positioned situated found seen visible shown depicted pictured stood sat")
# Adjective or colour by itself a noun where nothing follows: "the orange", "a glass".
NOUN_TOO = words(
    """orange lime rose peach olive salmon cream ginger gold silver bronze copper violet lavender glass metal plastic
    wood stone brick concrete leather paper cardboard steel iron rubber cotton denim silk fabric plaid tartan square
    adult baby toddler male female giant miniature blonde rear front back tan khaki dry vintage antique"""
)
PALETTE_FRUIT = words("orange lime")
# Nouns that begin like adjectives.
COMPOUNDS = words(
    """hot-dog black-board white-board blue-jay red-panda orange-juice lemon-lime top-hat square-knot iron-man
    paper-towel paper-clip paper-bag paper-plate paper-cup wood-rabbit glass-jar cream-cheese gold-fish
    gold-medal salmon-fillet rubber-eraser rubber-duck rubber-band rubber-boot baby-carriage baby-stroller baby-bottle
    baby-elephant baby-bear brown-bear black-bear black-swan black-widow black-grouse green-mamba green-snake
    green-lizard red-fox red-wolf white-wolf white-stork black-stork gray-whale grey-whale grey-fox gray-fox great-dane
    golden-retriever old-sheepdog silky-terrier bald-eagle wild-boar ice-cream high-heel high-chair long-board
    open-sign flat-screen flat-bread french-fries fire-hydrant stone-wall brick-kiln steel-drum steel-bridge
    little-finger middle-finger tank-top crop-top table-top shopping-center shopping-centre city-center
    city-centre wet-suit dry-cleaner hot-tub hot-plate hot-pot hot-air-balloon
    cold-drink rose-bush back-pack back-rest front-door back-door rear-window front-wheel rear-wheel back-wheel
    upper-body lower-body upper-arm lower-arm upper-leg lower-leg upper-lip lower-lip lower-back
    cotton-candy round-about running-shoe swimming-pool swimming-cap swimming-trunks climbing-wall
    walking-stick sleeping-bag jumping-spider flying-fish drinking-fountain eating-area playing-card playing-field
    falling-rock dancing-bear hanging-basket moving-van soft-toy soft-drink real-estate fresh-water
    polka-dot-dress tall-ship short-cut small-intestine light-bulb light-pole light-switch light-house light-fixture
    deep-sea bright-side electric-fan electric-guitar electric-ray electric-locomotive digital-clock"""
)

# Parts that come in pairs: "left hand" names the part, not its place in the picture.
PAIRED_PARTS = words(
    """hand foot arm leg eye ear elbow knee shoulder wrist ankle hip thumb cheek eyebrow nostril wing fin paw lung kidney
    shoe boot glove sock sleeve lane turn turn-signal headlight taillight wheel indicator mirror"""
)

_LEFT, _RIGHT, _TOP, _BOTTOM, _MIDDLE = (
    (R.LEFTMOST,),
    (R.RIGHTMOST,),
    (R.TOPMOST,),
    (R.BOTTOMMOST,),
    (R.MIDDLE,),
)
Kinds = tuple[RelationKind, ...]

# "on the", then where in the picture, then "side".
PLACE_STARTS = Phrases([(None, "(on|at|in|to|by|toward|towards) [the] [far|very|extreme]")])
COUNTED_FROM = Phrases([(None, "from [the] [far|very|extreme]|counting from the|starting from the")])
EDGES: Phrases[Kinds] = Phrases(
    {
        _LEFT: "left|leftmost",
        _RIGHT: "right|rightmost",
        _TOP: "top|upper",
        _BOTTOM: "bottom|lower",
        _MIDDLE: "middle|center|centre",
        (R.TOPMOST, R.LEFTMOST): "(top|upper) left|left top|left upper",
        (R.TOPMOST, R.RIGHTMOST): "(top|upper) right|right top|right upper",
        (R.BOTTOMMOST, R.LEFTMOST): "(bottom|lower) left|left bottom|left lower",
        (R.BOTTOMMOST, R.RIGHTMOST): "(bottom|lower) right|right bottom|right lower",
        (R.NEAREST,): "foreground|front",
        (R.FARTHEST,): "background|back|distance",
    }
)
SIDE_WORDS = words(
    "side edge corner half part end third quarter border section foreground background distance"
)
DEPTH_PLACES = words("foreground background distance front back rear top bottom middle center centre")
SIDES = Phrases([(None, "[hand] (side|edge|corner|half|part|end|third|quarter|border|section)")])

# Before the noun: "the leftmost car", "the second largest dog", "the top left window".
SUPERLATIVES: Phrases[Kinds] = Phrases(
    {
        _LEFT: "leftmost|left most|left|(far|extreme|furthest|farthest) left",
        _RIGHT: "rightmost|right most|right|(far|extreme|furthest|farthest) right",
        _TOP: "topmost|top most|top|upper|uppermost|highest",
        _BOTTOM: "bottommost|bottom most|bottom|lower|lowermost|lowest",
        _MIDDLE: "middle|central|center|centre|centermost|centremost",
        (R.TOPMOST, R.LEFTMOST): "(top|upper|topmost) (left|leftmost)",
        (R.TOPMOST, R.RIGHTMOST): "(top|upper|topmost) (right|rightmost)",
        (R.BOTTOMMOST, R.LEFTMOST): "(bottom|lower|bottommost) (left|leftmost)",
        (R.BOTTOMMOST, R.RIGHTMOST): "(bottom|lower|bottommost) (right|rightmost)",
        (R.NEAREST,): "nearest|closest",
        (R.FARTHEST,): "farthest|furthest|most distant|(furthest|farthest) away",
        (R.LARGEST,): "largest|biggest",
        (R.SMALLEST,): "smallest|tiniest|littlest",
    }
)
# After the noun: "the car closest to the camera"; after "is" also "the largest".
NEAREST_AFTER: Phrases[RelationKind] = Phrases(
    {R.NEAREST: "[the] (nearest|closest)", R.FARTHEST: "[the] (farthest|furthest|most distant) [away]"}
)
SUPERLATIVES_AFTER: Phrases[RelationKind] = Phrases(
    {
        R.NEAREST: "[the] (nearest|closest) [one]",
        R.FARTHEST: "[the] (farthest|furthest|most distant) [away] [one]",
        R.LARGEST: "[the] (largest|biggest) [one]",
        R.SMALLEST: "[the] (smallest|tiniest) [one]",
        R.LEFTMOST: "[the] (leftmost|(furthest|farthest) [to the] left) [one]",
        R.RIGHTMOST: "[the] (rightmost|(furthest|farthest) [to the] right) [one]",
        R.TOPMOST: "[the] (topmost|highest) [one]",
        R.BOTTOMMOST: "[the] (bottommost|lowest) [one]",
    }
)
VIEWERS = Phrases([(None, "[the] (camera|viewer|observer|lens|photographer)|me|us|here")])
FROM_VIEWER = Phrases([(None, "(to|from) ([the] (camera|viewer|observer|lens|photographer)|me|us|here)")])

# Superlatives and comparatives that no evidence in a picture is mapped to: refused by name.
UNSUPPORTED_DEGREES = words(
    """tallest shortest longest widest narrowest thickest thinnest oldest youngest newest brightest darkest fastest
    slowest heaviest prettiest cutest best worst fattest happiest most least bigger larger smaller nearer closer
    farther further taller shorter older younger higher darker brighter more less last next other same another
    several few many most similar different various"""
)

RELATIONS: Phrases[RelationKind] = Phrases(
    {
        R.LEFT_OF: "[just|directly|immediately] ([to the|on the|at the] left [hand] [side] of|on the left from)",
        R.RIGHT_OF: "[just|directly|immediately] ([to the|on the|at the] right [hand] [side] of|on the right from)",
        R.ABOVE: "[just|directly|right] (above|over)",
        R.BELOW: "[just|directly|right] (below|under|underneath|beneath)",
        R.NEXT_TO: """[just|directly|right|immediately] (next to|beside|alongside|adjacent to)|near [to]|close to|
            by|closest to|nearest to|at|against""",
        R.IN_FRONT_OF: "[just|directly|right] in front of|ahead of",
        R.BEHIND: "[just|directly|right] (behind|in back of)",
        R.ON: "on|on top of|atop|upon|onto",
        R.IN: "in|inside|inside of|within",
        R.WITH: "with|wearing|holding|riding|carrying|having|dressed in|pushing|pulling|using|walking with",
        R.OF: "of|belonging to",
    }
)
HAS: Phrases[RelationKind] = Phrases({R.WITH: "has|have|wears|wear|holds|hold|rides|ride|carries|carry"})
# Worn: "in a red shirt" means wearing it, "wearing red" wearing red clothing.
WORN = words(
    """hat cap helmet glasses eyeglasses sunglasses spectacles goggles scarf jacket coat shirt t-shirt tshirt blouse dress
    skirt trousers pants jeans shorts tights leggings shoe boot sneaker trainer sandal glove tie bow-tie suit uniform
    vest waistcoat hoodie sweater jumper jersey cardigan necklace earring bracelet ring apron belt sock mask wig beard
    moustache mustache ponytail robe gown kimono costume swimsuit bikini raincoat poncho clothing clothes outfit
    headphones earphones headband hood turban hijab veil crown wetsuit overalls pyjamas pajamas top hat"""
)
CARRIED = words(
    """backpack rucksack bag handbag purse umbrella phone stick cane camera suitcase briefcase basket tray bottle cup
    book newspaper racket bat ball surfboard skateboard snowboard flag sign hair tail collar leash lead saddle horn
    handle logo stripe spot window wheel"""
)
PERSONS = words(
    """person man woman boy girl child kid baby toddler adult teenager lady gentleman guy bloke pedestrian player
    worker soldier policeman policewoman officer cyclist rider skier surfer runner driver passenger tourist student
    teacher doctor nurse chef waiter bride groom footballer goalkeeper referee firefighter fireman dancer singer
    musician customer farmer mother father actor actress skater jogger athlete astronaut"""
)
# Containers and groups: "cup of coffee" is one noun.
MEASURES = words(
    """cup mug glass bottle can jar bowl plate dish tray basket bag box carton bucket barrel pot pan jug tin tube pack
    packet pile stack heap bunch bundle group crowd flock herd swarm pair set row line slice piece loaf bar ball roll
    sheet bouquet bed field patch scoop portion"""
)
# Two of these beside each other are no compound: the comma between them was left out.
BASIC_THINGS = words(
    """person man woman boy girl child dog cat horse cow sheep elephant zebra giraffe bear bird car truck bus bicycle bike
    motorcycle motorbike train airplane plane boat ship tree building road sky"""
)
STUFF = words(
    """sky grass road street pavement sidewalk ground floor ceiling wall water sea ocean river lake sand snow mud dirt
    soil sunlight fog smoke vegetation terrain background foreground cloud mountain forest field lawn asphalt gravel
    beach land foliage rain ice fire"""
)
QUESTIONED = words("number amount total kind type sort species breed variety location position")
GENERIC = words("object thing item stuff entity element")
POINTERS = {"bounding box"} | words(
    """point click cursor dot location position spot pixel marker coordinate pointer rectangle region area part selection
    bbox roi"""
)
UNIT_WORDS = words("unit metre meter centimetre centimeter foot inch yard kilometre kilometer")
ABSTRACT = words(
    """flight work motion use action rest danger fire sale duty love focus night day winter summer autumn foot pain
    public time general particular detail total progress order colour color"""
)
FRAMES = words("box frame zone crop")
IMAGE_WORDS = words("image picture photo photograph pic frame scene shot snapshot view screenshot")

# Words that no noun begins with or holds: they stand for something else in a thing.
CLOSED = UNSUPPORTED_DEGREES | {
    phrase[0] for table in (NUMBERS, ORDINALS, SUPERLATIVES) for phrase in table.phrases if len(phrase) == 1
}
