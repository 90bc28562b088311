"""A worker is like the student's machine: what loads there loads here, and a refusal names its cause."""

import pytest
import torch
from workers import load

from autograder.isolation.errors import SubmissionError

PLACEHOLDERS = ["IPython", "matplotlib", "pytest", "rich"]
WORKS = "\ndef double(x):\n    return 2 * x\n"


@pytest.fixture
def loaded(spawn):
    """Load a module that lies in the folder of a stage, beside an earlier stage."""

    def load_module(source: str):
        worker = spawn()
        worker.request("surround", folders={"multihead": "3_multihead"}, placeholders=PLACEHOLDERS)
        return load(worker, source, "multihead", attention="def softmax(x):\n    return x\n")

    return load_module


def doubles(student) -> bool:
    return torch.equal(student.double(torch.ones(2)), torch.full((2,), 2.0))


@pytest.mark.parametrize(
    "top",
    [
        "sys.path.append(str(Path(__file__).resolve().parents[1] / '2_attention'))",
        "sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '2_attention')))",
        "sys.path += [str(Path(inspect.getfile(inspect.currentframe())).parents[2])]",
        "assert Path(__file__).parts[-2:] == ('3_multihead', 'multihead.py')",
        "assert not Path(__file__).exists() and not Path(__file__).parent.is_dir()",
        "assert Path(__spec__.origin) == Path(__file__) == Path(sys._getframe().f_code.co_filename)",
    ],
)
def test_a_module_knows_its_path_as_on_the_students_machine(loaded, top):
    assert doubles(
        loaded(f"import inspect, os, sys\nfrom pathlib import Path\n{top}\nfrom attention import softmax{WORKS}")
    )


@pytest.mark.parametrize(
    "source",
    [
        "import torch\n@torch.jit.script\ndef double(x):\n    return 2 * x\n",
        "import torch\n@torch.compile\ndef double(x):\n    return 2 * x\n",
        "import torch\n@torch.compile(mode='reduce-overhead', fullgraph=True)\ndef double(x):\n    return 2 * x\n",
        "import torch\ndouble = torch.compile(torch.jit.trace(lambda x: 2 * x, torch.ones(2)), backend='eager')\n",
        "import torch\nclass Double(torch.jit.ScriptModule):\n    @torch.jit.script_method\n    def forward(self, x):\n"
        "        return 2 * x\ndouble = Double()\n",
        "import torch\nlayer = torch.jit.script(torch.nn.Linear(2, 2))\nlayer.compile()\n" + WORKS,
        "import inspect, sys, linecache" + WORKS + "assert inspect.getsource(double).strip().endswith('return 2 * x')\n"
        "assert 'inspect' in inspect.getsource(sys.modules[__name__])\n"
        "assert linecache.getline(__file__, 2) == 'def double(x):\\n'\n",
        "import inspect" + WORKS + "class A:\n    here = '\\f\u2028'\n\nassert 'here' in inspect.getsource(A)\n",
    ],
)
def test_the_source_is_there_and_compilers_are_left_out(loaded, source):
    assert doubles(loaded(source))


@pytest.mark.parametrize(
    "top",
    [
        "import matplotlib.pyplot as plt",
        "from rich import print as show\nfrom rich.console import Console",
        "from IPython.display import display",
        "import pytest",
        "try:\n    import matplotlib.pyplot as plt\nexcept ImportError:\n    plt = None",
        "import matplotlib as mpl\ndef draw(a: mpl.axes.Axes | None, b: 'mpl.figure.Figure') -> mpl.axes.Axes: ...",
        "from typing import Optional\nimport matplotlib.pyplot as plt\nAxes = Optional[plt.Axes]\nplain = plt.Axes",
    ],
)
def test_an_import_that_is_not_used_loses_nothing(loaded, top):
    assert doubles(loaded(top + WORKS))


@pytest.mark.parametrize(
    ("use", "library"),
    [
        ("import matplotlib.pyplot as plt\nplt.plot([1])", "matplotlib"),
        ("import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 150", "matplotlib"),
        ("from rich.console import Console\nclass Mine(Console): ...", "rich"),
        ("import pytest\n@pytest.mark.parametrize('x', [1])\ndef test(x): ...", "pytest"),
        ("from rich.progress import track\nfor _ in track: ...", "rich"),
        ("from rich.progress import Progress\nwith Progress as bar: ...", "rich"),
        ("import matplotlib\nassert isinstance(1, matplotlib.Figure)", "matplotlib"),
    ],
)
def test_a_use_of_such_a_library_is_refused_by_name(loaded, use, library):
    with pytest.raises(
        SubmissionError, match=rf"^ImportError: {library} is not available where grading happens$"
    ) as caught:
        loaded(use + WORKS)
    assert (caught.value.frames[-1].file, caught.value.frames[-1].line) == ("multihead.py", 2)


def test_a_library_that_is_not_listed_is_not_importable(loaded):
    with pytest.raises(SubmissionError, match="No module named 'einops'"):
        loaded("import einops")


@pytest.mark.parametrize(
    "top",
    [
        "open('data.txt')",
        "Path(__file__).with_name('data.txt').read_text()",
        "os.listdir('..')",
        "os.listdir(os.path.dirname(__file__))",
        "spec_from_file_location('attention', Path(__file__).parents[1] / 'attention.py').loader.get_data(__file__)",
    ],
)
def test_nothing_is_readable_there(loaded, top):
    with pytest.raises(SubmissionError, match=r"OSError: \[Errno \d+\] .*: '") as caught:
        loaded(f"import os\nfrom pathlib import Path\nfrom importlib.util import spec_from_file_location\n{top}\n")
    assert caught.value.frames[-1].line == 4


@pytest.mark.parametrize("where", ["import", "call"])
def test_the_default_dtype_of_a_submission_does_not_reach_later_calls(loaded, where):
    change = "torch.set_default_dtype(torch.float64)\n"
    source = "import torch\n" + (change if where == "import" else "") + "def change():\n    " + change
    student = loaded(source + "def zeros():\n    return torch.zeros(2)\n")
    if where == "call":
        student.change()
    assert student.zeros().dtype is torch.float32
