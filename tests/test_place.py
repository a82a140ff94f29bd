import ast

import pytest

from ovtune import place


@pytest.mark.parametrize("model", ["demo:mlp", "a'b.onnx", 'a"b\\c.onnx', "line\nbreak"])
def test_python_of_the_report_is_python(model: str) -> None:
    """The lines that the report offers can be parsed, whatever the model's path holds."""
    tree = ast.parse(place.deployment_code(model))
    strings = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    assert model in strings
