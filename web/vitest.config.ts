// Unit tests run in Node with a DOM of happy-dom; what needs a real browser is under `test/browser`.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: { environment: 'happy-dom', include: ['test/unit/**/*.test.ts'] },
});
