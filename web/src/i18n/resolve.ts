/** From what a page or a browser asks for to a language that there are texts of. */

/** Writing systems and places that the language alone does not tell. */
const TRADITIONAL: ReadonlySet<string> = new Set(['hant', 'tw', 'mo']);
/** Languages by another name. */
const SAME: Readonly<Record<string, string>> = { no: 'nb', nn: 'nb', fil: 'tl', in: 'id' };

/** The best of the languages that are there; `en` where none fits. */
export function resolveLocale(asked: string, available: readonly string[]): string {
  const parts = asked.trim().toLowerCase().replaceAll('_', '-').split('-');
  const language = SAME[parts[0] ?? ''] ?? parts[0] ?? '';
  const rest = new Set(parts.slice(1));
  const find = (...tags: string[]): string | undefined => tags.map((tag) => available.find((candidate) => candidate.toLowerCase() === tag)).find((tag) => tag !== undefined);
  const exact = find([language, ...parts.slice(1)].join('-'));
  if (exact !== undefined) return exact;
  switch (language) {
    case 'zh': {
      const isTraditional = [...rest].some((part) => TRADITIONAL.has(part));
      return find(...(rest.has('hk') ? ['zh-hk', 'zh-tw'] : isTraditional ? ['zh-tw', 'zh-hk'] : ['zh-cn'])) ?? 'en';
    }
    // Spanish of the Americas, Portuguese of Europe and Africa: by place, where one is named.
    case 'es':
      return find(...(rest.size > 0 ? ['es-419', 'es-es'] : ['es-es', 'es-419'])) ?? 'en';
    case 'pt':
      return find(...(rest.size > 0 ? ['pt-pt', 'pt-br'] : ['pt-br', 'pt-pt'])) ?? 'en';
    case 'fr':
      return find('fr-fr', 'fr-ca') ?? 'en';
    default:
      return available.find((candidate) => candidate.toLowerCase().split('-')[0] === language) ?? 'en';
  }
}

const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(['ar', 'ur', 'fa', 'he']);

export function directionOf(locale: string): 'ltr' | 'rtl' {
  return RIGHT_TO_LEFT.has(locale.split('-')[0] ?? '') ? 'rtl' : 'ltr';
}
