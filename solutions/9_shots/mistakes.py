"""Named mistakes of stage 9, in the order of the exercises."""

from autograder.course.mistakes import ON_THE_CPU, mistake

# Texts that mistakes replace or insert.
SHOT_TEXTS = "parts = [template.format(x=x, y=y) for x, y in shots]"
QUERY_TEXT = 'parts.append(template.partition("{y}")[0].format(x=query).rstrip(" "))'
JOINED = "return separator.join(parts)"
CANDIDATES = "candidates = [pair for pair in pool if pair[0] != exclude]"
TOO_FEW = "if len(candidates) < count:"
ORDER = "order = torch.randperm(len(candidates), generator=generator).tolist()"
PLAIN_SHOTS = "return [candidates[index] for index in order[:count]]"
WANTED = "wanted = {label: share + (rank < extra) for rank, label in enumerate(labels)}"
FIRST = "for first in range(len(shots) + 1):"
KEPT = "kept = list(shots[first:])"
FITS = "if measure(kept, query) <= max_length:"
REFUSED_QUERY = 'raise ValueError(f"the query alone is longer than {max_length}")'
FITTED = f"""    {FIRST}
        {KEPT}
        {FITS}
            return kept
    {REFUSED_QUERY}
"""
EMPTY_CONTEXT = """    if len(context) == 0:
        raise ValueError("the context is empty, but the first token needs a token before it")
"""
TOKENS = "tokens = torch.cat((context, continuation))  # (length,)"
TOO_LONG = """    if len(tokens) > model.config.context_length:
        raise ValueError(f"{len(tokens)} tokens, but the context has {model.config.context_length}")
"""
LOG_PROBABILITIES = "log_probabilities = model(tokens[:-1].unsqueeze(0))[0, len(context) - 1 :].log_softmax(dim=-1)"
PICKED = "return log_probabilities.gather(-1, continuation.unsqueeze(-1)).sum().item()"
SCORES = "scores = torch.tensor([sequence_log_probability(model, context, choice) for choice in choices])"
BY_TOKENS = "scores = scores / torch.tensor([len(choice) for choice in choices])"
RETURN_SCORES = "    return scores\n"
MODES = "    was_training = model.training\n    model.eval()\n"
RESTORED = "    finally:\n        model.train(was_training)\n"
DRAWN = "context, choices, answer = task(shots, generator)"
HIT = "hits.append(float(score_choices(model, context, choices).argmax().item() == answer))"
VARIANCE = "variance = sum((hit - mean) ** 2 for hit in hits) / (trials - 1)"
ERROR = "curve[shots] = (mean, math.sqrt(variance / trials))"
RATIO = "ratio = choice_probabilities / empty_prompt_probabilities"
CALIBRATED = "return ratio / ratio.sum()"
SAME = "same = (tokens[:, None] == tokens[None, :]) & (positions[None, :] < positions[:, None])  # (query, earlier)"
LAST = "last = (same * (positions + 1)).amax(dim=1)  # the position after the last earlier occurrence; 0 without one"
MEAN = "return weights[:, positions[seen], last[seen]].mean(dim=-1)"

