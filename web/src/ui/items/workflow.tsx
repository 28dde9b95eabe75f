/**
 * A group of steps: open while there is something to follow, and one line that says what they came to
 * afterwards. A person's own choice to fold or unfold it stays.
 */
import { useSignal } from '@preact/signals';
import { Brain, ChevronRight, CircleCheck, LoaderCircle } from 'lucide';
import type { JSX } from 'preact';
import type { Workflow } from '../../core/protocol';
import { formatDuration } from '../../i18n/duration';
import { Icon } from '../../icons/icon';
import { useLocale, useUi } from '../context';
import type { ItemProps } from './item-view';
import { TaskView, taskTitle } from './task';

export function WorkflowItem({ entry }: ItemProps): JSX.Element | null {
  const { t, id } = useUi();
  const locale = useLocale();
  const { item, live, key } = entry.value;
  /** What the person chose; until then the server decides. */
  const chosen = useSignal<boolean | null>(null);
  if (item.type !== 'workflow') return null;
  const { workflow } = item;
  const isLive = live ?? false;
  // Thoughts are for the time of waiting: once there is an answer, they are one line.
  const isOpen = chosen.value ?? ((workflow.expanded ?? false) && (isLive || workflow.type !== 'reasoning'));
  const panel = `${id}-${key}`;
  const summary = summaryOf(workflow, isLive, t, locale);
  return (
    <section class="workflow" aria-label={summary}>
      <button type="button" class="workflow-summary" aria-expanded={isOpen} aria-controls={panel} onClick={() => (chosen.value = !isOpen)}>
        <SummaryIcon workflow={workflow} isLive={isLive} />
        <span class={isLive ? 'workflow-words shimmer' : 'workflow-words'} dir="auto">
          {summary}
        </span>
        <span class="chevron">
          <Icon of={ChevronRight} size={15} />
        </span>
      </button>
      <ol id={panel} class="tasks" hidden={!isOpen}>
        {isOpen &&
          workflow.tasks.map((task, index) => (
            <li key={index}>
              <TaskView task={task} live={isLive} />
            </li>
          ))}
      </ol>
    </section>
  );
}

function SummaryIcon({ workflow, isLive }: { readonly workflow: Workflow; readonly isLive: boolean }): JSX.Element {
  const { summary, type } = workflow;
  const icon = summary && 'title' in summary ? (summary.icon ?? '') : '';
  if (icon !== '') return <Icon of={icon} size={16} />;
  if (type === 'reasoning') return <Icon of={Brain} size={16} />;
  return (
    <span class={isLive ? 'spinner' : 'spinner still'}>
      <Icon of={isLive ? LoaderCircle : CircleCheck} size={16} />
    </span>
  );
}

/** The one line of a workflow: its summary, or what it does now. */
export function summaryOf(workflow: Workflow, isLive: boolean, t: ReturnType<typeof useUi>['t'], locale: string): string {
  const { summary, tasks, type } = workflow;
  if (summary && 'title' in summary) return summary.title;
  if (summary && 'duration' in summary) return t('workflow.thought', { duration: formatDuration(summary.duration, locale) });
  const current = tasks.findLast(({ status_indicator: status }) => status === 'loading') ?? tasks.at(-1);
  const title = current === undefined ? '' : taskTitle(current, t);
  if (isLive && title !== '') return title;
  if (isLive) return t(type === 'reasoning' ? 'workflow.thinking' : 'workflow.working');
  return type === 'reasoning' ? t('workflow.thoughts') : title !== '' && tasks.length === 1 ? title : t('workflow.steps', { count: tasks.length });
}
