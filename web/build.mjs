// Builds `dist/chatkit.js`, one classic script that defines `<openai-chatkit>`, and the parts it loads
// when they are needed under `dist/chatkit/`. Each file gets a `.gz` and a `.br` beside it, which the
// server hands out. Why esbuild alone: one IIFE needs no bundler framework, and a build takes a second.
import { build, context, transform } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const BANNER = '/* Vestibule <openai-chatkit>. MIT OR Apache-2.0. Third-party notices: chatkit/NOTICES.txt */';

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

const shared = { bundle: true, minify: true, target: ['es2022'], legalComments: 'none', metafile: true, logLevel: 'warning' };
/** The parts that are loaded when first needed, each a file under `dist/chatkit/`. */
const LAZY = ['cards', 'copy', 'formula', 'highlight', 'icons', 'past', 'questions', 'widgets'];
const lazy = (name) => (UI.has(name) ? uiPart(name) : { ...shared, entryPoints: [`src/lazy/${name}.ts`], outfile: `dist/chatkit/${name}.js`, format: 'esm', plugins: [cssText] });
/** Parts of the interface. */
const UI = new Set(['cards', 'past', 'questions', 'widgets']);
/** What those use of the element: modules with a state of their own, and large ones. `#` is `src/`. */
const SHARED = [
  '#icons/icon', '#md/frame', '#md/safe-url', '#md/stream',
  '#theme/adopt', '#theme/palette', '#ui/boundary', '#ui/cards', '#ui/context', '#ui/markdown', '#ui/popover', '#ui/render-context', '#store/widget-actions',
];
/** The same of packages, by name: what nobody uses stays out. */
const SHARED_PACKAGES = {
  preact: ['createContext'],
  'preact/hooks': ['useContext', 'useEffect', 'useId', 'useLayoutEffect', 'useMemo', 'useRef'],
  'preact/jsx-runtime': ['Fragment', 'jsx', 'jsxs'],
  '@preact/signals': ['useSignal', 'useSignalEffect'],
};
/** A part is a function of the modules that it shares, because a classic script has no exports to import. */
const uiPart = (name) => ({
  ...shared,
  entryPoints: [`src/${name}/index.tsx`],
  outfile: `dist/chatkit/${name}.js`,
  format: 'cjs',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  banner: { js: 'export default function(require){const module={exports:{}};' },
  footer: { js: ';return module.exports}' },
  plugins: [cssText, sharedOutside],
});
const sharedOutside = {
  name: 'shared-outside',
  setup(setup) {
    setup.onResolve({ filter: /./ }, ({ path, resolveDir, kind }) => {
      if (kind === 'entry-point') return null;
      const inside = relative(resolve('src'), resolve(resolveDir, path));
      const name = path.startsWith('.') ? `#${inside}` : path;
      return SHARED.includes(name) || name in SHARED_PACKAGES ? { path: name, external: true } : null;
    });
  },
};
/** `import { shared } from 'vestibule:shared'` in the element: the modules themselves. */
const sharedInside = {
  name: 'shared-inside',
  setup(setup) {
    setup.onResolve({ filter: /^vestibule:shared$/ }, () => ({ path: 'shared', namespace: 'shared' }));
    setup.onLoad({ filter: /./, namespace: 'shared' }, () => ({
      contents: [
        ...SHARED.map((name, index) => `import * as m${index} from ${JSON.stringify(name.replace('#', './src/'))};`),
        ...Object.entries(SHARED_PACKAGES).map(([name, exports], index) => `import { ${exports.map((one) => `${one} as p${index}${one}`).join(', ')} } from ${JSON.stringify(name)};`),
        'export const shared = {',
        ...SHARED.map((name, index) => `${JSON.stringify(name)}: m${index},`),
        ...Object.entries(SHARED_PACKAGES).map(([name, exports], index) => `${JSON.stringify(name)}: { ${exports.map((one) => `${one}: p${index}${one}`).join(', ')} },`),
        '};',
      ].join('\n'),
      resolveDir: process.cwd(),
    }));
  },
};
/** Of the Markdown library its lexer. The rest, which turns tokens into HTML, would come along: it hangs on a value that the module makes when it is loaded. */
const lexerOnly = {
  name: 'lexer-only',
  setup(setup) {
    setup.onLoad({ filter: /[\\/]marked\.esm\.js$/ }, async ({ path }) => {
      const [, lexer, names] = /^(.*)var \w+=class\{options;parser;.*export\{(.*)\}/s.exec(await readFile(path, 'utf8')) ?? [];
      const exported = names?.split(',').filter((name) => / as (?:Lexer|Tokenizer)$/.test(name));
      if (exported?.length !== 2) throw new Error('marked is laid out in another way: look where its lexer ends, and cut there');
      return { contents: `${lexer}export{${exported}}` };
    });
  },
};
/**
 * The Markdown lexer and its rules are made when a text is first read: they are half of what the script would cost a page.
 * Bundled by itself, so that what nobody uses of the library stays out, and run like a function.
 */
const lexerLater = {
  name: 'lexer-later',
  setup(setup) {
    setup.onResolve({ filter: /^\.\/bounded-lexer$/ }, ({ importer, resolveDir }) => (importer.endsWith('/lexer.ts') ? { path: resolve(resolveDir, 'bounded-lexer.ts'), namespace: 'later' } : null));
    setup.onLoad({ filter: /./, namespace: 'later' }, async ({ path }) => {
      // What the element has anyway stays outside.
      const { outputFiles: [{ text }], metafile } = await build({ ...shared, minify: false, entryPoints: [path], external: ['./fence', './formula', './html', './undecided-table'], format: 'esm', plugins: [lexerOnly], write: false });
      lexerInputs = metafile;
      const IMPORT = /^import \{[^}]*\} from "\.\/[\w-]+";$/gm;
      const [, body] = /^(.*)export \{\s*BoundedLexer\s*\};\s*$/s.exec(text.replace(IMPORT, ''));
      // A constructor gives what it makes.
      return { contents: `${text.match(IMPORT).join('')}let made;const make=()=>{${body}return BoundedLexer};const Later=function(...given){return new(made??=make())(...given)};export{Later as BoundedLexer}`, resolveDir: dirname(path) };
    });
  },
};
let lexerInputs;
const main = (versions) => ({
  ...shared,
  entryPoints: ['src/index.ts'],
  outfile: 'dist/chatkit.js',
  format: 'iife',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  banner: { js: BANNER },
  define: { 'process.env.NODE_ENV': '"production"', LAZY_VERSIONS: JSON.stringify(versions), ...localeNames },
  plugins: [cssText, sharedInside, lexerLater],
});

