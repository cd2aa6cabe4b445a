"""What can be wrong with a model file itself, apart from what its network has learnt."""

from __future__ import annotations

from ninspect.findings.rule import Rule

FILE_RULES = (
    Rule(
        "HX001",
        "error",
        "weights outside the model's folder",
        "The model asks for weights at an absolute path or above its own folder, where your own files are. Nothing "
        "was read.",
        "Do not load the model; ask its author for weights that lie beside it.",
    ),
    Rule(
        "HX002",
        "error",
        "weights behind a link or in a special file",
        "A part of the path of the weights is a symbolic link, or they are not a regular file. A link in a "
        "download can point at any file of yours, a pipe can stop the reader. Nothing was read.",
        "If the link is yours, as in a download cache, copy the file itself beside the model.",
    ),
    Rule(
        "HX003",
        "error",
        "weights in a file with several names",
        "The file of the weights has more than one hard link, so it may be any file of yours under another name. "
        "Nothing was read.",
        "If the link is yours, copy the file beside the model.",
    ),
    Rule(
        "HX004",
        "error",
        "weights at an impossible place",
        "The offset or length of external weights is no number, is negative, or is not the size of the tensor. "
        "No exporter writes that.",
        "Do not load the model; export it again if it is yours.",
    ),
    Rule(
        "HX005",
        "error",
        "unknown field of external weights",
        "External weights have the fields location, offset, length and checksum. Others have been used to set "
        "attributes of Python objects in the program that reads them.",
        "Do not load the model; export it again if it is yours.",
    ),
    Rule(
        "HX006",
        "error",
        "functions that expand without bounds",
        "Functions that call each other make a graph too large to be written out: a small file that takes all "
        "memory or time.",
        "Do not load the model; export it again without functions if it is yours.",
    ),
    Rule(
        "HX007",
        "error",
        "an operator that runs code",
        "The operator runs Python code or a native library that comes with the model, or that it names.",
        "Do not load the model in any program; ask for one in standard operators.",
    ),
    Rule(
        "HX008",
        "warning",
        "more parts than any network has",
        "The file has so many nodes, tensors, functions or entries that reading it would take its reader's memory "
        "or time.",
        "Export the model again; report the limit if the network is real.",
    ),
    Rule(
        "HX009",
        "warning",
        "a Python pickle",
        "The file is no ONNX model but a pickle, which can run code when it is loaded. It was not loaded.",
        "Do not load it; ask for the model in ONNX.",
    ),
    Rule(
        "IN001",
        "warning",
        "a tensor that does not fit its data",
        "The type or shape of a tensor is impossible, or is not that of the data that is stored for it.",
        "Download or export the model again.",
    ),
    Rule(
        "IN002",
        "warning",
        "two values for one tensor or attribute",
        "Programs differ in which of them they take, so the network that is scanned need not be the one that runs.",
        "Export the model again; a file like this was edited by hand.",
    ),
    Rule(
        "IN003",
        "warning",
        "one name twice",
        "Two tensors, nodes' results, attributes, functions or fields have one name. Programs differ in which of "
        "them they take, so the network that is scanned need not be the one that runs.",
        "Export the model again; a file like this was edited by hand.",
    ),
    Rule(
        "IN004",
        "warning",
        "a function in the place of a standard operator",
        "The model defines an operator of the standard anew. Some programs run its definition, others do not.",
        "Ask the author to give the function a domain of its own.",
    ),
    Rule(
        "IN005",
        "warning",
        "weights that are not finite",
        "A weight is infinite or not a number, so that the network's answers are no numbers either.",
        "Download or export the model again.",
    ),
    Rule(
        "IN006",
        "warning",
        "a value that depends on itself or on nothing",
        "A node's input is its own result, is defined nowhere, or a function calls itself.",
        "Download or export the model again.",
    ),
    Rule(
        "IN007",
        "note",
        "weights that a caller can replace",
        "A weight is an input as well, so a program can run the network with another. The stored one was scanned.",
        "Export the model without initializers among its inputs.",
    ),
    Rule(
        "GR001",
        "error",
        "a decision that gradients cannot see",
        "The class scores jump with a comparison, a Floor or a branch that depends on the image. A trigger can "
        "be recognised this way without leaving a trace in any gradient, and no trained classifier needs it. Not "
        "seen are steps that are only very steep, such as a Clip, Relu or Sigmoid of numbers multiplied by a large "
        "constant: they have a gradient, if one that is zero nearly everywhere.",
        "Look at the nodes named; ask what they are for.",
        ("AML.T0018.001", "AML.T0010.003"),
    ),
    Rule(
        "GR002",
        "warning",
        "a random operator",
        "The network draws random numbers, so it answers differently each time and cannot be analysed.",
        "Export the model in inference mode.",
    ),
    Rule(
        "GR003",
        "warning",
        "too deeply nested",
        "Branches lie within branches, or messages within messages, deeper than any exporter writes them.",
        "Export the model again with its branches resolved.",
    ),
)
