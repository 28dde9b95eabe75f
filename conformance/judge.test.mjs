// What must fail a run does.
import assert from "node:assert/strict";
import { test } from "node:test";

import { judge, readList } from "./judge.mjs";

const passed = { suite: "python", id: "a", outcome: "passed" };
const failed = { suite: "python", id: "b", outcome: "failed" };

for (const [name, outcomes, counts, expectedFailures, problems] of [
  ["all is as expected", [passed, failed], { python: 2 }, ["python b"], []],
  ["any number will do where none is said", [passed], { python: undefined }, [], []],
  ["a failure that is not listed", [passed, failed], { python: 2 }, [], ["python b failed"]],
  ["a listed case that passes", [passed], { python: 1 }, ["python a"], ["python a passes now: take it off the list"]],
  ["a listed case that is gone", [passed], { python: 1 }, ["python c"], ["python c is listed, but there is no such case"]],
  ["a list of a suite that did not run", [passed], { python: 1 }, ["rust c"], []],
  ["a case too few", [passed], { python: 2 }, [], ["python ran 1 cases instead of 2"]],
  ["a suite that ran nothing", [], { node: undefined }, [], ["node ran 0 cases instead of some"]],
  ["a skipped case", [{ ...passed, outcome: "skipped" }], { python: 1 }, [], ["python a was skipped"]],
  ["a case twice", [passed, passed], { python: 2 }, [], ["python a was reported twice"]],
]) {
  test(name, () => assert.deepEqual(judge(outcomes, { counts, expectedFailures }), problems));
}

test("comments and empty lines are no cases", () => {
  assert.deepEqual(readList("# why\n\n  python a \n"), ["python a"]);
});
