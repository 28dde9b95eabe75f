/** Draws widgets: the entry of the part that the element loads with the first widget of a conversation. */
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { WidgetItem, WidgetNode } from '../core/protocol';
import { useUi } from '../ui/context';
import { useSheet } from '../ui/sheet';
import { ScopeContext, type Scope } from './scope';
import { Child } from './tree';
import { survey } from './values';
import css from './widgets.css';

interface WidgetProps {
  readonly item: WidgetItem;
  readonly live: boolean;
  /** Prefix of ids. */
  readonly scope: string;
}

/** The widget of an item. */
export function Widget({ item, scope }: WidgetProps): JSX.Element {
  const { chat, emit } = useUi();
  // The widget of the moment: what ran an action may have been replaced meanwhile.
  const latest = useRef(item);
  latest.current = item;
  return (
    <Root
      of={item.widget}
      scope={scope}
      run={(action) => chat.actions.run(latest.current, action)}
      report={(error) => emit('chatkit.error', { error })}
    />
  );
}

/** A widget that belongs to no item, such as the preview of an entity: nobody waits for its actions. */
export function Preview({ widget, scope }: { readonly widget: WidgetNode; readonly scope: string }): JSX.Element {
  const { log } = useUi();
  const ignore = (type: string): Promise<void> => {
    log('widget.preview.action', { type });
    return Promise.resolve();
  };
  return <Root of={widget} scope={scope} run={({ type }) => ignore(type)} report={() => undefined} />;
}

interface RootProps extends Pick<Scope, 'run' | 'report'> {
  readonly of: WidgetNode;
  readonly scope: string;
}

function Root({ of, scope: id, run, report }: RootProps): JSX.Element {
  const { chat } = useUi();
  const host = useRef<HTMLDivElement>(null);
  const isBusy = useSignal(false);
  const isFresh = useRef(chat.isAnswering.peek());
  const { labelled } = useMemo(() => survey(of), [of]);
  const names = [...labelled].join('\n');
  // What the server changes has its answer on it; the rest of the answer may take a while.
  useEffect(() => {
    isBusy.value = false;
  }, [of]);
  const calls = useRef({ run, report });
  calls.current = { run, report };
  const scope = useMemo<Scope>(
    () => ({ id, labelled, isFresh: isFresh.current, isBusy, run: (action) => calls.current.run(action), report: (error) => calls.current.report(error) }),
    [id, names],
  );
  useSheet(host, css);
  // While the whole of it waits, nothing in it can be used. Not `inert`: that would lose the focus.
  const refuse = (event: Event): void => {
    if (!isBusy.peek() || (event instanceof KeyboardEvent && event.key === 'Tab')) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <ScopeContext.Provider value={scope}>
      <div ref={host} class={isBusy.value ? 'widget busy' : 'widget'} aria-busy={isBusy.value} onClickCapture={refuse} onKeyDownCapture={refuse} onBeforeInputCapture={refuse} onPointerDownCapture={refuse}>
        <Child node={of} />
      </div>
    </ScopeContext.Provider>
  );
}
