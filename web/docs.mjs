// Writes `docs/element.md` from the sources: the published types, the element's own, its classes, style sheets and
// widgets. `--check` compares instead, and says what to do. Run by `npm run docs` and `npm test`.
import { build } from 'esbuild';
import { readFile, writeFile } from 'node:fs/promises';
import ts from 'typescript';

const TARGET = new URL('../docs/element.md', import.meta.url);
const OPTIONS = 'node_modules/@openai/chatkit/types/index.d.ts';
const FILES = [OPTIONS, 'src/element/own-options.ts', 'src/element/chatkit-element.ts', 'src/element/busy.ts', 'src/launcher/launcher-element.ts'];
const MAX_TYPE = 90;

const program = ts.createProgram(FILES, { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, strict: true, noEmit: true, jsx: ts.JsxEmit.ReactJSX, jsxImportSource: 'preact', types: [], lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'], skipLibCheck: true });
const checker = program.getTypeChecker();
const exportsOf = (file) => new Map(checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file))).map((symbol) => [symbol.name, symbol]));
const published = exportsOf(OPTIONS);
const typeOf = (symbol) => checker.getDeclaredTypeOfSymbol(symbol);

// --- Words ---

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const code = (text) => (text === '' ? '' : `\`${cell(text)}\``);
const table = (head, rows) => [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');
const docOf = (symbol) => ts.displayPartsToString(symbol.getDocumentationComment(checker)).replaceAll(/\s+/g, ' ').trim();

/** A type as a person writes it, or its shape in short where that is too long. */
function typeText(type) {
  const full = checker.typeToString(withoutUndefined(type), undefined, ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseSingleQuotesForStringLiteralType | ts.TypeFormatFlags.InTypeAlias).replaceAll(/import\("[^"]*"\)\./g, '').replaceAll(/\s+/g, ' ');
  if (full.length <= MAX_TYPE) return full;
  const short = checker.typeToString(withoutUndefined(type)).replaceAll(/import\("[^"]*"\)\./g, '').replaceAll(/\s+/g, ' ');
  return short.length <= MAX_TYPE ? short : `${short.slice(0, MAX_TYPE - 1)}…`;
}
function withoutUndefined(type) {
  return checker.getNonNullableType(type) === type || !(type.flags & ts.TypeFlags.Union) || type.types.some(({ flags }) => flags & ts.TypeFlags.Null) ? type : checker.getNonNullableType(type);
}

// --- Options ---

/** Where the option's value is an object of options, or a list of those. */
function sectionsOf(type) {
  const parts = type.isUnion() ? type.types : [type];
  return parts.flatMap((part) => {
    if (checker.isArrayType(part)) return sectionsOf(checker.getTypeArguments(part)[0]).map((section) => ({ ...section, suffix: '[]' }));
    const isPlain = part.flags & ts.TypeFlags.Object && part.getCallSignatures().length === 0 && part.getStringIndexType() === undefined;
    const isOwn = (part.aliasSymbol ?? part.symbol)?.declarations?.every((node) => /chatkit\/types|own-options/.test(node.getSourceFile().fileName));
    return isPlain && isOwn === true ? [{ type: part, suffix: '' }] : [];
  });
}

function optionsOf(type, prefix = '', depth = 0) {
  return type.getProperties().flatMap((property) => {
    const path = `${prefix}${property.name}`;
    const value = checker.getTypeOfSymbol(property);
    const isRequired = !(property.flags & ts.SymbolFlags.Optional);
    const sections = depth < 4 ? sectionsOf(value) : [];
    const own = { path, type: sections.length > 0 ? '' : typeText(value), isRequired, doc: docOf(property) };
    return [...(sections.length > 0 && own.doc === '' ? [] : [own]), ...sections.flatMap(({ type: inner, suffix }) => optionsOf(inner, `${path}${suffix}.`, depth + 1))];
  });
}

/** The defaults as the element has them: what it makes of options that say nothing. */
async function defaults() {
  const { outputFiles } = await build({ entryPoints: ['src/element/options.ts'], bundle: true, format: 'esm', write: false, logLevel: 'error' });
  const { readOptions } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
  const read = readOptions({ api: { clientToken: 'pk_test_none' } }, { language: 'en', baseUri: 'http://localhost/' }, () => undefined);
  // Where the element keeps an option under another name.
  const kept = { 'header.title.enabled': 'header.titleEnabled', 'composer.dictation.enabled': 'composer.dictation', 'theme.typography.baseSize': 'theme.baseSize' };
  return (path) => {
    if (path.startsWith('api.') || path === 'locale') return '';
    if (path === 'aiNotice.enabled') return String(read.aiNotice !== null);
    let value = read;
    for (const part of (kept[path] ?? path).split('.')) value = value !== null && typeof value === 'object' && Object.hasOwn(value, part) ? value[part] : undefined;
    return ['boolean', 'number', 'string'].includes(typeof value) ? JSON.stringify(value) : '';
  };
}

// --- Methods, events ---

function members(symbol, { file }) {
  return typeOf(symbol).getProperties().filter((member) => member.declarations?.some((node) => node.getSourceFile().fileName.endsWith(file)));
}

function signature(member, at) {
  const type = checker.getTypeOfSymbolAtLocation(member, at);
  const [call] = type.getCallSignatures();
  if (call === undefined) return null;
  const parameters = call.getParameters().map((parameter) => `${parameter.name}${parameter.valueDeclaration?.questionToken || parameter.valueDeclaration?.initializer ? '?' : ''}`);
  return `${member.name}(${parameters.join(', ')})`;
}

const eventDetail = (type) => {
  const [detail] = checker.getTypeArguments(type);
  const text = detail === undefined ? '' : typeText(detail);
  return text === 'void' ? '' : text;
};

// --- Put together ---

const head = (await readFile(new URL('docs.head.md', import.meta.url), 'utf8')).trimEnd();
const defaultOf = await defaults();
const own = optionsOf(typeOf(exportsOf('src/element/own-options.ts').get('OwnOptions')));
const ownPaths = new Set(own.map(({ path }) => path));
const official = new Map();
for (const option of optionsOf(typeOf(published.get('ChatKitOptions')))) {
  const { path, type } = option;
  if (type === '' || ownPaths.has(path)) continue;
  // A choice between shapes names a property once for each of them.
  const known = official.get(path);
  official.set(path, known === undefined || known.type.includes(type) ? (known ?? option) : { ...known, type: `${known.type} | ${type}` });
}

const busySource = await readFile('src/element/busy.ts', 'utf8');
const elementMethods = members(published.get('OpenAIChatKit'), { file: 'chatkit/types/index.d.ts' }).filter(({ name }) => !/EventListener$/.test(name));
const elementFile = program.getSourceFile('src/element/chatkit-element.ts');
const duringAnswer = (name) => (new RegExp(`\\b${name}: true\\b`).test(busySource) ? 'runs' : 'rejects with `BusyError`');

const { PROPERTIES, PARTS } = await import(`data:text/javascript,${encodeURIComponent(ts.transpileModule(await readFile('src/theme/public.ts', 'utf8'), { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } }).outputText)}`);

const launcher = exportsOf('src/launcher/launcher-element.ts');
const launcherFile = program.getSourceFile('src/launcher/launcher-element.ts');
const launcherMembers = members(launcher.get('LauncherElement'), { file: 'launcher-element.ts' }).filter(({ name, declarations }) => !/Callback$|^__/.test(name) && !name.startsWith('#') && declarations.every((node) => !ts.isPrivateIdentifier(node.name) && !(ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Static)));
const launcherEvents = typeOf(launcher.get('LauncherEvents')).getProperties();
const launcherCss = await readFile('src/launcher/launcher.css', 'utf8');
const launcherProperties = new Map([...launcherCss.matchAll(/var\((--launcher-[\w-]+), ((?:[^()]|\((?:[^()]|\([^()]*\))*\))+)\)/g)].map(([, name, value]) => [name, value.trim()]));

const goldenWidgets = await readFile('src/widgets/tree.tsx', 'utf8');
const drawn = [.../COMPONENTS[^{]*\{([^}]*)\}/.exec(goldenWidgets)[1].matchAll(/'([\w.]+)'|\b([A-Z]\w*)(?=[,:\s])/g)].map(([, quoted, plain]) => quoted ?? plain);
const widgetTypes = program.getSourceFiles().find(({ fileName }) => fileName.endsWith('chatkit/types/widgets.d.ts'));
const propertiesOf = new Map();
for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(widgetTypes))) {
  const type = typeOf(symbol);
  const kind = type.isUnion() ? undefined : type.getProperty('type');
  const literal = kind === undefined ? undefined : checker.getTypeOfSymbol(kind);
  if (literal?.isStringLiteral()) propertiesOf.set(literal.value, type.getProperties().map(({ name }) => name).filter((name) => !['type', 'key', 'id'].includes(name)));
}
const widgets = [...new Set(drawn)].filter((name) => !/View$|Text$|^Table(Cell|Row)$/.test(name) || propertiesOf.has(name) || ['ListView'].includes(name)).toSorted();

const text = `${head}

## Options

\`setOptions(options)\` replaces all options; nothing of the ones before stays.
A wrong value is an \`IntegrationError\` that names the option; an unknown one is ignored, with a warning in the console.
What the official options mean is told in [OpenAI's documentation](https://openai.github.io/chatkit-js/); here are their types and what the element takes where a page says nothing.

${table(['option', 'type', 'otherwise'], [...official.values()].map(({ path, type, isRequired }) => [`\`${path}\`${isRequired && !path.includes('.') ? ' (required)' : ''}`, code(type), code(defaultOf(path))]))}

