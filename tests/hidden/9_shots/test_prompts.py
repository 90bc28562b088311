"""Hidden tests of prompts: their format, the selection of shots, and what fits into the context."""

from collections import Counter
from itertools import combinations

from hypothesis import given
from shots_oracles import in_worker

from autograder.judge.compare import check_equal, check_raises, check_that
from autograder.judge.strategies import seeds

# --- format_prompt ---------------------------------------------------------------------------------------------------

SHOTS = [("sea otter", "loutre de mer"), ("cheese", "fromage"), ("a", "b c")]


def test_prompt_writes_shots_and_query(student):
    """format_prompt: the shots, then the query up to its answer, with `separator` between them.

    Hint: write each shot with the template, and the query with the part of the template before the answer.
    """
    expected = "sea otter -> loutre de mer\ncheese -> fromage\na -> b c\nmint ->"
    check_equal(student.format_prompt(SHOTS, "mint"), expected)
    template, separator = "Review: {x}\nMood: {y}", "\n\n"
    expected = "Review: sea otter\nMood: loutre de mer\n\nReview: cheese\nMood: fromage\n\nReview: so so\nMood:"
    check_equal(student.format_prompt(SHOTS[:2], "so so", template, separator), expected)
    check_equal(student.format_prompt(SHOTS[1:], "7", "{x}={y}", " ; "), "cheese=fromage ; a=b c ; 7=")
    swapped = student.format_prompt(SHOTS[::-1], "mint", template="{x}: {y}", separator="|")
    check_equal(swapped, "a: b c|cheese: fromage|sea otter: loutre de mer|mint:")


def test_prompt_has_the_same_format_with_few_shots(student):
    """format_prompt: zero shots give the query alone, one shot gives one separator.

    Hint: join a list of parts with the separator. A list of one part has none.
    """
    check_equal(student.format_prompt([], "mint"), "mint ->")
    check_equal(student.format_prompt([], "mint", "Q {x} X {y}", " ; "), "Q mint X")
    check_equal(student.format_prompt(SHOTS[:1], "mint"), "sea otter -> loutre de mer\nmint ->")
    check_equal(student.format_prompt([("x", "y")], "z", "{x}, {y}", "\n\n"), "x, y\n\nz,")


def test_prompt_ends_before_the_answer(student):
    """format_prompt: the query ends before its answer, without spaces, whatever follows.

    Hint: cut the template before `{y}`, not the finished text. A space at the end would be a part of the answer's
    first token.
    """
    check_equal(student.format_prompt([("1", "2")], "3", "<{x}> gives <{y}>, good"), "<1> gives <2>, good\n<3> gives <")
    check_equal(student.format_prompt([("1", "2")], "3", "{x} ->   {y} ."), "1 ->   2 .\n3 ->")
    check_equal(student.format_prompt([("1", "2")], "3", "  {x}\t: {y}\nend"), "  1\t: 2\nend\n  3\t:")
    check_equal(student.format_prompt([], "3", "{x} is to {x} as {y} is"), "3 is to 3 as")


def test_prompt_inserts_texts_as_they_are(student):
    """format_prompt: texts with braces, arrows or spaces are inserted unchanged.

    Hint: replace both parts of the template in one step, and look for the answer in the template, not in the text.
    """
    shots = [("{y} and {x}", "{x}"), ("a -> b", " c "), ("{", "}}")]
    expected = "{y} and {x} -> {x}\na -> b ->  c \n{ -> }}\n{y} -> {0} ->"
    check_equal(student.format_prompt(shots, "{y} -> {0}"), expected)
    check_equal(student.format_prompt([("{y}", "1")], "X: {y}", "{x}: {y}", " / "), "{y}: 1 / X: {y}:")


# --- select_shots ----------------------------------------------------------------------------------------------------

# Labels in blocks and mixed, rare and frequent; the pair of the query stands first, last and in between.
POOL = [("q", "b"), *((f"x{number}", "aab"[number % 3]) for number in range(6)), ("b", "q"), ("q", "a"), ("y", "b")]
FREE = [number for number, (x, _) in enumerate(POOL) if x != "q"]


def drawn(student, pool, count, exclude, seeds_drawn, **options):
    """Draw selections; return their indices in the pool, after a check of their number."""
    found = in_worker(student).selections(student.select_shots, pool, count, exclude, options, list(seeds_drawn))
    for shots in found:
        check_that(len(shots) == count, "the number of shots differs from `count`")
        check_that(min(shots, default=0) >= 0, "a shot is not a pair of the pool")
    return found


def check_drawn_equally(selections, sets, share):
    """Check that each set of indices is drawn whole in this share of the selections.

    The tolerance is seven standard deviations, and 8 more because small counts are not normally distributed.
    """
    number = len(selections)
    found = Counter(chosen for shots in selections for chosen in combinations(sorted(shots), len(sets[0])))
    room = 7 * (number * share * (1 - share)) ** 0.5 + 8
    farthest = max(abs(found[chosen] - number * share) for chosen in sets)
    check_that(farthest <= room, "some pairs are drawn more often than others")


