// The extension: its commands, its tasks, and what it says at the end of a task.
import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import type { State, Task } from '../../../../schema/jobline';
import { askInput, chooseType, drafted, offerSchemas, type Wanted } from './ask';
import { Lost } from './connection';
import { runProgram, settings } from './program';
import { Queue } from './queue';
import { endOf, plain, TaskTerminal } from './terminal';
import { showQueue, TaskList, work } from './views';

const progressAfter = 1000; // milliseconds that a task has before it gets a progress notification
const mostWhole = 10 << 20; // bytes of each stream that an editor shows
const outputScheme = 'jobline-output';

/** A task of tasks.json: a command line, or a task of any type. */
interface Definition extends vscode.TaskDefinition {
  command?: string;
  cwd?: string;
  env?: Record<string, string | null>;
  taskType?: string;
  input?: Record<string, unknown>;
  labels?: Record<string, string>;
}

let queue: Queue | undefined;

export function activate(context: vscode.ExtensionContext): void {
  queue = new Queue(context.workspaceState);
  context.subscriptions.push(...new Jobline(queue).register());
}

export function deactivate(): Promise<void> | undefined { return queue?.shutdown(); }

class Jobline {
  private readonly list: TaskList;
  private readonly terminals = new Map<string, vscode.Terminal>();
  private readonly looked = new Map<string, () => boolean>(); // whether the output of a task of this window is in front
  private readonly named = new Map<string, () => boolean>(); // the newest of these by the name of a task of VS Code
  private channel: vscode.OutputChannel | undefined;

  constructor(private readonly queue: Queue) {
    this.list = new TaskList(queue);
  }

  register(): vscode.Disposable[] {
    const command = (name: string, run: (row?: Task) => unknown): vscode.Disposable =>
      vscode.commands.registerCommand(`jobline.${name}`, async (row?: Task) => {
        this.queue.byUser();
        try {
          await run(row);
        } catch (error) {
          void vscode.window.showErrorMessage(`Jobline: ${(error as Error).message}`);
        }
      });
    return [
      this.queue, showQueue(this.queue, this.list), offerSchemas(this.queue),
      vscode.tasks.registerTaskProvider('jobline', { provideTasks: () => [], resolveTask: (task) => this.resolve(task) }),
      vscode.workspace.registerTextDocumentContentProvider(outputScheme, { provideTextDocumentContent: (uri) => this.whole(uri.path.slice(1)) }),
      this.queue.onEvent((event) => { if (event.method === 'task/finished') void this.notice(event.params); }),
      this.queue.onFinishedAway((tasks) => void this.noticeAway(tasks)),
      vscode.window.onDidCloseTerminal((closed) => this.terminals.forEach((terminal, id) => { if (terminal === closed) this.terminals.delete(id); })),
      command('run', () => this.run()),
      command('submit', () => this.submit()),
      command('again', async (row) => this.again(row ?? await this.pick('run again'))),
      command('cancel', async (row) => {
        const task = row ?? await this.pick('cancel', ['running', 'queued']);
        if (task) await this.queue.call('cancel', { id: task.id, reason: 'cancelled in VS Code' });
      }),
      command('logs', async (row) => this.show(row ?? await this.pick('show'))),
      command('whole', async (row) => {
        const task = row ?? await this.pick('show');
        if (task) await vscode.window.showTextDocument(vscode.Uri.from({ scheme: outputScheme, path: '/' + task.id }));
      }),
      command('refresh', () => this.list.refresh()),
      command('more', () => this.list.more()),
      command('top', () => {
        const { program, args, cwd } = settings();
        vscode.window.createTerminal({ name: 'jobline top', shellPath: program, shellArgs: ['top', ...args], cwd }).show();
      }),
      command('doctor', () => this.doctor()),
    ];
  }

  /** Asks for a command line, and runs it as a task of VS Code, so that problem matchers see its output. */
  private async run(): Promise<void> {
    const line = await vscode.window.showInputBox({ title: 'Run in the Background', prompt: 'a command line for your shell', placeHolder: 'make test', ignoreFocusOut: true });
    if (!line) return;
    const folder = vscode.workspace.getWorkspaceFolder(vscode.window.activeTextEditor?.document.uri ?? vscode.Uri.file('/')) ?? vscode.workspace.workspaceFolders?.[0];
    await vscode.tasks.executeTask(this.task({ type: 'jobline', command: line }, folder ?? vscode.TaskScope.Workspace, line));
  }

