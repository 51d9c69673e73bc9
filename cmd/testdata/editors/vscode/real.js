// Uses the extension in a real VS Code as a person does: node real.js ADDRESS SCREENSHOT.
'use strict';
const assert = require('node:assert/strict');
const { existsSync } = require('node:fs');
const { chromium } = require('playwright-core');

const [address, screenshot] = process.argv.slice(2);
// The file that Debian's chromium is a script for, or the program of that name.
const program = [process.env.CHROMIUM, '/usr/lib/chromium/chromium', '/usr/bin/chromium'].find((path) => path && existsSync(path));

let page; // of the window

async function main() {
  const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox'] });
  page = await browser.newPage({ viewport: { width: 1000, height: 640 } });
  page.setDefaultTimeout(30_000);
  const see = (selector, hasText) => page.locator(selector, { hasText }).first().waitFor();
  const input = page.locator('.quick-input-widget input[type=text]');
  const open = async () => {
    for (let tries = 0; await page.goto(address).catch(() => true) === true && tries < 50; tries++) await page.waitForTimeout(200);
    await page.locator('.monaco-workbench .statusbar-item').first().waitFor({ timeout: 60_000 });
    await page.waitForTimeout(10_000); // until its extensions are there, too
  };
  const choose = async (text) => {
    await input.fill(text);
    await page.waitForTimeout(500);
    await page.locator('.quick-input-list .monaco-list-row', { hasText: text.replace(/^>/, '') }).first().waitFor();
    await page.keyboard.press('Enter');
    await page.waitForTimeout(500);
  };
  const command = async (name) => {
    await page.keyboard.press('F1');
    await input.waitFor();
    await choose('>' + name);
  };
  const run = async (line) => {
    await command('Jobline: Run a Command in the Background');
    await see('.quick-input-title', 'Run in the Background');
    await page.keyboard.type(line);
    await page.keyboard.press('Enter');
  };
  const done = (what) => console.log('ok', what);

  await open();
  await run(`printf 'src/a.c:2:10: \\033[31merror:\\033[0m x undeclared\\n'; exit 1`);
  await see('.xterm-rows', '[failed exit');
  await see('.xterm-rows .xterm-fg-1', 'error:');
  done('output in colours');
  await command('Problems: Focus on Problems View');
  await see('.markers-panel', 'x undeclared');
  done('a problem from the matcher');

  await run('for i in 1 2 3; do echo step $i; done; exec sleep 600');
  await command('View: Show Jobline');
  await see('.pane-body .monaco-list-row', 'for i in 1 2 3');
  await see('.statusbar-item', 'jobline 1');
  await see('.notification-list-item', 'for i in 1 2 3');
  await see('.xterm-rows', 'step 3');
  await page.screenshot({ path: screenshot });
  done('the list, the status bar and the progress');
  await page.locator('.notification-list-item .monaco-button', { hasText: 'Cancel' }).click();
  await see('.pane-body .monaco-list-row', /for i in 1 2 3.*cancelled/);
  assert.equal(await page.locator('.notification-list-item').count(), 0, 'no notice, since the terminal is looked at');
  done('cancelled by the progress, without a notice');

  await command('Jobline: Submit a Task');
  await see('.quick-input-title', 'Submit a Task');
  await choose('exec');
  await see('.quick-input-title', 'argv');
  await page.keyboard.type('["echo", "hi"]');
  await page.keyboard.press('Enter');
  await see('.quick-input-title', 'Input of exec');
  await choose('Edit as JSON');
  await page.locator('.view-line', { hasText: '$schema' }).click();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.waitForTimeout(1500);
  await page.keyboard.press('Control+Space');
  await see('.suggest-widget .monaco-list-row', 'cleanEnv');
  await page.keyboard.press('Escape');
  await command('Jobline: Submit a Task');
  await see('.xterm-rows', '[completed after');
  done('the input is completed from its schema, and submitted');

  await run('sleep 4; exit 3');
  await see('.xterm-rows', 'Executing task');
  await page.waitForTimeout(1000);
  await page.goto('about:blank');
  await page.waitForTimeout(5000);
  await open();
  await see('.notification-list-item', 'Finished while you were away: 1 failed');
  done('the next window says what happened');
  await browser.close();
}

main().catch(async (error) => {
  console.error(error);
  await page?.screenshot({ path: screenshot });
  process.exit(1);
});
