/** What the components of one widget share: its item, its scheme, its actions and the form around them. */
import { useSignal, type ReadonlySignal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext, useRef } from 'preact/hooks';
import type { DeclaredAction } from '../store/widget-actions';
import { useOptions } from '../ui/context';
import type { Fields } from './fields';
import type { Scheme } from './style';

export interface Scope {
  /** Prefix of ids. */
  readonly id: string;
  readonly labelled: ReadonlySet<string>;
  /** Whether it came in just now, so that it may take the focus. */
  readonly isFresh: boolean;
  /** Whether the whole of it waits for an action. */
  readonly isBusy: Signal<boolean>;
  /** Resolves when the action is over. */
  readonly run: (action: DeclaredAction) => Promise<void>;
  readonly report: (error: Error) => void;
}

export const ScopeContext = createContext<Scope | null>(null);
/** The colour scheme that a root keeps; `null`: the page's. */
export const SchemeContext = createContext<Scheme | null>(null);
/** The form around a control. */
export const FieldsContext = createContext<Fields | null>(null);
/** Which way the container around a component lays out. */
export const DirectionContext = createContext<'row' | 'col'>('col');

export function useScope(): Scope {
  const scope = useContext(ScopeContext);
  if (scope === null) throw new Error('A component stands outside a widget.');
  return scope;
}

export function useScheme(): Scheme {
  const { theme } = useOptions();
  return useContext(SchemeContext) ?? theme.colorScheme;
}

export interface Actor {
  /** Whether this control waits for its action. */
  readonly isBusy: ReadonlySignal<boolean>;
  /** Runs an action with the values of the form around it. `auto`: what the control shows by default. */
  readonly act: (action: DeclaredAction | null, auto: 'none' | 'self' | 'container', fields?: Fields | null) => void;
}

/** One action at a time for each control, and none while the whole widget waits. */
export function useActor(): Actor {
  const scope = useScope();
  const around = useContext(FieldsContext);
  const isBusy = useSignal(false);
  const runs = useRef(false);
  const act: Actor['act'] = (action, auto, fields = around) => {
    if (action === null || runs.current || scope.isBusy.peek()) return;
    const behavior = action.loadingBehavior === 'auto' ? auto : action.loadingBehavior;
    const shown = behavior === 'self' ? isBusy : behavior === 'container' ? scope.isBusy : null;
    // A control without a sign of waiting may act again, as a list does with each choice.
    runs.current = shown !== null;
    if (shown !== null) shown.value = true;
    void scope.run(fields === null ? action : fields.addTo(action, scope.report)).finally(() => {
      runs.current = false;
      if (shown !== null) shown.value = false;
    });
  };
  return { isBusy, act };
}
