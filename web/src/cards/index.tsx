/**
 * The card beside a reference or a tag: what it is, where it leads, and for the page's own entities the
 * preview that the page makes. The entry of the part that the element loads when a pointer first comes near one.
 */
import { useSignal } from '@preact/signals';
import { ExternalLink, FileText, Globe } from 'lucide';
import type { Entity } from '@openai/chatkit';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { asError, callPage } from '../core/errors';
import type { Source, WidgetNode } from '../core/protocol';
import { Icon } from '../icons/icon';
import { safeLink } from '../md/safe-url';
import { Boundary } from '../ui/boundary';
import { entityOfSource, hostOf } from '../ui/cards';
import { useOptions, useUi } from '../ui/context';
import { Popover } from '../ui/popover';
import { useSheet } from '../ui/sheet';
import css from './cards.css';

export function SourceCard(): JSX.Element | null {
  const { card, t } = useUi();
  const inside = useRef<HTMLDivElement>(null);
  const request = card.value;
  const anchor = request?.anchor ?? null;
  useSheet(inside, css);
  useLayoutEffect(() => {
    if (request?.isHeld === true) inside.current?.focus({ preventScroll: true });
    if (anchor === null) return undefined;
    // What it stands beside may go away with its message.
    const timer = setInterval(() => {
      if (!anchor.isConnected) card.value = null;
    }, 500);
    return () => clearInterval(timer);
  }, [request]);
  if (request === null || anchor === null) return null;
  return (
    <Popover
      key={request.sources.map(({ title }) => title).join()}
      anchor={anchor}
      class="source-card"
      role="dialog"
      label={t('sources.title')}
      side="top"
      onClose={(why) => {
        const isInside = inside.current?.contains((anchor.getRootNode() as ShadowRoot).activeElement) === true;
        card.value = null;
        if (why === 'escape' && isInside) anchor.focus({ preventScroll: true });
      }}
    >
      <div ref={inside} class="source-card-list" tabIndex={-1}>
        {request.sources.map((source, index) => (
          <SourceDetails key={index} source={source} />
        ))}
      </div>
    </Popover>
  );
}

function SourceDetails({ source }: { readonly source: Source }): JSX.Element {
  const { options } = useUi();
  const { onClick, preview } = useOptions().entities;
  const href = source.type === 'url' ? safeLink(source.url, document.baseURI) : null;
  const by = source.type === 'url' ? ((source.attribution ?? '') !== '' ? source.attribution : hostOf(source.url)) : source.type === 'file' ? source.filename : (source.label ?? source.group);
  const when = source.timestamp ?? '';
  const isOpenable = source.type === 'entity' && source.interactive === true && onClick !== null;
  const title = (
    <>
      <span dir="auto">{source.title}</span>
      {href !== null && <Icon of={ExternalLink} size={13} />}
    </>
  );
  return (
    <div class="source-details">
      <div class="source-from">
        <Icon of={source.type === 'url' ? Globe : source.type === 'file' ? FileText : (source.icon ?? 'dot')} size={14} />
        <span dir="auto">{[by, when].filter((part) => (part ?? '') !== '').join(' · ')}</span>
      </div>
      {href !== null ? (
        <a class="source-name" href={href} target="_blank" rel="noopener noreferrer">
          {title}
        </a>
      ) : isOpenable ? (
        <button type="button" class="source-name" onClick={() => void options.peek()?.entities.onClick?.(entityOfSource(source))}>
          {title}
        </button>
      ) : (
        <strong class="source-name">{title}</strong>
      )}
      {(source.description ?? '') !== '' && (
        <p class="quiet" dir="auto">
          {source.description}
        </p>
      )}
      {source.type === 'entity' && source.interactive === true && preview !== null && <EntityPreview entity={entityOfSource(source)} ask={preview} />}
    </div>
  );
}

/** Previews by the entity's id, for as long as the page is open. */
const previews = new Map<string, Promise<WidgetNode | null>>();
const MAX_PREVIEWS = 200;

function previewOf(entity: Entity, ask: (entity: Entity) => unknown): Promise<WidgetNode | null> {
  const known = previews.get(entity.id);
  if (known !== undefined) return known;
  const asked = callPage(() => ask(entity)).then((answer) => {
    const preview = typeof answer === 'object' && answer !== null && 'preview' in answer ? answer.preview : null;
    return typeof preview === 'object' && preview !== null && 'type' in preview && typeof preview.type === 'string' ? (preview as WidgetNode) : null;
  });
  if (previews.size >= MAX_PREVIEWS) previews.clear();
  previews.set(entity.id, asked);
  // What failed is asked for again the next time.
  asked.catch(() => previews.delete(entity.id));
  return asked;
}

function EntityPreview({ entity, ask }: { readonly entity: Entity; readonly ask: (entity: Entity) => unknown }): JSX.Element | null {
  const { parts, emit, t, id, log } = useUi();
  const widget = useSignal<WidgetNode | null | 'asked'>('asked');
  useEffect(() => {
    parts.widgets.want();
    let isGone = false;
    previewOf(entity, ask).then(
      (found) => {
        if (!isGone) widget.value = found;
      },
      (error: unknown) => {
        if (!isGone) widget.value = null;
        emit('chatkit.error', { error: asError(error) });
      },
    );
    return () => {
      isGone = true;
    };
  }, [entity.id]);
  const part = parts.widgets.part.value;
  if (widget.value === null || parts.widgets.hasFailed.value) return null;
  if (widget.value === 'asked' || part === null) return <div class="skeleton" role="status" aria-label={t('widget.loading')} />;
  return (
    <Boundary of={widget.value} otherwise={null} onFail={() => log('entity.preview.failed', { id: entity.id })}>
      <part.Preview widget={widget.value} scope={`${id}-preview`} />
    </Boundary>
  );
}
