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

type Row = Pick<Task, 'id'>;

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
  private readonly newest = new Map<string, string>(); // the id of the newest task by its name as a task of VS Code
  private channel: vscode.OutputChannel | undefined;

  constructor(private readonly queue: Queue) { this.list = new TaskList(queue); }

  register(): vscode.Disposable[] {
    const command = (name: string, run: (row?: Row) => unknown): vscode.Disposable =>
      vscode.commands.registerCommand(`jobline.${name}`, async (row?: Row) => {
        this.queue.byUser();
        try {
          await run(row);
        } catch (error) {
          void vscode.window.showErrorMessage(`Jobline: ${(error as Error).message}`);
        }
      });
    const ofTask = (name: string, verb: string, run: (id: string) => unknown, states?: State[]): vscode.Disposable =>
      command(name, async (row) => {
        const task = row ?? await this.pick(verb, states);
        if (task) await run(task.id);
      });
    return [
      this.queue, showQueue(this.queue, this.list), offerSchemas(this.queue),
      vscode.tasks.registerTaskProvider('jobline', { provideTasks: () => [], resolveTask: (task) => this.resolve(task) }),
      vscode.workspace.registerTextDocumentContentProvider(outputScheme, { provideTextDocumentContent: (uri) => whole(uri.path.slice(1)) }),
      this.queue.onFinished((task) => void this.notice(task)),
      this.queue.onFinishedAway((tasks) => void noticeAway(tasks)),
      vscode.window.onDidCloseTerminal((closed) => this.terminals.forEach((terminal, id) => { if (terminal === closed) this.terminals.delete(id); })),
      command('run', () => this.run()),
      command('submit', () => this.submit()),
      ofTask('again', 'run again', (id) => this.again(id)),
      ofTask('cancel', 'cancel', (id) => this.cancel(id), ['running', 'queued']),
      ofTask('logs', 'show', (id) => this.show(id)),
      ofTask('whole', 'show', (id) => vscode.window.showTextDocument(vscode.Uri.from({ scheme: outputScheme, path: '/' + id }))),
      command('refresh', () => this.list.refresh()),
      command('top', () => {
        const { program, args, cwd } = settings();
        vscode.window.createTerminal({ name: 'jobline top', shellPath: program, shellArgs: ['top', ...args], cwd }).show();
      }),
      command('doctor', () => this.doctor()),
    ];
  }

  /** Asks for a command line, and runs it as a task of VS Code, so that problem matchers see its output. */
  private async run(): Promise<void> {
    const line = await vscode.window.showInputBox({
      title: 'Run in the Background', prompt: 'a command line for your shell', placeHolder: 'make test', ignoreFocusOut: true,
    });
    if (!line) return;
    const file = vscode.window.activeTextEditor?.document.uri ?? vscode.Uri.file('/');
    const folder = vscode.workspace.getWorkspaceFolder(file) ?? vscode.workspace.workspaceFolders?.[0];
    await vscode.tasks.executeTask(this.task({ type: 'jobline', command: line }, folder ?? vscode.TaskScope.Workspace, line));
  }

  private task(definition: Definition, scope: vscode.WorkspaceFolder | vscode.TaskScope, name: string): vscode.Task {
    const matchers = vscode.workspace.getConfiguration('jobline').get<string[]>('problemMatchers') ?? [];
    const folder = typeof scope === 'object' ? scope.uri.fsPath : undefined;
    const execution = new vscode.CustomExecution((resolved) => Promise.resolve(new TaskTerminal(this.queue, () => {
      const id = randomUUID();
      this.newest.set(name, id); // the task before of the same name is looked at no more
      const looks = (): boolean => this.newest.get(name) === id && isTerminalOf(name, vscode.window.activeTerminal);
      return this.start(wantedBy(resolved as Definition), { id, folder, looks });
    }, true)));
    return new vscode.Task(definition, scope, name, 'jobline', execution, matchers);
  }

  private resolve(task: vscode.Task): vscode.Task | undefined {
    const definition = task.definition as Definition;
    if (!definition.command && !definition.taskType) return undefined;
    return this.task(definition, task.scope ?? vscode.TaskScope.Workspace, task.name);
  }

  /** Submits a task of this window. The program adds the environment, and writes no secret to a file. */
  private async start({ type, labels, input }: Wanted, { id = randomUUID() as string, folder = settings().cwd ?? homedir(), looks = undefined as (() => boolean) | undefined } = {}): Promise<string> {
    this.queue.byUser(); // a task of tasks.json is no command
    await this.queue.connect();
    await this.adopt(id, looks);
    const whole = type === 'exec' ? { dir: folder, stderr: 'stdout', ...input } : input;
    try {
      await runProgram(['submit'], { stdin: JSON.stringify({ id, type, input: whole, labels: { owner: 'vscode', ...labels } }) });
    } catch (error) {
      if (!(error instanceof Lost)) this.queue.mine.delete(id);
      throw error;
    }
    await this.attend(id);
    return id;
  }

  private async again(id: string): Promise<void> {
    const next = (await runProgram(['retry', id], { stdin: '' })).trim();
    await this.adopt(next);
    await this.attend(next);
    await this.show(next);
  }

  /** Makes a task one of this window. looks says whether its output is in front. */
  private async adopt(id: string, looks?: () => boolean): Promise<void> {
    const active = (): boolean => this.terminals.has(id) && this.terminals.get(id) === vscode.window.activeTerminal;
    this.looked.set(id, looks ?? active);
    await this.queue.note(id);
  }

  /** Shows the progress of a task of this window, or its end where that has come already. */
  private async attend(id: string): Promise<void> {
    const task = await this.queue.call('status', { id, includeInput: true });
    if (task.finishedAt) await this.queue.over(task);
    else this.progress(id, work(task));
  }

  private async submit(): Promise<void> {
    const draft = drafted();
    if (draft) return this.show(await this.start(draft));
    const chosen = await chooseType(this.queue, this.list);
    if (typeof chosen === 'string') return this.again(chosen);
    let input: Record<string, unknown> | undefined = {}, problem: string | undefined;
    while (chosen && (input = await askInput(chosen, input, problem))) {
      try {
        return await this.show(await this.start({ type: chosen.name, input }));
      } catch (error) {
        if (error instanceof Lost) throw error;
        problem = (error as Error).message;
      }
    }
  }

  private async cancel(id: string): Promise<void> {
    await this.queue.call('cancel', { id, reason: 'cancelled in VS Code' });
  }

  /** Shows the output of a task in a terminal, which goes on with what comes. */
  private async show(id: string): Promise<void> {
    let terminal = this.terminals.get(id);
    if (!terminal) {
      const task = await this.queue.call('status', { id, includeInput: true }); // a task that is gone has no terminal
      terminal = vscode.window.createTerminal({ name: work(task), pty: new TaskTerminal(this.queue, () => Promise.resolve(id), false) });
      this.terminals.set(id, terminal);
    }
    terminal.show(true);
  }

  private async pick(verb: string, states?: State[]): Promise<Task | undefined> {
    const { tasks } = await this.queue.call('list', { states, limit: 100 });
    const items = await Promise.all(tasks.map(async (task) => ({ label: await this.list.workOf(task), description: task.state, task })));
    if (items.length === 0) throw new Error(`there is no task to ${verb}`);
    return (await vscode.window.showQuickPick(items, { title: `Jobline: a task to ${verb}` }))?.task;
  }

  /** Shows the progress of a task that takes long, with a button that cancels it, until it has ended. */
  private progress(id: string, title: string): void {
    let report: vscode.Progress<{ message?: string; increment?: number }> | undefined, shown = 0;
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    const finished = new Promise<void>((resolve) => {
      const listener = this.queue.onFinished((task) => {
        if (task.id !== id) return;
        resolve();
        [listener, reports].forEach((one) => one.dispose());
        clearTimeout(later);
      });
    });
    const later = setTimeout(() => void vscode.window.withProgress(options, (progress, token) => {
      report = progress;
      token.onCancellationRequested(() => void this.cancel(id).catch(() => undefined));
      return finished;
    }), progressAfter);
    const reports = this.queue.onEvent((event) => {
      if (event.method !== 'task/progress' || event.params.id !== id) return;
      const { progress, total, unit, message } = event.params, percent = total ? 100 * progress / total : 0;
      report?.report({ message: message ?? `${progress} ${unit ?? ''}`, increment: percent - shown });
      if (report) shown = percent;
    });
  }

  /** Says how a task of this window has ended, unless it is being looked at. */
  private async notice(task: Task): Promise<void> {
    const looks = this.looked.get(task.id), looking = vscode.window.state.focused && looks?.();
    this.looked.delete(task.id);
    this.newest.forEach((id, name) => { if (id === task.id) this.newest.delete(name); });
    if (!looks || looking) return;
    const words = `${await this.list.workOf(task)}: ${endOf(task)}`;
    const say = task.state === 'completed' ? vscode.window.showInformationMessage : vscode.window.showWarningMessage;
    if (await say(words, 'Show Output')) await vscode.commands.executeCommand('jobline.logs', task);
  }

  /** Shows what this extension uses, and what jobline says of itself. */
  private async doctor(): Promise<void> {
    const { program, args } = settings();
    this.channel ??= vscode.window.createOutputChannel('Jobline');
    let said = await this.queue.connect().then(() => 'ok    connection', (error: Error) => `fail  connection: ${error.message}`);
    said += `\nok    VS Code ${vscode.version}, ${[program, 'attach', ...args].join(' ')}\n`;
    await runProgram(['doctor'], { stdin: '', heard: (text) => { said += text; } }).catch((error: Error) => { said += error.message; });
    this.channel.replace(plain(said));
    this.channel.show();
  }
}

async function noticeAway(tasks: Task[]): Promise<void> {
  const ends = (['completed', 'failed', 'cancelled'] as const).map((state) => ({ state, n: tasks.filter((task) => task.state === state).length }));
  const words = ends.filter(({ n }) => n > 0).map(({ n, state }) => `${n} ${state}`).join(', ');
  const clicked = await vscode.window.showInformationMessage(`Finished while you were away: ${words}`, 'Show Tasks');
  if (clicked) await vscode.commands.executeCommand('joblineTasks.focus');
}

/** What is kept of the output of a task. */
async function whole(id: string): Promise<string> {
  return plain(await runProgram(['logs', '--viewer', '--tail-bytes', String(mostWhole), id], { stdin: '' }));
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