### Ours

The published types do not know these; the element does.

${table(['option', 'type', 'otherwise', ''], own.map(({ path, type, doc }) => [`\`${path}\``, code(type), code(defaultOf(path)), cell(doc)]))}

## Methods

Before the first \`setOptions\`, methods wait for it.

${table(['method', 'while the chat loads or answers'], elementMethods.map((member) => [code(signature(member, elementFile) ?? member.name), member.name === 'setOptions' ? 'runs' : duringAnswer(member.name)]))}

## Events

They bubble and cross shadow roots, so that a page may listen in one place for all its chats.

${table(['event', '`detail`'], typeOf(published.get('ChatKitEvents')).getProperties().map((event) => [code(event.name), code(eventDetail(checker.getTypeOfSymbol(event)))]))}

## Custom properties

Set on the element or anything above it; they go before the \`theme\` option.

${table(['property', 'what it is'], Object.entries(PROPERTIES).map(([name, what]) => [code(name), cell(what)]))}

\`\`\`css
openai-chatkit { --chatkit-size: 15px; --chatkit-bubble: #dbeafe; --chatkit-radius-xl: 8px; }
openai-chatkit::part(header) { border-bottom: 1px solid #e5e7eb; }
\`\`\`

## Parts

For \`openai-chatkit::part(…)\`.

${table(['part', 'what it is'], Object.entries(PARTS).map(([name, what]) => [code(name), cell(what)]))}

## Widgets

${widgets.length} components. What a property means is told in [OpenAI's documentation](https://openai.github.io/chatkit-js/); \`vestibule serve --dev\` shows each of them at \`/chatkit/gallery\`.

${table(['component', 'properties'], widgets.map((name) => [code(name), (propertiesOf.get(name) ?? []).map((property) => `\`${property}\``).join(', ') || 'not in the published types; see `crates/protocol`']))}

