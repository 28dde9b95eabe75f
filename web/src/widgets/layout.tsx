/** Components that hold or part others. */
import { useSignal } from '@preact/signals';
import { ChevronDown, ChevronRight } from 'lucide';
import type { ComponentChildren, JSX } from 'preact';
import { useContext, useMemo, useRef } from 'preact/hooks';
import { Icon } from '../icons/icon';
import { readAction } from '../store/widget-actions';
import { themeProperties } from '../theme/palette';
import { useOptions, useUi } from '../ui/context';
import { ActionButton } from './controls';
import { Fields } from './fields';
import { DirectionContext, FieldsContext, SchemeContext, useActor, useScheme, useScope } from './scope';
import { background, border, color, container, edges, flow, inset, length, space, type Css, type Scheme } from './style';
import { Favicon } from './text';
import { Child, Children, keyOf, type ComponentProps } from './tree';
import { childrenOf, count, flag, hasControls, hasWords, record, word, type Node } from './values';

// --- Roots ---

/** The colour scheme that a root keeps, whatever the page's is. */
function useForcedScheme(node: Node): { scheme: Scheme; style: Css; kind: string } {
  const { theme } = useOptions();
  const around = useContext(SchemeContext);
  const asked = word(node, 'theme', ['light', 'dark']);
  const scheme = asked ?? around ?? theme.colorScheme;
  const style = useMemo(
    () => (asked === null ? {} : { ...themeProperties({ ...theme, colorScheme: asked }, (property, value) => CSS.supports(property, value)), color: 'var(--ck-text)', colorScheme: asked }),
    [asked, theme],
  );
  return { scheme, style, kind: asked === null ? '' : ` forced ${asked}` };
}

export function Basic({ node }: ComponentProps): JSX.Element {
  const { scheme, style, kind } = useForcedScheme(node);
  const direction = word(node, 'direction', ['row', 'col']) ?? 'col';
  return (
    <SchemeContext.Provider value={scheme}>
      <DirectionContext.Provider value={direction}>
        <div class={`w-basic${kind}`} style={{ ...style, ...flow(node, { direction, gap: 2 }), ...inset('padding', node['padding']) }}>
          <Children of={node} />
        </div>
      </DirectionContext.Provider>
    </SchemeContext.Provider>
  );
}

export function Card({ node }: ComponentProps): JSX.Element {
  const { t } = useUi();
  const { id } = useScope();
  const { scheme, style, kind } = useForcedScheme(node);
  const unfolded = useSignal(false);
  const isForm = flag(node, 'asForm');
  const collapsed = flag(node, 'collapsed');
  const confirm = cardAction(node['confirm']);
  const cancel = cardAction(node['cancel']);
  const isOpen = !collapsed || unfolded.value;
  const size = word(node, 'size', ['sm', 'md', 'lg', 'full']) ?? 'md';
  const { left, right } = edges(node['padding']);
  const bleed: Css = { ...(left === undefined ? {} : { '--w-left': left }), ...(right === undefined ? {} : { '--w-right': right }) };
  const panel = `${id}-body`;
  const body = (
    <div id={panel} class="w-card-body" style={inset('padding', node['padding'])} hidden={!isOpen}>
      {isOpen && <Children of={node} />}
    </div>
  );
  const foot = isOpen && (confirm !== null || cancel !== null) && <CardFoot confirm={confirm} cancel={cancel} isForm={isForm} />;
  return (
    <SchemeContext.Provider value={scheme}>
      <DirectionContext.Provider value="col">
        <div class={`w-card ${size}${kind}`} style={{ ...style, ...bleed, ...background(node['background'], scheme), ...border(node['border'], scheme) }}>
          <Status
            of={node['status']}
            fallback={collapsed ? t('widget.details') : ''}
            more={
              collapsed && (
                <button type="button" class="icon-button small w-unfold" aria-label={t('widget.details')} aria-expanded={unfolded.value} aria-controls={panel} onClick={() => (unfolded.value = !unfolded.value)}>
                  <Icon of={ChevronDown} size={16} />
                </button>
              )
            }
          />
          {isForm ? (
            <FormFrame class="w-card-form" sends={confirm}>
              {body}
              {foot}
            </FormFrame>
          ) : (
            <>
              {body}
              {foot}
            </>
          )}
        </div>
      </DirectionContext.Provider>
    </SchemeContext.Provider>
  );
}

