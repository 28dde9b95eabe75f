/** Buttons and fields. Fields are the browser's own, so that validation, autofill and screen readers work as everywhere. */
import { LoaderCircle } from 'lucide';
import type { JSX } from 'preact';
import { useContext, useId, useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../icons/icon';
import { readAction, type DeclaredAction } from '../store/widget-actions';
import { merged } from './fields';
import { FieldsContext, useActor, useScope } from './scope';
import { checkPattern, extensionsOf, iconSize, useFirstFocus } from './text';
import type { ComponentProps } from './tree';
import { count, flag, flagOr, isNode, text, word, type Node } from './values';

export const CONTROL_SIZES = ['3xs', '2xs', 'xs', 'sm', 'md', 'lg', 'xl', '2xl', '3xl'] as const;
const VARIANTS = ['solid', 'soft', 'outline', 'ghost'] as const;
const INPUTS = ['number', 'email', 'text', 'password', 'tel', 'url'] as const;
const COLORS = ['primary', 'secondary', 'info', 'discovery', 'success', 'caution', 'warning', 'danger'] as const;

// --- Buttons ---

export function Button({ node }: ComponentProps): JSX.Element {
  const { isBusy, act } = useActor();
  const fields = useContext(FieldsContext);
  const submits = flag(node, 'submit');
  const action = readAction(node['onClickAction']);
  const style = word(node, 'style', ['primary', 'secondary']) ?? (submits ? 'primary' : null);
  const tint = word(node, 'color', COLORS) ?? style ?? 'secondary';
  const variant = word(node, 'variant', VARIANTS) ?? (tint === 'secondary' ? 'outline' : 'solid');
  const size = word(node, 'size', CONTROL_SIZES) ?? 'md';
  const label = text(node, 'label');
  const [start, end] = [text(node, 'iconStart'), text(node, 'iconEnd')];
  const glyph = iconSize(node['iconSize'], size.startsWith('3xs') || size.startsWith('2xs') || size === 'xs' ? 14 : 16);
  const look = `w-button w-control w-tint ${tint} ${variant} s-${size}${flagOr(node, 'pill', true) ? ' pill' : ''}${flag(node, 'uniform') || label === '' ? ' uniform' : ''}${flag(node, 'block') ? ' block' : ''}`;
  return (
    <button
      type="button"
      class={look}
      disabled={flag(node, 'disabled')}
      aria-busy={isBusy.value}
      aria-label={label === '' ? (start || end).replace(/^\w+:/, '').replaceAll('-', ' ') : undefined}
      onClick={() => {
        if (submits && fields?.submit != null) fields.submit();
        else if (!submits || fields === null || fields.isValid()) act(action, 'self');
      }}
    >
      {isBusy.value ? <Spinner size={glyph} /> : start !== '' && <Icon of={start} size={glyph} />}
      {label !== '' && <span dir="auto">{label}</span>}
      {end !== '' && <Icon of={end} size={glyph} />}
    </button>
  );
}

function Spinner({ size }: { readonly size: number }): JSX.Element {
  return (
    <span class="spinner">
      <Icon of={LoaderCircle} size={size} />
    </span>
  );
}

interface ActionButtonProps {
  readonly look: 'primary' | 'secondary';
  readonly label: string;
  readonly action: DeclaredAction | null;
  readonly auto: 'container' | 'self';
  /** Sends the form around it, which checks its fields. */
  readonly submits?: boolean;
  readonly takesValues?: boolean;
}

/** A button at the foot of a card. */
export function ActionButton({ look, label, action, auto, submits = false, takesValues = true }: ActionButtonProps): JSX.Element {
  const { isBusy, act } = useActor();
  const { isBusy: allBusy } = useScope();
  const fields = useContext(FieldsContext);
  const isPressed = useRef(false);
  if (!allBusy.value) isPressed.current = false;
  return (
    <button
      type="button"
      class={`w-button w-control w-tint ${look} ${look === 'primary' ? 'solid' : 'outline'} s-md pill`}
      aria-busy={isBusy.value}
      onClick={() => {
        isPressed.current = true;
        if (submits && fields?.submit != null) fields.submit();
        else act(action, auto, takesValues ? fields : null);
      }}
    >
      {(isBusy.value || (allBusy.value && isPressed.current)) && <Spinner size={16} />}
      <span dir="auto">{label}</span>
    </button>
  );
}

// --- Fields ---

/** What fields have in common. */
function useField(node: Node): { id: string; name: string; label: string | undefined; look: string } {
  const { id, labelled } = useScope();
  const name = text(node, 'name');
  const variant = word(node, 'variant', ['soft', 'outline']) ?? 'outline';
  const size = word(node, 'size', CONTROL_SIZES) ?? 'md';
  const gutter = word(node, 'gutterSize', ['2xs', 'xs', 'sm', 'md', 'lg', 'xl']);
  const look = `w-field w-control ${variant} s-${size}${gutter === null ? '' : ` g-${gutter}`}${flag(node, 'pill') ? ' pill' : ''}`;
  return { id: `${id}-f-${name}`, name, label: labelled.has(name) ? undefined : text(node, 'placeholder') || name, look };
}

export function Input({ node }: ComponentProps): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const { id, name, label, look } = useField(node);
  useFirstFocus(field, node);
  return (
    <input
      ref={field}
      id={id}
      class={look}
      name={name}
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-assertion -- TypeScript 7 wants it: the types tell inputs apart by a type that is known beforehand
      type={(word(node, 'inputType', INPUTS) ?? 'text') as 'text'}
      dir="auto"
      defaultValue={text(node, 'defaultValue')}
      required={flag(node, 'required')}
      pattern={text(node, 'pattern') || undefined}
      placeholder={text(node, 'placeholder')}
      aria-label={label}
      disabled={flag(node, 'disabled')}
      {...extensionsOf(node)}
    />
  );
}

