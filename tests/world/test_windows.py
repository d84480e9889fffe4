"""Episodes that are cut out of a request log."""

import re
from pathlib import Path

import numpy as np
import pytest

from edgediff.config import WorldConfig
from edgediff.world import simulator, windows
from edgediff.world.laws import mean_data_bits, work_per_bit
from edgediff.world.log import RequestLog, load_log
from edgediff.world.windows import close_log, describe_log, episode_of_log, largest_episode
from edgediff.world.workload import draw_traffic

REAL = Path(__file__).parents[3] / "shared" / "data" / "AzureLLMInferenceTrace_code.csv"


def window(world, log, rng):
    return episode_of_log(world, close_log(world, log), rng)


def flows_of(world, log, episode=0):
    """Return the flows of an episode of a log, without the one that would come next."""
    return draw_traffic(world, 0, 0, episode, close_log(world, log)).flows[:-1]


def regular(count=50):
    return RequestLog(np.arange(count, dtype=float), np.full(count, 30.0), np.full(count, 10.0))


@pytest.mark.parametrize("load", [0.05, 1.0, 8.0])
def test_time_is_compressed_to_the_mean_rate(rng, load):
    """A regular log gives exactly lambda * W * load flows per slot, however short it is: it goes round."""
    world = WorldConfig(load=load)
    slot, size, work = window(world, regular(), rng)
    assert abs(slot.size - 1 - 1000 * load) <= 1
    assert (np.diff(slot) >= 0).all() and slot[-1] == world.num_slots > slot[-2]
    assert np.allclose(size, 1) and np.allclose(work, 1)


def test_bursts_are_kept(rng):
    """9 of 10 requests come in the first tenth of the log: an episode of a tenth holds nearly all of them or few."""
    time_s = np.concatenate([np.linspace(0, 10, 900), np.linspace(10.5, 100, 100)])
    log = RequestLog(time_s, np.ones(1000), np.ones(1000))
    counts = [window(WorldConfig(num_slots=100), log, rng)[0].size - 1 for _ in range(200)]
    assert np.mean(counts) == pytest.approx(100, rel=0.35) and max(counts) > 500 and min(counts) < 20


@pytest.mark.eq(1)
def test_size_and_work_have_the_mean_of_the_synthetic_traffic(rng):
    """Over one whole lap of any log: mean D and mean workload are those of Eq. (1)."""
    log = RequestLog(np.arange(1000.0), rng.integers(1, 5000, 1000) * 1.0, rng.integers(1, 500, 1000) * 1.0)
    flows = flows_of(WorldConfig(num_slots=1000), log)
    world = WorldConfig()
    assert abs(flows.size - 1000) <= 1
    assert flows["data_bits"].mean() == pytest.approx(mean_data_bits(world), rel=0.01)
    assert flows["work_tflop"].mean() == pytest.approx(mean_data_bits(world) * work_per_bit(world).mean(), rel=0.01)
    np.testing.assert_allclose(flows["data_bits"] / flows["bandwidth_bps"], flows["deadline_s"] / 2)
    assert all(len(set(flows["workshop"][flows["slot"] == t])) == (flows["slot"] == t).sum() for t in range(1000))


def test_a_request_of_no_tokens_asks_for_one(rng):
    log = RequestLog(np.array([0.0, 1.0]), np.zeros(2), np.array([0.0, 3.0]))
    _, size, work = window(WorldConfig(), log, rng)
    np.testing.assert_allclose(np.unique(size), [0.5, 1.5])  # 1 and 3 tokens, mean 2
    np.testing.assert_allclose(np.unique(work), [0.5, 1.5])


def test_a_window_may_start_anywhere_on_the_log():
    """Sizes 1, 2, ..., 1000 in a row: over many windows the first size is spread over all of them."""
    log = RequestLog(np.arange(1000.0), np.zeros(1000), np.arange(1.0, 1001.0))
    world = WorldConfig(num_slots=50)
    first = [window(world, log, np.random.default_rng(k))[1][0] * 500.5 for k in range(300)]
    np.testing.assert_allclose(np.quantile(first, [0.25, 0.5, 0.75]), [250, 500, 750], atol=100)


