// The output of a task in a terminal of VS Code, as `jobline logs` shows it to a viewer.
import * as vscode from 'vscode';
import type { Task } from '../../../../schema/jobline';
import { runProgram } from './program';
import type { Queue } from './queue';

const flushEvery = 50; // milliseconds in which output is gathered for the terminal
const mostGathered = 256 << 10; // characters that are shown of one such time; the oldest go

export class TaskTerminal implements vscode.Pseudoterminal {
  private readonly written = new vscode.EventEmitter<string>();
  readonly onDidWrite = this.written.event;
  private readonly closed = new vscode.EventEmitter<number>();
  readonly onDidClose = this.closed.event;
  private readonly viewer = new AbortController();
  private id: string | undefined; // of the task, once it is known
  private gathered = '';
  private leftOut = 0;
  private flushing: NodeJS.Timeout | undefined;
  private over = false;
  private interrupted = false; // by Ctrl-C, which may come before the task is known

  /** task answers the id of the task, which it may submit; ends says whether the end of the task ends the terminal. */
  constructor(private readonly queue: Queue, private readonly task: () => Promise<string>, private readonly ends: boolean) {}

  open(): void {
    void this.follow().catch((error: Error) => this.finish(error.message, 1));
  }

  close(): void {
    this.over = true;
    clearTimeout(this.flushing);
    this.viewer.abort();
  }

  handleInput(text: string): void {
    if (text !== '\x03' || this.over) return;
    this.interrupted = true;
    if (this.id) this.cancel(this.id);
  }

  private cancel(id: string): void {
    void this.queue.call('cancel', { id }).catch((error: Error) => this.show(`\n[${error.message}]\n`));
  }

  private async follow(): Promise<void> {
    const id = this.id = await this.task();
    if (this.interrupted) this.cancel(id);
    if (this.over) return;
    const tail = vscode.workspace.getConfiguration('jobline').get<number>('tailBytes') ?? 1 << 20;
    await runProgram(['logs', '--viewer', '--follow', '--tail-bytes', String(tail), id], {
      heard: (text) => this.show(text), signal: this.viewer.signal,
    });
    const task = await this.queue.call('status', { id });
    this.finish(endOf(task), task.state === 'completed' ? 0 : task.error?.exitCode ?? 1);
  }

  private show(text: string): void {
    this.gathered += text;
    if (this.gathered.length > mostGathered) {
      this.leftOut += this.gathered.length - mostGathered;
      this.gathered = this.gathered.slice(-mostGathered);
    }
    this.flushing ??= setTimeout(() => this.flush(), flushEvery);
  }

  private flush(): void {
    clearTimeout(this.flushing);
    this.flushing = undefined;
    const note = this.leftOut > 0 ? `\n[${this.leftOut} characters left out: too fast to be shown]\n` : '';
    const text = (note + this.gathered).replace(/\r?\n/g, '\r\n');
    this.gathered = '';
    this.leftOut = 0;
    if (text) this.written.fire(text);
  }

  private finish(words: string, code: number): void {
    if (this.over) return;
    this.show(`\n[${words}]\n`);
    this.flush();
    this.close();
    if (this.ends) this.closed.fire(code);
  }
}

/** Makes output fit for an editor: without colours, and of each line its last state. */
export function plain(text: string): string {
  return text.replace(/\x1b\[[0-9;:]*[mK]|[\b\x1b]/g, '').replace(/\r\n/g, '\n').replace(/^.*\r(?=.)/gm, '').replace(/\r/g, '');
}

/** How a task has ended, in words. */
export function endOf(task: Task): string {
  const seconds = task.startedAt && task.finishedAt ? ` after ${((Date.parse(task.finishedAt) - Date.parse(task.startedAt)) / 1000).toFixed(1)} s` : '';
  return `${task.type} ${task.state}${seconds}${task.error ? ': ' + task.error.message : ''}`;
}
