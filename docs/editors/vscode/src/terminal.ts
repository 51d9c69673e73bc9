// The output of a task in a terminal of VS Code, as the program gives it to a viewer.
import * as vscode from 'vscode';
import { runProgram } from './program';
import type { Output, Queue } from './queue';

export class TaskTerminal implements vscode.Pseudoterminal {
  private readonly written = new vscode.EventEmitter<string>();
  readonly onDidWrite = this.written.event;
  private readonly closed = new vscode.EventEmitter<number>();
  readonly onDidClose = this.closed.event;
  private following: vscode.Disposable | undefined;
  private id: string | undefined; // of the task, once it is known
  private begun = false;
  private over = false;
  private interrupted = false; // by Ctrl-C, which may come before the task is known

  /** task answers the id of the task, which it may submit; ends says whether the end of the task ends the terminal. */
  constructor(private readonly queue: Queue, private readonly task: () => Promise<string>, readonly ends: boolean) {}

  open(): void {
    void this.follow().catch((error: Error) => this.finish(`\n[${error.message}]\n`, 1));
  }

  close(): void {
    this.over = true;
    this.following?.dispose();
  }

  handleInput(text: string): void {
    if (text !== '\x03' || this.over) return;
    this.interrupted = true;
    if (this.id) this.cancel(this.id);
  }

  private cancel(id: string): void {
    void cancelTask(id).catch((error: Error) => this.show(`\n[${error.message}]\n`));
  }

  private async follow(): Promise<void> {
    const id = this.id = await this.task();
    await this.queue.connect();
    if (this.interrupted) this.cancel(id);
    if (this.over) return;
    const tail = vscode.workspace.getConfiguration('jobline').get<number>('tailBytes') ?? 1 << 20;
    this.following = this.queue.follow(id, tail, (output) => this.take(output));
  }

  private take({ clear, text, ended, error }: Output): void {
    if (clear && this.begun) this.show('\x1b[2J\x1b[3J\x1b[H');
    if (text) this.show(text);
    if (error) this.finish(`\n[${error}]\n`, 1);
    if (ended) this.finish('\n', ended.state === 'completed' ? 0 : ended.exitCode ?? 1);
  }

  private show(text: string): void {
    this.begun = true;
    this.written.fire(text.replace(/\r?\n/g, '\r\n'));
  }

  private finish(words: string, code: number): void {
    if (this.over) return;
    this.show(words);
    this.close();
    if (this.ends) this.closed.fire(code);
  }
}

export async function cancelTask(id: string): Promise<void> {
  await runProgram(['cancel', '--yes', '--reason', 'cancelled in VS Code', id]);
}

/** Makes output fit for an editor: without colours, and of each line its last state. */
export function plain(text: string): string {
  const bare = text.replace(/\x1b\[[0-9;:]*[mK]|[\b\x1b]/g, '').replace(/\r\n/g, '\n');
  return bare.replace(/^.*\r(?=.)/gm, '').replace(/\r/g, '');
}