def test_a_window_has_background_traffic_of_its_own():
    closed = close_log(WorldConfig(), regular())
    one, two = (draw_traffic(WorldConfig(), 0, 0, k, closed).background for k in (0, 1))
    assert not np.array_equal(one, two)
    assert np.array_equal(one, draw_traffic(WorldConfig(), 0, 0, 0).background)


def test_size_follows_all_tokens_and_work_those_generated(rng):
    """Tokens (30, 10) and (10, 30): sizes 40 and 40; work 0.1 * 30 + 10 = 13 and 0.1 * 10 + 30 = 31."""
    log = RequestLog(np.array([0.0, 1.0]), np.array([30.0, 10.0]), np.array([10.0, 30.0]))
    _, size, work = window(WorldConfig(), log, rng)
    assert np.allclose(size, 1)
    np.testing.assert_allclose(np.unique(work.round(9)), [13 / 22, 31 / 22])


@pytest.mark.skipif(not REAL.exists(), reason="the public log is not here")
def test_the_episodes_of_a_public_log_are_far_burstier_than_poisson_arrivals():
    log = load_log(str(REAL))
    assert log.time_s.size == 8819 and log.time_s[0] == 0 and (np.diff(log.time_s) >= 0).all()
    counts = [flows_of(WorldConfig(load=2.0), log, k).size for k in range(60)]
    assert np.mean(counts) == pytest.approx(2000, rel=0.2) and np.std(counts) > 3 * np.sqrt(2000)


def test_an_episode_looks_at_its_own_requests_only(rng):
    """Of a log of a million requests, 100 slots at load 1 hold a hundred."""

    class Counting(np.ndarray):
        looked_at = 0

        def __getitem__(self, key):
            found = super().__getitem__(key)
            Counting.looked_at += np.size(found)
            return found

    world, log = WorldConfig(num_slots=100), regular(10**6)
    closed = close_log(world, log)._replace(log=RequestLog(*(column.view(Counting) for column in log[:3])))
    slot, *_ = episode_of_log(world, closed, rng)
    assert abs(slot.size - 101) <= 1 and Counting.looked_at < 1000


def test_describe_log_says_what_was_read():
    log = regular(7200)._replace(failed=1234, source="BurstGPT")
    assert describe_log(WorldConfig(), log) == (
        "log (BurstGPT): 7,200 requests in 2 h, 1 per s, 1,234 failed ones (no output tokens) left out; "
        "flows per episode at load 1: quartiles 1000, 1000, 1000 (mean 1000), as at loads 1, 1, 1"
    )


def test_describe_log_tells_a_quiet_log_from_one_with_a_rush():
    """Two hours with 250 requests and two with 23,000: half of the episodes hold next to nothing."""
    time_s = np.concatenate([np.linspace(0, 7200, 250, endpoint=False), np.linspace(7200, 14400, 23_000)])
    uneven = RequestLog(time_s, np.ones(time_s.size), np.ones(time_s.size))
    text = describe_log(WorldConfig(load=0.5), uneven)
    assert "at load 0.5: quartiles 11, " in text and ", 989 (mean 500), as at loads 0.011, " in text
    assert text.endswith(", 0.99")


def test_the_flows_that_describe_log_counts_are_those_of_the_episodes_that_are_drawn(rng):
    """On a log that becomes denser and denser, every quantile is another number."""
    world, log = WorldConfig(num_slots=500), RequestLog(np.sqrt(np.arange(20_000)), np.ones(20_000), np.ones(20_000))
    counts = [window(world, log, rng)[0].size - 1 for _ in range(3000)]
    shown = re.search(r"quartiles (\d+), (\d+), (\d+) \(mean (\d+)\)", describe_log(world, log)).groups()
    assert list(map(float, shown)) == pytest.approx(
        [*np.quantile(counts, [0.25, 0.5, 0.75]), np.mean(counts)], rel=0.06
    )


