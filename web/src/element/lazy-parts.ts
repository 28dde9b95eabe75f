/**
 * The parts that are loaded when they are first needed, from the folder of the script. Where one cannot be
 * loaded, the chat goes on without it, and a deployment that forgot the folder can see why in the console.
 */
import { lazyFormulas } from '../md/formula-view';
import { lazyHighlighter } from '../md/highlight';

export interface LazyParts {
  /** Colours a code block, some time soon. */
  readonly highlight: ReturnType<typeof lazyHighlighter>;
  /** Shows a formula, at once where its part is loaded. */
  readonly formula: ReturnType<typeof lazyFormulas>;
}

/** Set by the build: a version changes with its file's content, so that it can be cached for ever. */
declare const LAZY_VERSIONS: Readonly<Record<'formula' | 'highlight', string>>;

export function lazyParts(folder: () => string): LazyParts {
  const load = (name: 'formula' | 'highlight'): Promise<unknown> =>
    // eslint-disable-next-line no-unsanitized/method -- the address is the script's own folder
    import(`${folder()}/chatkit/${name}.js?v=${LAZY_VERSIONS[name]}`);
  const failed = (what: string) => (): void => {
    // eslint-disable-next-line no-console -- nobody else would hear of it
    console.warn(`<openai-chatkit>: ${what}`);
  };
  return {
    highlight: lazyHighlighter(() => load('highlight') as Promise<typeof import('../lazy/highlight')>, failed('code colouring could not be loaded; code is shown without.')),
    formula: lazyFormulas(() => load('formula') as Promise<typeof import('../lazy/formula')>, failed('formulas could not be loaded; their source is shown.')),
  };
}
