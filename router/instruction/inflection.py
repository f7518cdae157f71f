"""Singular and plural of English nouns: a table of irregular ones, then the rules of spelling.

A noun phrase inflects in its head: the last word ("traffic lights"), or the word before "of" ("cups of coffee").
"""

from __future__ import annotations

from collections.abc import Callable

from visionrouter.instruction.wordlist import words

_IRREGULAR = {  # plural: singular
    "people": "person", "passers-by": "passer-by", "persons": "person", "children": "child", "feet": "foot", "geese": "goose",
    "teeth": "tooth", "mice": "mouse", "lice": "louse", "oxen": "ox", "dice": "die", "cacti": "cactus",
    "fungi": "fungus", "octopi": "octopus", "hippopotami": "hippopotamus", "loaves": "loaf", "knives": "knife",
    "wives": "wife", "lives": "life", "leaves": "leaf", "thieves": "thief", "halves": "half", "calves": "calf",
    "wolves": "wolf", "shelves": "shelf", "elves": "elf", "selves": "self", "hooves": "hoof", "scarves": "scarf",
    "gases": "gas", "canvases": "canvas", "atlases": "atlas", "pancreases": "pancreas", "christmases": "christmas",
    "irises": "iris", "lenses": "lens", "axes": "axe", "quizzes": "quiz", "fuses": "fuse", "geniuses": "genius",
    "muses": "muse", "recluses": "recluse", "excuses": "excuse", "uses": "use", "analyses": "analysis", "crises": "crisis", "oases": "oasis", "bacteria": "bacterium", "media": "medium",
    "data": "datum", "vertebrae": "vertebra", "larvae": "larva", "cherubim": "cherub", "chassis": "chassis",
}  # fmt: skip
_PLURALS = {
    singular: plural for plural, singular in _IRREGULAR.items() if plural not in ("persons", "octopi")
}

# One form for one and for many.
INVARIANT = words(
    """sheep fish deer moose bison elk shrimp squid salmon trout cod tuna swine aircraft spacecraft hovercraft
    watercraft series species offspring cattle livestock poultry police clothes clothing luggage furniture
    equipment jewelry jewellery chassis sushi broccoli sky grass water food fruit traffic"""
)
# Plural in form, one thing or many in meaning.
PLURALE_TANTUM = words(
    """glasses eyeglasses sunglasses spectacles goggles scissors pliers tweezers tongs shears binoculars trousers
    pants jeans shorts tights leggings pyjamas pajamas overalls dungarees briefs clippers headphones earphones
    handcuffs stairs news headquarters"""
)
# Singular words that end in s.
_SINGULAR_S = words(
    """gas lens canvas atlas christmas asparagus alias bias pancreas pampas debris texas molasses swiss athletics
    gymnastics electronics mathematics physics mars innings diabetes triceratops biceps triceps forceps"""
)
_PLURAL_US = words("menus gnus emus gurus flus bijous thus caribous haikus tofus")
_SINGULAR_IS = words(
    """iris axis tennis ibis mantis malinois pelvis penis trellis cannabis clematis metropolis chassis debris paris this
    brewis marquis haggis"""
)
_KEEP_IE = words(
    """movie cookie zombie selfie brownie hoodie birdie pixie genie calorie hippie smoothie veggie collie laddie
    tie necktie bowtie pie magpie potpie kelpie rotisserie bogie eerie prairie sortie walkie talkie rookie bookie barbie wheelie foodie
    beanie bootie auntie caddie camaraderie lie die"""
)
_KEEP_E = words(
    """shoe horseshoe snowshoe toe tiptoe mistletoe canoe hoe foe doe oboe floe roe aloe ache headache toothache
    cache avalanche niche quiche moustache mustache brioche cliche pickaxe"""
)
_MEN = words("specimen abdomen omen ramen acumen regimen stamen semen yemen hymen lumen cyclamen bitumen")
_MAN = words("human talisman ottoman roman german caiman shaman norman")  # plural in -mans
_DRINKING = words("wine beer water champagne cocktail shot drinking magnifying martini")  # "wine glasses"


def _singular_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in INVARIANT or word in PLURALE_TANTUM or word in _SINGULAR_S:
        return word
    if word.endswith("men") and len(word) > 2 and word not in _MEN:
        return word[:-3] + "man"
    if not word.endswith("s") or word.endswith("ss") or len(word) < 3:
        return word
    stem = word[:-1]
    if word.endswith("us"):
        return stem if word in _PLURAL_US else word
    if word.endswith("is"):
        return word if word in _SINGULAR_IS or word.endswith("sis") else stem
    if word.endswith("ies"):
        return stem if stem in _KEEP_IE or len(word) <= 4 else word[:-3] + "y"
    if word.endswith(("oes", "ches", "xes")):
        return stem if stem in _KEEP_E else word[:-2]
    if word.endswith(("shes", "sses", "zzes")) or (
        word.endswith("uses") and not word.endswith(("ouses", "auses"))
    ):
        return word[:-2]
    return stem


def _plural_word(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if word in INVARIANT or word in PLURALE_TANTUM:
        return word
    if word.endswith("man") and word not in _MAN:
        return word[:-3] + "men"
    if word.endswith("y") and len(word) > 1 and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "sh", "ch")) or (
        word.endswith("o") and len(word) > 1 and word[-2] not in "aeiou"
    ):
        return word + "es"
    return word + "s"


def _in_head(phrase: str, inflect: Callable[[str], str]) -> str:
    head, of, rest = phrase.partition(" of ")
    first, space, last = head.rpartition(" ")
    if last == "glasses" and (of or first in _DRINKING):
        last = "glass"
    return f"{first}{space}{inflect(last)}{of}{rest}"


def singular(phrase: str) -> str:
    """The singular of a lower-case noun phrase: "traffic lights" → "traffic light", "people" → "person"."""
    return _in_head(phrase, _singular_word)


def plural(phrase: str) -> str:
    """The plural of a singular lower-case noun phrase: "wine glass" → "wine glasses"."""
    return _in_head(phrase, _plural_word)


def is_plural(phrase: str) -> bool:
    """True where the form is plural for sure; False for "dog" and for "sheep", "glasses"."""
    return singular(phrase) != phrase
