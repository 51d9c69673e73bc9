// The stories of the table in docs/editors: node story.js NAME runs one, with the real
// extension, the real `jobline view` and its server, and the fake of VS Code.
import * as assert from 'node:assert/strict';
import { execFileSync, fork, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type * as vscode from 'vscode';
import { activate, deactivate } from '../../../../docs/editors/vscode/src/extension';
import { person, Terminal } from './fake';

const patience = 50_000; // milliseconds of one wait
const longest = 100_000; // milliseconds of a story; the test gives it more
const home = process.env['HOME']!;
const manifest = process.env['MANIFEST']!;

const openWindow = (): void => activate({ subscriptions: [] } as unknown as vscode.ExtensionContext);
const jobline = (...args: string[]): string => execFileSync('jobline', args, { encoding: 'utf8', cwd: home, stdio: 'pipe', timeout: patience });

/** What a person sees. */
const seen = (): string => `messages: ${JSON.stringify(person.messages)}; terminals: ${JSON.stringify(person.terminals.map(({ text, code }) => [text.slice(-300), code]))}; status: ${JSON.stringify(person.status)}`;

/** Waits until something is so; what is said where it never is. */
async function until<T>(what: string, look: () => T | Promise<T>, every = 10): Promise<NonNullable<T>> {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, every))) {
    const found = await look();
    if (found) return found;
  }
  return assert.fail(`waited in vain: ${what}; ${seen()}`);
}

async function run(line: string): Promise<Terminal> {
  person.types.push(line);
  await person.run('jobline.run');
  return person.terminals.at(-1)!;
}

/** Runs a task of tasks.json. */
async function runTask(definition: vscode.TaskDefinition): Promise<Terminal> {
  const task = await person.provider!.resolveTask({ definition, name: 'a task', scope: 2 } as never, {} as never);
  const { callback } = (task as unknown as { execution: { callback(definition: unknown): Promise<vscode.Pseudoterminal> } }).execution;
  return new Terminal('a task', await callback(definition));
}

/** Lets a task go on that reads from a pipe. */
const openGate = (name: string): void => writeFileSync(`${home}/${name}`, '\n');

const shows = (terminal: Terminal, text: string | RegExp): Promise<unknown> => until(`the terminal shows ${text}`, () => (typeof text === 'string' ? terminal.text.includes(text) : text.test(terminal.text)));
const pick = (label: string) => (items: { label: string }[]) => items.find((item) => item.label.includes(label)) as never;

/** The tasks of windows that the program remembers. */
function kept(): string[] {
  const folder = process.env['XDG_STATE_HOME']!;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.includes('/viewers/'));
  return files.flatMap((file) => readFileSync(`${folder}/${file}`, 'utf8').split('\n')).filter(Boolean);
}

/** The list, as words. */
async function rows(): Promise<string[]> {
  const items = await Promise.all((await person.tree!.getChildren() ?? []).map((row) => person.tree!.getTreeItem(row)));
  return items.map((item) => `${(item.iconPath as { id: string } | undefined)?.id} ${String(item.label)} ${String(item.description)} ${item.contextValue}`);
}

