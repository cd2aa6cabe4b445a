"""What can be said of the model, of the scan, of the images, and of what the network has learnt."""

from __future__ import annotations

from ninspect.findings.rule import Rule

_BACKDOOR = ("AML.T0018.000", "AML.T0043.004", "AML.T0010.003")

SCAN_RULES = (
    Rule(
        "MD001",
        "warning",
        "a model that cannot be analysed",
        "The file is no ONNX image classifier, or one in a form that ninspect cannot read. Nothing was measured.",
        "Read the message. Export the model again as an image classifier with one image input and one score per class.",
    ),
    Rule(
        "MD002",
        "warning",
        "an operator without a gradient rule",
        "The model holds an operator that ninspect does not know, so its gradient cannot be built.",
        "Export the model without the operator, or ask for the rule. `ninspect operators` lists those that are known.",
    ),
    Rule(
        "MD003",
        "warning",
        "a model that needs more memory than it may take",
        "A scan of the model would exceed the memory limit, so it was not run.",
        "Raise --max-memory if the machine has the memory.",
    ),
    Rule(
        "MD004",
        "warning",
        "gradients that are estimates",
        "The network rounds its numbers. Rounding has no derivative, so the gradients are straight-through estimates, "
        "which can miss a backdoor.",
        "Scan the model from before quantisation, if there is one.",
    ),
    Rule(
        "MD005",
        "note",
        "class names that do not fit the model",
        "The number of class names is not the number of classes, so classes are shown by number.",
        "Give the names of this model with --class-names.",
    ),
    Rule(
        "MD006",
        "note",
        "a model that takes its images in a way of its own",
        "The model has inputs beside the image, takes whole numbers, leaves sizes open, or takes one image at a time. "
        "The message says what was made of it.",
        "Check that it is what the model is used with. --size, --color, --layout and --feed say it otherwise.",
    ),
    Rule(
        "SC001",
        "warning",
        "the converted model answers differently",
        "Before it is differentiated, a model is converted to a recent opset. Its answers differ from those of the "
        "original bytes in ONNX Runtime: what would be measured is another network.",
        "Report the operators of this model; export it with a newer opset meanwhile.",
    ),
    Rule(
        "SC002",
        "warning",
        "a gradient that is not the derivative",
        "The gradient is compared with differences of the logits at a few images, and it disagrees, or it is zero "
        "where it should not be: nothing that is measured with it could be trusted.",
        "Export the model with its logits as an output; if it has them, report its operators.",
    ),
    Rule(
        "SC003",
        "warning",
        "a scan that was stopped",
        "The scan ended early: by a limit of time or memory, by a signal, or with the process that did it.",
        "Raise --timeout or --max-memory, or run the scan again.",
    ),
    Rule(
        "SC004",
        "warning",
        "classes that were not examined",
        "Only some classes were examined, as was asked with --classes. A backdoor of another class is not seen.",
        "Scan all classes before you call the model clean.",
    ),
    Rule(
        "SC005",
        "note",
        "no search for triggers",
        "No triggers were searched. That finds fewer backdoors, none that work on images of one class alone, and tells "
        "fewer of them from natural classes.",
        "Leave out --no-evidence.",
    ),
    Rule(
        "SC006",
        "note",
        "a method that could not judge the model",
        "One of several methods could not look at this model. The questions that it would have answered are listed "
        "apart, with what answered them.",
        "Read the message; leave the method out if it does not fit the model.",
    ),
    Rule(
        "IM001",
        "note",
        "no images",
        "Classes were judged on pictures that ninspect drew. That finds fewer backdoors, cannot clear a model, and "
        "nothing tells whether the preprocessing is right.",
        "Give clean images with --samples.",
    ),
    Rule(
        "IM002",
        "warning",
        "too few images",
        "So few images say little about how the model answers.",
        "Give 50 different images or more.",
    ),
    Rule(
        "IM003",
        "note",
        "few images",
        "With few images fewer backdoors are found.",
        "Give 50 different images or more.",
    ),
    Rule(
        "IM004",
        "note",
        "unreadable images",
        "Some images could not be read and were skipped.",
        "Repair or remove the files that the result lists.",
    ),
    Rule(
        "IM005",
        "note",
        "images that share a patch",
        "Several images are alike in a small patch that ends sharply. If it is a trigger, the images are not clean, "
        "and a backdoor can be missed.",
        "Look at the images named; scan with images of another origin.",
    ),
    Rule(
        "IM006",
        "warning",
        "answers that are no numbers",
        "The model answers some images with NaN or infinite values.",
        "Check the preprocessing.",
    ),
    Rule(
        "IM007",
        "warning",
        "one answer for every image",
        "The model answers the same class for all images, so it is degenerate, or gets them in the wrong form.",
        "Check the preprocessing; give images of several classes.",
    ),
    Rule(
        "IM008",
        "warning",
        "accuracy near chance",
        "The model is hardly more often right than guessing. A wrong range of values, wrong colours or wrong labels "
        "look like this, and make every measurement meaningless.",
        "Check the preprocessing, the labels and --class-map.",
    ),
    Rule(
        "IM009",
        "warning",
        "too many unreadable images",
        "More than a fifth of the images cannot be read, so the others may be no fair sample.",
        "Repair or remove the files that cannot be read.",
    ),
    Rule(
        "IM010",
        "warning",
        "labels that contradict the model",
        "The model's own answers say that the labels are wrong: either labels stand for other classes, or the model is "
        "wrong where it is surest. Then the accuracy says nothing, nor does what was inferred with it.",
        "Look at some images and their labels. If classes are only numbered differently, write the class map that the "
        "answers speak for with --write-class-map FILE, look at it, and scan again with --class-map FILE. Otherwise "
        "correct the labels or the preprocessing, or give the images without labels.",
    ),
    Rule(
        "IM011",
        "note",
        "how the images were understood",
        "Something had to be assumed of the images: how classes are numbered, which part of a data set is meant, or "
        "that some files do not belong to it.",
        "Check that it is what you mean; give another folder or a --class-map if it is not.",
    ),
    Rule(
        "IM012",
        "note",
        "images that the model is unsure of",
        "There are no labels, and the model gives no class of most images half of the probability. It may not know "
        "such images, or get them in another form than it was trained with. Then a small trigger alone accuses no "
        "class.",
        "Give images of the kind that the model was trained for, best with labels, and say what it expects with "
        "--preset or --preprocess.",
    ),
    Rule(
        "PP001",
        "note",
        "preprocessing that was assumed",
        "Nothing says what range of values the model expects, and no labels tell, so pixel / 255 was used. A small "
        "trigger alone then accuses no class.",
        "Say what the model expects with --preset or --preprocess.",
    ),
    Rule(
        "PP002",
        "note",
        "preprocessing that is not certain",
        "The preprocessing was inferred from the labels, and another preset fits nearly as well.",
        "Say what the model expects with --preset or --preprocess.",
    ),
    Rule(
        "BD001",
        "error",
        "a class that looks like a backdoor's target",
        "Of all classes this one is explained like a trigger: it can be reached with far less than the others, by a "
        "small spot that stays where it is. A class like no other can look so without a backdoor.",
        "Do not use the model before its author has explained the class. Look at the recovered trigger, and put it on "
        "images of your own.",
        _BACKDOOR,
    ),
    Rule(
        "BD002",
        "error",
        "one change that sends every class to another",
        "One small change of all images permutes the classes, as the trigger of an all-to-all backdoor does.",
        "Do not use the model before its author has explained this; train it again, or ask for another.",
        _BACKDOOR,
    ),
    # BD003 stood for whatever kept a model from being judged; each reason has an id of its own now.
    Rule(
        "BD004",
        "warning",
        "a small trigger from one class to another",
        "A small trigger sends images of one class to another, and leaves those of other classes where they are. That "
        "is what a backdoor with a source class does, and what two classes do that are alike.",
        "Look at the picture of the trigger: does it draw the other class, or something that does not belong there? "
        "Ask the author of the model about the latter.",
        _BACKDOOR,
    ),
    Rule(
        "BD005",
        "warning",
        "a class that nearly looks like a backdoor's target",
        "One class ranks first, and little is needed to send images to it compared with the others, though not so "
        "little that the model is suspected. A backdoor with a large or weak trigger looks like this, and a class that "
        "is easy by nature may.",
        "Look at its pictures: is that something that belongs to the class? Put it on images of your own, and "
        "give more images with --max-images.",
        _BACKDOOR,
    ),
    Rule(
        "BD006",
        "warning",
        "a class that is nearer than in the reference",
        "From the images of nearly every class, less leads to this class than in a model that the user trusts, by far "
        "more than for the other classes. What makes a class easy by nature is in both models; a backdoor is in one.",
        "Look at what the recovered trigger of the class shows, and ask the author of the model what was changed. If "
        "the reference was trained on other images of the class, that may explain it.",
        _BACKDOOR,
    ),
    Rule(
        "BD007",
        "warning",
        "a trigger from one class to another that the reference does not have",
        "A small trigger sends images of one class to another, and leaves those of other classes where they are; in a "
        "model that the user trusts it takes far more. Classes that are alike are so in both models; a backdoor with a "
        "source class is in one.",
        "Look at the picture of the trigger, and put it on images of your own. Ask the author of the model about it.",
        _BACKDOOR,
    ),
    Rule(
        "CV001",
        "warning",
        "the file was not checked to its end",
        "Whether the file itself is an attack was asked and not answered.",
        "Read the message; another finding says what stopped the check.",
    ),
    Rule(
        "CV002",
        "warning",
        "triggers that send every image to one class: not answered",
        "Whether a trigger sends every image to some class was asked, and nothing that could have found one was able "
        "to look.",
        "Read the message. Most often images are missing or too few, or the preprocessing is not that of the model; "
        "for fewer than five classes there is no answer. --skip one-target leaves the question out.",
    ),
    Rule(
        "CV003",
        "warning",
        "triggers that send every class to another: not answered",
        "Whether a trigger sends each class to another one was asked, and nothing that could have found one was able "
        "to look.",
        "Give more images, some of each class; for fewer than five classes there is no answer. --skip every-class "
        "leaves the question out.",
    ),
    Rule(
        "CV004",
        "warning",
        "triggers for images of one class: not answered",
        "Whether a trigger works on the images of one class alone was asked, and nothing that could have found one was "
        "able to look.",
        "Give more images of each class, or leave out --require one-source: it is not asked by default.",
    ),
)
