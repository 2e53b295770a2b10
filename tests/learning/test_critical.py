"""One-shot critical memory: its features and readout against closed forms, the common frame against moved images."""

import numpy as np
import pytest

from physnn.errors import DataError, ParameterError, ShapeError
from physnn.learning.critical import (
    CriticalMemory,
    averaged,
    drawn,
    in_reference_frame,
    learn_once,
    linear,
    unit,
)
from physnn.media.oscillators.critical_frequency import effective_frequency_ratio


def patterns(count=200, width=6, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, width))


def published(cr):
    return np.sqrt(1 - cr**2)


class TestMemory:
    def test_a_stored_pattern_comes_closest_to_its_critical_point(self):
        stored = unit(patterns(20))
        memory = CriticalMemory(stored, 0.9)
        reached = memory.criticalities(3.0 * stored)
        assert np.array_equal(np.argmax(reached, axis=1), np.arange(20))
        np.testing.assert_allclose(np.diag(reached), 0.9, rtol=1e-14)

    @pytest.mark.parametrize("law", [effective_frequency_ratio, published])
    @pytest.mark.parametrize("criticality", [0.5, 0.95, 0.99])
    def test_period(self, law, criticality):
        """Between 32768 knots a straight line leaves T'' h^2 / 8, T'' being 3e5 at most, at 0.99."""
        memory = CriticalMemory(unit(patterns(20)), criticality, law)
        wanted = 1 / law(memory.criticalities(patterns(50, seed=1)))
        np.testing.assert_allclose(memory(patterns(50, seed=1)), wanted, atol=5e-5 if criticality > 0.98 else 1e-6)

    def test_a_pattern_at_right_angles_leaves_a_mode_alone(self):
        memory = CriticalMemory(np.eye(3))
        np.testing.assert_allclose(memory(np.array([[0.0, 2.0, 0.0]]))[0, [0, 2]], 1.0, atol=1e-12)

    def test_an_empty_pattern(self):
        assert np.all(np.isfinite(CriticalMemory(np.eye(3))(np.zeros((1, 3)))))

    def test_period_is_a_positive_definite_kernel(self):
        """1/sqrt(1 - c^2 t^2) has only positive coefficients in t, so its matrix has no negative eigenvalue."""
        x = unit(patterns(60))
        values = np.linalg.eigvalsh(CriticalMemory(x, 0.95, published)(x))
        assert values.min() > -1e-6 * values.max()

    def test_refusals(self):
        with pytest.raises(ParameterError, match="below 1"):
            CriticalMemory(np.eye(3), 1.0)
        with pytest.raises(ParameterError, match="at least 0"):
            CriticalMemory(-np.eye(3))
        with pytest.raises(ShapeError, match="modes, inputs"):
            CriticalMemory(np.ones(3))
        with pytest.raises(ParameterError, match="5 prototypes from 3"):
            drawn(np.ones((3, 2)), 5)