## The launcher

A bubble in the corner of a page that opens the chat, by any of the three doors; on a phone the chat fills the screen.
Its script is 5 kB and loads the element with the first opening.

\`\`\`html
<script src="https://chat.example.com/chatkit/launcher.js" async></script>
<vestibule-launcher client-token="pk_live_…" message="May I help?"></vestibule-launcher>
\`\`\`

The other doors take \`launcher.setOptions({ api: … })\`, which is the element's own.
A page may put an \`<openai-chatkit>\` of its own into the launcher, as React does, and set the options there.
Opening puts the focus into the text field (with a finger: into the chat, so that no keyboard comes up); Escape closes what is open inside, then the chat, and gives the focus back to where it was.

| attribute | what it does |
|---|---|
| \`client-token\` | The public token, for pages that need no other option. |
| \`open\` | Whether the chat is open; may be set and taken away. |
| \`position\` | \`start\` or \`end\` (otherwise) of the line: right in English, left in Arabic. |
| \`label\` | What the bubble is called for those who hear the page. |
| \`badge\` | The number on the bubble. |
| \`message\`, \`message-after\` | What is said beside the bubble, and after how many seconds (4). |
| \`locale\` | The language of the launcher's own words; otherwise that of the options, or the browser's. |

${table(['member', 'what it does'], launcherMembers.map((member) => [code(signature(member, launcherFile) ?? member.name), cell(docOf(member))]))}

${table(['event', '`detail`', 'when'], launcherEvents.map((event) => [code(event.name), code(typeText(checker.getTypeOfSymbol(event)).replaceAll('readonly ', '').replace(/^undefined$/, '')), cell(docOf(event))]))}

${table(['custom property', 'otherwise'], [...launcherProperties].map(([name, value]) => [code(name), code(value)]))}

Parts: ${[...new Set([...(await readFile('src/launcher/launcher-element.ts', 'utf8')).matchAll(/make\('\w+', '([\w-]+)'/g)].map(([, name]) => `\`${name}\``))].join(', ')}.
`;

if (process.argv.includes('--check')) {
  const found = await readFile(TARGET, 'utf8').catch(() => '');
  if (found !== text) {
    process.stderr.write('docs/element.md is not what the sources say; run `npm run docs` and commit it.\n');
    process.exitCode = 1;
  }
} else {
  await writeFile(TARGET, text);
}
