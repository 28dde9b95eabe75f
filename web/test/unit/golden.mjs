// The golden files of the server's protocol crate, and the compiler's opinion of values against our types.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const GOLDEN = new URL('../../../crates/protocol/tests/golden/', import.meta.url);
const PROTOCOL = fileURLToPath(new URL('../../src/core/protocol.ts', import.meta.url));
const CHECKED = fileURLToPath(new URL('./checked.ts', import.meta.url));

/** Every file of a folder: its name without the ending, and what it holds. */
export function goldenFiles(kind) {
  const folder = new URL(`${kind}/`, GOLDEN);
  return readdirSync(folder).sort().map((file) => ({ name: file.replace(/\.json$/, ''), value: JSON.parse(readFileSync(new URL(file, folder), 'utf8')) }));
}

/**
 * What is wrong with each value as a value of its type, a line each. `extra` are the properties that our types
 * do not know, as `Type.property`; they are taken out, so that they hide nothing else.
 */
export function check(values) {
  let lines = values.map(({ type, value }) => `${type} = ${JSON.stringify(value)};`);
  const extra = new Set();
  for (;;) {
    const found = compile(lines);
    const unknown = found.filter(({ code }) => code === UNKNOWN_PROPERTY);
    if (unknown.length === 0) return { extra: [...extra].sort(), mistakes: found.map(({ line, words }) => `${values[line]?.name}: ${words}`) };
    const next = [...lines];
    for (const { line, words, property } of unknown) {
      extra.add(`${/in type '([^']+)'/.exec(words)?.[1]}.${property.name}`);
      // One of a line at a time: the next round finds the others.
      if (next[line] === lines[line]) next[line] = lines[line].slice(0, property.start) + lines[line].slice(property.end).replace(/^,/, '');
    }
    lines = next;
  }
}

/** "Object literal may only specify known properties". */
const UNKNOWN_PROPERTY = 2353;
const OPTIONS = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, target: ts.ScriptTarget.ES2022, lib: ['lib.es2023.d.ts'], types: [], module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
const host = ts.createCompilerHost(OPTIONS);
const { getSourceFile, fileExists } = host;
const parsed = new Map();
let previous;

function compile(lines) {
  const head = `import type * as p from ${JSON.stringify(PROTOCOL.replace(/\.ts$/, ''))};`;
  const text = [head, ...lines.map((line, index) => `export const v${index}: ${line}`)].join('\n');
  host.fileExists = (name) => name === CHECKED || fileExists(name);
  host.getSourceFile = (name, ...rest) => {
    if (name === CHECKED) return ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true);
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, ...rest));
    return parsed.get(name);
  };
  const program = ts.createProgram([CHECKED], OPTIONS, host, previous);
  previous = program;
  const source = program.getSourceFile(CHECKED);
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(({ code, start, messageText }) => {
    const line = source.getLineAndCharacterOfPosition(start).line - 1;
    const offset = source.getPositionOfLineAndCharacter(line + 1, 0) + `export const v${line}: `.length;
    return { code, line, words: ts.flattenDiagnosticMessageText(messageText, ' '), property: propertyAt(source, start, offset) };
  });
}

function propertyAt(source, start, offset) {
  let found = null;
  const visit = (node) => {
    if (ts.isPropertyAssignment(node) && node.name.getStart() === start) found = { name: node.name.text, start: node.getStart() - offset, end: node.getEnd() - offset };
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** The names of all properties that our types know. */
export function knownProperties() {
  const names = new Set();
  const visit = (node) => {
    if (ts.isPropertySignature(node) && (ts.isIdentifier(node.name) || ts.isStringLiteral(node.name))) names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(PROTOCOL, readFileSync(PROTOCOL, 'utf8'), ts.ScriptTarget.ES2022));
  return [...names].sort();
}