class TestReadout:
    def labelled(self, count=3000):
        x = patterns(count)
        return x, np.argmax(x[:, :3], axis=1)

    def test_against_least_squares(self):
        """A penalty of 1e-12 leaves the ordinary solution, of all samples: the held-out ones are added."""
        x, labels = self.labelled()
        learnt = learn_once(linear, x, labels, 3, penalties=[1e-12])
        wanted, *_ = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), np.eye(3)[labels], rcond=None)
        np.testing.assert_allclose(learnt.weights, wanted, atol=1e-9)

    def test_a_large_penalty_leaves_the_means(self):
        x, labels = self.labelled()
        learnt = learn_once(linear, x, labels, 3, penalties=[1e9])
        np.testing.assert_allclose(learnt.answers(x[:5]), np.tile(np.eye(3)[labels].mean(0), (5, 1)), atol=1e-6)

    def test_order_does_not_matter(self):
        """Sums over samples: whatever comes first, the readout is the same up to rounding."""
        x, labels = self.labelled()
        other = np.random.default_rng(1).permutation(len(x))
        a, b = (learn_once(linear, x[i], labels[i], 3, penalties=[1e-6]) for i in (np.arange(len(x)), other))
        np.testing.assert_allclose(a.weights, b.weights, atol=1e-10)

    def test_the_penalty_is_chosen_on_held_out_samples(self):
        """Few samples of pure noise in many features: the strongest penalty answers best what was not seen."""
        draw = np.random.default_rng(0)
        x = draw.normal(size=(120, 80))
        labels = (x[:, 0] + 0.5 * draw.normal(size=120) > 0).astype(int)
        learnt = learn_once(linear, x, labels, 2, held_out=0.4, penalties=[1e-10, 1e3])
        tried = [
            learn_once(linear, x, labels, 2, held_out=0.4, penalties=[penalty]).validation for penalty in (1e-10, 1e3)
        ]
        assert learnt.validation == max(tried) and learnt.penalty == [1e-10, 1e3][int(np.argmax(tried))]

    def test_memory_beats_a_linear_readout_where_classes_are_not_separable(self):
        draw = np.random.default_rng(0)
        x = draw.uniform(0.05, 1.0, size=(1500, 3))
        labels = ((x[:, 0] > x[:, 1]) ^ (x[:, 1] > x[:, 2])).astype(int)
        memory = learn_once(CriticalMemory.stored(x, 200), x[:1000], labels[:1000], 2)
        plain = learn_once(linear, x[:1000], labels[:1000], 2)
        assert memory.accuracy(x[1000:], labels[1000:]) > 0.9 > 0.7 > plain.accuracy(x[1000:], labels[1000:])

    def test_refusals(self):
        x, labels = self.labelled(50)
        with pytest.raises(ShapeError, match="one label each"):
            learn_once(linear, x, labels[:-1], 3)
        with pytest.raises(DataError, match="labels run from"):
            learn_once(linear, x, labels, 2)
        with pytest.raises(ParameterError, match="hold out some and not all"):
            learn_once(linear, x, labels, 3, held_out=0.0)
        with pytest.raises(ParameterError, match="penalties above 0"):
            learn_once(linear, x, labels, 3, penalties=[0.0])
        with pytest.raises(DataError, match="no samples"):
            learn_once(linear, x, labels, 3).accuracy(x[:0], labels[:0])


def blob(centre=(0.0, 0.0), size=(0.4, 0.3), shear=0.0, n=28):
    """A smooth blob: grey is normal with these standard deviations, in halves of the image."""
    axis = (2 * np.arange(n) + 1) / n - 1
    y, x = np.meshgrid(axis - centre[0], axis - centre[1], indexing="ij")
    return np.exp(-0.5 * ((y / size[0]) ** 2 + ((x - shear * y) / size[1]) ** 2))[None]


class TestFrame:
    def test_what_is_in_the_frame_stays(self):
        """The blob's tails are cut by the image: 1.2 % of its height, taken for a smaller size and stretched."""
        image = blob(size=(0.25, 0.2))
        kept = in_reference_frame(image, spread=(0.25, 0.2))
        np.testing.assert_allclose(kept, image, atol=0.01)

    def test_moved_sheared_and_stretched_images_become_one(self):
        """Bilinear interpolation rounds a smooth blob by h^2/8 of its curvature, 0.02 for pixels of a third of it."""
        frame = (0.25, 0.2)
        others = [
            blob((0.15, -0.1), (0.25, 0.2)),
            blob(size=(0.25, 0.2), shear=0.3),
            blob(size=(0.3, 0.22)),
            blob((0.05, 0.1), (0.22, 0.24), -0.2),
        ]
        for image in others:
            found = in_reference_frame(image, frame)
            np.testing.assert_allclose(found, blob(size=frame), atol=0.04)
            assert np.abs(image - blob(size=frame)).max() > 0.1

    def test_an_empty_image_stays_empty(self):
        assert np.all(in_reference_frame(np.zeros((1, 8, 8))) == 0)

    def test_averaged(self):
        image = np.arange(16.0).reshape(1, 4, 4)
        np.testing.assert_array_equal(averaged(image, 2), [[2.5, 4.5, 10.5, 12.5]])
        with pytest.raises(ShapeError, match="3 x 3 blocks"):
            averaged(image, 3)
        with pytest.raises(ShapeError, match="samples, height, width"):
            in_reference_frame(image[0])