interface CardAction {
  readonly label: string;
  readonly action: ReturnType<typeof readAction>;
}

function cardAction(value: unknown): CardAction | null {
  const given = record(value);
  if (given === null || typeof given['label'] !== 'string') return null;
  return { label: given['label'], action: readAction(given['action']) };
}

function CardFoot({ confirm, cancel, isForm }: { readonly confirm: CardAction | null; readonly cancel: CardAction | null; readonly isForm: boolean }): JSX.Element {
  return (
    <div class="w-card-foot">
      {cancel !== null && <ActionButton look="secondary" label={cancel.label} action={cancel.action} auto="container" takesValues={false} />}
      {confirm !== null && <ActionButton look="primary" label={confirm.label} action={confirm.action} auto="container" submits={isForm} />}
    </div>
  );
}

/** The line above a widget. */
function Status({ of, fallback = '', more }: { readonly of: unknown; readonly fallback?: string; readonly more?: ComponentChildren }): JSX.Element | null {
  const status = record(of);
  const words = status !== null && typeof status['text'] === 'string' ? status['text'] : fallback;
  if (words === '') return null;
  const { favicon, icon, frame } = (status ?? {}) as { favicon?: unknown; icon?: unknown; frame?: unknown };
  return (
    <div class="w-status" role="status">
      {typeof favicon === 'string' ? <Favicon src={favicon} isFramed={frame === true} /> : typeof icon === 'string' && <Icon of={icon} size={16} />}
      <span class="w-status-words" dir="auto">
        {words}
      </span>
      {more}
    </div>
  );
}

/** How many rows `auto` shows. */
const AUTO_LIMIT = 5;

export function ListView({ node }: ComponentProps): JSX.Element {
  const { t } = useUi();
  const { scheme, style, kind } = useForcedScheme(node);
  const all = useSignal(false);
  const items = childrenOf(node);
  const limit = node['limit'] === 'auto' ? AUTO_LIMIT : (count(node, 'limit') ?? Infinity);
  const hidden = Math.max(0, items.length - limit);
  const shown = all.value ? items : items.slice(0, limit);
  return (
    <SchemeContext.Provider value={scheme}>
      <div class={`w-list${kind}`} style={style}>
        <Status of={node['status']} />
        <ul>
          {shown.map((item, index) => (
            <li key={keyOf(item) ?? index}>
              <Child node={item} />
            </li>
          ))}
        </ul>
        {hidden > 0 && (
          // It stays, and so does the focus on it.
          <button type="button" class="w-more" aria-expanded={all.value} onClick={() => (all.value = !all.value)}>
            {all.value ? t('message.less') : t('widget.more', { count: hidden })}
          </button>
        )}
      </div>
    </SchemeContext.Provider>
  );
}

export function ListViewItem({ node }: ComponentProps): JSX.Element {
  const { t } = useUi();
  const { isBusy, act } = useActor();
  const action = readAction(node['onClickAction']);
  const style = flow(node, { direction: 'row', align: 'center', gap: 3 });
  const click = (): void => act(action, 'self');
  const inner = (
    <DirectionContext.Provider value="row">
      <Children of={node} />
    </DirectionContext.Provider>
  );
  if (action === null) return <div class="w-item" style={style}>{inner}</div>;
  // Controls inside a button are out of reach, so a row that has some gets a button of its own.
  if (hasControls(node)) {
    return (
      <div class="w-item open" style={style}>
        {inner}
        <button type="button" class="icon-button small w-open" aria-label={t('widget.details')} aria-busy={isBusy.value} onClick={click}>
          <Icon of={ChevronRight} size={16} />
        </button>
      </div>
    );
  }
  return (
    <div
      class={isBusy.value ? 'w-item open busy' : 'w-item open'}
      style={style}
      role="button"
      tabIndex={0}
      aria-label={hasWords(node) ? undefined : t('widget.details')}
      aria-busy={isBusy.value}
      onClick={click}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget || (event.key !== 'Enter' && event.key !== ' ')) return;
        event.preventDefault();
        click();
      }}
    >
      {inner}
    </div>
  );
}

// --- Containers ---

export function Box({ node }: ComponentProps): JSX.Element {
  const said = node['direction'];
  return <Flex node={node} direction={said === 'row' ? 'row' : 'col'} />;
}

