// Workflows and tasks (I07, I08, T1–T5, U08, U09): what the assistant does, as it happens and afterwards.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answered } from './harness.mjs';
import { seriousFindings } from './axe.mjs';
import { gate, stage } from './scene.mjs';

let theatre;
before(async () => (theatre = await stage()));
after(() => theatre.close());

const update = (item, value) => ({ type: 'thread.item.updated', item_id: item.id, update: value });

test('I07 U08 U09 a call of a tool: a spinner while it runs, then a check, and its result unfolds', async () => {
  const [called, done] = [gate(), gate()];
  await theatre.scene(
    async ({ send, base, say, keep }) => {
      const item = { type: 'workflow', ...base('wf'), workflow: { type: 'custom', tasks: [], expanded: false } };
      send({ type: 'thread.item.added', item });
      const task = { type: 'custom', status_indicator: 'loading', title: 'lookup_order', content: '```json\n{"order":"A-1"}\n```' };
      send(update(item, { type: 'workflow.task.added', task_index: 0, task }));
      await called.opened;
      const complete = { ...task, status_indicator: 'complete', content: `${task.content}\n\n\`\`\`json\n${JSON.stringify({ rows: Array.from({ length: 60 }, (_, row) => ({ row })) }, null, 1)}\n\`\`\`` };
      send(update(item, { type: 'workflow.task.updated', task_index: 0, task: complete }));
      await done.opened;
      send({ type: 'thread.item.done', item: keep({ ...item, workflow: { ...item.workflow, tasks: [complete], summary: { title: 'Used lookup_order', icon: 'search' } } }) });
      await say('It is on its way.');
    },
    async (page) => {
      const summary = page.getByRole('button', { name: 'lookup_order' });
      await summary.waitFor();
      assert.equal(await summary.getAttribute('aria-expanded'), 'false');
      assert.equal(await page.locator('.workflow-summary .spinner:not(.still)').count(), 1);
      await page.getByText('lookup_order').first().waitFor();
      await page.waitForFunction(() => window.chat.shadowRoot.querySelector('[aria-live=polite]').textContent === 'lookup_order');
      await summary.click();
      const task = page.locator('.task');
      assert.match(await task.getAttribute('class'), /loading/);
      await task.getByText('In progress').waitFor({ state: 'attached' });
      await task.getByText('"A-1"').waitFor();
      called.open();
      await page.locator('.task.complete').waitFor();
      // A long result scrolls in its box, by keyboard too.
      const box = page.locator('.bounded');
      await page.locator('.bounded.overflows').waitFor();
      assert.ok((await box.boundingBox()).height <= 340);
      assert.equal(await box.getAttribute('tabindex'), '0');
      done.open();
      await answered(page);
      const after = page.getByRole('button', { name: 'Used lookup_order' });
      assert.equal(await after.getAttribute('aria-expanded'), 'true', 'what the person unfolded stays unfolded');
      assert.deepEqual(await seriousFindings(page, 'workflow'), []);
      await after.click();
      assert.equal(await page.locator('.task').count(), 0);
    },
  );
});

test('I07 T3 thoughts are open while they come and one line afterwards, which says how long', async () => {
  const over = gate();
  await theatre.scene(
    async ({ send, base, say, keep }) => {
      const item = { type: 'workflow', ...base('wf'), workflow: { type: 'reasoning', tasks: [{ type: 'thought', status_indicator: 'loading', title: 'Comparing trains', content: 'The **night** train' }], expanded: true } };
      send({ type: 'thread.item.added', item });
      const task = { ...item.workflow.tasks[0], content: 'The **night** train is slower, but cheaper.' };
      send(update(item, { type: 'workflow.task.updated', task_index: 0, task }));
      await over.opened;
      send({ type: 'thread.item.done', item: keep({ ...item, workflow: { ...item.workflow, tasks: [{ ...task, status_indicator: 'complete' }], summary: { duration: 72 } } }) });
      await say('Take the night train.');
    },
    async (page) => {
      await page.getByText('is slower, but cheaper.').waitFor();
      await page.getByRole('button', { name: 'Comparing trains', expanded: true }).waitFor();
      over.open();
      await page.getByRole('button', { name: /^Thought for 1 minute,? 12 seconds$/, expanded: false }).waitFor();
      await answered(page);
      assert.equal(await page.locator('.task').count(), 0);
    },
  );
});

test('I08 T1 T2 T4 T5 every kind of step, alone and in a list, in both schemes', async () => {
  const sources = [{ type: 'url', title: 'Night trains of Europe and where they go', url: 'https://example.com/a', attribution: 'Example' }, { type: 'url', title: 'Prices', url: 'javascript:alert(1)' }];
  for (const scheme of ['light', 'dark']) {
    await theatre.scene(
      async ({ send, base, say, keep }) => {
        send({ type: 'thread.item.done', item: keep({ type: 'task', ...base('tsk'), task: { type: 'web_search', status_indicator: 'complete', title_query: 'night trains', queries: ['night trains to Lisbon', 'sleeper prices'], sources } }) });
        const tasks = [
          { type: 'file', status_indicator: 'complete', title: 'Read the itinerary', sources: [{ type: 'file', title: 'Itinerary', filename: 'itinerary.pdf' }] },
          { type: 'image', status_indicator: 'complete' },
          { type: 'custom', status_indicator: 'none', icon: 'suitcase', title: 'Packed', content: 'Two **bags**.' },
          { type: 'custom', status_indicator: 'loading', title: 'Never finished' },
          { type: 'hologram', title: 'Of the future' },
        ];
        send({ type: 'thread.item.done', item: keep({ type: 'workflow', ...base('wf'), workflow: { type: 'custom', tasks, expanded: true } }) });
        await say('Done.');
      },
      async (page) => {
        await answered(page);
        await page.locator('.tasks.alone').getByText('Searched for “night trains”').waitFor();
        assert.equal(await page.locator('.tasks.alone .queries li').count(), 2);
        assert.deepEqual(await page.locator('a.source').evaluateAll((all) => all.map((node) => node.getAttribute('href'))), ['https://example.com/a']);
        await page.getByRole('button', { name: 'Steps taken: 5', expanded: true }).waitFor();
        for (const words of ['Read the itinerary', 'Itinerary', 'Worked on an image', 'Packed', 'bags', 'Of the future']) await page.locator('.workflow').getByText(words, { exact: true }).waitFor();
        assert.equal(await page.locator('.task.loading').count(), 0, 'nothing spins after the answer');
        assert.deepEqual(await seriousFindings(page, scheme), []);
        if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/steps-${scheme}.png` });
      },
      { scheme, width: scheme === 'dark' ? 390 : 1280 },
    );
  }
});
