"""Words that are never nouns, or nouns of a special kind: what keeps the open vocabulary from swallowing a sentence."""

from __future__ import annotations

from visionrouter.instruction.wordlist import words

NEGATION = words(
    "not no except excluding without but never none neither nor minus unless ignore ignoring exclude omit skip"
)
CONDITION = words(
    "if when while unless until whenever whether because since before after once during otherwise"
)
EDITING = words(
    """remove erase delete replace swap change add insert put turn convert transform edit enhance upscale sharpen denoise
    brighten darken recolor recolour colorize colourise colorise paint repaint restore inpaint outpaint imagine invent
    stylize stylise cartoonize cartoonise animate rotate flip resize crop compress translate write improve retouch fix
    photoshop morph merge blend make imitate resemble design illustrate sketch"""
)
PRONOUNS = words("it they them him her he she its their his hers theirs itself themselves something stuff")

_FUNCTION = words(
    """a an the this that these those my your his her its our their i me we us you he him she they them it
    and or nor but not no yes as at by for from in into inside of off on onto out over per than to toward towards under
    underneath until up upon via with within without between among amid across along around about against above
    below beneath beside besides behind beyond near next close adjacent alongside atop ahead through throughout during
    except excluding minus plus is are was were be been being am do does did done has have had having can could would
    should shall will may might must what which who whom whose where when why how if unless while because so then
    there here everything anything nothing something everyone everybody anyone anybody someone somebody nobody none
    each every all any some both either neither many much several few most more less least only just also too very
    really quite again away apart together else same other another such own different various similar
    rightmost leftmost topmost bottommost nearest closest farthest furthest largest biggest smallest highest lowest
    visible called named labelled labeled like unlike
    wearing holding riding carrying dressed pushing pulling using
    showing having chasing facing looking doing going coming trying making taking getting giving watching
    not except exactly approximately about now please thanks thank"""
)
_VERBS = words(
    """ones rest others remainder twice thrice driven made worn held eaten taken built ridden thrown caught drawn rgb hex pixelation
    pixelating mosaic mosaics blurring selected clicked highlighted pointed prompted marked indicated segment segments segmented detect detects find finds locate classify estimate compute calculate generate pixelate
    pixelise pixelize pixellate blur blurred redact censor anonymise anonymize obscure conceal identify recognise
    recognize categorise categorize remove erase delete replace swap convert transform edit enhance create produce
    make show give tell draw isolate extract outline delineate count color colour colored coloured colors colours
    detection segmentation classification estimation instances semantic instance see want need look looks wears wear
    holds hold rides ride carries carry appear appears touch touches chase chases bite bites eat eats
    pixelisation pixelization overlay annotate visualise visualize boxed given chosen uploaded attached following input
    separate individual distinct unique prediction predictions localisation localization run perform output return provide obtain recover determine infer predict apply
    distance depth normals albedo albedos reflectance roughness metallicity metalness shading pose poses keypoints
    invisible blacken separately individually"""
)
_FOREIGN = words(
    """der das dem den des und ein eine einen einem ist sind wo nicht mit auf im zu von für bitte alle finde suche
    le les un une et est dans avec sur pour où trouve trouver toutes tous chaque du
    el los las una uno y donde dónde está están con en para encuentra todos todas cada
    il gli lo e trova tutti tutte nella nel della
    de het een alle vind waar op
    o os onde são encontre
    och är var alla hitta i på"""
) - words("i den do in on a y e o var")
RESERVED = (
    _FUNCTION | _VERBS | _FOREIGN | NEGATION | CONDITION | PRONOUNS
    | words("first second third fourth fifth sixth seventh eighth ninth tenth last")
)  # fmt: skip
FOREIGN = _FOREIGN
# Words in -ly and -ing that are nouns all the same; others after a noun are adverbs and participles.
LY_NOUNS = words(
    """fly butterfly dragonfly firefly lily jelly belly trolley family dolly teddy ally bully assembly july italy
    doily holly anomaly monopoly supply gully telly lolly brolly potbelly wooly ply rally daddy-longlegs filly hillbilly
    monkfly housefly sawfly mayfly dayly underbelly"""
)
ING_NOUNS = words(
    """building painting ceiling wing ring king string spring swing thing clothing lighting drawing awning railing
    wedding pudding dumpling duckling earring icing topping being viking stocking sling bling sibling herring starling
    evening morning opening crossing parking landing bedding flooring roofing siding fencing plumbing shipping
    carving etching engraving writing lettering marking stuffing frosting filling covering casing housing
    sapling seedling gosling nestling fledgling yearling hatchling darling inkling pickling grating tubing wiring
    piping lining binding boarding signing sewing knitting dressing seasoning offspring lightning mooring
    scaffolding shelving upholstery gelding wing bearing coating molding moulding paving sterling king-sized"""
)
ED_NOUNS = words(
    "speed breed steed moped flatbed seabed watershed thoroughbred riverbed toolshed woodshed shed weed seed"
)
# What no look at a picture's class tells: "what time is it".
QUALITIES = words(
    """time day date year month season size shape price age weight height temperature place country city town street
    language brand emotion mood gender style weather number name word letter breed species kind type sort make model variety colour color direction angle position"""
)
# What has a depth of its own: "depth of field", "depth of the water".
DEEP = words("field focus water hole pool river lake sea ocean snow well pit colour color room")
# "dog segmentation" names a thing, "panoptic segmentation" a way.
OTHER_SEGMENTATIONS = words(
    "panoptic amodal video motion part medical interactive superpixel automatic unsupervised colour color text"
)
# Names of answers, not of things: "find the mask" may mean either, so detection refuses them.
ANSWERS = words("pixel label class category segment instance")
TASK_NOUNS = (
    ANSWERS
    | words("mask skeleton keypoint joint silhouette outline contour")
    | {"body joint", "body keypoint", "bbox", "bounding box", "key point"}
)