const stories: Record<string, () => Promise<void>> = {
  async start() {
    openWindow();
    const terminal = await run('echo "$PWD $MARK $MY_TOKEN"');
    await shows(terminal, `${person.folder} m secret\r\n`);
    await until('the terminal ends', () => terminal.code === 0);
    const failed = await run('exit 3');
    await until('the terminal ends', () => failed.code === 3);
    assert.match(failed.text, /\[failed exit 3 after [\d.]+m?s: sh exited with code 3\]/);
    const status = jobline('status', '--json', '--input', '@last');
    assert.match(status, /"MY_TOKEN":"•••"/);
    assert.match(status, /"owner":"vscode"/);
    const definition = { type: 'jobline', taskType: 'sleep', input: { durationMs: 1 } };
    const nap = await runTask(definition);
    await shows(nap, '[completed after');
  },

  async choose() {
    openWindow();
    const said: (string | undefined)[] = [];
    person.picks.push(pick('sleep'), pick('Submit'), (items, options) => { said.push(options?.placeHolder); return pick('durationMs')(items); }, pick('Submit'));
    person.types.push('1x', '-5', '20');
    await person.run('jobline.submit');
    assert.match(person.complaints[0]!, /this is not yet JSON of type integer/);
    assert.match(said[0]!, /at \/durationMs: .*-5/);
    await shows(person.terminals.at(-1)!, '[completed after');

    person.types.push('["echo", "once"]');
    person.picks.push(pick('exec'), pick('[stderr]'), pick('ordered'), pick('Edit as JSON'));
    await person.run('jobline.submit');
    const draft = person.editor!.text;
    assert.match(draft, /"\$schema": "jobline-schema:\/exec.json",\n  "argv": \[/);
    assert.match(draft, /"stderr": "ordered"/);
    const schema = await person.contents.get('jobline-schema')!.provideTextDocumentContent({ path: '/exec.json' } as vscode.Uri, {} as vscode.CancellationToken);
    assert.equal((JSON.parse(String(schema)) as { properties: { argv: { type: string } } }).properties.argv.type, 'array');
    person.editor!.text = draft.slice(0, -4);
    await person.run('jobline.submit');
    assert.match(person.messages.at(-1)!, /^Jobline: the input of exec is not yet JSON: /);
    person.editor!.text = draft;
    await person.run('jobline.submit');
    await shows(person.terminals.at(-1)!, /once\r\n[^]*\[completed after/);
    person.editor = undefined;

    person.picks.push(pick('echo once'));
    await person.run('jobline.submit');
    assert.equal(person.terminals.length, 3);
    await shows(person.terminals[2]!, /once\r\n[^]*\[completed after/);
  },

  async output() {
    openWindow();
    const terminal = await run(String.raw`printf '\033[31mred\033[0m \033]0;title\007\033[2Jéa\r\033[Kb\n\377'; echo err >&2; echo out; read x < gate`.replace('read', `mkfifo gate; read`));
    await shows(terminal, /out\r\n/);
    assert.ok(terminal.text.endsWith('\x1b[31mred\x1b[0m éa\r\x1b[Kb\r\n\ufffderr\r\nout\r\n'), JSON.stringify(terminal.text));
    openGate('gate');
    await shows(terminal, '[completed after');

    // A task of another client, whose streams are apart, and that began before.
    const id = jobline('submit', '--', 'sh', '-c', 'for i in 1 2 3; do echo out$i; sleep 0.02; echo err$i >&2; sleep 0.02; done; mkfifo two; read x < two; echo last').trim();
    await until('it waits', () => jobline('status', '--json', id).includes('"stderr":15'));
    await person.run('jobline.logs', { id });
    const other = person.terminals.at(-1)!;
    await shows(other, 'err3');
    openGate('two');
    await shows(other, '[completed after');
    assert.match(other.text, /^out1\r\nerr1\r\nout2\r\nerr2\r\nout3\r\nerr3\r\nlast\r\n.*\[completed/);

    // The tail of a long output, and then all that is kept of it.
    const long = jobline('submit', '--', 'sh', '-c', 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); echo line $i; done').trim();
    jobline('wait', long);
    await person.run('jobline.logs', { id: long });
    await shows(person.terminals.at(-1)!, '[completed after');
    assert.match(person.terminals.at(-1)!.text, /line 300000\r\n.*\[completed/);
    await person.run('jobline.whole', { id: long });
    assert.match(person.editor!.text, /^\[\d+ bytes before this are not shown\]\n[^]*\nline 300000\n$/);
  },

  async errors() {
    openWindow();
    const terminal = await run(String.raw`printf 'In file x\n\033[1msrc/a.c:12:7: \033[31merror: \033[0mno such thing\nb_test.go:3: got 1\n./c.rs:4:5: warning: odd\nat 10:20: noon\n'`);
    await shows(terminal, '[completed after');
    assert.deepEqual(person.matchers, ['$jobline']);
    const { contributes } = JSON.parse(readFileSync(manifest, 'utf8')) as { contributes: { problemMatchers: { pattern: { regexp: string; file: number; line: number; column: number; severity: number; message: number } }[] } };
    const { regexp, file, line, column, severity, message } = contributes.problemMatchers[0]!.pattern;
    const lines = terminal.text.replace(/\x1b\[[0-9;]*m/g, '').split('\r\n'); // VS Code matches the text without its colours
    const found = lines.map((text) => new RegExp(regexp).exec(text)).filter((match) => match !== null);
    assert.deepEqual(found.map((match) => [match[file], match[line], match[column], match[severity], match[message]]), [
      ['src/a.c', '12', '7', 'error', 'no such thing'], ['b_test.go', '3', undefined, undefined, 'got 1'], ['./c.rs', '4', '5', 'warning', 'odd'],
    ]);
  },

  async progress() {
    openWindow();
    await runTask({ type: 'jobline', taskType: 'sleep', input: { durationMs: 60_000, progressEveryMs: 100 } });
    const progress = await until('the progress', () => person.progress[0]);
    assert.equal(progress.title, 'sleep {"durationMs":60000,"progressEveryMs":100}');
    await until('it is reported', () => progress.messages.some((message) => /^\d+\/60000 ms/.test(message)));
    progress.cancel();
    await until('the end', () => progress.over);
    assert.match(jobline('status', '@last'), /cancelled in VS Code/);
    // Ctrl-C in the terminal cancels, too.
    const terminal = await run('sleep 600');
    await until('it runs', () => jobline('status', '@last').includes('running'));
    terminal.type('\x03');
    await shows(terminal, /\[cancelled after/);
    assert.equal(terminal.code, 1);
  },

  async list() {
    openWindow();
    person.showTree(true);
    await until('an empty list', async () => (await rows()).length === 0 && person.status.text === '$(checklist) jobline');
    const id = jobline('submit', '--', 'sh', '-c', 'exec sleep 600').trim();
    const running = await until('the task that runs', async () => (await rows()).find((row) => row.startsWith('sync~spin exec sleep 600 ')));
    assert.match(running, / running [\d.]+m?s open$/);
    await until('the status', () => person.status.text === '$(sync~spin) jobline 1');
    const row = (await person.tree!.getChildren())![0];
    await person.run('jobline.logs', row);
    await person.run('jobline.cancel', row);
    await until('its end', async () => (await rows())[0]?.match(/^circle-slash exec sleep 600 cancelled .*ended$/));
    // What is queued makes no event: the list finds it all the same.
    for (let i = 0; i < 3; i++) jobline('submit', '--', 'sleep', '600');
    let changes = person.treeChanges;
    await until('the list is read again', () => person.treeChanges > changes + 1);
    await until('one is queued', async () => (await rows()).some((one) => /^clock sleep 600 queued .*open$/.test(one)));
    person.showTree(false);
    changes = person.treeChanges;
    await person.run('jobline.again', { id });
    await until('it was submitted again', async () => (await rows()).filter((one) => one.includes('exec sleep 600')).length === 2);
    assert.ok(person.treeChanges - changes <= 1, 'a list that is not seen is not read');
    await person.run('jobline.top');
    assert.deepEqual(person.terminals.at(-1)!.options!.shellArgs, ['top']);
  },

  async notice() {
    openWindow();
    person.clicks.push('Show Output');
    person.looksAt = undefined;
    await run('echo hidden; sleep 0.3');
    await until('a notice', () => person.messages.some((message) => /^echo hidden; sleep 0.3: completed after /.test(message)));
    await until('its output', () => person.terminals.length === 2);
    person.messages.length = 0;
    person.looksAt = await run('echo seen; sleep 0.3');
    await until('the end', () => person.looksAt!.code === 0);
    person.focused = false;
    person.looksAt = await run('exit 4');
    await until('a notice', () => person.messages.some((message) => message.startsWith('exit 4: failed exit')));
    assert.equal(person.messages.length, 1, person.messages.join('\n'));
    // Another terminal is in front, whose name has that of the task in it.
    person.focused = true;
    person.messages.length = 0;
    await run('exit 5');
    await until('a notice', () => person.messages.some((message) => message.startsWith('exit 5: failed exit')));
    person.looksAt = new Terminal('Task - exit 6 (folder)', undefined);
    const folder = await run('exit 6');
    await until('the end', () => folder.code === 6);
    person.looksAt = new Terminal('sleep 0; exit 7', undefined);
    await run('exit 7');
    await until('a notice', () => person.messages.some((message) => message.startsWith('exit 7: failed exit')));
    assert.equal(person.messages.length, 2, person.messages.join('\n'));
  },

  async again() {
    openWindow();
    const good = await run('mkfifo one; read x < one'), bad = await run('mkfifo two; read x < two; exit 5');
    await until('both run', () => existsSync(home + '/one') && existsSync(home + '/two') && kept().length === 2);
    await deactivate();
    good.dispose();
    bad.dispose();
    openGate('one');
    openGate('two');
    spawnSync('jobline', ['wait', 'owner=vscode'], { cwd: home, timeout: patience });
    openWindow();
    await until('what happened', () => person.messages.length > 0);
    assert.deepEqual(person.messages, ['Finished while you were away: 1 completed, 1 failed']);

    // The server is killed while an output is open. It goes on with the next one.
    const terminal = await run('echo before; sleep 600');
    await shows(terminal, 'before');
    const { pid } = JSON.parse(jobline('stats', '--json')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    await until('it is told', () => person.status.text === '$(warning) jobline');
    assert.match(String(person.status.tooltip), /has ended|was killed/);
    await shows(terminal, /before\r\n[^]*\[failed.*the executor ended/);
    await until('it is well again', () => person.status.text.includes('jobline') && !person.status.text.includes('warning'));
    const last = jobline('status', '--json', '@last');
    await person.run('jobline.again', JSON.parse(last));
    await shows(person.terminals.at(-1)!, 'before');

    // A store that knows nothing of it.
    await deactivate();
    jobline('shutdown', '--mode', 'cancel');
    rmSync(home + '/jobline', { recursive: true });
    openWindow();
    await shows(await run('echo new'), /new\r\n[^]*\[completed/);

    // A server that was told to shut down stays so, until a command.
    person.showTree(true);
    await new Promise((resolve) => setImmediate(resolve)); // the program is told so
    const said = person.messages.length;
    jobline('shutdown', '--mode', 'cancel');
    await until('it is told', () => String(person.status.tooltip).endsWith('; the next command starts another'));
    await new Promise((resolve) => setTimeout(resolve, 3500)); // two attempts to connect
    assert.match(spawnSync('jobline', ['list', '--no-start'], { encoding: 'utf8' }).stderr, /nobody listens/);
    assert.match(String(person.status.tooltip), /; the next command starts another$/);
    assert.equal(person.messages.length, said);
    await shows(await run('echo back'), /back\r\n[^]*\[completed/);
    await until('no task is left', () => kept().length === 0);
  },

  async windows() {
    openWindow();
    person.showTree(true);
    await until('an empty list', async () => (await rows()).length === 0);
    const other = fork(__filename, ['second'], { stdio: 'inherit' });
    const exit = new Promise((resolve) => other.on('exit', resolve));
    const row = await until('the task of the other window', async () => (await person.tree!.getChildren())!.find((one) => (one as { state: string }).state === 'running'));
    await person.run('jobline.logs', row);
    await shows(person.terminals[0]!, 'of the second');
    await person.run('jobline.cancel', row);
    await shows(person.terminals[0]!, '[cancelled after');
    assert.equal(await exit, 0);
    assert.deepEqual(person.messages, [], 'a window has notices of its own tasks');
  },

  async second() {
    openWindow();
    const terminal = await run('echo of the second; exec sleep 600');
    await shows(terminal, '[cancelled after');
    await until('a notice', () => person.messages.some((message) => message.includes('cancelled in VS Code')));
  },

  async trouble() {
    const program = (text: string): string => {
      const file = `${home}/program-${Math.random()}`;
      writeFileSync(file, '#!/bin/sh\n' + text, { mode: 0o700 });
      return file;
    };
    const meets = async (path: string, words: RegExp): Promise<void> => {
      person.settings['jobline.path'] = path;
      openWindow();
      await person.run('jobline.logs');
      assert.match(person.messages.at(-1)!, words);
      const terminal = await run('true');
      await shows(terminal, new RegExp(words.source.replace('^Jobline: ', '')));
      await person.run('jobline.doctor');
      assert.match(person.channel, /^fail  connection: /);
      await deactivate();
    };
    await meets('no-such-jobline', /^Jobline: there is no no-such-jobline: install jobline, or set jobline.path/);
    await meets(program('echo "Error: unknown command \\"view\\"" >&2; exit 2'), /^Jobline: this jobline is too old .*: install a newer one/);
    await meets(program('echo "jobline: the server is of another user: x; y" >&2; exit 1'), /^Jobline: the server is of another user: x; y/);
    await meets(program('echo Welcome to the other jobline; cat > /dev/null'), /^Jobline: the program writes what is no message of jobline \("Welcome to the other jobline"\): set jobline.path/);

    person.settings['jobline.path'] = undefined;
    openWindow();
    const gone = await runTask({ type: 'jobline', taskType: 'slep', input: {} });
    await shows(gone, /slep.*sleep/);
    assert.equal(gone.code, 1);
    await shows(await runTask({ type: 'jobline', taskType: 'sleep', input: { durationMs: 'x' } }), 'at /durationMs: got ');
    await person.run('jobline.logs', { id: '018f0000-0000-4000-8000-00000000000a' });
    await shows(person.terminals.at(-1)!, /\[there is no task/);
    await person.run('jobline.cancel');
    assert.equal(person.messages.at(-1), 'Jobline: there is no task to cancel');
    await person.run('jobline.doctor');
    assert.match(person.channel, /^ok    connection\nok    VS Code 1\.90\.0, jobline\nok    program/);
    assert.ok(!person.messages.some((message) => /\bat .*\.js:\d|TypeError|undefined/.test(message)), person.messages.join('\n'));
  },

  async bounded() {
    const tasks = 50, seconds = 3;
    process.env['JOBLINE_LIMIT'] = String(tasks); // of the server that the window starts
    process.env['JOBLINE_MAX_OUTPUT'] = '128MiB'; // so that no output goes, and all of it is read from the store
    openWindow();
    await run('true');
    const writer = `$| = 1; for (1..${seconds * 20}) { print map "line $_ of a task that writes a thousand lines in a second\\n", 1..50; select undef, undef, undef, 0.05 }`;
    const ids = Array.from({ length: tasks }, () => jobline('submit', '--', 'perl', '-e', writer).trim());
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    for (const id of ids) await person.run('jobline.logs', { id });
    console.log(`longest pause while their ${tasks} terminals open: ${(delay.max / 1e6).toFixed(1)} ms`);
    delay.reset();
    const followed = person.terminals.slice(1);
    await until('all ends', () => followed.every(({ end }) => end.includes('[completed after ')), 200);
    delay.disable();
    console.log(`longest pause with ${tasks} tasks of 1,000 lines a second: ${(delay.max / 1e6).toFixed(1)} ms, 99% below ${(delay.percentile(99) / 1e6).toFixed(1)} ms`);
    for (const terminal of followed) {
      assert.equal(terminal.text.split('line 50 of').length - 1, seconds * 20, 'every line came once');
    }

    const fast = await run(`yes ${'x'.repeat(98)} | head -c 100000000`);
    await shows(fast, '[completed after');
    assert.ok(fast.longest < 300_000, `${fast.longest} characters were written at once`);
    const begin = performance.now();
    await person.run('jobline.logs', { id: jobline('status', '--json', '@last').match(/"id":"([^"]+)"/)![1] });
    await until('the tail', () => person.terminals.at(-1)!.text.includes('xxx'));
    console.log(`the tail of 100 MB is shown after ${(performance.now() - begin).toFixed(0)} ms`);
  },
};

async function main(name: string): Promise<void> {
  setTimeout(() => { console.error(`the story has not ended; ${seen()}`); process.exit(2); }, longest).unref();
  person.folder = home;
  person.settings['jobline.problemMatchers'] = ['$jobline'];
  process.env['MARK'] = 'm';
  process.env['MY_TOKEN'] = 'secret';
  await stories[name]!();
  await deactivate();
}

main(process.argv[2]!).then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
