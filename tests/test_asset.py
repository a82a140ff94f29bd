from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ovtune import asset
from ovtune.errors import ModelError, StorageError
from tests import fake
from tests.fake_runtime import FakeRuntime


class TestFiles:
    def test_native_files_are_used_and_others_converted_once(
        self, use: Callable[[FakeRuntime], FakeRuntime], tmp_path: Path
    ) -> None:
        """A built-in model is its own first precision; the other one is converted, and found there the next time."""
        runtime = use(FakeRuntime())
        for _ in range(2):
            found = asset.files(fake.setup(), tmp_path / "model")
            assert found["FP32"] == "demo:mobilenet"
            assert Path(found["FP16"]).is_absolute()
            assert Path(found["FP16"]).read_text() == "model"
        assert runtime.asked == [("convert", "FP16")]

    def test_other_formats_are_converted_in_every_precision(
        self, use: Callable[[FakeRuntime], FakeRuntime], tmp_path: Path
    ) -> None:
        """An ONNX file is read once and kept as IR, so that no block pays for it."""
        runtime = use(FakeRuntime())
        setup = fake.setup(model=replace(fake.MODEL, path="net.onnx"))
        assert set(asset.files(setup, tmp_path)) == {"FP32", "FP16"}
        assert runtime.asked == [("convert", "FP32"), ("convert", "FP16")]

    def test_another_model_of_the_name_is_converted_anew(
        self, use: Callable[[FakeRuntime], FakeRuntime], tmp_path: Path
    ) -> None:
        """Converted files are kept by the model's digest."""
        runtime = use(FakeRuntime())
        asset.files(fake.setup(), tmp_path)
        asset.files(fake.setup(model=replace(fake.MODEL, sha256="f" * 64)), tmp_path)
        assert runtime.asked == [("convert", "FP16")] * 2

    def test_folder_that_cannot_be_made(self, use: Callable[[FakeRuntime], FakeRuntime], tmp_path: Path) -> None:
        """A studies folder that cannot hold the files is an error with its path."""
        use(FakeRuntime())
        (tmp_path / "file").write_text("")
        with pytest.raises(StorageError, match="file/model cannot be made"):
            asset.files(fake.setup(), tmp_path / "file" / "model")


class TestQuantized:
    @pytest.mark.parametrize("held", [False, True], ids=["new folder", "folder with files"])
    def test_failing(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, held: bool) -> None:
        """Where the model cannot be quantized no empty folder is left, and one that holds something stays."""

        def refusing(task: str, request: str, *, timeout_s: float) -> str:
            raise ModelError(f"{task}: {len(request)} bytes, {timeout_s} s")

        monkeypatch.setattr(asset, "ask", refusing)
        np.save(tmp_path / "items.npy", np.zeros((1, 3, 224, 224), np.float32))
        folder = tmp_path / "studies" / "net" / "model"
        if held:
            folder.mkdir(parents=True)
            (folder / "FP16.xml").touch()
        with pytest.raises(ModelError, match="quantize"):
            asset.quantized(str(tmp_path / "items.npy"), fake.MODEL, {}, folder)
        assert (tmp_path / "studies").exists() == folder.exists() == held