  private task(definition: Definition, scope: vscode.WorkspaceFolder | vscode.TaskScope, name: string): vscode.Task {
    const matchers = vscode.workspace.getConfiguration('jobline').get<string[]>('problemMatchers') ?? [];
    const folder = typeof scope === 'object' ? scope.uri.fsPath : settings().cwd ?? homedir();
    const execution = new vscode.CustomExecution((resolved) => Promise.resolve(this.terminal(async () => {
      const wanted = wantedBy(resolved as Definition);
      const looks = (): boolean => this.named.get(name) === looks && isTerminalOf(name, vscode.window.activeTerminal);
      this.named.set(name, looks); // the task before of the same name is looked at no more
      return this.start(wanted, folder, looks);
    }, true)));
    return new vscode.Task(definition, scope, name, 'jobline', execution, matchers);
  }

  private resolve(task: vscode.Task): vscode.Task | undefined {
    const definition = task.definition as Definition;
    if (!definition.command && !definition.taskType) return undefined;
    return this.task(definition, task.scope ?? vscode.TaskScope.Workspace, task.name);
  }

  private terminal(task: () => Promise<string>, ends: boolean): TaskTerminal {
    return new TaskTerminal(this.queue, task, ends);
  }

  /** Submits a task of this window. looks says whether its output is in front. */
  private async start({ type, labels, input }: Wanted, folder = settings().cwd ?? homedir(), looks?: () => boolean): Promise<string> {
    this.queue.byUser(); // a task of tasks.json is no command
    await this.queue.connect();
    const id = randomUUID();
    const whole = type === 'exec' ? { dir: folder, stderr: 'stdout', ...input } : input;
    await this.queue.note(id);
    const over = this.watch(id, work({ type, input: whole }), looks);
    try {
      // The program adds the environment, and writes no secret to a file.
      const stdin = JSON.stringify({ id, type, input: whole, labels: { owner: 'vscode', ...labels } });
      await runProgram(['submit'], { stdin });
    } catch (error) {
      over();
      if (!(error instanceof Lost)) {
        this.queue.mine.delete(id);
        this.looked.delete(id);
      }
      throw error;
    }
    return id;
  }

  /** Shows the progress of a task of this window, and has its end told. The answer ends the progress. */
  private watch(id: string, title: string, looks?: () => boolean): () => void {
    const active = (): boolean => this.terminals.get(id) === vscode.window.activeTerminal;
    this.looked.set(id, looks ?? (() => vscode.window.activeTerminal !== undefined && active()));
    return this.progress(id, title);
  }

  private async submit(): Promise<void> {
    const draft = drafted();
    if (draft) return this.show({ id: await this.start(draft) });
    const chosen = await chooseType(this.queue, this.list);
    if (typeof chosen === 'string') return this.again({ id: chosen });
    let input: Record<string, unknown> | undefined = {}, problem: string | undefined;
    while (chosen && (input = await askInput(chosen, input, problem))) {
      try {
        return await this.show({ id: await this.start({ type: chosen.name, input: { ...input } }) });
      } catch (error) {
        if (error instanceof Lost) throw error;
        problem = (error as Error).message;
      }
    }
  }

  private async again(row: { id: string } | undefined): Promise<void> {
    if (!row) return;
    const id = (await runProgram(['retry', row.id])).trim();
    await this.queue.note(id);
    const task = await this.queue.call('status', { id, includeInput: true });
    const over = this.watch(id, work(task));
    await this.show({ id });
    if (!task.finishedAt) return;
    over(); // its end may have come before it was known
    this.queue.mine.delete(id);
    await this.notice(task);
  }

  /** Shows the output of a task in a terminal, which goes on with what comes. */
  private async show(row: { id: string } | undefined): Promise<void> {
    if (!row) return;
    let terminal = this.terminals.get(row.id);
    if (!terminal) {
      const { type } = await this.queue.call('status', { id: row.id }); // a task that is gone has no terminal
      terminal = vscode.window.createTerminal({ name: await this.list.workOf({ id: row.id, type }), pty: this.terminal(() => Promise.resolve(row.id), false) });
      this.terminals.set(row.id, terminal);
    }
    terminal.show(true);
  }

