"""``tools.mutate`` judges mutants once, resumes, and fails on a survivor without a reason."""

import pytest
import yaml
from tiny_lab import STAGE

from tools.mutants import Mutant, mutants_of
from tools.mutate import ENDED, VerdictLog, mutate_stage
from tools.validity import read_reasons, read_records


def test_verdicts_are_kept_one_a_line_for_the_same_tests_only(tmp_path):
    path = tmp_path / "mutants" / "stage.jsonl"
    log, mutant = VerdictLog(path, "tests"), Mutant("f", "x = 2\n", "- x = 1\n+ x = 2")
    log.add(mutant, ENDED, 1.5)
    path.write_bytes(path.read_bytes() + b'{"half a line')
    (verdict,) = log.read().values()
    assert (verdict.mutant, verdict.killed_by, verdict.seconds) == (mutant.digest, ENDED, 1.5)
    assert VerdictLog(path, "other tests").read() == {}


def test_mutants_differ_from_the_reference_and_from_each_other(tiny_lab):
    mutants = list(mutants_of(tiny_lab.stage(STAGE)))
    assert "- return 2 * x\n+ return 3 * x" in [mutant.diff for mutant in mutants]
    assert len({mutant.digest for mutant in mutants}) == len(mutants) >= 5
    assert {mutant.definition for mutant in mutants} == {"double", "total", "halve"}


def test_the_text_of_an_error_is_not_changed(tiny_lab):
    reference = tiny_lab.stage(STAGE).reference
    code = reference.read_text(encoding="utf-8")
    guarded = code.replace("return x / 2", 'if x is None:\n        raise ValueError("no x" + "!")\n    return x / 2')
    reference.write_text(guarded, encoding="utf-8")
    changes = [mutant.diff for mutant in mutants_of(tiny_lab.stage(STAGE))]
    assert any("is not None" in diff for diff in changes)
    assert not any("raise" in diff for diff in changes)


@pytest.mark.slow
def test_a_survivor_needs_a_reason_and_a_second_run_judges_nothing(tiny_lab, capsys):
    stage = tiny_lab.stage(STAGE)
    reference = stage.reference
    reference.write_text(
        reference.read_text(encoding="utf-8").replace("return x / 2", "return x / 2 if True else x"), encoding="utf-8"
    )
    assert mutate_stage(tiny_lab, stage, frozenset(), 0, 2) > 0
    record = read_records(tiny_lab)[STAGE]
    assert record.kills["test_double_multiplies_by_two"] >= 2
    assert record.survivors
    reasons = {STAGE: [{"because": "Equivalent: the branch is never taken.", "mutants": list(record.survivors)}]}
    (tiny_lab.root / "docs" / "validity_reasons.yml").write_text(yaml.safe_dump(reasons), encoding="utf-8")
    assert set(read_reasons(tiny_lab, STAGE)) == set(record.survivors)
    capsys.readouterr()
    assert mutate_stage(tiny_lab, stage, frozenset(), 0, 2) == 0
    assert f"{record.mutants} mutants, {record.mutants} of them judged before" in capsys.readouterr().out
    page = (tiny_lab.root / "docs" / "validity.md").read_text(encoding="utf-8")
    assert f"| `{STAGE}` | {record.mutants} | {record.mutants - len(record.survivors)} |" in page
