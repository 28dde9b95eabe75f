/** What an answer refers to. No favicons: fetching them would tell others what is being read. */
import { FileText, Globe, Dot } from 'lucide';
import type { JSX } from 'preact';
import type { Source } from '../core/protocol';
import { Icon } from '../icons/icon';
import { safeLink } from '../md/safe-url';
import { citedBy } from './cards';
import { useOptions, useUi } from './context';

export function Sources({ sources }: { readonly sources: readonly Source[] }): JSX.Element | null {
  const { t } = useUi();
  if (sources.length === 0) return null;
  return (
    <details class="sources">
      <summary>
        {t('sources.title')} <span class="count">{sources.length}</span>
      </summary>
      <SourceList sources={sources} />
    </details>
  );
}

export function SourceList({ sources }: { readonly sources: readonly Source[] }): JSX.Element {
  return (
    <ul class="source-list">
      {sources.map((source, index) => (
        <li key={index}>
          <SourceChip source={source} />
        </li>
      ))}
    </ul>
  );
}

function SourceChip({ source }: { readonly source: Source }): JSX.Element {
  const icon = source.type === 'url' ? Globe : source.type === 'file' ? FileText : (source.icon ?? Dot);
  const href = source.type === 'url' ? safeLink(source.url, document.baseURI) : null;
  const { onClick, preview } = useOptions().entities;
  const inner = (
    <>
      <Icon of={icon} size={14} />
      <span class="source-title">{source.title}</span>
      {source.type === 'url' && (source.attribution ?? '') !== '' && <span class="source-by">{source.attribution}</span>}
    </>
  );
  if (source.type === 'entity' && source.interactive === true && (onClick !== null || preview !== null)) {
    const know = (button: HTMLButtonElement | null): void => {
      if (button !== null) citedBy.set(button, [source]);
    };
    return (
      <button ref={know} type="button" class="source live">
        {inner}
      </button>
    );
  }
  return href === null ? (
    <span class="source">{inner}</span>
  ) : (
    <a class="source" href={href} target="_blank" rel="noopener noreferrer">
      {inner}
    </a>
  );
}
