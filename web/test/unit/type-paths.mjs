// What the published types of `@openai/chatkit` have: the path of every option, the properties of every widget.
import ts from 'typescript';

const ENTRY = new URL('./type-paths.entry.ts', import.meta.url).pathname;
const SOURCE = "import type { ChatKitOptions, Widgets } from '@openai/chatkit'; export type Options = ChatKitOptions; export type Roots = Widgets.WidgetRoot | Widgets.WidgetComponent | Widgets.ListViewItem;";

function programOf(text, files = []) {
  const options = { strict: true, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, types: [], lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'] };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (path) => path === ENTRY || fileExists(path);
  host.getSourceFile = (path, ...rest) => (path === ENTRY ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2023) : getSourceFile(path, ...rest));
  const program = ts.createProgram([ENTRY, ...files], options, host);
  return { checker: program.getTypeChecker(), entry: program.getSourceFile(ENTRY) };
}

let known;
function types() {
  known ??= programOf(SOURCE);
  const { checker, entry } = known;
  const [, options, roots] = entry.statements;
  return { checker, options: checker.getTypeAtLocation(options), roots: checker.getTypeAtLocation(roots) };
}

/** Whether the properties of a type are options of their own. */
const isSection = (checker, type) => (type.flags & ts.TypeFlags.Object) !== 0 && type.getCallSignatures().length === 0 && checker.getPropertiesOfType(type).length > 0 && !checker.isArrayType(type);

/** The doors of `api` by the option that makes each. */
const DOORS = { url: '{custom}', getClientSecret: '{hosted}' };

/** Every option by its path: `[]` is a list's item, `{…}` the door that `api` is. */
export function optionPaths() {
  const { checker, options } = types();
  const paths = new Set();
  const walk = (type, path) => {
    for (const property of checker.getPropertiesOfType(type)) {
      const here = path === '' ? property.name : `${path}.${property.name}`;
      paths.add(here);
      const declared = checker.getTypeOfSymbol(property);
      for (const part of declared.isUnion() ? declared.types : [declared]) {
        if (checker.isArrayType(part)) {
          const [item] = checker.getTypeArguments(part);
          if (isSection(checker, item) && !item.isUnion()) walk(item, `${here}[]`);
        } else if (here === 'api') walk(part, `api${DOORS[Object.keys(DOORS).find((name) => part.getProperty(name) !== undefined)]}`);
        else if (isSection(checker, part) && checker.getIndexInfosOfType(part).length === 0 && !['uploadStrategy', 'prompt'].includes(property.name)) walk(part, here);
      }
    }
  };
  walk(options, '');
  return paths;
}

/** The properties of every widget by its `type`, in order, without `type` itself. */
export function widgetProperties() {
  const { checker, roots } = types();
  const found = {};
  for (const part of roots.types) {
    const name = checker.getTypeOfSymbol(part.getProperty('type')).value;
    found[name] = checker.getPropertiesOfType(part).map(({ name: property }) => property).filter((property) => property !== 'type').sort();
  }
  return found;
}

/** What `HTMLElementTagNameMap['openai-chatkit']` is in a program that has these files of the package besides. */
export function tagType(files) {
  const source = "import type {} from '@openai/chatkit'; export type Tag = HTMLElementTagNameMap extends { 'openai-chatkit': infer T } ? T : 'none';";
  const extra = files.map((file) => new URL(`../../node_modules/@openai/chatkit/types/${file}`, import.meta.url).pathname);
  const { checker, entry } = programOf(source, extra);
  return checker.typeToString(checker.getTypeAtLocation(entry.statements[1])).replaceAll('"', '');
}
