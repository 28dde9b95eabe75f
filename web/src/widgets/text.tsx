/** Components that say or show something. */
import { Image as ImageGlyph } from 'lucide';
import type { JSX } from 'preact';
import { useContext, useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../icons/icon';
import { safeImage, safeLink } from '../md/safe-url';
import { useUi } from '../ui/context';
import { Markdown } from '../ui/markdown';
import { FieldsContext, useScheme, useScope } from './scope';
import { block, color, length, background, textLook, type Css } from './style';
import type { ComponentProps } from './tree';
import { count, flag, record, text, word, type Node } from './values';

const TITLES = ['xs', 'sm', 'md', 'lg', 'xl', '2xl', '3xl', '4xl', '5xl'] as const;
const SIZES = ['xs', 'sm', 'md', 'lg', 'xl'] as const;

/** How much of a text is shown. */
function cut(node: Node): { kind: string; style: Css } {
  const lines = count(node, 'maxLines');
  if (flag(node, 'truncate') && (lines === null || lines === 1)) return { kind: ' w-cut', style: {} };
  return lines === null ? { kind: '', style: {} } : { kind: ' w-lines', style: { '--w-lines': String(lines) } };
}

export function Title({ node }: ComponentProps): JSX.Element {
  const scheme = useScheme();
  const { kind, style } = cut(node);
  return (
    <div role="heading" aria-level={4} class={`w-title ${word(node, 'size', TITLES) ?? 'md'}${kind}`} style={{ ...textLook(node, scheme), ...style }} dir="auto">
      {text(node, 'value')}
    </div>
  );
}

export function Caption({ node }: ComponentProps): JSX.Element {
  const scheme = useScheme();
  const { kind, style } = cut(node);
  return (
    <div class={`w-caption ${word(node, 'size', ['sm', 'md', 'lg']) ?? 'md'}${kind}`} style={{ ...textLook(node, scheme), ...style }} dir="auto">
      {text(node, 'value')}
    </div>
  );
}

export function Text({ node }: ComponentProps): JSX.Element {
  const scheme = useScheme();
  const { kind, style } = cut(node);
  const width = length(node['width']);
  const least = count(node, 'minLines');
  const css: Css = { ...textLook(node, scheme), ...style };
  if (width !== null) css['width'] = width;
  if (least !== null) css['minHeight'] = `${least}lh`;
  const look = `w-text ${word(node, 'size', SIZES) ?? 'md'}${flag(node, 'italic') ? ' italic' : ''}${flag(node, 'lineThrough') ? ' struck' : ''}`;
  const field = record(node['editable']);
  if (field !== null && typeof field['name'] === 'string') return <EditableText node={node} field={{ ...field, type: 'Text', name: field['name'] }} look={look} style={css} />;
  return (
    <div class={`${look}${kind}`} style={css} dir="auto">
      {text(node, 'value')}
    </div>
  );
}

interface EditableProps {
  readonly node: Node;
  readonly field: Node;
  readonly look: string;
  readonly style: Css;
}

/** A text that can be changed in its place: a field that looks like the text. */
function EditableText({ node, field, look, style }: EditableProps): JSX.Element {
  const { id, labelled } = useScope();
  const fields = useContext(FieldsContext);
  const area = useRef<HTMLTextAreaElement>(null);
  const name = text(field, 'name');
  const value = text(node, 'value');
  useFirstFocus(area, field);
  const check = (): void => {
    if (area.current !== null) checkPattern(area.current, text(field, 'pattern'));
  };
  useLayoutEffect(() => {
    // Another text from the server is another text; what was typed over the old one goes with it.
    if (area.current !== null && area.current.defaultValue !== value) area.current.value = area.current.defaultValue = value;
    check();
  }, [value]);
  return (
    <textarea
      ref={area}
      id={`${id}-f-${name}`}
      class={`${look} w-editable`}
      style={style}
      name={name}
      rows={1}
      dir="auto"
      required={flag(field, 'required')}
      placeholder={text(field, 'placeholder')}
      aria-label={labelled.has(name) ? undefined : text(field, 'placeholder') || name}
      autocomplete={text(field, 'autoComplete') || 'off'}
      {...extensionsOf(field)}
      onInput={check}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' || event.shiftKey || fields?.submit == null) return;
        event.preventDefault();
        fields.submit();
      }}
    />
  );
}

/** Takes the focus where the component asks for it, in a widget that came just now, and only with a keyboard at hand. */
export function useFirstFocus(ref: { readonly current: HTMLInputElement | HTMLTextAreaElement | null }, node: Node): void {
  const { isFresh } = useScope();
  useLayoutEffect(() => {
    const field = ref.current;
    if (field === null) return;
    if (flag(node, 'autoSelect')) field.addEventListener('focus', () => field.select(), { once: true });
    if (flag(node, 'autoFocus') && isFresh && !matchMedia('(pointer: coarse)').matches) field.focus({ preventScroll: true });
  }, []);
}

