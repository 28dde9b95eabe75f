"""What the tables show of loads that grow step by step, and what several loads of one kind come to."""

import unittest
from pathlib import Path
from unittest.mock import patch

from driver.cluster import product
from driver.nodes import together
from driver.report import tables
from driver.services import missing


def step(rate, **values):
    return {"step": f"{rate} a second", "reads_per_second": rate, "failed": 0, **values}


class Steps(unittest.TestCase):
    def test_each_step_has_a_line_with_the_median_of_the_rounds(self):
        usual = {"server": "vestibule-nodes", "scenario": "sizing", "faults": [], "rate": 200}
        other = step(190) | {"step": "200 a second"}
        rows = [usual | {"steps": [step(100), step(200)]}, usual | {"steps": [step(100), other]}]
        text = tables(rows)
        self.assertIn("### sizing, in steps", text)
        self.assertIn("| vestibule-nodes | 200 a second | 195 (190–200) |", text)

    def test_a_load_without_steps_has_no_such_table(self):
        rows = [{"server": "vestibule-nodes", "scenario": "nodes", "faults": [], "shared": 1.05}]
        self.assertNotIn("in steps", tables(rows))


class Parts(unittest.TestCase):
    def test_the_product_is_its_nodes_and_what_they_stand_on(self):
        parts = {"vestibule": 3, "postgresql": 2, "redis": 1, "model": 50, "client": 90}
        self.assertEqual(product(parts), 6)

    def test_several_rounds_are_one_mean_and_no_failure_is_lost(self):
        parts = [
            {"cpu_us": 10.0, "failed": 0, "failures": {}, "whole_us": {"p99": 1}},
            {"cpu_us": 30.0, "failed": 1, "failures": {"status 500": 1}, "whole_us": {"p99": 2}},
        ]
        whole = together(parts)
        self.assertEqual((whole["cpu_us"], whole["failed"], whole["failures"]), (20.0, 1, {"status 500": 1}))


class Services(unittest.TestCase):
    def test_what_is_not_wanted_is_not_missed(self):
        with patch("driver.services.shutil.which", return_value=None), patch("driver.services.PROGRAMS", Path("/none")):
            self.assertEqual(missing(postgresql=False, redis=False), [])

    def test_what_is_missing_is_named_with_its_package(self):
        with patch("driver.services.shutil.which", return_value=None), patch("driver.services.PROGRAMS", Path("/none")):
            postgresql, redis = missing(postgresql=True, redis=True)
        self.assertIn("Debian package postgresql)", postgresql)
        self.assertIn("Debian package redis-server)", redis)


if __name__ == "__main__":
    unittest.main()