  private async whole(id: string): Promise<string> {
    return plain(await runProgram(['logs', '--viewer', '--tail-bytes', String(mostWhole), id]));
  }

  private async pick(verb: string, states?: State[]): Promise<Task | undefined> {
    const { tasks } = await this.queue.call('list', { states, limit: 100 });
    const items = await Promise.all(tasks.map(async (task) => ({ label: await this.list.workOf(task), description: task.state, task })));
    if (items.length === 0) throw new Error(`there is no task to ${verb}`);
    return (await vscode.window.showQuickPick(items, { title: `Jobline: a task to ${verb}` }))?.task;
  }

  /** Shows the progress of a task that takes long, with a button that cancels it, until it has ended or the answer is called. */
  private progress(id: string, title: string): () => void {
    let report: vscode.Progress<{ message?: string; increment?: number }> | undefined, shown = 0, finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => { finish = resolve; });
    const later = setTimeout(() => void vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true }, (progress, token) => {
      report = progress;
      token.onCancellationRequested(() => void this.queue.call('cancel', { id, reason: 'cancelled in VS Code' }).catch(() => undefined));
      return finished;
    }), progressAfter);
    const listener = this.queue.onEvent((event) => {
      if (!('id' in event.params) || event.params.id !== id) return;
      if (event.method === 'task/finished') over();
      if (event.method !== 'task/progress' || !report) return;
      const { progress, total, unit, message } = event.params, percent = total ? 100 * progress / total : 0;
      report.report({ message: message ?? `${progress} ${unit ?? ''}`, increment: percent - shown });
      shown = percent;
    });
    const over = (): void => {
      listener.dispose();
      clearTimeout(later);
      finish();
    };
    return over;
  }

  /** Says how a task of this window has ended, unless it is being looked at. */
  private async notice(task: Task): Promise<void> {
    const looks = this.looked.get(task.id);
    if (!looks) return;
    this.looked.delete(task.id);
    const looking = vscode.window.state.focused && looks();
    this.named.forEach((newest, name) => { if (newest === looks) this.named.delete(name); });
    if (looking) return;
    const words = `${await this.list.workOf(task)}: ${endOf(task)}`;
    const say = task.state === 'completed' ? vscode.window.showInformationMessage : vscode.window.showWarningMessage;
    if (await say(words, 'Show Output') === 'Show Output') await vscode.commands.executeCommand('jobline.logs', task);
  }

  private async noticeAway(tasks: Task[]): Promise<void> {
    const ends = (['completed', 'failed', 'cancelled'] as const).map((state) => [tasks.filter((task) => task.state === state).length, state] as const);
    const words = ends.filter(([n]) => n > 0).map(([n, state]) => `${n} ${state}`).join(', ');
    if (await vscode.window.showInformationMessage(`Finished while you were away: ${words}`, 'Show Tasks')) await vscode.commands.executeCommand('joblineTasks.focus');
  }

  /** Shows what this extension uses, and what jobline says of itself. */
  private async doctor(): Promise<void> {
    const { program, args } = settings();
    this.channel ??= vscode.window.createOutputChannel('Jobline');
    const state = await this.queue.connect().then(() => 'ok    connection', (error: Error) => `fail  connection: ${error.message}`);
    let said = '';
    await runProgram(['doctor'], { stdin: '', heard: (text) => { said += text; } }).catch((error: Error) => { said += error.message; });
    this.channel.replace(plain(`${state}\nok    VS Code ${vscode.version}, ${[program, 'attach', ...args].join(' ')}\n${said}`));
    this.channel.show();
  }
}

/** Whether a terminal is one that VS Code has made for a task of this name: it tells no more of it. */
function isTerminalOf(name: string, terminal: vscode.Terminal | undefined): boolean {
  const [, plain = '', folder = ''] = /^(?:Task - )?(?:jobline: )?(.*?)( \([^()]*\))?$/s.exec(terminal?.name ?? '') ?? [];
  return plain === name || plain + folder === name;
}

function wantedBy({ command, cwd, env, taskType, input, labels }: Definition): Wanted {
  if (taskType) return { type: taskType, input: input ?? {}, labels };
  return { type: 'exec', labels, input: { argv: [vscode.env.shell || '/bin/sh', '-c', command], ...(cwd && { dir: cwd }), ...(env && { env }) } };
}
