// Holds what the suites reported against what was expected of them.

/** The cases of an expected-failures file. */
export function readList(text) {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/**
 * Says what is wrong, in sentences; an empty list is success.
 *
 * `outcomes` are `{ suite, id, outcome }` with outcome "passed", "failed" or "skipped"; `counts` says for each
 * suite that ran how many cases it must have, or `undefined` where any number above 0 will do.
 */
export function judge(outcomes, { counts, expectedFailures }) {
  const problems = [];
  const expected = new Set(expectedFailures);
  const seen = new Set();
  for (const { suite, id, outcome } of outcomes) {
    const name = `${suite} ${id}`;
    if (seen.has(name)) problems.push(`${name} was reported twice`);
    seen.add(name);
    if (outcome === "skipped") problems.push(`${name} was skipped`);
    if (outcome === "failed" && !expected.has(name)) problems.push(`${name} failed`);
    if (outcome === "passed" && expected.has(name)) problems.push(`${name} passes now: take it off the list`);
  }
  for (const [suite, wanted] of Object.entries(counts)) {
    const found = outcomes.filter((outcome) => outcome.suite === suite).length;
    if (found !== wanted && (wanted !== undefined || found === 0)) {
      problems.push(`${suite} ran ${found} cases instead of ${wanted ?? "some"}`);
    }
    for (const name of expected) {
      if (name.startsWith(`${suite} `) && !seen.has(name)) problems.push(`${name} is listed, but there is no such case`);
    }
  }
  return problems;
}