MISTAKES = {
    "format_prompt": (
        mistake(
            "prompt_query_before_shots",
            "the query stands before the shots",
            JOINED,
            "return separator.join(parts[-1:] + parts[:-1])",
        ),
        mistake(
            "prompt_shots_without_answers",
            "the shots have no answers",
            SHOT_TEXTS,
            'parts = [template.partition("{y}")[0].format(x=x).rstrip(" ") for x, y in shots]',
        ),
        mistake("prompt_keeps_trailing_spaces", "the prompt keeps the spaces before the answer", '.rstrip(" ")', ""),
        mistake(
            "prompt_with_an_empty_answer",
            "the query has an empty answer, and the text after the answer is still there",
            QUERY_TEXT,
            'parts.append(template.format(x=query, y="").rstrip(" "))',
        ),
        mistake(
            "prompt_cut_at_the_arrow",
            "the query is cut after its last arrow or colon",
            QUERY_TEXT,
            (
                'text = template.format(x=query, y="")\n'
                '    end = max(text.find(mark) for mark in ("->", ":", "="))\n'
                '    parts.append((text[: end + 2] if "->" in template else text[: end + 1]).rstrip(" "))'
            ),
        ),
        mistake(
            "prompt_is_the_bare_query",
            "the query is not written in the template",
            QUERY_TEXT,
            "parts.append(query)",
        ),
        mistake(
            "prompt_separator_at_the_end",
            "a separator follows the query",
            JOINED,
            "return separator.join(parts) + separator",
        ),
        mistake(
            "prompt_separator_first",
            "a separator stands before the query even without shots",
            JOINED,
            "return separator.join(parts[:-1]) + separator + parts[-1]",
        ),
        mistake(
            "prompt_always_with_newlines",
            "the parts are joined with a newline, whatever `separator` is",
            JOINED,
            'return "\\n".join(parts)',
        ),
        mistake(
            "prompt_in_the_default_template",
            "the default template is used, whatever `template` is",
            SHOT_TEXTS,
            'template = "{x} -> {y}"\n    parts = [template.format(x=x, y=y) for x, y in shots]',
        ),
        mistake(
            "prompt_replaces_twice",
            "`{y}` is replaced in the inserted texts too",
            SHOT_TEXTS,
            'parts = [template.replace("{x}", x).replace("{y}", y) for x, y in shots]',
        ),
        mistake(
            "prompt_swaps_the_parts",
            "x and y of the shots are swapped",
            "parts = [template.format(x=x, y=y)",
            "parts = [template.format(x=y, y=x)",
        ),
        mistake(
            "prompt_strips_each_shot",
            "spaces at both ends of the texts are removed",
            "parts = [template.format(x=x, y=y)",
            "parts = [template.format(x=x.strip(), y=y.strip())",
        ),
        mistake(
            "prompt_sorts_the_shots",
            "the shots are sorted",
            "for x, y in shots]",
            "for x, y in sorted(shots)]",
        ),
    ),
    "select_shots": (
        mistake(
            "selection_leaks_the_query",
            "the query's own pair can be drawn",
            CANDIDATES,
            "candidates = list(pool)",
        ),
        mistake(
            "selection_excludes_one_pair",
            "only the first pair with the query's x is left out",
            CANDIDATES,
            (
                "candidates = list(pool)\n"
                "    places = [place for place, pair in enumerate(candidates) if pair[0] == exclude]\n"
                "    if places:\n"
                "        del candidates[places[0]]"
            ),
        ),
        mistake(
            "selection_excludes_answers",
            "pairs whose label equals the query's x are left out too",
            CANDIDATES,
            "candidates = [pair for pair in pool if exclude not in pair]",
        ),
        mistake(
            "selection_excludes_by_truth",
            "nothing is left out when the query's x is 0",
            CANDIDATES,
            "candidates = [pair for pair in pool if not exclude or pair[0] != exclude]",
        ),
        mistake(
            "selection_excludes_after_the_draw",
            "the query is removed from the drawn shots, so there can be too few",
            CANDIDATES,
            "candidates = list(pool)",
            PLAIN_SHOTS,
            "return [candidates[index] for index in order[:count] if candidates[index][0] != exclude]",
        ),
        mistake(
            "selection_with_replacement",
            "a pair can be drawn twice",
            ORDER,
            (
                "order = torch.randint(max(1, len(candidates)), (8 * len(candidates),), generator=generator).tolist()\n"
                "    order += list(range(len(candidates)))"
            ),
            named=False,  # the draws are random
        ),
        mistake(
            "selection_takes_the_first",
            "the first pairs of the pool are taken instead of random pairs",
            ORDER,
            "order = list(range(len(candidates)))",
        ),
        mistake(
            "selection_takes_neighbours",
            "the shots are neighbours in the pool",
            ORDER,
            (
                "start = int(torch.randint(max(1, len(candidates)), (1,), generator=generator))\n"
                "    order = [(start + step) % len(candidates) for step in range(len(candidates))]"
            ),
            named=False,  # the draws are random
        ),
        mistake(
            "selection_never_draws_the_last",
            "the last pair of the pool is never drawn unless all pairs are needed",
            ORDER,
            "order = torch.randperm(max(0, len(candidates) - 1), generator=generator).tolist() + [len(candidates) - 1]",
            named=False,  # the draws are random
        ),
        mistake(
            "selection_from_the_global_generator",
            "the shots are drawn from the global generator instead of `generator`",
            "torch.randperm(len(candidates), generator=generator)",
            "torch.randperm(len(candidates))",
            named=False,  # the draws are random
        ),
        mistake(
            "selection_from_pythons_random",
            "the shots are drawn by Python's `random` instead of `generator`",
            ORDER,
            "import random\n\n    order = random.sample(range(len(candidates)), len(candidates))",
            named=False,  # the draws are random
        ),
        mistake(
            "selection_seeded_by_itself",
            "each call without a generator draws the same shots",
            ORDER,
            "generator = generator or torch.Generator().manual_seed(0)\n    " + ORDER,
            named=False,  # the draws are random
        ),
        mistake(
            "selection_starts_the_generator_again",
            "the generator is set back to its seed at each call",
            ORDER,
            (
                "generator = torch.Generator().manual_seed(generator.initial_seed()) if generator else None\n    "
                + ORDER
            ),
            named=False,  # the draws are random
        ),
        mistake(
            "selection_accepts_too_few",
            "fewer than `count` shots are returned when the pool has too few",
            TOO_FEW,
            "if False:",
        ),
        mistake(
            "selection_counts_the_query",
            "the query's own pairs count when the pairs are counted",
            TOO_FEW,
            "if len(pool) < count:",
        ),
        mistake(
            "selection_refuses_all",
            "taking all pairs that may be drawn raises ValueError",
            TOO_FEW,
            "if len(candidates) <= count:",
        ),
        mistake(
            "selection_ignores_balance",
            "`balanced` has no effect",
            "if not balanced:",
            "if True:",
            named=False,  # the draws are random
        ),
        mistake(
            "selection_balanced_by_position",
            "the shots are taken at equal distances in the pool, not in equal numbers of each label",
            "    labels = list(dict.fromkeys(candidates[index][1] for index in order))  # in random order\n",
            (
                "    if balanced:\n"
                "        step = len(candidates) / max(1, count)\n"
                "        return [candidates[int(rank * step)] for rank in range(count)]\n"
                "    labels = []\n"
            ),
        ),
        mistake(
            "selection_drops_the_remainder",
            "each label gets `count` divided by the number of labels, and the remainder is lost",
            WANTED,
            "wanted = dict.fromkeys(labels, share)",
            "    if len(shots) < count:\n        raise ValueError",
            "    if len(shots) < count - extra:\n        raise ValueError",
        ),
        mistake(
            "selection_gives_the_remainder_to_one",
            "the first label gets the whole remainder",
            WANTED,
            "wanted = {label: share + extra * (rank == 0) for rank, label in enumerate(labels)}",
            named=False,  # the draws are random
        ),
        mistake(
            "selection_balanced_takes_the_first",
            "with `balanced`, the first pairs of each label are taken",
            "for index in order:\n        label",
            "for index in range(len(candidates)):\n        label",
        ),
        mistake(
            "selection_draws_labels",
            "with `balanced`, the label of each shot is drawn, so the numbers are equal only on average",
            WANTED,
            (
                "picks = torch.randint(len(labels), (count,), generator=generator).tolist() if labels else []\n"
                "    wanted = {label: picks.count(rank) for rank, label in enumerate(labels)}"
            ),
            named=False,  # the draws are random
        ),
        mistake(
            "selection_repeats_a_rare_label",
            "with `balanced`, pairs of a rare label are drawn twice",
            "for index in order:\n        label",
            "for index in order * 9:\n        label",
        ),
        mistake(
            "selection_of_a_rare_label_is_short",
            "with `balanced`, there are fewer than `count` shots when a label is rare",
            "    if len(shots) < count:\n        raise ValueError",
            "    if len(shots) < 0:\n        raise ValueError",
        ),
        mistake(
            "selection_empties_the_pool",
            "drawn pairs are removed from the caller's pool",
            PLAIN_SHOTS,
            (
                "shots = [candidates[index] for index in order[:count]]\n"
                "        for shot in shots:\n"
                "            pool.remove(shot)\n"
                "        return shots"
            ),
        ),
        mistake(
            "selection_sorts_the_pool",
            "the caller's pool is sorted by label",
            "labels = list(dict.fromkeys(candidates[index][1] for index in order))",
            (
                "pool.sort(key=lambda pair: pair[1])\n"
                "    labels = list(dict.fromkeys(candidates[index][1] for index in order))"
            ),
        ),
    ),
    "fit_to_context": (
        mistake(
            "fit_drops_the_newest", "the newest shots are dropped", KEPT, "kept = list(shots[: len(shots) - first])"
        ),
        mistake(
            "fit_keeps_short_shots",
            "shots that are too long are skipped, and older shots that still fit are kept",
            FITTED,
            (
                "    if measure([], query) > max_length:\n"
                "        raise ValueError\n"
                "    kept = []\n"
                "    for shot in reversed(shots):\n"
                "        if measure([shot, *kept], query) <= max_length:\n"
                "            kept = [shot, *kept]\n"
                "    return kept\n"
            ),
        ),
        mistake("fit_never_fills", "a prompt of exactly `max_length` does not fit", FITS, FITS.replace("<=", "<")),
        mistake(
            "fit_allows_one_more", "a prompt that is one too long fits", FITS, FITS.replace("length", "length + 1")
        ),
        mistake(
            "fit_measures_shots_apart",
            "the lengths of single shots are added up",
            FITS,
            (
                "rest = measure([], query)\n"
                "        if rest + sum(measure([shot], query) - rest for shot in kept) <= max_length:"
            ),
        ),
        mistake(
            "fit_forgets_the_query",
            "the query is left out of the length of the prompt",
            FITS,
            "if measure(kept, '') <= max_length:",
        ),
        mistake(
            "fit_counts_shots",
            "the number of shots is compared with `max_length`",
            FITS,
            "if len(kept) <= max_length:",
        ),
        mistake(
            "fit_accepts_a_long_query",
            "a query that is too long is returned without shots, and no error is raised",
            REFUSED_QUERY,
            "return []",
        ),
        mistake(
            "fit_keeps_one_shot",
            "ValueError is raised when no shot fits beside the query",
            FIRST,
            "for first in range(max(1, len(shots))):",
        ),
        mistake(
            "fit_drops_one_at_most",
            "at most one shot is dropped",
            FITTED,
            (
                "    kept = list(shots)\n"
                "    if measure(kept, query) > max_length:\n"
                "        kept = kept[1:]\n"
                "    if measure([], query) > max_length:\n"
                "        raise ValueError\n"
                "    return kept\n"
            ),
        ),
        mistake(
            "fit_pops_from_the_callers_list",
            "shots are removed from the caller's list",
            FITTED,
            (
                "    while measure(shots, query) > max_length:\n"
                "        if not shots:\n"
                "            raise ValueError\n"
                "        shots.pop(0)\n"
                "    return shots\n"
            ),
        ),
        mistake(
            "fit_returns_newest_first",
            "the kept shots are in reversed order",
            "            return kept\n",
            "            return kept[::-1]\n",
        ),
        mistake(
            "fit_drops_pairs_of_shots",
            "two shots are dropped at a time",
            FIRST,
            "for first in [*range(0, len(shots), 2), len(shots)]:",
        ),
    ),
    "sequence_log_probability": (
        mistake(
            "sequence_off_by_one",
            "the logits are taken at the tokens of the continuation themselves, one position too late",
            LOG_PROBABILITIES,
            "log_probabilities = model(tokens.unsqueeze(0))[0, len(context) :].log_softmax(dim=-1)",
        ),
        mistake(
            "sequence_counts_the_context",
            "the log-probabilities of the context's own tokens are added",
            LOG_PROBABILITIES,
            (
                "log_probabilities = model(tokens[:-1].unsqueeze(0))[0].log_softmax(dim=-1)\n"
                "    if len(continuation):\n"
                "        continuation = tokens[1:]\n"
                "    else:\n"
                "        log_probabilities = log_probabilities[:0]"
            ),
        ),
        mistake(
            "sequence_averages",
            "the log-probabilities are averaged over the tokens instead of added",
            PICKED,
            "return log_probabilities.gather(-1, continuation.unsqueeze(-1)).sum().item() / max(1, len(continuation))",
        ),
        mistake(
            "sequence_adds_logits",
            "the logits are added instead of log-probabilities",
            LOG_PROBABILITIES,
            "log_probabilities = model(tokens[:-1].unsqueeze(0))[0, len(context) - 1 :]",
        ),
        mistake(
            "sequence_multiplies_probabilities",
            "the probability is returned instead of its logarithm",
            PICKED,
            "return math.exp(log_probabilities.gather(-1, continuation.unsqueeze(-1)).sum().item())",
        ),
        mistake(
            "sequence_softmax_over_positions",
            "the softmax is taken over the positions instead of the vocabulary",
            "[0, len(context) - 1 :].log_softmax(dim=-1)",
            ".log_softmax(dim=1)[0, len(context) - 1 :]",
        ),
        mistake(
            "sequence_takes_the_log_of_a_softmax",
            "the logarithm is taken of softmax probabilities, which underflow to 0",
            ".log_softmax(dim=-1)",
            ".softmax(dim=-1).log()",
        ),
        mistake(
            "sequence_clamps_the_logarithm",
            "1e-9 is added to the probabilities before the logarithm",
            ".log_softmax(dim=-1)",
            ".softmax(dim=-1).add(1e-9).log()",
        ),
        mistake(
            "sequence_last_token_alone",
            "only the last token of the continuation counts",
            PICKED,
            "return log_probabilities.gather(-1, continuation.unsqueeze(-1))[-1:].sum().item()",
        ),
        mistake(
            "sequence_first_token_alone",
            "only the first token of the continuation counts",
            PICKED,
            "return log_probabilities.gather(-1, continuation.unsqueeze(-1))[:1].sum().item()",
        ),
        mistake(
            "sequence_does_not_read_on",
            "all tokens of the continuation are predicted from the context alone",
            LOG_PROBABILITIES,
            (
                "log_probabilities = model(context.unsqueeze(0))[0, -1:].log_softmax(dim=-1)\n"
                "    log_probabilities = log_probabilities.expand(len(continuation), -1)"
            ),
        ),
        mistake(
            "sequence_in_bits",
            "the logarithm has base 2",
            PICKED,
            "return log_probabilities.gather(-1, continuation.unsqueeze(-1)).sum().item() / math.log(2)",
        ),
        mistake(
            "sequence_is_a_surprise",
            "the sign is wrong: the surprise is returned",
            PICKED,
            "return 0.0 - log_probabilities.gather(-1, continuation.unsqueeze(-1)).sum().item()",
        ),
        mistake(
            "sequence_of_the_likeliest",
            "the most likely tokens are scored instead of the continuation's",
            PICKED,
            "return log_probabilities.amax(dim=-1)[: len(continuation)].sum().item()",
        ),
        mistake(
            "sequence_of_nothing_is_nan",
            "the sum is divided by the number of tokens and multiplied by it again, which is NaN for no tokens",
            PICKED,
            (
                "picked = log_probabilities.gather(-1, continuation.unsqueeze(-1))\n"
                "    return (picked.mean() * len(continuation)).item()"
            ),
        ),
        mistake(
            "sequence_refuses_an_empty_continuation",
            "an empty continuation raises ValueError",
            "if len(context) == 0:",
            "if len(context) == 0 or len(continuation) == 0:",
        ),
        mistake(
            "sequence_accepts_an_empty_context",
            "with an empty context, the first token of the continuation is left out",
            EMPTY_CONTEXT,
            "    if len(context) == 0:\n        context, continuation = continuation[:1], continuation[1:]\n",
        ),
        mistake(
            "sequence_crops_the_context",
            "tokens past the model's context are cut off at the beginning",
            TOO_LONG,
            (
                "    dropped = max(0, len(tokens) - model.config.context_length)\n"
                "    tokens, context = tokens[dropped:], context[dropped:]\n"
                "    continuation = tokens[len(context) :]\n"
                "    if len(context) == 0:\n"
                "        return 0.0\n"
            ),
        ),
        mistake(
            "sequence_needs_room",
            "context and continuation that fill the model's context exactly raise ValueError",
            "if len(tokens) > model.config.context_length:",
            "if len(tokens) >= model.config.context_length:",
        ),
        mistake(
            "sequence_is_a_tensor",
            "the result is a tensor instead of a float",
            PICKED,
            "return log_probabilities.gather(-1, continuation.unsqueeze(-1)).sum()",
            named=False,  # another type of result, None for example, is the same fault
        ),
        mistake(
            "sequence_of_nothing_is_an_integer",
            "an empty continuation gives the integer 0 instead of 0.0",
            TOKENS,
            "if len(continuation) == 0:\n        return 0\n    " + TOKENS,
            named=False,  # 0 equals 0.0
        ),
    ),
    "score_choices": (
        mistake(
            "choices_through_a_softmax",
            "the scores go through a softmax over the choices",
            RETURN_SCORES,
            "    return scores.softmax(dim=0)\n",
        ),
        mistake(
            "choices_renormalised",
            "the scores are renormalised over the choices",
            RETURN_SCORES,
            "    return scores.log_softmax(dim=0)\n",
        ),
        mistake(
            "choices_as_probabilities",
            "the scores are probabilities instead of log-probabilities",
            RETURN_SCORES,
            "    return scores.exp()\n",
        ),
        mistake(
            "choices_always_by_tokens",
            "the scores are divided by the number of tokens, whatever `normalize` is",
            'if normalize == "tokens":',
            "if True:",
        ),
        mistake(
            "choices_never_by_tokens",
            "`normalize` has no effect",
            'if normalize == "tokens":',
            "if False:",
        ),
        mistake(
            "choices_by_the_prompt",
            "the scores are divided by the number of tokens of context and choice together",
            BY_TOKENS,
            "scores = scores / torch.tensor([len(context) + len(choice) for choice in choices])",
        ),
        mistake(
            "choices_by_the_longest",
            "all scores are divided by the length of the longest choice",
            BY_TOKENS,
            "scores = scores / max(len(choice) for choice in choices)",
        ),
        mistake(
            "choices_by_the_root",
            "the scores are divided by the root of the number of tokens",
            BY_TOKENS,
            "scores = scores / torch.tensor([len(choice) ** 0.5 for choice in choices])",
        ),
        mistake(
            "choices_multiplied_by_tokens",
            "the scores are multiplied by the number of tokens",
            BY_TOKENS,
            "scores = scores * torch.tensor([len(choice) for choice in choices])",
        ),
        mistake(
            "choices_by_their_first_token",
            "only the first token of each choice is scored",
            SCORES,
            "scores = torch.tensor([sequence_log_probability(model, context, choice[:1]) for choice in choices])",
            named=False,  # the same as a wrong sequence_log_probability
        ),
        mistake(
            "choices_after_each_other",
            "each choice is scored after the choices before it",
            SCORES,
            (
                "before = [torch.cat((context, *choices[:rank]))[: model.config.context_length - len(choice)]\n"
                "              for rank, choice in enumerate(choices)]\n"
                "    scores = torch.tensor(\n"
                "        [sequence_log_probability(model, text, choice)\n"
                "         for text, choice in zip(before, choices, strict=True)]\n"
                "    )"
            ),
        ),
        mistake(
            "choices_best_first",
            "the scores are sorted",
            RETURN_SCORES,
            "    return scores.sort(descending=True).values\n",
        ),
        mistake(
            "choices_against_the_mean",
            "the mean score of the choices is subtracted",
            RETURN_SCORES,
            "    return scores - scores.mean()\n",
        ),
    ),
    "few_shot_accuracy": (
        mistake(
            "accuracy_is_a_count",
            "the number of hits is returned instead of their share",
            ERROR,
            "curve[shots] = (sum(hits), math.sqrt(variance / trials))",
        ),
        mistake(
            "accuracy_has_a_standard_deviation",
            "the standard deviation is not divided by √trials",
            ERROR,
            "curve[shots] = (mean, math.sqrt(variance))",
        ),
        mistake(
            "accuracy_has_the_population_deviation",
            "the standard deviation divides by `trials` instead of `trials - 1`",
            VARIANCE,
            "variance = sum((hit - mean) ** 2 for hit in hits) / trials",
        ),
        mistake(
            "accuracy_has_a_variance",
            "the error is divided by `trials` instead of its root",
            ERROR,
            "curve[shots] = (mean, math.sqrt(variance) / trials)",
        ),
        mistake(
            "accuracy_of_one_trial",
            "one trial is drawn and counted several times",
            DRAWN,
            "context, choices, answer = drawn = task(shots, generator) if not hits else drawn",
        ),
        mistake(
            "accuracy_draws_with_its_own_generator",
            "the task gets a generator of its own",
            DRAWN,
            "context, choices, answer = task(shots, torch.Generator().manual_seed(len(hits)))",
        ),
        mistake(
            "accuracy_of_the_first_count",
            "the first number of shots is used for all points of the curve",
            "for shots in shot_counts:",
            "for shots in shot_counts:\n                first = next(iter(curve), shots)",
            DRAWN,
            "context, choices, answer = task(first, generator)",
        ),
        mistake(
            "accuracy_adds_up_the_counts",
            "the hits of earlier numbers of shots count as well",
            "            for shots in shot_counts:\n                hits = []\n",
            "            hits = []\n            for shots in shot_counts:\n",
            "mean = sum(hits) / trials",
            "mean = sum(hits) / len(hits)",
            "for hit in hits) / (trials - 1)",
            "for hit in hits) / (len(hits) - 1)",
            "math.sqrt(variance / trials)",
            "math.sqrt(variance / len(hits))",
        ),
        mistake(
            "accuracy_by_tokens",
            "the choices are compared by their mean log-probability per token",
            "score_choices(model, context, choices).argmax()",
            'score_choices(model, context, choices, "tokens").argmax()',
        ),
        mistake(
            "accuracy_counts_ties",
            "a trial is a hit when no choice is better than the right choice, so ties are hits",
            HIT,
            (
                "scores = score_choices(model, context, choices)\n"
                "                    hits.append(float(scores[answer] >= scores.max()))"
            ),
        ),
        mistake(
            "accuracy_is_a_probability",
            "the probability of the right choice is averaged, not the share of hits",
            HIT,
            "hits.append(score_choices(model, context, choices).softmax(dim=0)[answer].item())",
        ),
        mistake(
            "accuracy_of_the_worst",
            "the choice with the smallest log-probability is taken",
            "score_choices(model, context, choices).argmax()",
            "score_choices(model, context, choices).argmin()",
        ),
        mistake(
            "accuracy_in_the_models_mode",
            "the model stays in its mode, so dropout can be on",
            MODES,
            "    was_training = model.training\n",
        ),
        mistake(
            "accuracy_leaves_eval_mode",
            "the model is in eval mode afterwards",
            RESTORED,
            "    finally:\n        pass\n",
        ),
        mistake(
            "accuracy_leaves_training_mode",
            "the model is in training mode afterwards, whatever its mode was",
            RESTORED,
            "    finally:\n        model.train()\n",
        ),
        mistake(
            "accuracy_forgets_the_mode_after_an_error",
            "the mode is not restored after an error",
            "    finally:\n        model.train(was_training)\n    return curve\n",
            "    except ZeroDivisionError:\n        pass\n    model.train(was_training)\n    return curve\n",
        ),
        mistake(
            "accuracy_hides_errors",
            "an error in the task ends the curve without a message",
            RESTORED,
            "    except Exception:\n        pass\n    finally:\n        model.train(was_training)\n",
        ),
        mistake(
            "accuracy_with_gradients",
            "a graph for gradients is built in each pass",
            "with torch.no_grad():",
            "with torch.enable_grad():",
        ),
        mistake(
            "accuracy_switches_gradients_off",
            "gradients stay disabled after the call",
            "        with torch.no_grad():\n",
            "        torch.set_grad_enabled(False)\n        if True:\n",
        ),
        mistake(
            "accuracy_freezes_the_model",
            "the parameters of the model cannot be trained any more",
            "    curve = {}\n",
            "    curve = {}\n    model.requires_grad_(False)\n",
        ),
        mistake(
            "accuracy_shows_one_shot_more",
            "the task gets one shot more than the curve says",
            DRAWN,
            "context, choices, answer = task(sorted(shot_counts)[min(1, len(shot_counts) - 1)], generator)",
        ),
        mistake(
            "accuracy_loses_a_trial",
            "one trial fewer is drawn, and the mean still divides by `trials`",
            "for _ in range(trials):",
            "for _ in range(trials - 1):",
        ),
        mistake(
            "accuracy_reads_the_query_alone",
            "only the last token of the context is read, so the shots have no effect",
            "score_choices(model, context, choices)",
            "score_choices(model, context[-1:], choices)",
        ),
    ),
    "contextual_calibration": (
        mistake(
            "calibration_multiplies",
            "the probabilities are multiplied by those of the empty prompt",
            RATIO,
            "ratio = choice_probabilities * empty_prompt_probabilities",
        ),
        mistake(
            "calibration_divides_the_other_way",
            "the empty prompt's probabilities are divided by the choices'",
            RATIO,
            "ratio = empty_prompt_probabilities / choice_probabilities",
        ),
        mistake(
            "calibration_subtracts",
            "the empty prompt's probabilities are subtracted",
            RATIO,
            "ratio = (choice_probabilities - empty_prompt_probabilities).exp()",
        ),
        mistake(
            "calibration_sums_to_anything",
            "the result is not renormalised",
            CALIBRATED,
            "return ratio",
        ),
        mistake(
            "calibration_through_a_softmax",
            "the ratios go through a softmax",
            CALIBRATED,
            "return ratio.softmax(dim=-1)",
        ),
        mistake(
            "calibration_divides_by_the_largest",
            "the ratios are divided by the largest ratio instead of their sum",
            CALIBRATED,
            "return ratio / ratio.max()",
        ),
        mistake(
            "calibration_has_no_effect",
            "the empty prompt is ignored",
            CALIBRATED,
            "return (choice_probabilities + 0 * ratio) / choice_probabilities.sum()",
        ),
        mistake(
            "calibration_adds_a_small_number",
            "1e-6 is added to the empty prompt's probabilities",
            RATIO,
            "ratio = choice_probabilities / (empty_prompt_probabilities + 1e-6)",
        ),
        mistake(
            "calibration_in_float32",
            "the result is float32, whatever the dtype of the inputs is",
            RATIO,
            "ratio = choice_probabilities.float() / empty_prompt_probabilities.float()",
        ),
        mistake(
            "calibration_on_the_cpu",
            ON_THE_CPU,
            CALIBRATED,
            "return ratio / (torch.zeros(1, dtype=ratio.dtype) + ratio.sum().unsqueeze(0))",
        ),
        mistake(
            "calibration_changes_its_input",
            "the division changes the caller's probabilities",
            RATIO,
            "ratio = choice_probabilities.div_(empty_prompt_probabilities)",
        ),
    ),
    "induction_score": (
        mistake(
            "induction_of_the_first_occurrence",
            "the first earlier occurrence is taken instead of the last",
            LAST,
            "last = (same.double().argmax(dim=1) + 1) * same.max(dim=1).values",
        ),
        mistake(
            "induction_at_the_occurrence",
            "the weight on the earlier occurrence itself is taken, not on the position after it",
            MEAN,
            "return weights[:, positions[seen], last[seen] - 1].mean(dim=-1)",
        ),
        mistake(
            "induction_before_the_occurrence",
            "the weight on the position before the earlier occurrence is taken",
            MEAN,
            "return weights[:, positions[seen], (last[seen] - 2).clamp(min=0)].mean(dim=-1)",
        ),
        mistake(
            "induction_transposed",
            "the query axis and the key axis of the weights are swapped",
            MEAN,
            "return weights[:, last[seen], positions[seen]].mean(dim=-1)",
        ),
        mistake(
            "induction_over_all_positions",
            "the sum is divided by the number of all positions, not of those whose token occurred before",
            MEAN,
            "return weights[:, positions[seen], last[seen]].sum(dim=-1) / length",
        ),
        mistake(
            "induction_counts_new_tokens",
            "positions whose token is new count with their weight on position 0",
            MEAN,
            "return weights[:, positions, last].mean(dim=-1)",
        ),
        mistake(
            "induction_finds_itself",
            "the position itself counts as an earlier occurrence",
            "(positions[None, :] < positions[:, None])",
            "(positions[None, :] <= positions[:, None])",
            MEAN,
            "return weights[:, positions[seen], last[seen].clamp(max=length - 1)].mean(dim=-1)",
        ),
        mistake(
            "induction_skips_neighbours",
            "a token that stands just before is not an earlier occurrence",
            "(positions[None, :] < positions[:, None])",
            "(positions[None, :] < positions[:, None] - 1)",
        ),
        mistake(
            "induction_over_all_heads",
            "the scores of all heads are averaged",
            MEAN,
            "return weights[:, positions[seen], last[seen]].mean().expand(len(weights))",
        ),
        mistake(
            "induction_adds_up",
            "the weights are added up instead of averaged",
            MEAN,
            "return weights[:, positions[seen], last[seen]].sum(dim=-1)",
        ),
        mistake(
            "induction_averages_over_tokens",
            "the mean is taken for each token first, so frequent tokens count less",
            MEAN,
            "found, names = weights[:, positions[seen], last[seen]], tokens[seen]\n"
            "    means = [found[:, names == name].mean(dim=-1) for name in names.unique()]\n"
            "    return torch.stack(means).mean(dim=0)",
        ),
        mistake(
            "induction_takes_the_largest",
            "the largest weight is taken instead of the mean",
            MEAN,
            "return weights[:, positions[seen], last[seen]].amax(dim=-1)",
        ),
        mistake(
            "induction_in_float32",
            "the scores are float32, whatever the dtype of the weights is",
            MEAN,
            "return weights.float()[:, positions[seen], last[seen]].mean(dim=-1)",
        ),
        mistake(
            "induction_on_the_cpu",
            ON_THE_CPU,
            MEAN,
            (
                "target = torch.zeros(weights.shape, dtype=weights.dtype).scatter(2, "
                "last[None, :, None].expand(len(weights), -1, -1), 1.0)\n"
                "    return (weights * target * seen[:, None]).sum(dim=(1, 2)) / seen.sum()"
            ),
        ),
        mistake(
            "induction_changes_the_weights",
            "the caller's weights are changed in place",
            MEAN,
            ("weights[:, ~seen] = 0\n    return weights[:, positions[seen], last[seen]].mean(dim=-1)"),
        ),
    ),
}