@given(seeds())
def test_selection_draws_each_pair_equally(student, seed):
    """select_shots: all sets of `count` pairs are equally likely.

    Hint: torch.randperm(n, generator=generator) shuffles the indices of the pairs that may be drawn.
    """
    for count in (2, 5):
        options, remote = {}, in_worker(student)
        found = remote.selections_of_one_generator(student.select_shots, POOL, count, "q", options, seed, 1200)
        n = len(FREE)
        check_drawn_equally(found, [(index,) for index in FREE], count / n)
        check_drawn_equally(found, list(combinations(FREE, 2)), count * (count - 1) / (n * (n - 1)))


@given(seeds())
def test_selection_has_no_pair_twice(student, seed):
    """select_shots: `count` pairs are drawn without replacement.

    Hint: torch.randint can draw an index twice.
    """
    for pool, free in ((POOL, FREE), ([(3, 0), (1, 1), (2, 0)], [0, 1, 2])):
        for count in range(len(free) + 1):
            for shots in drawn(student, pool, count, "q", range(seed, seed + 20)):
                check_that(len(set(shots)) == len(shots), "a pair is drawn twice")
        check_equal(sorted(drawn(student, pool, len(free), "q", [seed])[0]), free)


@given(seeds())
def test_selection_leaves_the_query_out(student, seed):
    """select_shots: no shot has the query's x, whatever its label; all other pairs may be drawn.

    Hint: compare the x of each pair with `exclude`; the same x can occur more than once in a pool.
    """
    says = "a pair with the query's x is drawn, so the prompt contains the answer"
    numbers = [(0, 1), (1, 0), (5, 1), (0, 0), (7, 0), (1, 1), (1000, 1)]
    for pool, exclude in ((POOL, "q"), (numbers, 0), (numbers, 1), (numbers, 1000)):
        free = {number for number, (x, _) in enumerate(pool) if x != exclude}
        count = len({label for _, label in pool})  # balanced, one of each label
        for balanced in (False, True):
            seen = set()
            for shots in drawn(student, pool, count, exclude, range(seed, seed + 100), balanced=balanced):
                check_that(set(shots) <= free, says)
                seen |= set(shots)
            check_that(seen >= free, "a pair that may be drawn is never drawn")


@given(seeds())
def test_selection_balances_labels(student, seed):
    """select_shots: with `balanced`, the numbers of two labels differ by at most one.

    Hint: divide `count` by the number of labels; each label gets the quotient, and some get one more.
    """
    mixed = [(number, label) for number, label in enumerate("aabacabbacaaacabca")]
    for labels in ("a", "ab", "abc"):
        pool = [pair for pair in mixed if pair[1] in labels]
        rarest = min(Counter(label for _, label in pool).values())
        for count in range(len(labels) * rarest + 1):
            for shots in drawn(student, pool, count, None, range(seed, seed + 12), balanced=True):
                check_that(len(set(shots)) == len(shots), "a pair is drawn twice")
                numbers = Counter(pool[index][1] for index in shots)
                spread = [numbers[label] for label in labels]
                check_that(max(spread) - min(spread) <= 1, "one label has two shots more than another label")


@given(seeds())
def test_selection_balanced_is_random_within_a_label(student, seed):
    """select_shots: with `balanced`, the pairs of a label are equally likely.

    Hint: shuffle the pairs of each label before you take its share.
    """
    pool = [(number, label) for number, label in enumerate("aabababcccaac")]
    options, remote = {"balanced": True}, in_worker(student)
    for count in (3, 6):
        found = remote.selections_of_one_generator(student.select_shots, pool, count, -1, options, seed, 1200)
        for label in "abc":
            group = [index for index, pair in enumerate(pool) if pair[1] == label]
            check_drawn_equally(found, [(index,) for index in group], count / 3 / len(group))


@given(seeds())
def test_selection_refuses_too_few(student, seed):
    """select_shots: only a `count` above the number of pairs that may be drawn raises ValueError.

    Hint: count the pairs after you have taken the query's out.
    """
    for pool, exclude in ((POOL, "q"), ([(1, 2), (3, 4)], 5), ([(1, 2), (3, 4)], 3)):
        free = sum(x != exclude for x, _ in pool)
        drawn(student, pool, free, exclude, [seed])
        for count in (free + 1, free + 3):
            with check_raises(ValueError, says="too few pairs raise no ValueError"):
                drawn(student, pool, count, exclude, [seed])


@given(seeds())
def test_selection_of_a_rare_label_is_whole_or_refused(student, seed):
    """select_shots: too few of a label give ValueError or still `count` different pairs.

    Hint: no pair may be drawn twice to fill the share of a rare label.
    """
    pool = [(number, "b" if number == 3 else "a") for number in range(8)]
    drawn(student, pool, 2, None, [seed], balanced=True)
    for count in (4, 6):
        found = in_worker(student).selection_or_error(student.select_shots, pool, count, None, seed)
        if found is not None:
            shots = {tuple(shot) for shot in found}
            check_equal([len(found), len(shots)], [count, count], says="there are not `count` different shots")


