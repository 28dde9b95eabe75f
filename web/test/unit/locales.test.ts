// @vitest-environment node
/** O007 languages: every one has every text with its placeholders, and what is asked for leads to the right one. */
import { describe, expect, test, vi } from 'vitest';
import { EN, type MessageKey } from '../../src/i18n/en';
import { formatDuration } from '../../src/i18n/duration';
import { Languages } from '../../src/i18n/language';
import { directionOf, resolveLocale } from '../../src/i18n/resolve';
import { ENGLISH } from '../../src/launcher/words';
import type { Messages } from '../../src/i18n/translate';
import { PROMISED, TAGS, textsOf } from './locale-files.mjs';

const placeholders = (text: string): string[] => [...text.matchAll(/\{\w+\}/g)].map(([name]) => name).toSorted();

test('there is a file for every language that the types name, and no other', () => {
  expect(TAGS.toSorted()).toEqual(PROMISED.toSorted());
});

describe.each(TAGS)('%s', (tag) => {
  const texts = textsOf(tag);

  test('has every text and no other', () => {
    expect(Object.keys(texts).toSorted()).toEqual(Object.keys(EN).toSorted());
  });

  test('has the placeholders of each text, no markup and nothing empty', () => {
    for (const [key, text] of Object.entries(texts)) {
      expect([key, placeholders(text)]).toEqual([key, placeholders(EN[key as MessageKey])]);
      expect([key, text.trim() === text && text !== '' && !/[<>\n]|\{\s|%s/.test(text)]).toEqual([key, true]);
    }
  });

  test('is not English', () => {
    const same = Object.entries(texts).filter(([key, text]) => text === EN[key as MessageKey]).map(([key]) => key);
    expect(same.length, same.join()).toBeLessThan(14);
  });

  test('can be written in by this engine', () => {
    expect(Intl.DateTimeFormat.supportedLocalesOf([tag])).toHaveLength(1);
    expect(formatDuration(72, tag)).not.toBe('');
  });
});

describe('what is asked for', () => {
  test.each([
    ['de', 'de-DE'], ['de-AT', 'de-DE'], ['DE_ch', 'de-DE'], ['en', 'en'], ['en-GB', 'en'], ['fr', 'fr-FR'], ['fr-BE', 'fr-FR'], ['fr-CA', 'fr-CA'], ['es', 'es-ES'], ['es-MX', 'es-419'],
    ['pt', 'pt-BR'], ['pt-AO', 'pt-PT'], ['zh', 'zh-CN'], ['zh-Hant', 'zh-TW'], ['zh-Hant-HK', 'zh-HK'], ['zh-MO', 'zh-TW'], ['zh-Hans-SG', 'zh-CN'], ['no', 'nb-NO'], ['nn-NO', 'nb-NO'], ['fil-PH', 'tl'],
    ['xx', 'en'], ['', 'en'], ['../x', 'en'],
  ])('%s is answered with %s', (asked, tag) => {
    expect(resolveLocale(asked, PROMISED)).toBe(tag);
  });

  test('scripts from right to left have their direction', () => {
    expect(PROMISED.filter((tag) => directionOf(tag) === 'rtl')).toEqual(['ar', 'ur']);
  });
});

test('the launcher has the words of the element, in English too', () => {
  const { open, close, dismiss, failed, fresh } = ENGLISH;
  expect([open, close, dismiss, failed, fresh(2)]).toEqual([EN['launcher.open'], EN['action.close'], EN['action.dismiss'], EN['error.start'], EN['launcher.new'].replace('{count}', '2')]);
});

describe('changing the language', () => {
  const german: Messages = { ...EN, 'action.copy': 'Kopieren' };
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };

  test('the last one that was asked for wins, whatever comes first', async () => {
    const gates = new Map<string, (texts: Messages) => void>();
    const languages = new Languages(['de-DE', 'fr-FR'], (tag) => new Promise((resolve) => gates.set(tag, resolve)));
    void languages.use('de-AT');
    void languages.use('fr');
    gates.get('fr-FR')!({ ...EN, 'action.copy': 'Copier' });
    await settle();
    gates.get('de-DE')!(german);
    await settle();
    expect([languages.current.value.tag, languages.current.value.t('action.copy')]).toEqual(['fr-FR', 'Copier']);
  });

  test('keeps the place for dates, and falls back to English where texts do not load', async () => {
    const load = vi.fn().mockResolvedValueOnce(german).mockRejectedValueOnce(new Error('offline'));
    const languages = new Languages(['de-DE'], load);
    await languages.use('de-AT');
    await languages.use('de-AT');
    expect(load).toHaveBeenCalledTimes(1);
    expect(languages.current.value).toMatchObject({ tag: 'de-DE', format: 'de-AT' });
    await languages.use('de');
    expect(languages.current.value).toMatchObject({ tag: 'en', format: 'en' });
    await languages.use('en-GB');
    expect(languages.current.value).toMatchObject({ tag: 'en', format: 'en-GB' });
  });
});
