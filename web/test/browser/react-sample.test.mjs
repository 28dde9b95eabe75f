// An app in the shape of OpenAI's advanced samples (a desk of customer support, a guide to a newspaper), with the official
// React bindings: what it gives to `useChatKit`, and what it is told, in one conversation.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { answered, launch } from './harness.mjs';
import { asked } from './scene.mjs';
import { startServer } from './server.mjs';

const APP = `
import React, { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { ChatKit, useChatKit } from '@openai/chatkit-react';
window.log = []; window.events = [];
const ARTICLE = { id: 'article_7', title: 'Trains to Lisbon', group: 'Articles', icon: 'document', interactive: true, data: { article_id: '7' } };
function App() {
  const [scheme, setScheme] = useState('light');
  const [customer, setCustomer] = useState('no customer');
  const chat = useChatKit({
    api: { url: '/chatkit', domainKey: 'local-dev' },
    theme: { colorScheme: scheme, color: { grayscale: { hue: 220, tint: 6, shade: -4 }, accent: { primary: '#ff5f42', level: 1 } }, radius: 'round' },
    startScreen: { greeting: 'What is new?', prompts: [{ label: 'The front page', prompt: 'play front page', icon: 'sparkle' }] },
    composer: { placeholder: 'Ask the paper', tools: [{ id: 'event_finder', label: 'Event finder', icon: 'calendar', placeholderOverride: 'Which events?' }] },
    entities: {
      onTagSearch: async (query) => { window.log.push(['search', query]); return [ARTICLE]; },
      onRequestPreview: async (entity) => ({ preview: { type: 'Card', children: [{ type: 'Text', value: 'By the desk of ' + entity.data.article_id }] } }),
      onClick: (entity) => window.log.push(['open', entity.data.article_id]),
    },
    widgets: { onAction: async (action, item) => { window.log.push(['action', action.type, action.payload.id]); await chat.sendCustomAction({ type: 'article.read', payload: action.payload }, item.id); } },
    threadItemActions: { feedback: true },
    onClientTool: async ({ name, params }) => { if (name !== 'switch_theme') return { success: false }; setScheme(params.theme); return { success: true }; },
    onEffect: ({ name, data }) => { if (name === 'customer/refresh') setCustomer(data.name); },
    onThreadChange: ({ threadId }) => window.log.push(['thread', threadId !== null]),
    onResponseEnd: () => window.events.push(['response.end']),
    onError: ({ error }) => window.log.push(['error', error.message]),
  });
  return <><aside>{customer}</aside><ChatKit control={chat.control} id="chat" style={{ height: 600 }} /></>;
}
createRoot(document.getElementById('root')).render(<React.StrictMode><App /></React.StrictMode>);
`;

let server;
let browser;
before(async () => {
  [server, browser] = [await startServer({ slow: 0 }), await launch()];
  const { outputFiles } = await build({ stdin: { contents: APP, loader: 'jsx', resolveDir: import.meta.dirname }, bundle: true, write: false, format: 'iife', define: { 'process.env.NODE_ENV': '"production"' }, logLevel: 'error' });
  server.state.scripts.set('/sample.js', outputFiles[0].text);
  server.state.pages.set('/sample', { html: '<!doctype html><html lang="en"><meta charset="utf-8"><title>The paper</title><div id="root"></div><script src="/chatkit.js"></script><script src="/sample.js"></script>' });
  server.state.play = async ({ send, say, base, keep, call }) => {
    if (call.type === 'threads.custom_action') return say(`Read: ${call.params.action.payload.id}`);
    const words = call.params.input.content.map(({ text = '' }) => text).join('');
    if (words.includes('dark')) return send({ type: 'thread.item.done', item: keep({ type: 'client_tool_call', ...base('tc'), status: 'pending', call_id: 'c1', name: 'switch_theme', arguments: { theme: 'dark' } }) });
    if (words.includes('front page')) {
      send({ type: 'progress_update', text: 'Turning pages' });
      send({ type: 'client_effect', name: 'customer/refresh', data: { name: 'Elena' } });
      send({ type: 'thread.item.done', item: keep({ type: 'widget', ...base('wgt'), widget: { type: 'ListView', children: [{ type: 'ListViewItem', key: '7', onClickAction: { type: 'open_article', payload: { id: '7' }, handler: 'client' }, children: [{ type: 'Text', value: 'Trains to Lisbon' }] }] } }) });
    }
    return say('Here it is.');
  };
});
after(async () => {
  await browser.close();
  await server.close();
});

test('a prompt, an effect, a row of a widget, a client tool, an article as a tag and a tool, in one conversation', async () => {
  const page = await browser.newPage({ viewport: { width: 800, height: 640 } });
  page.setDefaultTimeout(10_000);
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  const log = () => page.evaluate(() => window.log);
  await page.goto(`${server.origin}/sample`);
  await page.getByRole('heading', { name: 'What is new?' }).waitFor();

  await page.getByRole('button', { name: 'The front page' }).click();
  await answered(page);
  await page.locator('aside', { hasText: 'Elena' }).waitFor();
  await page.getByRole('button', { name: 'Trains to Lisbon' }).click();
  await page.getByText('Read: 7').waitFor();
  assert.deepEqual(asked(server, 'threads.custom_action').map(({ action, item_id: item }) => [action.type, action.payload.id, item.startsWith('wgt')]), [['article.read', '7', true]]);
  await answered(page, 2);

  // The page draws itself anew for the tool's answer; the conversation stays.
  const field = page.getByRole('textbox');
  await field.fill('play dark, please');
  await page.keyboard.press('Enter');
  await page.getByText('The page answered: {"success":true}').waitFor();
  await page.locator('.app[data-scheme=dark]').waitFor();
  await page.getByText('Read: 7').waitFor();

  await page.getByRole('button', { name: 'Tools' }).click();
  await page.getByRole('option', { name: 'Event finder' }).click();
  await page.getByPlaceholder('Which events?').pressSequentially('play about @Tra');
  await page.getByRole('option', { name: 'Trains to Lisbon' }).click();
  await field.press('End');
  await page.keyboard.press('Enter');
  await page.getByText('Here it is.').nth(1).waitFor();
  const { content, inference_options: inference } = asked(server, 'threads.add_user_message').at(-1).input;
  assert.deepEqual(content.map(({ type }) => type), ['input_text', 'input_tag']);
  assert.deepEqual([content[1].id, content[1].data, inference], ['article_7', { article_id: '7' }, { tool_choice: { id: 'event_finder' } }]);
  const tag = page.locator('.user-message').last().getByRole('button', { name: /Trains to Lisbon/ });
  await tag.hover();
  await page.getByText('By the desk of 7').waitFor();
  await tag.click();
  await page.waitForFunction(() => window.log.some(([name]) => name === 'open'));

  const seen = await log();
  assert.deepEqual(seen.filter(([name]) => ['action', 'open', 'error', 'thread'].includes(name)), [['thread', true], ['action', 'open_article', '7'], ['open', '7']]);
  assert.ok(seen.some(([name, query]) => name === 'search' && query === 'Tra'));
  assert.deepEqual(errors, []);
  await page.close();
});
