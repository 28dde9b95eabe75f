/** The language of the interface: English at once, any other when its texts are loaded. */
import { signal, type ReadonlySignal } from '@preact/signals';
import { resolveLocale } from './resolve';
import { translate, translatorOf, type Messages, type Translate } from './translate';

export interface Language {
  /** For the `lang` attribute. */
  readonly tag: string;
  /** For numbers and dates: what was asked for, where the texts are of the same language. */
  readonly format: string;
  readonly t: Translate;
}

const ENGLISH: Language = { tag: 'en', format: 'en', t: translate };

export class Languages {
  readonly #current = signal<Language>(ENGLISH);
  readonly #available: readonly string[];
  readonly #load: (tag: string) => Promise<Messages>;
  #asked = '';
  #loading: Promise<void> = Promise.resolve();

  /** `load` gives the texts of an available language. */
  constructor(available: readonly string[], load: (tag: string) => Promise<Messages>) {
    this.#available = available;
    this.#load = load;
  }

  get current(): ReadonlySignal<Language> {
    return this.#current;
  }

  /** Changes to a language; resolves when it is there, or English is in its place. */
  use(asked: string): Promise<void> {
    if (asked === this.#asked) return this.#loading;
    this.#asked = asked;
    this.#loading = this.#change(asked);
    return this.#loading;
  }

  async #change(asked: string): Promise<void> {
    const tag = resolveLocale(asked, this.#available);
    const format = languageOf(asked) === languageOf(tag) ? asked.replaceAll('_', '-') : tag;
    let next: Language = { ...ENGLISH, format: tag === 'en' ? format : 'en' };
    if (tag !== 'en') {
      try {
        next = { tag, format, t: translatorOf(await this.#load(tag)) };
      } catch {
        // English stays.
      }
    }
    if (this.#asked === asked) this.#current.value = next;
  }
}

function languageOf(tag: string): string {
  return tag.toLowerCase().split(/[-_]/)[0] ?? '';
}
