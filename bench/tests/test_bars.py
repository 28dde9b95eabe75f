"""When a ratio is printed, when it is refused, and when a bar holds."""

import unittest

from driver.bars import BARS, SELF, Bar, added, added_meanwhile, flat, me_rate, own, rate, ratio, times_better, to_own
from driver.loads import faults, together
from driver.scenarios import SCENARIOS
from driver.servers import SERVERS


def row(server: str, number: int = 0, scenario: str = "s", **values):
    usual = {"core_busy": 0.5, "others_busy": 0.0, "rig_busy": 0.5, "tokens_per_second": 1000, "faults": []}
    return {"server": server, "round": number, "scenario": scenario, **usual, **values}


def judge(value, rows, limit=1.5, at_most=True, peer="limit"):
    return Bar("a bar", "s", peer, value, limit, at_most).judge(rows)


class Ratios(unittest.TestCase):
    cpu = staticmethod(ratio("cpu_us_per_token"))

    def test_the_median_decides_and_the_spread_is_kept(self):
        rows = [row("limit", n, cpu_us_per_token=10) for n in range(3)]
        rows += [row("vestibule", n, cpu_us_per_token=cpu) for n, cpu in enumerate((12, 30, 14))]
        verdict = judge(self.cpu, rows)
        self.assertEqual((verdict["least"], verdict["median"], verdict["greatest"]), (1.2, 1.4, 3.0))
        self.assertTrue(verdict["holds"])
        self.assertFalse(judge(self.cpu, rows, limit=1.3)["holds"])

    def test_only_rows_of_the_same_round_are_compared(self):
        rows = [row("limit", 0, cpu_us_per_token=10), row("vestibule", 1, cpu_us_per_token=10)]
        self.assertIsNone(judge(self.cpu, rows))

    def test_unequal_loads_on_idle_cores_are_refused(self):
        rows = [
            row("limit", cpu_us_per_token=10, tokens_per_second=50_000),
            row("vestibule", cpu_us_per_token=12, tokens_per_second=40_000),
        ]
        verdict = judge(self.cpu, rows)
        self.assertNotIn("median", verdict)
        self.assertIn("the rig was the limit", verdict["refusals"][0])

    def test_a_peer_at_its_own_limit_may_be_compared(self):
        rows = [
            row("limit", cpu_us_per_token=400, tokens_per_second=2_000, core_busy=1.0),
            row("vestibule", cpu_us_per_token=10, tokens_per_second=50_000),
        ]
        verdict = judge(times_better("cpu_us_per_token"), rows, limit=20, at_most=False)
        self.assertEqual(verdict["median"], 40)
        self.assertTrue(verdict["holds"])

    def test_rows_with_faults_do_not_count(self):
        rows = [
            row("limit", cpu_us_per_token=10),
            row("vestibule", cpu_us_per_token=10, faults=["1 requests failed"]),
        ]
        self.assertNotIn("median", judge(self.cpu, rows))

    def test_a_rate_is_refused_when_others_used_the_core(self):
        rows = [
            row("limit", requests_per_second=10, others_busy=0.3),
            row("vestibule", requests_per_second=200),
        ]
        verdict = judge(rate("requests_per_second"), rows, at_most=False)
        self.assertIn("others took 30%", verdict["refusals"][0])


class Latencies(unittest.TestCase):
    value = staticmethod(added("token_us.p99"))

    def test_the_direct_way_is_taken_off(self):
        rows = [row("limit", token_us={"p99": 300}), row("vestibule", token_us={"p99": 700})]
        self.assertEqual(judge(self.value, rows, limit=1000)["median"], 400)

    def test_a_busy_rig_is_refused(self):
        rows = [row("limit", token_us={"p99": 300}), row("vestibule", token_us={"p99": 700}, rig_busy=0.95)]
        self.assertIn("95% busy", judge(self.value, rows)["refusals"][0])


class OwnValues(unittest.TestCase):
    def test_a_bar_on_the_subject_alone(self):
        verdict = judge(own("upstream_left"), [row("vestibule", upstream_left=1)], limit=0, peer="vestibule")
        self.assertFalse(verdict["holds"])

    def test_the_rate_of_small_requests_counts_only_when_the_server_was_the_limit(self):
        def requests(busy):
            def one(rate_, cost):
                return {"requests_per_second": rate_, "cpu_us_per_request": cost, "server_busy": busy}

            return row("vestibule", me=one(95, 20), healthz=one(100, 10))

        self.assertEqual(me_rate(requests(1.0), None), 0.95)
        self.assertEqual(me_rate(requests(0.4), None), 0.5)

    def test_one_of_its_own_numbers_to_another(self):
        rows = [row("vestibule", forged={"cost": 66}, cold={"cost": 60})]
        verdict = judge(to_own("forged.cost", "cold.cost"), rows, limit=1.2, peer="vestibule")
        self.assertAlmostEqual(verdict["median"], 1.1)


