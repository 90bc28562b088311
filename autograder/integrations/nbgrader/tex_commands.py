"""The TeX commands that a student's formula may use on the instructor's pages.

MathJax runs commands with the rights of the page: they link, load, redefine each other and move text across the page.
So commands are allowed by name. A formula with any other command is shown as its source.
"""

import re

LONGEST_FORMULA = 3000

_NAMES = frozenset(
    # Letters
    """alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu nu xi omicron pi
    varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon
    Phi Psi Omega digamma aleph beth gimel ell hbar hslash imath jmath wp Re Im partial nabla infty complement eth
    """
    # Operators
    """sum prod coprod int iint iiint oint bigcup bigcap bigsqcup bigvee bigwedge bigoplus bigotimes bigodot biguplus
    pm mp times div cdot ast star circ bullet cap cup uplus sqcap sqcup vee wedge lor land lnot neg setminus wr oplus
    ominus otimes oslash odot dagger ddagger amalg diamond bigcirc triangleleft triangleright boxplus boxminus boxtimes
    boxdot odot circledast intercal barwedge veebar smallsetminus divideontimes ltimes rtimes dotplus
    """
    # Relations
    """leq le geq ge neq ne equiv sim simeq approx cong doteq propto asymp models perp mid nmid parallel nparallel ll
    gg lll ggg prec succ preceq succeq subset supset subseteq supseteq subsetneq supsetneq nsubseteq nsupseteq sqsubset
    sqsupset sqsubseteq sqsupseteq in ni notin owns vdash dashv smile frown bowtie leqslant geqslant lesssim gtrsim
    lessgtr nless ngtr nleq ngeq approxeq thicksim thickapprox triangleq coloneqq eqqcolon coloneq vDash not
    """
    # Arrows
    """to gets leftarrow rightarrow leftrightarrow Leftarrow Rightarrow Leftrightarrow longleftarrow longrightarrow
    longleftrightarrow Longleftarrow Longrightarrow Longleftrightarrow mapsto longmapsto hookleftarrow hookrightarrow
    uparrow downarrow updownarrow Uparrow Downarrow Updownarrow nearrow searrow swarrow nwarrow leadsto rightsquigarrow
    iff implies impliedby leftharpoonup rightharpoonup leftharpoondown rightharpoondown rightleftharpoons
    leftrightharpoons xrightarrow xleftarrow circlearrowleft circlearrowright curvearrowleft curvearrowright
    """
    # Delimiters, dots and other signs
    """left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm biggm Biggm langle
    rangle lfloor rfloor lceil rceil lbrace rbrace lbrack rbrack lvert rvert lVert rVert vert Vert backslash ulcorner
    urcorner llcorner lrcorner dots ldots cdots vdots ddots dotsc dotsb dotsm dotsi forall exists nexists emptyset
    varnothing top bot angle measuredangle triangle square blacksquare Box Diamond lozenge prime backprime flat natural
    sharp clubsuit diamondsuit heartsuit spadesuit checkmark therefore because surd colon degree S P copyright
    """
    # Functions
    """arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup ln log max
    min Pr sec sin sinh sup tan tanh argmax argmin operatorname bmod pmod mod pod limits nolimits displaylimits
    """
    # Structure, fonts, accents and spaces
    """frac dfrac tfrac cfrac binom dbinom tbinom sqrt overline underline overbrace underbrace overset underset stackrel
    substack sideset hat widehat tilde widetilde bar vec dot ddot dddot acute grave breve check mathring
    overrightarrow overleftarrow overleftrightarrow underrightarrow underleftarrow boxed text textbf textit textrm
    textsf texttt textnormal mbox mathrm mathbf mathbb mathcal mathit mathsf mathtt mathscr mathfrak mathnormal
    boldsymbol bm pmb rm bf it cal sf tt mathop mathbin mathrel mathord mathopen mathclose mathpunct mathinner
    displaystyle textstyle scriptstyle scriptscriptstyle quad qquad enspace thinspace medspace thickspace negthinspace
    nonumber notag tag label ref eqref hline over choose atop cr begin end
    """.split()
)
_SIGNS = frozenset("\\{}|,;:! _%#&/>")
_ENVIRONMENTS = frozenset(
    """equation align gather multline alignat flalign eqnarray split aligned gathered alignedat cases rcases array
    matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix""".split()
)

_COMMAND = re.compile(r"\\([A-Za-z]+|.|$)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)(?:\{([A-Za-z]+)\*?\})?")
# The space after a line, and columns other than left, centred and right.
_LENGTH = re.compile(r"\\\\\s*\*?\s*\[|\\begin\{array\}(?!\s*\{[lcr|\s]*\})")


def is_plain_formula(tex: str) -> bool:
    """Whether a formula, without its dollar signs, only shows signs: every command in it is allowed."""
    return (
        len(tex) <= LONGEST_FORMULA
        and "$" not in tex
        and _LENGTH.search(tex) is None
        and all(name in _NAMES or name in _SIGNS for name in _COMMAND.findall(tex))
        and all(name in _ENVIRONMENTS for name in _ENVIRONMENT.findall(tex))
    )