export function Textarea({ node }: ComponentProps): JSX.Element {
  const area = useRef<HTMLTextAreaElement>(null);
  const { id, name, label, look } = useField(node);
  const rows = count(node, 'rows') ?? 3;
  const grows = flag(node, 'autoResize');
  useFirstFocus(area, node);
  const check = (): void => {
    if (area.current !== null) checkPattern(area.current, text(node, 'pattern'));
  };
  useLayoutEffect(check, [node['pattern']]);
  return (
    <textarea
      ref={area}
      id={id}
      class={`${look} area${grows ? ' grows' : ''}`}
      style={grows ? { '--w-rows': String(rows), '--w-max-rows': String(count(node, 'maxRows') ?? Math.max(rows, 10)) } : {}}
      name={name}
      rows={rows}
      dir="auto"
      defaultValue={text(node, 'defaultValue')}
      required={flag(node, 'required')}
      placeholder={text(node, 'placeholder')}
      aria-label={label}
      disabled={flag(node, 'disabled')}
      onInput={check}
      {...extensionsOf(node)}
    />
  );
}

export function Checkbox({ node }: ComponentProps): JSX.Element {
  const { id, labelled } = useScope();
  const change = useChange(node);
  const name = text(node, 'name');
  const label = text(node, 'label');
  return (
    <label class="w-choice">
      <input
        id={`${id}-f-${name}`}
        type="checkbox"
        name={name}
        defaultChecked={flag(node, 'defaultChecked')}
        required={flag(node, 'required')}
        disabled={flag(node, 'disabled')}
        aria-label={label === '' && !labelled.has(name) ? name : undefined}
        onChange={({ currentTarget }) => change(currentTarget.checked)}
      />
      {label !== '' && <span dir="auto">{label}</span>}
    </label>
  );
}

export function RadioGroup({ node }: ComponentProps): JSX.Element {
  const { id, labelled } = useScope();
  const change = useChange(node);
  const group = useId();
  const name = text(node, 'name');
  const options = Array.isArray(node['options']) ? node['options'].map((option: unknown) => ({ ...(option as object), type: 'Option' })).filter(isNode) : [];
  const chosen = text(node, 'defaultValue');
  const isOff = flag(node, 'disabled');
  return (
    <div
      id={`${id}-f-${name}`}
      class={`w-radios ${word(node, 'direction', ['row', 'col']) ?? 'row'}`}
      role="radiogroup"
      aria-label={labelled.has(name) ? undefined : text(node, 'ariaLabel') || name}
      aria-labelledby={labelled.has(name) ? `${id}-l-${name}` : undefined}
    >
      {options.map((option, index) => (
        <label key={index} class="w-choice">
          <input
            type="radio"
            name={`${id}-${group}`}
            data-name={name}
            value={text(option, 'value')}
            defaultChecked={text(option, 'value') === chosen && chosen !== ''}
            required={flag(node, 'required')}
            disabled={isOff || flag(option, 'disabled')}
            onChange={({ currentTarget }) => change(currentTarget.value)}
          />
          <span dir="auto">{text(option, 'label') || text(option, 'value')}</span>
        </label>
      ))}
    </div>
  );
}

/** The action with the new value under the field's name, where there is no form that adds it. */
export function useChange(node: Node): (value: unknown) => void {
  const fields = useContext(FieldsContext);
  const { act } = useActor();
  return (value) => {
    const action = readAction(node['onChangeAction']);
    const name = text(node, 'name');
    if (action === null || fields !== null || name === '') act(action, 'none');
    else act({ ...action, payload: merged(action.payload, [[name, value]], () => undefined) }, 'none');
  };
}