class Floods(unittest.TestCase):
    def flooded(self, **values):
        parts = {part: {"whole_us": {"p99": p99}} for part, p99 in (("before", 300), ("during", 450))}
        return row("vestibule", **parts, **values)

    def test_what_others_wait_longer(self):
        self.assertEqual(added_meanwhile("whole_us.p99")(self.flooded(), None), 150)

    def test_a_busy_machine_is_refused(self):
        for busy in ({"rig_busy": 0.95}, {"others_busy": 0.2}):
            verdict = judge(added_meanwhile("whole_us.p99"), [self.flooded(**busy)], peer="vestibule")
            self.assertNotIn("median", verdict)

    def test_too_many_fetches_are_a_fault_and_not_only_a_missed_bar(self):
        self.assertEqual(faults({"key_fetches": 12}), [])
        self.assertIn("13 fetches", faults({"key_fetches": 13})[0])


class Pages(unittest.TestCase):
    """Of somebody with few threads, and of somebody with very many."""

    def listed(self, *medians, **values):
        steps = [{"step": str(n), "first": {"whole_us": {"p50": value}}} for n, value in enumerate(medians)]
        return row("vestibule", steps=steps, **values)

    def judged(self, listed):
        return judge(flat("first"), [listed], peer=SELF)

    def test_the_slowest_is_compared_with_the_fastest_wherever_they_are(self):
        self.assertEqual(self.judged(self.listed(200, 260, 240))["median"], 1.3)
        self.assertTrue(self.judged(self.listed(200, 260, 240))["holds"])
        self.assertFalse(self.judged(self.listed(900, 200, 240))["holds"])

    def test_a_disturbed_run_is_refused(self):
        self.assertIn("others took 30%", self.judged(self.listed(200, 210, others_busy=0.3))["refusals"][0])


class TheBars(unittest.TestCase):
    """Each is about servers and a scenario that there are, and can be missed."""

    def test_names(self):
        for bar in BARS:
            with self.subTest(bar.what, peer=bar.peer):
                for name in (bar.subject, bar.peer) if bar.peer != SELF else (bar.subject,):
                    self.assertIn(name, SERVERS)
                if bar.scenario in SCENARIOS:
                    self.assertIn(bar.subject, SCENARIOS[bar.scenario].servers)

    def of(self, scenario):
        return [bar for bar in BARS if bar.scenario == scenario]

    def test_turns_on_postgresql_are_compared_with_the_peer_that_waits_for_the_disk_alike(self):
        for bar in self.of("turns-postgresql"):
            self.assertEqual(bar.subject.removeprefix("vestibule"), bar.peer.removeprefix("python"))
            rows = [
                row(bar.subject, scenario=bar.scenario, cpu_us_per_request=800, requests_per_second=900),
                row(bar.peer, scenario=bar.scenario, cpu_us_per_request=9_000, requests_per_second=100),
            ]
            missed = bar.what.startswith("one-token turns a second")
            self.assertEqual(bar.judge(rows)["holds"], not missed)

    def test_a_load_that_is_not_carried_is_missed(self):
        (bar,) = self.of("sizing")
        for carried, holds in ((500, True), (400, False), (0, False)):
            rows = [row("vestibule-nodes", scenario="sizing", rate=carried)]
            self.assertEqual(bar.judge(rows)["holds"], holds)

    def test_a_load_that_others_were_in_the_way_of_is_refused_unless_it_was_carried(self):
        (bar,) = self.of("sizing")
        judged = [
            bar.judge([row("vestibule-nodes", scenario="sizing", rate=rate, others_busy=0.6)]) for rate in (400, 500)
        ]
        self.assertNotIn("median", judged[0])
        self.assertTrue(judged[1]["holds"])

    def test_what_several_nodes_cost(self):
        for shared, read in ((1.05, 1.3), (1.2, 1.5)):
            rows = [row("vestibule-nodes", scenario="nodes", shared=shared, tokens_read={"ratio": read})]
            holds = {bar.judge(rows)["holds"] for bar in self.of("nodes")}
            self.assertEqual(holds, {shared < 1.1})

    def test_a_bar_of_another_server_is_not_judged_by_the_products_rows(self):
        (bar,) = self.of("sizing")
        self.assertIsNone(bar.judge([row("vestibule", scenario="sizing", rate=500)]))


class SeveralLoads(unittest.TestCase):
    def test_a_row_of_several_loads_fails_with_any_of_them(self):
        parts = [
            {"failed": 0, "failures": {}, "rig_busy": 0.4, "others_busy": 0.3},
            {"failed": 2, "failures": {"status 500": 2}, "rig_busy": 0.6, "others_busy": 0.1},
        ]
        whole = together(parts)
        self.assertIn("status 500", faults(whole)[0])
        self.assertEqual((whole["rig_busy"], whole["others_busy"]), (0.6, 0.3))


if __name__ == "__main__":
    unittest.main()
