// Builds what the pages load: the other renderers, unmodified from npm, each a bundle of its own; and the
// element's Markdown view alone, for its counters. The element itself is what `npm run build` made of it.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';

const here = new URL('./', import.meta.url);
const path = (name) => new URL(name, here).pathname;

/** Name → its package, source, and what its name in the table adds. */
export const PEERS = {
  streamdown: { source: 'streamdown.jsx', packages: ['streamdown', '@streamdown/code', 'react'], label: 'Streamdown (React)' },
  markstream: { source: 'markstream.mjs', packages: ['markstream-vue', 'vue'], label: 'markstream-vue' },
  'assistant-ui': { source: 'assistant-ui.jsx', packages: ['@assistant-ui/react', '@assistant-ui/react-markdown', 'react-markdown'], label: 'assistant-ui (react-markdown)' },
  'marked-frame': { source: 'marked-frame.mjs', packages: ['marked'], label: '`marked`, whole text a frame' },
  'marked-token': { source: 'marked-token.mjs', packages: ['marked'], label: '`marked`, whole text a token' },
};

/** Packages that markstream-vue only takes when they are there; without them it says so to itself and goes on. */
const OPTIONAL = ['katex', 'katex/*', 'mermaid', 'stream-diffs/*', '@terrastruct/d2', '@antv/infographic'];

const common = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022'],
  jsx: 'automatic',
  logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
};

export async function buildPeers(names) {
  const entryPoints = names.map((name) => path(`peers/${PEERS[name].source}`));
  // In parts, as their authors load languages: only those that a text needs.
  await build({ ...common, entryPoints, outdir: path('dist/peers'), entryNames: '[name]', splitting: true, external: OPTIONAL });
  if (!names.includes('streamdown')) return;
  const command = ['--input', path('peers/streamdown.css'), '--output', path('dist/peers/streamdown.css'), '--minify'];
  execFileSync(path('node_modules/.bin/tailwindcss'), command, { cwd: path('.'), stdio: ['ignore', 'ignore', 'inherit'] });
}

export async function buildOwn() {
  await build({ ...common, entryPoints: ['counters.mjs', 'element.js', 'probe.js'].map((name) => path(`own/${name}`)), outdir: path('dist/own') });
}

/** `streamdown 2.7.1, react 19.3.1`, as installed. */
export function versionsOf(names) {
  return names.map((name) => `${name} ${JSON.parse(readFileSync(path(`node_modules/${name}/package.json`))).version}`).join(', ');
}
