/** The launcher's few words, of the same files as the element's. */
import { resolveLocale } from '../i18n/resolve';

/** Set by the build. */
declare const LOCALES: readonly string[];
declare const LOCALES_VERSION: string;

export interface Words {
  readonly tag: string;
  readonly open: string;
  readonly close: string;
  readonly dismiss: string;
  readonly failed: string;
  readonly fresh: (count: number) => string;
}

const wordsOf = (tag: string, texts: Readonly<Record<string, string>>): Words => {
  const text = (key: string, english: string): string => texts[key] ?? english;
  return {
    tag,
    open: text('launcher.open', 'Open the chat'),
    close: text('action.close', 'Close'),
    dismiss: text('action.dismiss', 'Dismiss'),
    failed: text('error.start', 'The chat could not start. Please try again in a moment.'),
    fresh: (count) => text('launcher.new', 'New messages: {count}').replace('{count}', String(count)),
  };
};

export const ENGLISH = wordsOf('en', {});

/** The words in the language that is asked for; English where they cannot be loaded. */
export async function wordsIn(asked: string, server: string): Promise<Words> {
  const tag = resolveLocale(asked, LOCALES);
  if (tag === 'en') return ENGLISH;
  try {
    // eslint-disable-next-line no-unsanitized/method -- the address is the script's own folder
    const module = (await import(`${server}/chatkit/l10n/${tag}.js?v=${LOCALES_VERSION}`)) as { default: Record<string, string> };
    return wordsOf(tag, module.default);
  } catch {
    return ENGLISH;
  }
}
