// Unit tests run in Node with a DOM of happy-dom; what needs a real browser is under `test/browser`.
// A test may take its time: the machine may have other things to do, and none waits for a clock.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: { environment: 'happy-dom', include: ['test/unit/**/*.test.ts'], testTimeout: 60_000 },
});
