"""When a ratio is printed, when it is refused, and when a bar holds."""

import unittest

from driver.bars import Bar, added, me_rate, own, rate, ratio, times_better


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


if __name__ == "__main__":
    unittest.main()