export function Row({ node }: ComponentProps): JSX.Element {
  return <Flex node={node} direction="row" />;
}

export function Col({ node }: ComponentProps): JSX.Element {
  return <Flex node={node} direction="col" />;
}

function defaultsOf(direction: 'row' | 'col'): { direction: 'row' | 'col'; align?: string; gap?: number } {
  return direction === 'row' ? { direction, align: 'center', gap: 2 } : { direction };
}

function Flex({ node, direction }: { readonly node: Node; readonly direction: 'row' | 'col' }): JSX.Element {
  const scheme = useScheme();
  return (
    <DirectionContext.Provider value={direction}>
      <div class="w-box" style={container(node.type === 'Box' ? node : { ...node, direction }, defaultsOf(direction), scheme)}>
        <Children of={node} />
      </div>
    </DirectionContext.Provider>
  );
}

export function Form({ node }: ComponentProps): JSX.Element {
  const scheme = useScheme();
  const direction = word(node, 'direction', ['row', 'col']) ?? 'col';
  const action = readAction(node['onSubmitAction']);
  return (
    <DirectionContext.Provider value={direction}>
      <FormFrame class="w-box" style={container(node, direction === 'row' ? defaultsOf('row') : { direction, gap: 3 }, scheme)} sends={action === null ? null : { label: '', action }}>
        <Children of={node} />
      </FormFrame>
    </DirectionContext.Provider>
  );
}

interface FormFrameProps {
  readonly class: string;
  readonly style?: Css;
  /** What sending it does. */
  readonly sends: CardAction | null;
  readonly children: ComponentChildren;
}

/** A form; inside another one, a group with the same rules, because forms cannot be nested. */
function FormFrame({ class: kind, style, sends, children }: FormFrameProps): JSX.Element {
  const outer = useContext(FieldsContext);
  const { act } = useActor();
  const fields = useRef<Fields | null>(null);
  fields.current ??= new Fields();
  const own = fields.current;
  own.submit = sends === null ? null : () => {
    if (own.isValid()) act(sends.action, 'container', own);
  };
  const ref = (element: HTMLElement | null): void => {
    own.element = element;
  };
  const inner = <FieldsContext.Provider value={own}>{children}</FieldsContext.Provider>;
  if (outer !== null) {
    return (
      <div
        ref={ref}
        role="group"
        class={kind}
        {...(style === undefined ? {} : { style })}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.target instanceof HTMLInputElement)) return;
          event.preventDefault();
          own.submit?.();
        }}
      >
        {inner}
      </div>
    );
  }
  return (
    <form
      ref={ref}
      class={kind}
      {...(style === undefined ? {} : { style })}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        own.submit?.();
      }}
    >
      {inner}
      {/* Enter in a field sends a form that has something to send it with. */}
      {sends !== null && <button type="submit" class="visually-hidden" tabIndex={-1} aria-hidden="true" />}
    </form>
  );
}

// --- Room and lines ---

export function Spacer({ node }: ComponentProps): JSX.Element {
  const size = length(node['minSize']);
  return <div class="w-spacer" style={size === null ? {} : { minWidth: size, minHeight: size }} />;
}

export function Divider({ node }: ComponentProps): JSX.Element {
  const scheme = useScheme();
  const isUpright = useContext(DirectionContext) === 'row';
  const size = length(node['size']) ?? '1px';
  const room = space(node['spacing']);
  const tint = color(node['color'], 'border', scheme) ?? 'var(--ck-line)';
  const style: Css = { background: tint, [isUpright ? 'width' : 'height']: size };
  if (room !== null) Object.assign(style, isUpright ? { marginInline: room } : { marginBlock: room });
  return <div class={`w-divider${isUpright ? ' upright' : ''}${flag(node, 'flush') ? ' flush' : ''}`} role="separator" aria-orientation={isUpright ? 'vertical' : 'horizontal'} style={style} />;
}

export function Transition({ node }: ComponentProps): JSX.Element | null {
  const [child] = childrenOf(node);
  if (child === undefined) return null;
  // Another key is another element, which comes in anew.
  return (
    <div key={`${child.type} ${keyOf(child) ?? ''}`} class="w-transition">
      <Child node={child} />
    </div>
  );
}
