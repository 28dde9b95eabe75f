// The recommended rules, for Node and for what runs inside pages.
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';

const globals = [
  'Buffer', 'clearTimeout', 'console', 'document', 'fetch', 'MutationObserver', 'performance', 'PerformanceObserver', 'process',
  'requestAnimationFrame', 'ResizeObserver', 'setTimeout', 'TextDecoderStream', 'URL', 'window',
];

export default defineConfig({ ignores: ['dist/'] }, js.configs.recommended, {
  files: ['**/*.{js,mjs,jsx}'],
  languageOptions: { globals: Object.fromEntries(globals.map((name) => [name, 'readonly'])), parserOptions: { ecmaFeatures: { jsx: true } } },
  // Components are used in JSX, which this rule does not read.
  rules: { 'no-unused-vars': ['error', { varsIgnorePattern: '^[A-Z]' }] },
});