/** The launcher: a script of its own, which loads the element when it is first opened. */
const launcher = (elementVersion) => ({
  ...shared,
  entryPoints: ['src/launcher/index.ts'],
  outfile: 'dist/chatkit/launcher.js',
  format: 'iife',
  banner: { js: BANNER },
  define: { ELEMENT_VERSION: JSON.stringify(elementVersion), ...localeNames },
  plugins: [cssText],
});

/** The texts of each language, as a module: a page that allows the script allows it too. */
const locales = Object.fromEntries(await Promise.all((await readdir('src/i18n/locales')).sort().map(async (file) => [file.replace(/\.json$/, ''), Buffer.from(`export default ${JSON.stringify(JSON.parse(await readFile(`src/i18n/locales/${file}`, 'utf8')))};\n`)])));
const localeNames = { LOCALES: JSON.stringify(Object.keys(locales)), LOCALES_VERSION: JSON.stringify(versionOf(Buffer.concat(Object.values(locales)))) };

await mkdir('dist/chatkit/l10n', { recursive: true });

/** Every widget of the protocol's golden files, for the gallery of `vestibule serve --dev`. */
const GOLDEN_WIDGETS = '../crates/protocol/tests/golden/widget';
const widgets = await Promise.all((await readdir(GOLDEN_WIDGETS)).sort().map(async (file) => ({ name: file.replace(/\.json$/, ''), widget: JSON.parse(await readFile(`${GOLDEN_WIDGETS}/${file}`, 'utf8')) })));
await write('dist/chatkit/gallery.json', `${JSON.stringify(widgets)}\n`);

