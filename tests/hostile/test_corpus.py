"""Every bad input of the corpus through the real command line. The corpus is beside the repository, if anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.process import QUIET, watched

_MAKER = Path(__file__).parents[3] / "shared" / "hostile" / "make_corpus.py"

# Name of the file: exit codes that are allowed, and what the reason or the findings must say.
EXPECTED = {
    "01_empty": ({2}, "is empty"),
    "02_random": ({3}, "is not an ONNX model"),
    "03_text": ({2}, "is a text file"),
    "04_truncated": ({3}, "or is truncated"),
    "05_trailing": ({3}, "is not an ONNX model"),
    "06_lfs": ({2}, "git lfs pull"),
    "07_gzip": ({2}, "gzip-compressed; decompress it first"),
    "08_zip": ({2}, "zip archive"),
    "09_pickle": ({3}, "HX009"),
    "10_dir": ({2}, "there is no .onnx file in"),
    "11_fifo": ({3}, "not a regular file"),
    "12_loop": ({2, 3}, "symbolic links"),
    "13_nograph": ({3}, "holds no network"),
    "14_nonodes": ({3}, "holds no network"),
    "15_cycle": ({3}, "IN006"),
    "16_undef": ({3}, "IN006"),
    "17_dupinit": ({3}, "IN003"),
    "18_opset9999": ({3}, "opset 9999, newer"),
    "19_ir9999": ({3}, "version 9999"),
    "20_customop": ({3}, "com.evil::Evil"),
    "21_pyop": ({1}, "HX007"),
    "22_constofshape_1T": ({3}, ""),
    "23_constofshape_3GB": ({3}, ""),
    "24_expand_dyn": ({3}, ""),
    "25_hugedims_nodata": ({3}, "IN001"),
    "26_overflow_dims": ({3}, "IN001"),
    "27_negdims": ({3}, "IN001"),
    "28_rawmismatch": ({3}, "IN001"),
    "29_baddtype": ({3}, "IN001"),
    "30_ext_dotdot": ({1}, "HX001"),
    "31_ext_abs": ({1}, "HX001"),
    "32_ext_symlink": ({1}, "HX002"),
    "33_ext_hardlink": ({1}, "HX003"),
    "34_ext_devzero": ({1}, "HX001"),
    "35_ext_missing": ({3}, "'nope.bin', which is missing"),
    "36_ext_hugelen": ({1}, "HX004"),
    "37_ext_negoff": ({1}, "HX004"),
    "38_ext_dunder": ({1}, "HX005"),
    "39_ext_parentsymlink": ({1}, "HX002"),
    "40_ext_fifo": ({1}, "HX002"),
    "41_infloop": ({3}, "Loop"),
    "42_loop_scanout_mem": ({3}, "Loop"),
    "43_nestif_d12": ({3}, "GR003"),
    "43_nestif_d18": ({3}, "GR003"),
    "43_nestif_d22": ({3}, "GR003"),
    "43_nestif_d26": ({3}, "GR003"),
    "44_protonest_5000": ({3}, "GR003"),
    "45_func_cycle": ({3}, "IN006"),
    "46_func_billionlaughs_2e21": ({1}, "HX006"),
    "47_chain_50k": ({3}, "HX008"),
    "48_nanweight": ({3}, "IN005"),
    "49_infweight": ({3}, "IN005"),
    "50_zeros": ({3}, "constant output"),
    "51_noinput": ({3}, "inputs are: none"),
    "52_twoinputs": ({3}, "several inputs of the model could be the image"),
    "53_stringin": ({3}, "no single input of the model is an image"),
    "54_uint8in": ({3}, QUIET),
    "55_hugeinput": ({3}, "has more than 16777216 values"),
    "56_zeroinput": ({2}, "say which with --size"),
    "57_1class": ({3}, "2 classes can be compared"),
    "58_noshape": ({2, 3}, "has no shape in the file"),
    "59_random_op": ({3}, "GR002"),
    "60_hostile_strings": ({3}, QUIET),
    "61_meta_eval": ({3}, QUIET),
    "62_longname": ({3}, QUIET),
    "63_protobomb_nodes_16MB": ({3}, "HX008"),
    "64_stringtensor_8MB": ({3}, "HX008"),
    "65_fp16": ({0, 3}, ""),
    "66_archbackdoor_if": ({1}, "GR001"),
    "67_sparse_3GB": ({3}, "sparse file"),
    "68_reshape_neg": ({3}, ""),
    "69_divzero_shape": ({3}, ""),
    "70_conv_hugepad": ({3}, ""),
    "71_resize_huge": ({3}, ""),
    "72_tile_huge": ({3}, ""),
    "73_range_huge": ({3}, ""),
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not _MAKER.exists():
        pytest.skip("the corpus of bad inputs is not beside the repository")
    folder = tmp_path_factory.mktemp("hostile") / "corpus"
    subprocess.run([sys.executable, _MAKER, folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_input_is_survived_and_named(name: str, corpus: Path, tmp_path: Path) -> None:
    codes, words = EXPECTED[name]
    before = sorted(corpus.rglob("*"))
    run = watched(tmp_path, "scan", corpus / f"{name}.onnx", "--format", "json", "--device", "cpu")
    assert (run.code in codes, words in run.told) == (True, True), (run.code, run.told)
    assert sorted(corpus.rglob("*")) == before


def test_every_input_of_the_corpus_is_tested(corpus: Path) -> None:
    assert {path.stem for path in corpus.glob("[0-9]*.onnx")} == set(EXPECTED)
