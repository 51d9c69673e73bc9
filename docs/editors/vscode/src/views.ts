// What the window shows of the queue: the list of all tasks, and the item in the status bar.
import * as vscode from 'vscode';
import type { State, Task, TaskCounts } from '../../../../schema/jobline';
import type { Queue } from './queue';

const mostEnded = 200; // tasks that have ended, in the list
const mostOpen = 1000; // tasks that run, or wait, in the list
const mostWorks = 5000; // tasks of which it is remembered what they do
const drawEvery = 250; // the most often that events change what is shown, in milliseconds
const refreshEvery = 1000; // how often a list that is seen is read: tasks that are queued make no event

const icons: Record<State, string> = { queued: 'clock', running: 'sync~spin', completed: 'pass', failed: 'error', cancelled: 'circle-slash' };

/** What a task does, in one line. */
export function work(task: Pick<Task, 'type' | 'input'>): string {
  const argv = (task.input as { argv?: string[] } | undefined)?.argv;
  const words = argv?.length === 3 && argv[1] === '-c' ? argv[2]! : argv?.join(' ');
  const text = words ?? (task.type + ' ' + JSON.stringify(task.input ?? {})).replace(/ \{\}$/, '');
  return text.replace(/\s+/g, ' ').slice(0, 200);
}

export class TaskList implements vscode.TreeDataProvider<Task> {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly works = new Map<string, Promise<string>>();

  constructor(private readonly queue: Queue) {}

  refresh(): void { this.changed.fire(); }

  /** The tasks that run or wait, the oldest first, and behind them those that have ended last. */
  async getChildren(): Promise<Task[]> {
    const [running, queued, ended] = await Promise.all([
      this.queue.call('list', { states: ['running'], limit: mostOpen, order: 'oldest' }),
      this.queue.call('list', { states: ['queued'], limit: mostOpen, order: 'oldest' }),
      this.queue.call('list', { states: ['completed', 'failed', 'cancelled'], limit: mostEnded }),
    ]);
    ended.tasks.sort((a, b) => Date.parse(b.finishedAt!) - Date.parse(a.finishedAt!));
    return [...running.tasks, ...queued.tasks, ...ended.tasks];
  }

  async getTreeItem(task: Task): Promise<vscode.TreeItem> {
    const labels = Object.entries(task.labels).map(([name, value]) => `${name}=${value}`);
    return Object.assign(new vscode.TreeItem(await this.workOf(task)), {
      id: task.id,
      description: describe(task),
      tooltip: [task.id, `${task.type} ${task.state}`, ...labels, task.error?.message].filter(Boolean).join('\n'),
      iconPath: new vscode.ThemeIcon(icons[task.state]),
      contextValue: task.finishedAt ? 'ended' : 'open',
      command: { command: 'jobline.logs', title: 'Open Output', arguments: [task] },
    });
  }

  /** What a task does. Its input never changes, so it is asked for once. */
  workOf(task: Pick<Task, 'id' | 'type'>): Promise<string> {
    let known = this.works.get(task.id);
    if (!known) {
      known = this.queue.call('status', { id: task.id, includeInput: true }).then(work);
      known = known.catch(() => { this.works.delete(task.id); return task.type; });
      if (this.works.size >= mostWorks) this.works.clear();
      this.works.set(task.id, known);
    }
    return known;
  }
}

function describe({ state, progress, startedAt, error, stopped }: Task): string {
  if (state === 'failed') return error?.exitCode === undefined ? error?.kind ?? state : `exit ${error.exitCode}`;
  if (state !== 'running') return state;
  if (stopped) return 'stopped';
  const done = progress?.total ? ` ${Math.floor(100 * progress.progress / progress.total)}%` : '';
  return `${Math.round((Date.now() - Date.parse(startedAt!)) / 1000)} s${done}${progress?.message ? ' ' + progress.message : ''}`;
}

/** Shows the queue, and keeps it fresh. */
export function showQueue(queue: Queue, list: TaskList): vscode.Disposable {
  const view = vscode.window.createTreeView('joblineTasks', { treeDataProvider: list });
  const status = vscode.window.createStatusBarItem('jobline', vscode.StatusBarAlignment.Left);
  status.name = 'Jobline';
  status.command = 'joblineTasks.focus';
  let soon: NodeJS.Timeout | undefined, tick: NodeJS.Timeout | undefined;
  const draw = async (): Promise<void> => {
    soon = undefined;
    view.message = queue.lost?.message;
    if (queue.lost) {
      status.text = '$(warning) jobline';
      status.tooltip = queue.lost.message;
    } else {
      if (view.visible) list.refresh();
      const { tasks } = await (await queue.connect()).request('stats', {}); // a lost connection is made again in a while
      status.text = numbers(tasks);
      status.tooltip = `Jobline: ${tasks.running} running, ${tasks.queued} queued, ${tasks.failed} failed`;
    }
    status.show();
  };
  const redraw = (): void => { soon ??= setTimeout(() => void draw().catch(() => undefined), drawEvery); };
  const seen = (): void => {
    clearInterval(tick);
    if (!view.visible) return;
    redraw();
    tick = setInterval(redraw, refreshEvery);
  };
  seen();
  return vscode.Disposable.from(
    view, status, queue.onEvent(redraw), queue.onConnection(redraw), view.onDidChangeVisibility(seen),
    { dispose: () => { clearTimeout(soon); clearInterval(tick); } },
  );
}

function numbers({ running, queued }: TaskCounts): string {
  const waiting = queued > 0 ? ` +${queued}` : '';
  return running > 0 ? `$(sync~spin) jobline ${running}${waiting}` : `$(checklist) jobline${waiting}`;
}