def test_describe_log_counts_no_empty_episode():
    """Most windows of a year of nothing are moved to its one request."""
    assert "flows per episode at load 1: quartiles 1, 1, 1 (mean " in describe_log(WorldConfig(), burst())


def whole_numbers(count=4000):
    """A log of the public format made of whole numbers alone, so that it is the same everywhere."""
    ticks, lines = 0, ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    for k in range(count):
        step = (k * k * 7919 + 104729 * k) % 1_000_003
        ticks += step * (9 if k // 500 % 2 else 1)
        minute, second, tick = ticks // (60 * 10**7), ticks // 10**7 % 60, ticks % 10**7
        moment = f"2023-11-16 {18 + minute // 60}:{minute % 60:02}:{second:02}.{tick:07}"
        lines.append(f"{moment},{1 + step % 7000},{1 + step % 601}")
    return "\r\n".join(lines)


def test_the_episodes_of_a_log_stay_what_they_were(write):
    """Numbers of the first reader of logs, which went line by line; results of runs on logs depend on them."""
    world, log = WorldConfig(), load_log(write(whole_numbers()))
    closed = close_log(world, log)
    assert log.time_s[-1] == 997.4510847 and (log.time_s.size, largest_episode(world, log)) == (4000, 1034)
    assert (closed.mean_size, closed.mean_work) == pytest.approx((3865.05325, 659.552275), rel=1e-15)
    slot, size, work = episode_of_log(world, closed, np.random.default_rng(5))
    assert slot[:12].tolist() == [0, 2, 2, 5, 6, 7, 10, 12, 13, 14, 17, 20]
    assert slot.size == 1009 and slot.sum() == 659_895
    assert size[:3].tolist() == pytest.approx([1.533743422551811, 0.34359164391848934, 1.3394382082575447], rel=1e-15)
    assert work[:3].tolist() == pytest.approx([1.5756143059320051, 1.0159922501973024, 1.2065760822369993], rel=1e-15)


def burst(size=20_000):
    """A burst within a second and one more request a year later; request k has k + 1 tokens."""
    time_s = np.append(np.linspace(0, 1, size), 365 * 86400)
    return RequestLog(time_s, np.zeros(size + 1), np.arange(1.0, size + 2))


def irregular(rng):
    """Requests at uneven times, some of them at the same; request k has k + 1 tokens."""
    count = int(rng.integers(3, 60))
    time_s = np.repeat(np.cumsum(rng.exponential(size=count) ** 4), rng.integers(1, 4, count))
    return RequestLog(time_s - time_s[0], np.zeros(time_s.size), np.arange(1.0, time_s.size + 1))


def unrolled(world, log, laps):
    """Return when the requests come, in slots, if the log is repeated: the last is one mean gap before the first."""
    gap = 1 / world.flows_per_slot
    time = log.time_s / log.time_s[-1] * gap * (log.time_s.size - 1)
    return np.concatenate([time + lap * gap * time.size for lap in range(laps)])


def window_of(world, log, seed):
    """Return when the drawn window would begin, and slots and numbers of the requests in the one that is given."""
    slot, size, _ = window(world, log, np.random.default_rng(seed))
    number = np.round(size * (log.time_s.size + 1) / 2).astype(int) - 1  # from k + 1 tokens of (n + 1) / 2 on average
    return np.random.default_rng(seed).uniform(0, log.time_s.size / world.flows_per_slot), slot, number


@pytest.mark.parametrize("seed", range(20))
def test_a_window_holds_the_requests_of_its_time_or_is_moved_to_the_next_one(seed):
    """Against going through the repeated log one request after another."""
    rng = np.random.default_rng(seed)
    log, moved = irregular(rng), 0
    world = WorldConfig(num_slots=20, load=float(np.exp(rng.uniform(np.log(0.06), np.log(5)))))
    time = unrolled(world, log, laps=5 + int(20 * world.flows_per_slot))
    for k in range(30):
        start, slot, number = window_of(world, log, k)
        coming = next(i for i, t in enumerate(time) if t >= start)
        assert np.array_equal(number, np.arange(coming, coming + number.size) % log.time_s.size)  # none is left out
        assert slot[-1] == 20 > slot[-2] and slot[0] >= 0 and slot.size > 1
        if time[coming] >= start + 20:
            moved += 1
            start = time[coming] - slot[0] - 0.5  # at most half a slot from where the moved window begins
            slack = 0.5 + 1e-6
        else:
            slack = 1e-6
        for t, s in zip(time[coming:], slot[:-1], strict=False):
            assert s - slack <= t - start < s + 1 + slack
        assert time[coming + slot.size - 1] - start >= 20 - slack  # the one to come is behind the window
    assert moved or world.flows_per_slot > 0.3


def test_a_moved_window_has_its_request_at_any_slot():
    """One slot is as likely as another: of 400 windows that were moved, a quarter has it in each quarter."""
    world, log, first = WorldConfig(num_slots=100), burst(), []
    for k in range(400):
        start, slot, number = window_of(world, log, k)
        if 1 < start < 19_900:  # the year without a request
            assert number[0] == 20_000
            first.append(slot[0])
    counts = np.histogram(first, [0, 25, 50, 75, 100])[0]
    assert len(first) > 350 and (abs(counts - len(first) / 4) < 5 * (len(first) * 3 / 16) ** 0.5).all()


def count_draws(monkeypatch):
    """Count how often the simulator draws the traffic of an episode."""
    drawn = []
    monkeypatch.setattr(simulator, "draw_traffic", lambda *given: drawn.append(given[2:4]) or draw_traffic(*given))
    return drawn


def test_a_burst_and_a_year_of_nothing_cost_one_draw_an_episode(monkeypatch):
    """Most windows of such a log would hold no request; were they passed over, a reset would take 20 draws each."""
    drawn = count_draws(monkeypatch)
    started = simulator.Simulator(WorldConfig(), 6, log=burst())
    for seed in range(5):
        started.reset(seed)
        assert (started.num_flows >= 1).all() and (started.episode == 0).all()
    assert len(drawn) == 6 * 5


def test_playing_through_a_log_with_a_burst_draws_each_episode_once(monkeypatch):
    drawn, ended = count_draws(monkeypatch), np.zeros(3, int)
    started = simulator.Simulator(WorldConfig(num_slots=10), 3, log=burst(100))
    started.reset(0)
    for _ in range(700):
        *_, truncated, _ = started.step(np.zeros(3, int))
        ended += truncated
    assert ended.min() > 2 and np.array_equal(started.episode, ended)
    assert sorted(drawn) == [(env, k) for env in range(3) for k in range(ended[env] + 1)]


@pytest.mark.parametrize("seed", range(20))
def test_the_largest_episode_is_the_most_that_any_holds(seed, monkeypatch):
    """Against counting from every request on, and no episode holds more."""
    rng = np.random.default_rng(100 + seed)
    monkeypatch.setattr(windows, "_PART", int(rng.integers(1, 30)))
    log = irregular(rng)
    world = WorldConfig(num_slots=20, load=float(np.exp(rng.uniform(np.log(0.06), np.log(5)))))
    time = unrolled(world, log, laps=3 + int(20 * world.flows_per_slot))
    counted = max(sum(begin <= t < begin + 20 for t in time) for begin in time[: log.time_s.size])
    assert largest_episode(world, log) == counted
    assert max(window_of(world, log, k)[1].size - 1 for k in range(50)) <= counted


def test_the_largest_episode_of_a_burst_holds_it_all():
    assert largest_episode(WorldConfig(), burst()) == 20_001  # with the request that closes the circle a slot before
    assert largest_episode(WorldConfig(num_slots=1), burst()) == 20_000


def test_a_request_just_behind_the_largest_episode_is_not_in_it():
    """Two requests, one every second slot: at 0, 2, 4, ..., of which 0 .. 4 without its end holds two."""
    log = RequestLog(np.array([0.0, 1.0]), np.ones(2), np.ones(2))
    assert largest_episode(WorldConfig(num_slots=4, load=0.5), log) == 2
