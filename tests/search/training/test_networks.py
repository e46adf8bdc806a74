from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from search.spaces import PRESETS, Architecture, preset
from search.training.batches import Preprocess, as_tensor
from search.training.networks import Network, build_network, fold
from search.training.preprocessing import Preprocessing
from tests.search.training.examples import small_layers, small_network, stripes

SPACES = {name: preset(name) for name in PRESETS}


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    space = SPACES[draw(st.sampled_from(sorted(SPACES)))]
    return Architecture(space, tuple(draw(st.integers(0, len(gene.choices) - 1)) for gene in space.genes))


def operations(network: Network) -> int:
    """What torch counts for one image: two per multiply-add."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.empty(1, network.channels, network.resolution, network.resolution))
    total: int = counter.get_total_flops()
    return total


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("name", "expected"), [("chamnet-mobile", 3_504_872), ("chamnet-res", 25_557_032)])
def test_a_reference_network_has_the_published_number_of_parameters(name: str, expected: int) -> None:
    space = SPACES[name]
    with torch.device("meta"):
        assert parameters(build_network(space.lower(space.reference))) == expected


@settings(max_examples=12)
@given(architectures())
def test_torch_counts_in_any_network_what_its_operators_sum_up_to(architecture: Architecture) -> None:
    with torch.device("meta"):
        network = build_network(architecture.layers)
        assert parameters(network) == architecture.parameters
        assert operations(network) == 2 * architecture.multiply_adds


@settings(max_examples=6)
@given(st.sampled_from(["chamnet-mobile-small", "chamnet-res-small"]), st.integers(0, 2**31), st.data())
def test_folding_the_norms_keeps_the_logits(name: str, seed: int, data: st.DataObject) -> None:
    space = SPACES[name]
    genes = tuple(data.draw(st.integers(0, len(gene.choices) - 1)) for gene in space.genes)
    network = build_network(space.lower(genes), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(std=0.1, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            nn.init.normal_(module.weight, mean=1.0, std=0.2, generator=generator)
            nn.init.normal_(module.bias, std=0.1, generator=generator)
    images = torch.rand(2, 1, network.resolution, network.resolution, generator=generator)
    with torch.inference_mode():
        expected, folded = network.eval()(images), fold(network)(images)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fold(network).modules())
    torch.testing.assert_close(folded, expected, atol=1e-4, rtol=1e-4)


def test_a_seed_decides_the_first_weights_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = small_network(1), small_network(1), small_network(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


def test_without_a_seed_the_global_generator_decides() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = build_network(small_layers())
        torch.manual_seed(3)
        again = build_network(small_layers())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_every_residual_block_starts_as_the_identity() -> None:
    network = small_network(**{"stage3.repeats": 2})
    images = torch.rand(2, 1, network.resolution, network.resolution)
    outputs: dict[str, torch.Tensor] = {}
    for layer, module in network.by_layer():
        module.register_forward_hook(
            lambda _module, _inputs, output, name=layer.name: outputs.setdefault(name, output)
        )
    network(images)
    torch.testing.assert_close(outputs["stage3.block2.add"], outputs["stage3.block1.project"])


def test_the_clipping_of_the_in_place_relu6_has_torchs_gradient() -> None:
    layers = small_layers()
    ours, plain = build_network(layers, seed=0), build_network(layers, seed=0)
    for module in list(plain.modules()):
        for name, part in module.named_children():
            if type(part).__name__ == "_ReLU6":
                setattr(module, name, nn.ReLU6())
    images = torch.randn(8, 1, 8, 8) * 5
    for network in (ours, plain):
        network(images).square().sum().backward()
    for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert torch.equal(a.grad, b.grad)


@pytest.mark.parametrize("channels", [1, 3])
def test_feature_maps_are_laid_out_in_channels_last(channels: int) -> None:
    network = build_network(small_layers(channels=channels))
    arrays = stripes(4, seed=0, channels=channels)
    images = Preprocess(Preprocessing.fit(arrays.images, network.resolution))(as_tensor(arrays))
    stem = next(iter(network.modules_by_layer.values()))
    assert stem(images).is_contiguous(memory_format=torch.channels_last)
    assert not stem(images).is_contiguous()


def test_the_gradient_of_the_last_feature_map_is_laid_out_as_the_map_is() -> None:
    network = small_network()
    layouts: list[tuple[int, ...]] = []

    def watch(_module: nn.Module, _inputs: object, features: torch.Tensor) -> None:
        layouts.append(features.stride())
        features.register_hook(lambda gradient: layouts.append(gradient.stride()))

    pool = next(index for index, layer in enumerate(network.layers) if layer.operator.kind == "avgpool")
    list(network.modules_by_layer.values())[network.layers[pool].inputs[0]].register_forward_hook(watch)
    network(torch.rand(4, 1, 16, 16)).sum().backward()
    features, gradient = layouts
    assert gradient == features


def test_dropout_acts_in_training_only() -> None:
    network = small_network(dropout=0.5)
    images = torch.rand(4, 1, 8, 8)
    network.eval()
    assert torch.equal(network(images), network(images))
    classifier = network.modules_by_layer["classifier"]
    classifier.train()
    features = torch.ones(4, 64)
    assert not torch.equal(classifier(features), classifier(features))


def test_layers_without_a_classifier_are_no_network() -> None:
    with pytest.raises(ValueError, match="must be its linear classifier"):
        build_network(small_layers()[:-1])
