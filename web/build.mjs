// Builds `dist/chatkit.js`, one classic script that defines `<openai-chatkit>`, and reports its size.
// Why esbuild alone: one IIFE needs no bundler framework, and a build takes under a second.
import { build, context, transform } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const watch = process.argv.includes('--watch');

/** `import css from './x.css'` gives the minified text: sheets are constructed, never injected as `<style>`. */
const cssText = {
  name: 'css-text',
  setup(setup) {
    setup.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const { code } = await transform(source, { loader: 'css', minify: true, target: ['chrome111', 'safari16.4', 'firefox114'] });
      return { contents: code, loader: 'text' };
    });
  },
};

const options = {
  entryPoints: ['src/index.ts'],
  outfile: 'dist/chatkit.js',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['es2022'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  banner: { js: '/* Vestibule <openai-chatkit>. MIT OR Apache-2.0. Contains preact, marked (MIT) and lucide icons (ISC). */' },
  define: { 'process.env.NODE_ENV': '"production"' },
  sourcemap: watch ? 'inline' : false,
  plugins: [cssText],
  logLevel: 'warning',
};

await rm('dist', { recursive: true, force: true });
await mkdir('dist/chatkit', { recursive: true });

if (watch) {
  const running = await context(options);
  await running.watch();
} else {
  await build(options);
  const script = await readFile('dist/chatkit.js');
  const sizes = {
    file: 'chatkit.js',
    bytes: script.length,
    gzip: gzipSync(script, { level: 9 }).length,
    sha256: createHash('sha256').update(script).digest('hex'),
  };
  await writeFile('dist/chatkit/manifest.json', `${JSON.stringify(sizes, null, 2)}\n`);
  process.stdout.write(`dist/chatkit.js ${(sizes.bytes / 1000).toFixed(1)} kB, ${(sizes.gzip / 1000).toFixed(1)} kB gzip\n`);
}
