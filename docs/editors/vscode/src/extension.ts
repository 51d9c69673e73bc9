// The extension: its commands, its tasks, and what it says at the end of a task.
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import type { State } from '../../../../schema/jobline';
import { askInput, chooseType, drafted, offerSchemas, type Wanted } from './ask';
import { Lost, runProgram, settings } from './program';
import { isEnded, Queue, type Row } from './queue';
import { cancelTask, plain, TaskTerminal } from './terminal';
import { showQueue } from './views';

const progressAfter = 1000; // milliseconds that a task has before it gets a progress notification
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
  queue = new Queue();
  context.subscriptions.push(...new Jobline(queue).register());
}

export function deactivate(): Promise<void> | undefined { return queue?.shutdown(); }

class Jobline {
  private readonly terminals = new Map<string, vscode.Terminal>();
  private readonly looked = new Map<string, () => boolean>(); // whether the output of a task of this window is in front
  private readonly newest = new Map<string, string>(); // the id of the newest task by its name as a task of VS Code
  private channel: vscode.OutputChannel | undefined;

  constructor(private readonly queue: Queue) {}

  register(): vscode.Disposable[] {
    const command = (name: string, run: (row?: Row) => unknown): vscode.Disposable =>
      vscode.commands.registerCommand(`jobline.${name}`, async (row?: Row) => {
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
      this.queue, showQueue(this.queue), offerSchemas(),
      vscode.tasks.registerTaskProvider('jobline', {
        provideTasks: () => [], resolveTask: (task) => this.resolve(task),
      }),
      vscode.workspace.registerTextDocumentContentProvider(outputScheme, {
        provideTextDocumentContent: (uri) => whole(uri.path.slice(1)),
      }),
      this.queue.finished.event((row) => void this.notice(row)),
      this.queue.finishedAway.event((words) => void noticeAway(words)),
      vscode.window.onDidCloseTerminal((closed) => {
        for (const [id, terminal] of this.terminals) if (terminal === closed) this.terminals.delete(id);
      }),
      command('run', () => this.run()),
      command('submit', () => this.submit()),
      ofTask('again', 'run again', (id) => this.again(id)),
      ofTask('cancel', 'cancel', cancelTask, ['running', 'queued']),
      ofTask('logs', 'show', (id) => this.show(id)),
      ofTask('whole', 'show', (id) => {
        return vscode.window.showTextDocument(vscode.Uri.from({ scheme: outputScheme, path: '/' + id }));
      }),
      command('refresh', () => this.queue.watch(true)),
      command('top', () => {
        const { program: shellPath, args, cwd } = settings(), shellArgs = ['top', ...args];
        vscode.window.createTerminal({ name: 'jobline top', shellPath, shellArgs, cwd }).show();
      }),
      command('doctor', () => this.doctor()),
    ];
  }

  /** Asks for a command line, and runs it as a task of VS Code, so that problem matchers see its output. */
  private async run(): Promise<void> {
    const title = 'Run in the Background', prompt = 'a command line for your shell', placeHolder = 'make test';
    const command = await vscode.window.showInputBox({ title, prompt, placeHolder, ignoreFocusOut: true });
    if (!command) return;
    const file = vscode.window.activeTextEditor?.document.uri ?? vscode.Uri.file('/');
    const folder = vscode.workspace.getWorkspaceFolder(file) ?? vscode.workspace.workspaceFolders?.[0];
    const scope = folder ?? vscode.TaskScope.Workspace;
    await vscode.tasks.executeTask(this.task({ type: 'jobline', command }, scope, command));
  }

  private task(definition: Definition, scope: vscode.WorkspaceFolder | vscode.TaskScope, name: string): vscode.Task {
    const matchers = vscode.workspace.getConfiguration('jobline').get<string[]>('problemMatchers') ?? [];
    const folder = typeof scope === 'object' ? scope.uri.fsPath : undefined;
    const execution = new vscode.CustomExecution(async (resolved) => new TaskTerminal(this.queue, async () => {
      const looks = (): boolean => this.newest.get(name) === id && isInFront(name);
      const id: string = await this.start(wantedBy(resolved as Definition), folder, looks);
      this.newest.set(name, id); // the task before of the same name is looked at no more
      return id;
    }, true));
    return new vscode.Task(definition, scope, name, 'jobline', execution, matchers);
  }

  private resolve(task: vscode.Task): vscode.Task | undefined {
    const definition = task.definition as Definition;
    if (!definition.command && !definition.taskType) return undefined;
    return this.task(definition, task.scope ?? vscode.TaskScope.Workspace, task.name);
  }

  /** Submits a task of this window. The program adds the environment, and writes no secret to a file. */
  private async start({ type, labels, input }: Wanted, folder?: string, looks?: () => boolean): Promise<string> {
    await this.queue.connect();
    const dir = folder ?? settings().cwd ?? homedir();
    const whole = type === 'exec' ? { dir, stderr: 'stdout', ...input } : input;
    const stdin = JSON.stringify({ type, input: whole, labels: { owner: 'vscode', ...labels } });
    return this.adopt((await runProgram(['submit'], { stdin })).trim(), looks);
  }

  private async again(id: string): Promise<void> {
    await this.queue.connect();
    await this.show(this.adopt((await runProgram(['retry', id])).trim()));
  }

  /** Makes a task one of this window. looks says whether its output is in front. */
  private adopt(id: string, looks?: () => boolean): string {
    const active = (): boolean => this.terminals.has(id) && this.terminals.get(id) === vscode.window.activeTerminal;
    this.looked.set(id, looks ?? active);
    this.queue.own(id);
    this.progress(id);
    return id;
  }

  private async submit(): Promise<void> {
    const draft = drafted();
    if (draft) return this.show(await this.start(draft));
    const chosen = await chooseType(this.queue);
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

  /** Shows the output of a task in a terminal, which goes on with what comes. */
  private async show(id: string): Promise<void> {
    await this.queue.connect();
    let terminal = this.terminals.get(id);
    if (!terminal) {
      const pty = new TaskTerminal(this.queue, () => Promise.resolve(id), false);
      terminal = vscode.window.createTerminal({ name: this.queue.rows.get(id)?.title ?? id, pty });
      this.terminals.set(id, terminal);
    }
    terminal.show(true);
  }

  private async pick(verb: string, states?: State[]): Promise<Row | undefined> {
    await this.queue.connect();
    const rows = [...this.queue.rows.values()].filter(({ state }) => !states || states.includes(state));
    if (rows.length === 0) throw new Error(`there is no task to ${verb}`);
    rows.sort((a, b) => b.created - a.created);
    const items = rows.map((row) => ({ label: row.title, description: row.status, row }));
    return (await vscode.window.showQuickPick(items, { title: `Jobline: a task to ${verb}` }))?.row;
  }

  /** Shows the progress of a task that takes long, with a button that cancels it, until it has ended. */
  private progress(id: string): void {
    const find = (): Row | undefined => [this.queue.rows.get(id)].find((row) => row && !isEnded(row));
    setTimeout(() => {
      const title = find()?.title, location = vscode.ProgressLocation.Notification, cancellable = true;
      if (!title) return;
      void vscode.window.withProgress({ title, location, cancellable }, (progress, token) => new Promise((resolve) => {
        token.onCancellationRequested(() => void cancelTask(id).catch(() => undefined));
        let shown = 0;
        const listener = this.queue.changed.event(() => {
          const row = find(), { message, percent = shown } = row ?? {};
          progress.report({ message, increment: percent - shown });
          shown = percent;
          if (row) return;
          listener.dispose();
          resolve(undefined);
        });
      }));
    }, progressAfter);
  }

  /** Says how a task of this window has ended, unless it is being looked at. */
  private async notice(row: Row): Promise<void> {
    const looks = this.looked.get(row.id), looking = vscode.window.state.focused && looks?.();
    this.looked.delete(row.id);
    this.newest.forEach((id, name) => { if (id === row.id) this.newest.delete(name); });
    if (!looks || looking) return;
    const words = `${row.title}: ${row.status} after ${row.time ?? '0s'}${row.error ? ': ' + row.error : ''}`;
    const say = row.state === 'completed' ? vscode.window.showInformationMessage : vscode.window.showWarningMessage;
    if (await say(words, 'Show Output')) await vscode.commands.executeCommand('jobline.logs', row);
  }

  /** Shows what this extension uses, and what jobline says of itself. */
  private async doctor(): Promise<void> {
    const { program, args } = settings();
    this.channel ??= vscode.window.createOutputChannel('Jobline');
    const why = await this.queue.connect().then(() => '', (error: Error) => error.message);
    let said = why ? `fail  connection: ${why}` : 'ok    connection';
    said += `\nok    VS Code ${vscode.version}, ${[program, ...args].join(' ')}\n`;
    const heard = (text: string): void => { said += text; };
    await runProgram(['doctor'], { heard }).catch((error: Error) => heard(error.message));
    this.channel.replace(plain(said));
    this.channel.show();
  }
}

async function noticeAway(words: string): Promise<void> {
  const clicked = await vscode.window.showInformationMessage(`Finished while you were away: ${words}`, 'Show Tasks');
  if (clicked) await vscode.commands.executeCommand('joblineTasks.focus');
}

/** What is kept of the output of a task, up to 10 MiB of each stream. */
async function whole(id: string): Promise<string> {
  return plain(await runProgram(['logs', '--viewer', '--tail-bytes', String(10 << 20), id]));
}

/** Whether the terminal in front, whose name is shown, is one that VS Code has made for a task of this name. */
function isInFront(name: string, shown = vscode.window.activeTerminal?.name ?? ''): boolean {
  const [, plain = '', folder = ''] = /^(?:Task - )?(?:jobline: )?(.*?)( \([^()]*\))?$/s.exec(shown) ?? [];
  return plain === name || plain + folder === name;
}

function wantedBy({ command, cwd, env, taskType, input, labels }: Definition): Wanted {
  if (taskType) return { type: taskType, input: input ?? {}, labels };
  const argv = [vscode.env.shell || '/bin/sh', '-c', command];
  return { type: 'exec', labels, input: { argv, ...(cwd && { dir: cwd }), ...(env && { env }) } };
}
