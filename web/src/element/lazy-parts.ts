/**
 * The parts that are loaded when they are first needed, from the folder of the script. Where one cannot be
 * loaded, the chat goes on without it, and a deployment that forgot the folder can see why in the console.
 *
 * Parts of the interface are functions of the modules that they share with the element: with a Preact or a
 * context of their own they would be another interface (`build.mjs` takes those modules out of them).
 */
import { signal, type ReadonlySignal } from '@preact/signals';
import { shared } from 'vestibule:shared';
import type { Messages } from '../i18n/translate';
import { lazyFormulas } from '../md/formula-view';
import { lazyHighlighter } from '../md/highlight';

type Part = 'cards' | 'copy' | 'formula' | 'highlight' | 'icons' | 'past' | 'questions' | 'widgets';

/** A part of the interface; `null` until it is there. */
export interface LazyUi<T> {
  readonly part: ReadonlySignal<T | null>;
  readonly hasFailed: ReadonlySignal<boolean>;
  /** Begins to load it, once. */
  readonly want: () => void;
}

export interface LazyParts {
  /** Colours a code block, some time soon. */
  readonly highlight: ReturnType<typeof lazyHighlighter>;
  /** Shows a formula, at once where its part is loaded. */
  readonly formula: ReturnType<typeof lazyFormulas>;
  /** The nodes of an answer as HTML, for the clipboard. */
  readonly rich: (view: HTMLElement) => Promise<string>;
  /** The card beside a reference. */
  readonly cards: LazyUi<typeof import('../cards/index')>;
  /** What finds, changes and saves conversations, for their list. */
  readonly past: LazyUi<typeof import('../past/index')>;
  /** Questions of the server, in place of the text field. */
  readonly questions: LazyUi<typeof import('../questions/index')>;
  readonly widgets: LazyUi<typeof import('../widgets/index')>;
  /** Languages whose texts are there beside English, by tag. */
  readonly locales: readonly string[];
  readonly messages: (tag: string) => Promise<Messages>;
  /** Icons by lucide's names. */
  readonly icons: LazyUi<typeof import('../lazy/icons')>;
}

/** Set by the build: a version changes with its file's content, so that it can be cached for ever. */
declare const LAZY_VERSIONS: Readonly<Record<Part, string>>;
/** The languages, and one version for the texts of all. */
declare const LOCALES: readonly string[];
declare const LOCALES_VERSION: string;

export function lazyParts(folder: () => string): LazyParts {
  const load = (name: Part): Promise<unknown> =>
    // eslint-disable-next-line no-unsanitized/method -- the address is the script's own folder
    import(`${folder()}/chatkit/${name}.js?v=${LAZY_VERSIONS[name]}`);
  const loadUi = async <T,>(name: Part): Promise<T> => ((await load(name)) as InterfacePart<T>).default(sharedModule);
  const failed = (what: string) => (): void => {
    // eslint-disable-next-line no-console -- nobody else would hear of it
    console.warn(`<openai-chatkit>: ${what}`);
  };
  return {
    highlight: lazyHighlighter(() => load('highlight') as Promise<typeof import('../lazy/highlight')>, failed('code colouring could not be loaded; code is shown without.')),
    formula: lazyFormulas(() => load('formula') as Promise<typeof import('../lazy/formula')>, failed('formulas could not be loaded; their source is shown.')),
    rich: async (view) => ((await load('copy')) as typeof import('../lazy/copy')).htmlOf(view),
    cards: lazyUi(() => loadUi<typeof import('../cards/index')>('cards'), failed('cards beside references could not be loaded; sources are listed below the answers.')),
    past: lazyUi(() => loadUi<typeof import('../past/index')>('past'), failed('what finds, changes and saves conversations could not be loaded; the history is a list.')),
    questions: lazyUi(() => loadUi<typeof import('../questions/index')>('questions'), failed('questions could not be loaded; they are shown, and answered in words.')),
    widgets: lazyUi(() => loadUi<typeof import('../widgets/index')>('widgets'), failed('widgets could not be loaded; their text is shown.')),
    locales: LOCALES,
    messages: async (tag) => {
      try {
        // eslint-disable-next-line no-unsanitized/method -- the address is the script's own folder
        return ((await import(`${folder()}/chatkit/l10n/${tag}.js?v=${LOCALES_VERSION}`)) as { default: Messages }).default;
      } catch (error) {
        failed('the texts of this language could not be loaded; they are shown in English.')();
        throw error;
      }
    },
    icons: lazyUi(() => load('icons') as Promise<typeof import('../lazy/icons')>, failed('icons could not be loaded; dots are shown.')),
  };
}

interface InterfacePart<T> {
  readonly default: (require: (name: string) => unknown) => T;
}

function sharedModule(name: string): unknown {
  const module = shared[name];
  if (module === undefined) throw new Error(`The element shares no module ${name}; chatkit.js and the part are of different builds.`);
  return module;
}

function lazyUi<T>(load: () => Promise<T>, failed: () => void): LazyUi<T> {
  const part = signal<T | null>(null);
  const hasFailed = signal(false);
  let isWanted = false;
  const want = (): void => {
    if (isWanted) return;
    isWanted = true;
    load().then(
      (loaded) => (part.value = loaded),
      () => {
        hasFailed.value = true;
        failed();
      },
    );
  };
  return { part, hasFailed, want };
}
