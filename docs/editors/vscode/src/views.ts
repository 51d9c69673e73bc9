// What the window shows of the queue: the list of all tasks, and the item in the status bar.
import * as vscode from 'vscode';
import type { State } from '../../../../schema/jobline';
import { isEnded, type Queue, type Row } from './queue';

const icons: Record<State, string> = {
  queued: 'clock', running: 'sync~spin', completed: 'pass', failed: 'error', cancelled: 'circle-slash',
};

/** The tasks that run, those that wait, the oldest first, and behind them those that have ended, the newest first. */
function sorted(rows: Row[]): Row[] {
  const place = (row: Row): number => (row.state === 'running' ? 0 : row.state === 'queued' ? 1 : 2);
  const age = (a: Row, b: Row): number => a.created - b.created || (a.id < b.id ? -1 : 1);
  return rows.sort((a, b) => place(a) - place(b) || (isEnded(a) ? age(b, a) : age(a, b)));
}

function itemOf(row: Row): vscode.TreeItem {
  return Object.assign(new vscode.TreeItem(row.title), {
    id: row.id,
    description: [row.status, row.time, row.waits, row.message].filter(Boolean).join(' '),
    tooltip: [row.id, row.title, row.status, row.error].filter(Boolean).join('\n'),
    iconPath: new vscode.ThemeIcon(icons[row.state]),
    contextValue: isEnded(row) ? 'ended' : 'open',
    command: { command: 'jobline.logs', title: 'Open Output', arguments: [row] },
  });
}

/** Shows the queue, and keeps it fresh. */
export function showQueue(queue: Queue): vscode.Disposable {
  const list = new vscode.EventEmitter<void>();
  const view = vscode.window.createTreeView<Row>('joblineTasks', {
    treeDataProvider: {
      onDidChangeTreeData: list.event, getChildren: () => sorted([...queue.rows.values()]), getTreeItem: itemOf,
    },
  });
  const status = vscode.window.createStatusBarItem('jobline', vscode.StatusBarAlignment.Left);
  status.name = 'Jobline';
  status.command = 'joblineTasks.focus';
  const draw = (): void => {
    view.message = queue.lost;
    const count = (state: State): number => [...queue.rows.values()].filter((row) => row.state === state).length;
    const running = count('running'), queued = count('queued'), waiting = queued > 0 ? ` +${queued}` : '';
    const words = running > 0 ? `$(sync~spin) jobline ${running}` : '$(checklist) jobline';
    status.text = queue.lost ? '$(warning) jobline' : words + waiting;
    status.tooltip = queue.lost ?? `Jobline: ${running} running, ${queued} queued`;
    status.show();
    if (view.visible) list.fire();
  };
  const seen = (): void => {
    queue.watch(view.visible);
    list.fire();
  };
  seen();
  return vscode.Disposable.from(view, status, queue.changed.event(draw), view.onDidChangeVisibility(seen));
}
