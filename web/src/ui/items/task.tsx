/** One step the assistant took: a thought, a search, files, a call of a tool, anything the server names. */
import { useSignal } from '@preact/signals';
import { Brain, CircleCheck, FileText, Globe, Image, LoaderCircle, Search } from 'lucide';
import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { sourcesIn } from '../../core/items';
import type { Task } from '../../core/protocol';
import { Icon, type IconProps } from '../../icons/icon';
import { useUi } from '../context';
import { Markdown } from '../markdown';
import { SourceList } from '../sources';
import type { ItemProps } from './item-view';

export function TaskItem({ entry }: ItemProps): JSX.Element | null {
  const { item, live } = entry.value;
  if (item.type !== 'task') return null;
  return (
    <div class="tasks alone">
      <TaskView task={item.task} live={live ?? false} />
    </div>
  );
}

export function TaskView({ task, live }: { readonly task: Task; readonly live: boolean }): JSX.Element {
  const { t } = useUi();
  // Where the answer is over, nothing is under way any more, whatever was said last.
  const status = task.status_indicator === 'loading' && !live ? 'none' : (task.status_indicator ?? 'none');
  const content = task.type === 'custom' || task.type === 'thought' ? (task.content ?? '') : '';
  const title = taskTitle(task, t);
  const queries = task.type === 'web_search' ? (task.queries ?? []) : [];
  const sources = task.type === 'web_search' || task.type === 'file' ? sourcesIn(task.sources) : [];
  return (
    <div class={`task ${status}`}>
      <span class="task-icon">
        <Icon of={iconOf(task, status)} size={15} />
      </span>
      <div class="task-body">
        {title !== '' && (
          <div class="task-title" dir="auto">
            {title}
          </div>
        )}
        {status !== 'none' && <span class="visually-hidden">{t(status === 'loading' ? 'task.loading' : 'task.complete')}</span>}
        {queries.length > 0 && (
          <ul class="queries">
            {queries.map((query, index) => (
              <li key={index} dir="auto">
                <Icon of={Search} size={13} />
                <span>{query}</span>
              </li>
            ))}
          </ul>
        )}
        {content !== '' && (
          <Bounded label={title} follows={live}>
            <Markdown text={content} live={live && status === 'loading'} />
          </Bounded>
        )}
        {sources.length > 0 && <SourceList sources={sources} />}
      </div>
    </div>
  );
}

/**
 * Content of any length in a box of limited height. It can be scrolled by keyboard once there is
 * something to scroll, and shows its end while it grows, until the reader scrolls up.
 */
function Bounded({ label, follows, children }: { readonly label: string; readonly follows: boolean; readonly children: ComponentChildren }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const overflows = useSignal(false);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    const element = box.current;
    const inner = element?.firstElementChild;
    if (!element || !inner) return undefined;
    const observer = new ResizeObserver(() => {
      overflows.value = element.scrollHeight > element.clientHeight + 1;
      if (follows && atEnd.current) element.scrollTop = element.scrollHeight;
    });
    observer.observe(inner);
    return () => observer.disconnect();
  }, [follows]);
  const scrolls = overflows.value ? { tabIndex: 0, role: 'group' as const, ...(label === '' ? {} : { 'aria-label': label }) } : {};
  return (
    <div
      ref={box}
      class={overflows.value ? 'bounded overflows' : 'bounded'}
      {...scrolls}
      onScroll={({ currentTarget: view }) => (atEnd.current = view.scrollHeight - view.scrollTop - view.clientHeight < 8)}
    >
      {children}
    </div>
  );
}

/** What a step is called; `''` where a thought speaks for itself. */
export function taskTitle(task: Task, t: ReturnType<typeof useUi>['t']): string {
  const { title } = task;
  if (title !== undefined && title !== null && title !== '') return title;
  switch (task.type) {
    case 'web_search':
      return (task.title_query ?? '') === '' ? t('task.search') : t('task.searchFor', { query: task.title_query ?? '' });
    case 'file':
      return t('task.file');
    case 'image':
      return t('task.image');
    default:
      return '';
  }
}

function iconOf(task: Task, status: string): IconProps['of'] {
  if (status === 'loading') return LoaderCircle;
  switch (task.type) {
    case 'web_search':
      return Globe;
    case 'file':
      return FileText;
    case 'image':
      return Image;
    case 'thought':
      return Brain;
    default:
      return (task.icon ?? '') !== '' ? (task.icon ?? '') : status === 'complete' ? CircleCheck : 'dot';
  }
}