if (process.argv.includes('--watch')) {
  await Promise.all([...LAZY.map((name) => build(lazy(name))), build(launcher('dev')), ...Object.entries(locales).map(([tag, content]) => write(`dist/chatkit/l10n/${tag}.js`, content))]);
  const running = await context({ ...main(Object.fromEntries(LAZY.map((name) => [name, 'dev']))), sourcemap: 'inline' });
  await running.watch();
} else {
  const parts = await Promise.all(LAZY.map(async (name) => ({ name, built: await build({ ...lazy(name), write: false }) })));
  for (const { name, built } of parts) checkShared(name, built.outputFiles[0].text);
  const contents = Object.fromEntries(parts.map(({ name, built }) => [name, built.outputFiles[0].contents]));
  const element = await build({ ...main(Object.fromEntries(LAZY.map((name) => [name, versionOf(contents[name])]))), write: false });
  const files = { 'chatkit.js': await put('dist/chatkit.js', element.outputFiles[0].contents) };
  const bubble = await build({ ...launcher(files['chatkit.js'].version), write: false });
  files['chatkit/launcher.js'] = await put('dist/chatkit/launcher.js', bubble.outputFiles[0].contents);
  for (const name of LAZY) files[`chatkit/${name}.js`] = await put(lazy(name).outfile, contents[name]);
  for (const [tag, content] of Object.entries(locales)) files[`chatkit/l10n/${tag}.js`] = await put(`dist/chatkit/l10n/${tag}.js`, content);
  await write('dist/chatkit/manifest.json', `${JSON.stringify(files, null, 2)}\n`);
  await write('dist/chatkit/NOTICES.txt', await notices([...parts.map(({ built }) => built.metafile), element.metafile, lexerInputs, bubble.metafile]));
  for (const [name, { bytes, gzip }] of Object.entries(files)) {
    if (name.includes('/l10n/')) continue;
    process.stdout.write(`${name} ${(bytes / 1000).toFixed(1)} kB, ${(gzip / 1000).toFixed(1)} kB gzip\n`);
  }
}

/** A part that uses something of a package which the element does not hand out would fail when it is loaded. */
function checkShared(part, text) {
  for (const [name, exports] of Object.entries(SHARED_PACKAGES)) {
    for (const [, module] of text.matchAll(new RegExp(`([\\w$]+)=require\\(${JSON.stringify(name)}\\)`, 'g'))) {
      for (const [, used] of text.matchAll(new RegExp(`\\(0,${module.replaceAll('$', '\\$')}\\.(\\w+)\\)`, 'g'))) {
        if (!exports.includes(used)) throw new Error(`src/${part} uses ${used} of ${name}: add it to SHARED_PACKAGES`);
      }
    }
  }
}

function versionOf(content) {
  return createHash('sha256').update(content).digest('hex').slice(0, 12);
}

/** Writes a file unless it is like that already: the server is compiled anew whenever a file it carries is newer. */
async function write(path, content) {
  const before = await readFile(path).catch(() => null);
  if (before === null || !before.equals(Buffer.from(content))) await writeFile(path, content);
}

/** Writes a script with its compressed twins and tells the sizes and the `integrity` value. */
async function put(path, content) {
  // Smaller blocks, each with codes of its own: half a per cent less than by default.
  const gzip = gzipSync(content, { level: 9, memLevel: 6 });
  const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  await Promise.all([write(path, content), write(`${path}.gz`, gzip), write(`${path}.br`, brotli)]);
  const integrity = `sha384-${createHash('sha384').update(content).digest('base64')}`;
  return { bytes: content.length, gzip: gzip.length, brotli: brotli.length, version: versionOf(content), integrity };
}

/** The licence text of every package that is in a bundle: what their licences ask for. */
async function notices(metafiles) {
  const names = new Set();
  for (const { inputs } of metafiles) {
    for (const path of Object.keys(inputs)) {
      const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
      if (name !== undefined) names.add(name);
    }
  }
  const texts = [...names].sort().map(async (name) => {
    const { version, license } = JSON.parse(await readFile(`node_modules/${name}/package.json`, 'utf8'));
    for (const file of ['LICENSE', 'LICENSE.md', 'license', 'LICENSE.txt']) {
      const text = await readFile(`node_modules/${name}/${file}`, 'utf8').catch(() => null);
      if (text !== null) return `${name} ${version} (${license})\n\n${text.trim()}\n`;
    }
    return `${name} ${version} (${license})\n`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(78)}\n\n`);
}
