/** Banners that the server sent along: limits, maintenance, warnings. */
import { CircleAlert, Info, TriangleAlert } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import type { Entry } from '../store/transcript';
import { useUi } from './context';
import { Markdown } from './markdown';

const ICON = { info: Info, warning: TriangleAlert, danger: CircleAlert } as const;

/** The notices about these entries; `rest`: also those that belong to none that is shown. */
export function Notices({ of = [], rest = false }: { readonly of?: readonly Entry[]; readonly rest?: boolean }): JSX.Element {
  const { chat } = useUi();
  const { notices, state } = chat.transcript;
  const keys = new Set(of.map(({ key }) => key));
  const shown = notices.value.filter(({ after }) => (after !== null && keys.has(after)) || (rest && !state.entries.some(({ key }) => key === after)));
  return (
    <>
      {shown.map(({ event: notice }, index) => (
        <div key={index} class={`notice ${Object.hasOwn(ICON, notice.level) ? notice.level : 'info'}`} role="status">
          <Icon of={Object.hasOwn(ICON, notice.level) ? ICON[notice.level] : Info} />
          <div>
            {(notice.title ?? '') !== '' && <strong dir="auto">{notice.title}</strong>}
            <Markdown text={notice.message} />
          </div>
        </div>
      ))}
    </>
  );
}
