"""Every name that a person can choose, each once: the command line and the library read the same literals."""

from typing import Literal, get_args

Method = Literal["activated", "all-to-all", "neuroninspect", "mmbd", "weights", "neural_cleanse", "freeeagle"]
METHODS: tuple[Method, ...] = get_args(Method)
DEFAULT_METHODS: tuple[Method, ...] = ("activated", "all-to-all")

# Is the file itself an attack? Does a trigger send every image to one class? Each class to another class? The images of
# one class alone to another class?
Question = Literal["file", "one-target", "every-class", "one-source"]
QUESTIONS: tuple[Question, ...] = get_args(Question)
REQUIRED: tuple[Question, ...] = ("file", "one-target", "every-class")  # without an answer no model is clean
Skippable = Literal["one-target", "every-class", "one-source"]

Format = Literal["text", "json", "sarif", "junit", "markdown", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)

Preset = Literal["unit", "imagenet", "minus1_1", "uint8"]
Layout = Literal["NCHW", "NHWC", "flat"]
Color = Literal["rgb", "bgr", "gray"]
Resize = Literal["bilinear", "bicubic", "nearest", "lanczos", "none"]

Objective = Literal["logit", "margin", "logprob", "cross_entropy"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

Device = Literal["auto", "cpu", "cuda"]
Sandbox = Literal["auto", "require", "off"]