def test_selection_draws_from_the_generator(student):
    """select_shots: draws come from `generator`; the global generator is unchanged.

    Hint: pass the generator to every function that draws random numbers. Python's `random` does not know it.
    """
    pool = [(number, number % 2) for number in range(40)]
    for balanced in (False, True):
        first, again, other = drawn(student, pool, 12, 5, [7, 7, 8], balanced=balanced)
        check_equal(again, first, says="the same seed gives different shots")
        check_that(len({*first} ^ {*other}) > 0, "a different seed gives the same shots")
    changed = in_worker(student).changes_global_generator(student.select_shots, pool, 12, 5, 7)
    check_equal(changed, False, says="the draws change the global generator")


def test_selection_draws_from_the_global_generator(student):
    """select_shots: without a generator, the shots are drawn from the global generator.

    Hint: PyTorch's functions take `generator=None`. A new `torch.Generator()` draws the same numbers each time.
    """
    pool = [(number, number % 2) for number in range(40)]
    first, second, again = in_worker(student).select_twice(student.select_shots, pool, 12, 5, 7)
    check_that(len(first) == 12, "the number of shots differs from `count`")
    only_first = [shot for shot in first if shot not in second]
    check_that(len(only_first) > 0, "two calls without a generator give the same shots")
    check_equal(again, first, says="a seed of the global generator does not repeat the shots")


def test_selection_leaves_the_pool_alone(student):
    """select_shots: the pool is not changed.

    Hint: `pool.remove(…)` and shuffling in place change the caller's list.
    """
    before = [list(pair) for pair in POOL]
    drawn(student, POOL, 4, "q", [1])
    for balanced in (False, True):
        after = in_worker(student).pool_after(student.select_shots, POOL, 3, "q", balanced)
        check_equal(after, before, says="the call changes the pool")


# --- fit_to_context --------------------------------------------------------------------------------------------------

EXAMPLES = [("aaa", "b"), ("c", "dddddddddd"), ("ee", "f"), ("g", "hh"), ("i", "j")]
FULL = [list(shot) for shot in EXAMPLES]
LENGTHS = [6, 13, 5, 5, 4]  # of each shot, by `letters`


def fitted(student, shots, query, measure, max_length):
    return in_worker(student).fit(student.fit_to_context, shots, query, measure, max_length)


def test_fit_drops_the_oldest(student):
    """fit_to_context: the oldest shots are dropped, and as many of the newest as fit are kept.

    Hint: drop the first shot, measure again, and stop as soon as the prompt fits.
    """
    for first in range(len(FULL) + 1):
        needed = sum(LENGTHS[first:]) + len("query")
        for max_length in (needed, needed + 1, needed + 3):
            check_equal(fitted(student, EXAMPLES, "query", "letters", max_length), FULL[first:])
    check_equal(fitted(student, EXAMPLES, "query", "letters", 1000), FULL)
    check_equal(fitted(student, EXAMPLES[::-1], "query", "letters", 29), FULL[2::-1])


def test_fit_fills_the_context_exactly(student):
    """fit_to_context: a prompt of exactly `max_length` fits, one more does not.

    Hint: at most max_length means ≤.
    """
    for first in range(len(FULL)):
        needed = sum(LENGTHS[first:]) + 2
        check_equal(fitted(student, EXAMPLES, "qq", "letters", needed), FULL[first:])
        check_equal(fitted(student, EXAMPLES, "qq", "letters", needed - 1), FULL[first + 1 :])


def test_fit_measures_the_whole_prompt(student):
    """fit_to_context: `measure` gets all shots that are left, and the query.

    Hint: the length of a prompt need not be the sum of the lengths of its parts, so measure it as a whole.
    """
    shots = [("a", "b"), ("a", "c"), ("d", "a"), ("b", "a"), ("a", "b")]
    expected = [list(shot) for shot in shots]
    for max_length, kept in ((5, 5), (4, 3), (3, 2), (2, 0), (1, 0)):
        found = fitted(student, shots, "q", "words", max_length)
        check_equal(found, expected[5 - kept :])
    for max_length, kept in ((28, 5), (27, 4), (19, 4), (18, 3), (4, 1), (3, 0)):
        check_equal(fitted(student, EXAMPLES, "que", "doubled", max_length), FULL[5 - kept :])


def test_fit_refuses_a_query_that_is_too_long(student):
    """fit_to_context: ValueError if the query alone does not fit; no shots if it just fits.

    Hint: the query is never dropped. What is left to measure when all shots are dropped?
    """
    for shots in (EXAMPLES, []):
        check_equal(fitted(student, shots, "query", "letters", 5), [])
        for max_length in (4, 0):
            with check_raises(ValueError, says="a query that is too long raises no ValueError"):
                fitted(student, shots, "query", "letters", max_length)


def test_fit_leaves_the_shots_alone(student):
    """fit_to_context: the caller's list of shots is not changed.

    Hint: `shots.pop(0)` changes the caller's list; slices do not.
    """
    check_equal(fitted(student, EXAMPLES, "qq", "letters", 20), FULL[2:])
    after = in_worker(student).shots_after_fit(student.fit_to_context, EXAMPLES, "qq", "letters", 20)
    check_equal(after, FULL, says="the call changes the list of shots")
