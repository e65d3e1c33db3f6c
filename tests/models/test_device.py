import pytest
import torch

from artifactnet.models.device import (
    CPU_AT_ONCE,
    CPU_SEGMENTS,
    MAX_SEGMENTS,
    halving_on_oom,
    in_pieces,
    pick_device,
    segments_that_fit,
)


def test_auto_is_cuda_where_it_is() -> None:
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["toaster", "cuda:99", "meta"])
def test_absent_device(name: str) -> None:
    with pytest.raises(ValueError, match="can't be used here"):
        pick_device(name)


def test_batch_on_a_cpu() -> None:
    assert segments_that_fit(torch.device("cpu")) == CPU_SEGMENTS


@pytest.mark.parametrize(
    ("free_gib", "segments"), [(80, MAX_SEGMENTS), (8, 40), (2, 8), (0.01, CPU_SEGMENTS)]
)
def test_batch_on_a_gpu_fills_half_of_what_is_free(
    monkeypatch: pytest.MonkeyPatch, free_gib: float, segments: int
) -> None:
    free = int(free_gib * 2**30)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 80 * 2**30))
    assert segments_that_fit(torch.device("cuda")) == segments


def test_auto_takes_a_gpu_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"


def test_out_of_memory_halves_the_batch_and_keeps_the_order() -> None:
    sizes = []

    def compute(batch: torch.Tensor) -> torch.Tensor:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("no")
        return batch * 10

    batch = torch.arange(7)
    torch.testing.assert_close(halving_on_oom(compute, batch), batch * 10)
    assert max(size for size in sizes if size <= 2) == 2


def test_a_single_segment_that_does_not_fit() -> None:
    def compute(batch: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("no")

    with pytest.raises(torch.OutOfMemoryError):
        halving_on_oom(compute, torch.arange(4))


def test_cuda_repeats_itself_in_full_float32() -> None:
    torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = True
    pick_device("cpu")
    assert not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_a_cpu_takes_a_few_at_a_time() -> None:
    sizes = []

    def compute(batch: torch.Tensor) -> torch.Tensor:
        sizes.append(len(batch))
        return batch * 10

    batch = torch.arange(2 * CPU_AT_ONCE + 1)
    assert torch.equal(in_pieces(compute, batch), batch * 10)
    assert sizes == [CPU_AT_ONCE, CPU_AT_ONCE, 1]
    sizes.clear()
    in_pieces(compute, batch.to("meta"))
    assert sizes == [len(batch)]