/** `<textarea>` knows no `pattern`. */
export function checkPattern(area: HTMLTextAreaElement, pattern: string): void {
  if (pattern === '') return;
  let matches = true;
  try {
    matches = area.value === '' || new RegExp(`^(?:${pattern})$`, 'v').test(area.value);
  } catch {
    // A pattern that is none asks for nothing, as in browsers.
  }
  area.setCustomValidity(matches ? '' : area.title || pattern);
}

/** Tells password managers to stay away. */
export function extensionsOf(node: Node): Record<string, string> {
  return node['allowAutofillExtensions'] === true ? {} : { 'data-1p-ignore': '', 'data-lpignore': 'true', 'data-bwignore': '', 'data-form-type': 'other' };
}

export function MarkdownText({ node }: ComponentProps): JSX.Element {
  return (
    <div class="w-markdown">
      <Markdown text={text(node, 'value')} live={flag(node, 'streaming')} />
    </div>
  );
}

export function Badge({ node }: ComponentProps): JSX.Element {
  const tint = word(node, 'color', ['secondary', 'success', 'danger', 'warning', 'info', 'discovery']) ?? 'secondary';
  const variant = word(node, 'variant', ['solid', 'soft', 'outline']) ?? 'soft';
  const size = word(node, 'size', ['sm', 'md', 'lg']) ?? 'sm';
  return (
    <span class={`w-badge w-tint ${tint} ${variant} ${size}${flag(node, 'pill') ? ' pill' : ''}`} dir="auto">
      {text(node, 'label')}
    </span>
  );
}

const ICONS: Readonly<Record<string, number>> = { xs: 14, sm: 16, md: 18, lg: 20, xl: 22, '2xl': 24, '3xl': 30 };

export function iconSize(value: unknown, fallback: number): number {
  return typeof value === 'string' && Object.hasOwn(ICONS, value) ? (ICONS[value] ?? fallback) : fallback;
}

export function IconView({ node }: ComponentProps): JSX.Element {
  const scheme = useScheme();
  const tint = color(node['color'], 'text', scheme);
  return (
    <span class="w-icon" style={tint === null ? {} : { color: tint }}>
      <Icon of={text(node, 'name')} size={iconSize(node['size'], 18)} />
    </span>
  );
}

const POSITIONS = ['top left', 'top', 'top right', 'left', 'center', 'right', 'bottom left', 'bottom', 'bottom right'] as const;

/** The address of an image if it may be loaded by itself, as in messages. */
function useImage(src: string): string | null {
  const { chat } = useUi();
  return safeImage(src, document.baseURI, chat.transcript.thread.value?.allowed_image_domains ?? null);
}

export function ImageView({ node }: ComponentProps): JSX.Element {
  const { t } = useUi();
  const scheme = useScheme();
  const src = text(node, 'src');
  const shown = useImage(src);
  const alt = text(node, 'alt');
  const kind = `w-image${flag(node, 'frame') ? ' framed' : ''}${flag(node, 'flush') ? ' flush' : ''}`;
  const style: Css = { ...block(node), ...background(node['background'], scheme) };
  if (shown === null) {
    const href = safeLink(src, document.baseURI);
    const inner = (
      <>
        <Icon of={ImageGlyph} size={18} />
        <span>{alt === '' ? t('widget.image') : alt}</span>
      </>
    );
    return href === null ? (
      <span class={`${kind} missing`} style={style}>
        {inner}
      </span>
    ) : (
      <a class={`${kind} missing`} style={style} href={href} target="_blank" rel="noopener noreferrer">
        {inner}
      </a>
    );
  }
  const fit = word(node, 'fit', ['cover', 'contain', 'fill', 'scale-down', 'none']) ?? 'cover';
  return <img class={kind} style={{ ...style, objectFit: fit, objectPosition: word(node, 'position', POSITIONS) ?? 'center' }} src={shown} alt={alt} referrerpolicy="no-referrer" loading="lazy" />;
}

/** The small image before a status. */
export function Favicon({ src, isFramed }: { readonly src: string; readonly isFramed: boolean }): JSX.Element | null {
  const shown = useImage(src);
  return shown === null ? null : <img class={isFramed ? 'w-favicon framed' : 'w-favicon'} src={shown} alt="" referrerpolicy="no-referrer" />;
}

export function Label({ node }: ComponentProps): JSX.Element {
  const scheme = useScheme();
  const { id } = useScope();
  const name = text(node, 'fieldName');
  return (
    <label id={`${id}-l-${name}`} for={`${id}-f-${name}`} class={`w-label ${word(node, 'size', SIZES) ?? 'sm'}`} style={textLook(node, scheme)} dir="auto">
      {text(node, 'value')}
    </label>
  );
}
