"""Submissions that keep something from one call to the next, each in another place.

``visits()`` returns the number of earlier calls in the same process, or whether there was one.
"""

STATEFUL = {
    "a global": """
N = 0
def visits():
    global N
    N += 1
    return N - 1
""",
    "a list": """
N = []
def visits():
    N.append(1)
    return len(N) - 1
""",
    "a dict in a tuple": """
N = ({},)
def visits():
    N[0][len(N[0])] = 1
    return len(N[0]) - 1
""",
    "a Counter": """
from collections import Counter
N = Counter()
def visits():
    N['n'] += 1
    return N['n'] - 1
""",
    "a deque": """
from collections import deque
N = deque()
def visits():
    N.append(1)
    return len(N) - 1
""",
    "an attribute of a function": """
def visits():
    visits.n = getattr(visits, 'n', -1) + 1
    return visits.n
""",
    "a default": """
def visits(n=[]):
    n.append(1)
    return len(n) - 1
""",
    "a keyword default": """
def visits(*, n=[]):
    n.append(1)
    return len(n) - 1
""",
    "a closure": """
def made():
    n = -1
    def visits():
        nonlocal n
        n += 1
        return n
    return visits
visits = made()
""",
    "a class": """
class C:
    n = -1
    @classmethod
    def visit(cls):
        cls.n += 1
        return cls.n
def visits(): return C.visit()
""",
    "an object": """
class C:
    def __init__(self): self.n = -1
    def visit(self):
        self.n += 1
        return self.n
c = C()
def visits(): return c.visit()
""",
    "an object with slots": """
class C:
    __slots__ = ('n',)
    def __init__(self): self.n = -1
    def visit(self):
        self.n += 1
        return self.n
c = C()
def visits(): return c.visit()
""",
    "a bound method": """
class C:
    def __init__(self): self.n = -1
    def visit(self):
        self.n += 1
        return self.n
visits = C().visit
""",
    "a partial": """
from functools import partial
def visit(n):
    n.append(1)
    return len(n) - 1
visits = partial(visit, [])
""",
    "a module": """
import torch
M = torch.nn.Linear(1, 1)
def visits():
    M.train(not M.training)
    return int(M.training)
""",
    "a tensor": """
import torch
N = torch.zeros(1)
def visits():
    N.add_(1)
    return int(N) - 1
""",
    "the data of a tensor": """
import torch
N = torch.zeros(1)
def visits():
    N.data[0] += 1
    return int(N) - 1
""",
    "a gradient": """
import torch
P = torch.nn.Parameter(torch.zeros(1))
def visits():
    n = 0 if P.grad is None else 1
    P.sum().backward()
    return n
""",
    "an array": """
import numpy as np
N = np.zeros(1)
def visits():
    N[0] += 1
    return int(N[0]) - 1
""",
    "a generator": """
N = (n for n in range(9))
def visits(): return next(N)
""",
    "an iterator": """
from itertools import count
N = count()
def visits(): return next(N)
""",
    "a cache": """
from functools import cache
@cache
def made(): return []
def visits():
    made().append(1)
    return len(made()) - 1
""",
    "a random generator": """
import random
N = random.Random(0)
F = random.Random(0).random()
def visits(): return N.random() != F
""",
    "a generator of torch": """
import torch
N = torch.Generator()
F = torch.rand(1, generator=torch.Generator())
def visits(): return not torch.equal(torch.rand(1, generator=N), F)
""",
    "the global generators": """
import random, numpy as np, torch
def drawn(): return random.random() + np.random.rand() + float(torch.rand(1))
F = None
def visits(): return int(round(drawn(), 6) != 1.889534)
""",
    "the seed of torch": """
import torch
def visits():
    n = int(torch.initial_seed() == 7)
    torch.manual_seed(7)
    return n
""",
    "the default dtype": """
import torch
def visits():
    n = int(torch.get_default_dtype() == torch.float64)
    torch.set_default_dtype(torch.float64)
    return n
""",
    "the modules of Python": """
import sys
def visits():
    n = int('seen' in sys.modules)
    sys.modules['seen'] = sys
    return n
""",
    "a function of torch": """
import torch
def visits():
    torch.softmax = torch.sum
    return 1
""",
    "an attribute of torch": """
import torch
def visits():
    setattr(torch, 'seen', 1)
    return 1
""",
    "torch under another name": """
import torch
library = torch
def visits():
    library.seen = 1
    return 1
""",
    "a part of torch": """
import torch
part = torch.nn
def visits():
    part.seen = 1
    return 1
""",
    "the class of a tensor": """
import torch
def visits():
    torch.Tensor.seen = 1
    return 1
""",
    "a container of NumPy": """
import numpy as np
def visits():
    np.sctypeDict['seen'] = 1
    return 1
""",
    "errors of NumPy": """
import numpy as np
def visits():
    np.seterr(all='raise')
    return 1
""",
    "builtins": """
def visits():
    __builtins__['seen'] = 1
    return 1
""",
    "the globals": """
def visits():
    globals()['seen'] = 1
    return 1
""",
    "the environment": """
import os
def visits():
    os.environ['SEEN'] = '1'
    return 1
""",
    "warnings": """
import warnings
def visits():
    warnings.simplefilter('error')
    return 1
""",
    "memory": """
import torch
def visits(): return float(torch.empty(4).sum())
""",
    "a destructor": """
class C:
    def __del__(self): C.n = 1
def visits(): return C()
""",
    "text that is run": """
def visits():
    exec('import torch; torch.seen = 1')
    return 1
""",
    "the code of a function": """
def visits():
    visits.__code__ = (lambda: 1).__code__
    return 0
""",
    "another class of torch": """
import torch
def visits():
    torch.nn.Linear.forward = None
    return 1
""",
    "hooks of all modules": """
from torch.nn.modules.module import register_module_forward_hook as hook
def visits():
    hook(print)
""",
}
