"""Hidden tests of text_to_text: examples from the paper and others, written out."""

from autograder.judge.compare import check_equal


def test_text_to_text_names_every_field(student):
    """text_to_text: the task comes first, then each field with its name.

    Hint: `name: text` for each field, separated by single spaces.
    """
    says = "the text is not the task followed by its named fields"
    expected = "mnli premise: it rains hypothesis: it pours"
    check_equal(student.text_to_text("mnli", premise="it rains", hypothesis="it pours"), expected, says=says)
    expected = "boolq question: is it: yes? passage: no title: a  b"
    check_equal(student.text_to_text("boolq", question="is it: yes?", passage="no", title="a  b"), expected, says=says)


def test_text_to_text_keeps_the_order_of_the_fields(student):
    """text_to_text: fields are in the order in which they are given.

    Hint: a dict of keyword arguments keeps their order; do not sort it.
    """
    says = "the fields are in another order"
    for fields in ({"b": "1", "a": "2", "c": "3"}, {"c": "1", "b": "2", "a": "3"}, {"a": "3", "c": "2", "b": "1"}):
        expected = " ".join(f"{name}: {text}" for name, text in fields.items())
        check_equal(student.text_to_text("task", **fields), f"task {expected}", says=says)


def test_text_to_text_of_one_text(student):
    """text_to_text: if `text` is the only field, it follows the task without its name.

    Hint: "task: text", with one colon.
    """
    says = "a single field named `text` must follow the task and a colon"
    for task, text in (("translate English to German", "That is good."), ("summarize", "a: b")):
        check_equal(student.text_to_text(task, text=text), f"{task}: {text}", says=says)


def test_text_to_text_of_one_other_field(student):
    """text_to_text: a single field with another name keeps its name.

    Hint: the name of the field matters, not only the number of fields.
    """
    says = "a single field that is not named `text` must keep its name"
    check_equal(student.text_to_text("sst2", sentence="it is good"), "sst2 sentence: it is good", says=says)
    check_equal(student.text_to_text("cola", text_a="he go"), "cola text_a: he go", says=says)


def test_text_to_text_beside_other_fields(student):
    """text_to_text: beside other fields, `text` is named like every field.

    Hint: its name is left out only if there is no other field.
    """
    says = "beside other fields, `text` must keep its name"
    check_equal(student.text_to_text("qa", question="who?", text="me"), "qa question: who? text: me", says=says)
    check_equal(student.text_to_text("qa", text="me", question="who?"), "qa text: me question: who?", says=says)
